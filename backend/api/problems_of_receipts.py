"""Refusals about surpluses, refunds, cheques and cash, and fees of budgets: title, cause, what to do."""

from django.utils.translation import gettext_lazy as _

PROBLEMS: dict[str, tuple[object, object, object]] = {
    "surplus_not_found": (
        _("The surplus does not exist"),
        _("There is none under this address that you may see."),
        _("Look for it in the list of surpluses."),
    ),
    "surplus_decided": (
        _("The surplus is already decided"),
        _("Somebody gave it to the pot or gave it back."),
        _("Open its page to see what became of it."),
    ),
    "refund_forgotten": (
        _("Whoever is repaid was forgotten"),
        _("Their name and account were erased on their demand once the refund was paid; the bank then sent it back."),
        _("Keep the money as it is owed, and ask the board what becomes of it."),
    ),
    "cheque_recorded": (
        _("This cheque is already written down"),
        _("A cheque of the same number and the same amount waits, or was seen at the bank."),
        _("Look for it in the list of cheques and cash; say that it is another one only if you hold both."),
    ),
    "no_next_instalment": (
        _("No instalment is to come"),
        _("The pledge was paid once, is over, or its pot is closed: nothing will take the money later."),
        _("Give the surplus to the pot, or give it back."),
    ),
    "refund_not_paid": (
        _("The refund was not paid"),
        _("No money can come back of a refund that was not paid, or that came back already."),
        _("Open its page to see where it stands."),
    ),
    "refund_not_this": (
        _("The line is not that refund"),
        _("It is not of the same amount, or the refund was not paid from this account."),
        _("Choose another refund, or leave the line in suspense."),
    ),
    "line_not_suspect": (
        _("Nobody asks whether the line is known already"),
        _("Somebody said it before, or the line looks like no other."),
        _("Open its page to see what became of it."),
    ),
    "choice_missing": (
        _("Nothing was chosen"),
        _("The form was sent without saying which of its answers is meant."),
        _("Press one of its buttons."),
    ),
    "refund_not_found": (
        _("The refund does not exist"),
        _("There is none under this address that you may see."),
        _("Look for it in the list of refunds."),
    ),
    "refund_above_held": (
        _("The budget no longer holds this money"),
        _("A refund is paid from what the budget still holds; the rest was shared."),
        _("Give back what the budget holds, or move money to it first."),
    ),
    "refund_on_its_way": (
        _("The refund is on its way"),
        _("A payout batch already pays it on the account that was typed."),
        _("Refuse the batch while it is not approved, then type the right account."),
    ),
    "asker_of_refund": (
        _("Who asked for a refund does not approve its batch"),
        _("Money goes back only when two people look at the account: who typed it, and who approves."),
        _("Let another treasurer approve this batch."),
    ),
    "paper_kind_unknown": (
        _("The kind of payment is unknown"),
        _("What is handed over is a cheque or cash."),
        _("Choose one of these."),
    ),
    "paper_day_absurd": (
        _("The day cannot be right"),
        _("It is before what it follows, or still to come."),
        _("Give the day on which it happened."),
    ),
    "paper_taken": (
        _("A cheque or cash is not there any more"),
        _("Somebody put it in a deposit, it came back, or it is of another account."),
        _("Open the page again and choose among those that are left."),
    ),
    "paper_not_found": (
        _("The cheque or cash does not exist"),
        _("There is none under this address that you may see."),
        _("Look for it in the list of cheques and cash."),
    ),
    "paper_cleared": (
        _("The bank has shown this money"),
        _("A cheque that came back after it was credited is taken back by a line of the statement."),
        _("Import the statement and identify that line."),
    ),
    "paper_not_cleared": (
        _("The bank has not shown this money yet"),
        _("It came on paper and could still come back unpaid."),
        _("Wait until its deposit is on a statement."),
    ),
    "deposit_empty": (
        _("The deposit is empty"),
        _("Nothing was chosen, or what was chosen does not exist."),
        _("Tick what is taken to the bank."),
    ),
    "deposit_not_found": (
        _("The deposit does not exist"),
        _("There is none under this address that you may see."),
        _("Look for it in the list of deposits."),
    ),
    "deposit_settled": (
        _("The deposit no longer waits"),
        _("A line of the statement settled it, or it was undone."),
        _("Open its page to see what became of it."),
    ),
    "deposit_other_total": (
        _("The line is not this deposit"),
        _("A deposit is settled by one line of exactly its total, on its account."),
        _("Look for the right line, or correct the deposit: undo it and put together what was really taken."),
    ),
}
