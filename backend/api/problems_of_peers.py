"""Refusals about what peers say of work, and what contributors do with their own: title, cause, what to do."""

from django.utils.translation import gettext_lazy as _

PROBLEMS: dict[str, tuple[object, object, object]] = {
    "own_objection_open": (
        _("Your own objection is open"),
        _("Who objects does not reject: stewards who are not involved decide on an objection."),
        _("Lift your objection, or wait for their decision."),
    ),
    "contribution_amended": (
        _("The contribution was amended meanwhile"),
        _("What you answer is an earlier version of it: its contributor has changed it since you read it."),
        _("Read it again, then say what you think of the new version."),
    ),
    "contribution_of_another": (
        _("This is somebody else’s contribution"),
        _("Only its contributor amends it, waives it or takes it back."),
        _("Ask them a question, or object with a reason."),
    ),
    "consent_given": (
        _("The time to object has passed"),
        _("The charter validates by consent: nobody objected in time, and the contribution is validated."),
        _("Speak with its contributor: they can still withdraw it before the period is closed."),
    ),
    "validated_by_consent": (
        _("This charter validates by consent"),
        _("Nobody approves or rejects there: work is validated after some days without objection."),
        _("Ask a question, or object with a reason; stewards settle an objection that is not lifted."),
    ),
    "said_length": (
        _("The text is missing or too long"),
        _("A question, an answer or a reason has 1 to 1000 characters; the reason of a decision 500."),
        _("Write it shorter, or write something."),
    ),
    "question_not_found": (
        _("There is no such question to you"),
        _("No question with this id was asked about your own work."),
        _("The questions about a contribution are shown with it."),
    ),
    "question_closed": (
        _("The question is closed"),
        _("It was answered already, or fell when the contribution was amended or ended."),
        _("Read the contribution again."),
    ),
    "already_objected": (
        _("You object to it already"),
        _("Each person has one open objection to a contribution."),
        _("Lift it first, then object with the other reason."),
    ),
    "objection_settled": (
        _("Your objection to this version was decided"),
        _(
            "Stewards set it aside, or had begun to when you lifted it: who objected says so once of each version, "
            "else nothing would ever be accepted."
        ),
        _("Somebody else may object; so may you once the contribution is amended."),
    ),
    "objection_not_found": (
        _("There is no such objection"),
        _("No objection that you may see has this id."),
        _("The objections to a contribution are shown with it."),
    ),
    "objection_of_another": (
        _("Somebody else raised this objection"),
        _("Who raised an objection lifts it; stewards who are not involved decide it."),
        _("Speak with them, or decide it if you are a steward."),
    ),
    "objection_ended": (
        _("The objection has ended"),
        _("It was lifted, decided, or fell with an amendment; the answer says which."),
        _("Read the contribution again. A new objection takes a new reason."),
    ),
    "objection_involved": (
        _("You are involved in this objection"),
        _("Whoever declared the work, recorded it or objected to it does not decide."),
        _("Another steward decides; without one, the request waits and goes to the next period."),
    ),
    "already_decided": (
        _("You have already decided"),
        _("Each steward says once what they decide of an objection."),
        _("The charter names how many stewards it takes: the others are awaited."),
    ),
    "upholds_unknown": (
        _("The decision is missing"),
        _("A decision upholds the objection, or sets it aside."),
        _("Send “upholds”: true or false, with the reason."),
    ),
    "not_amendable": (
        _("This cannot be changed after the declaration"),
        _("The day, the kind, the duration, the amount, the description, the links, the reason and the metadata can."),
        _("Withdraw the contribution and declare it anew, for instance for another budget."),
    ),
    "metadata_shape": (
        _("The metadata cannot be kept"),
        _("They are at most 20 pairs of texts: names of 1 to 40 characters, values of 500 at most."),
        _("Write numbers as texts, and keep larger things elsewhere, with a link here."),
    ),
    "expense_not_waived": (
        _("An expense is not waived whole"),
        _("It is an amount alone: without it nothing would be left."),
        _("Withdraw it, or waive a part of it."),
    ),
    "waived_amount": (
        _("The amount given up is not part of what is asked"),
        _("It is from 1 cent to one less than what is asked."),
        _("Leave the amount out to give up all of it."),
    ),
    "duration_twice": (
        _("The duration is given twice"),
        _("“minutes” and “duration” are two ways to write one thing."),
        _("Keep one of them."),
    ),
    "batch_size": (
        _("The batch has too few or too many items"),
        _("A batch has 1 to 500 contributions."),
        _("Cut it into several, each with an Idempotency-Key of its own."),
    ),
    "batch_refused": (
        _("Something in the batch was refused"),
        _("All of a batch is kept or nothing; “errors” names each item that was refused, and why."),
        _("Correct those items and send the whole batch again, with a new Idempotency-Key."),
    ),
    "import_known": (
        _("The file was imported already"),
        _("The very same file of yours is kept once for a budget: its rows would be declared twice."),
        _("Open that import under My work, and undo it if the file is to be given again."),
    ),
    "import_not_found": (
        _("There is no such import"),
        _("No import of yours has this id."),
        _("Your imports are listed under My work, Import a spreadsheet."),
    ),
    "import_shared": (
        _("The import is partly shared out"),
        _("A contribution of it is in a distribution: from then on it stays as it is."),
        _("Withdraw the others one by one, or ask for a correction of what was shared."),
    ),
    "sheet_unreadable": (
        _("The spreadsheet cannot be read"),
        _("It is damaged, protected by a password, or of another format than CSV, XLSX and ODS."),
        _("Save it again as CSV, XLSX or ODS, with a heading above each column."),
    ),
    "sheet_too_large": (
        _("The spreadsheet holds too much"),
        _("Its weight, its rows, its columns or the letters of a cell are over what is read."),
        _("Keep the sheet of your work alone, and cut a long one in several files."),
    ),
    "sheet_day": (
        _("A day cannot be read"),
        _("A cell of the column of days holds something else, or days are written in another order."),
        _("Write days as 2026-03-31 or 31/03/2026, or choose their order with the columns."),
    ),
}
