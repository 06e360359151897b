"""The refusals of statement files that are not camt.053, and of what a person chooses for them."""

from django.utils.translation import gettext_lazy as _

PROBLEMS: dict[str, tuple[object, object, object]] = {
    "statement_mt942": (
        _("Interim report, not a statement"),
        _("The file is an MT942: a report during the day, whose operations may still change."),
        _("Download the statement of the day (MT940, or better camt.053)."),
    ),
    "statement_not_found": (
        _("There is no such statement"),
        _("No statement of a bank has this id, or it is of an account that you may not see."),
        _("Open it from the list of statements."),
    ),
    "statement_several_formats": (
        _("Several files in one"),
        _("Files of different formats, or a file and something else, were put one behind the other."),
        _("Import each file alone, as the bank gives it."),
    ),
    "statement_cut": (
        _("File cut short"),
        _("The end that every OFX file has is missing, so that operations may be missing too."),
        _("Download the file from the bank again."),
    ),
    "statement_tag_twice": (
        _("Account or balance said twice"),
        _("An MT940 statement gives its account or a balance twice: which one counts cannot be known."),
        _("Download the file from the bank again; if it stays so, ask the bank for camt.053."),
    ),
    "statement_line_unreadable": (
        _("Operation that cannot be read"),
        _("A line of an MT940 is not written as the format asks, and an amount is never guessed."),
        _("Download the file from the bank again; if it stays so, ask the bank for camt.053."),
    ),
    "statement_line_amount": (
        _("Amount that cannot be read"),
        _("An OFX operation has an amount, or a currency, that cannot be read for sure."),
        _("Download the file from the bank again; if it stays so, ask the bank for camt.053."),
    ),
    "statement_csv_damaged": (
        _("Broken CSV"),
        _("The quotes or the ends of line of the file are broken."),
        _("Download the file from the bank again, and do not open it in a spreadsheet in between."),
    ),
    "statement_csv_columns": (
        _("Columns to choose"),
        _("The words of the header do not tell which column is the date and which the amount."),
        _("Import the file on the page of the bank, which asks for the columns and saves them."),
    ),
    "statement_csv_other_columns": (
        _("Not the saved columns"),
        _("The file has other columns than those that were saved: the bank may have changed its export."),
        _("Import the file on the page of the bank and choose the columns again."),
    ),
    "statement_csv_row": (
        _("Line that cannot be read"),
        _("Among the operations, a line has no date, too many cells, or says both debit and credit."),
        _("Check the chosen columns; if they are right, download the file from the bank again."),
    ),
    "statement_csv_amount": (
        _("Amount that cannot be read for sure"),
        _("An amount such as 1.234 could be one thousand or one unit, or is no amount at all."),
        _("Choose the columns and the decimal mark on the import page."),
    ),
    "account_not_chosen": (
        _("Account to choose"),
        _("The file writes the bank’s own number, a masked one or none: it is never guessed which account it is."),
        _("Say on the import page, or with --account, which account of the host it is."),
    ),
    "csv_layout_not_found": (
        _("No such saved columns"),
        _("The saved columns were removed already, or their address is wrong."),
        _("Go back to the import page."),
    ),
    "answer_too_large": (
        _("Answer too large"),
        _("The bank’s answer to a payment file (pain.002) is larger than any batch of ours needs."),
        _("Ask the bank for the answer to one batch."),
    ),
    "answer_version": (
        _("Answer of another version"),
        _("The file is not a pain.002.001.03 or later, the answers to payment files that are read here."),
        _("Ask the bank for one of these versions."),
    ),
    "answer_not_one": (
        _("Not one answer"),
        _("The file does not answer exactly one payment file, so that what it says of which cannot be known."),
        _("Import each answer alone."),
    ),
    "answer_amount": (
        _("Figure that cannot be read"),
        _("An amount or a number in the bank’s answer cannot be read for sure, and none is ever guessed."),
        _("Ask the bank for a correct file."),
    ),
    "answer_status": (
        _("Status that nobody knows"),
        _("The bank’s answer uses a status that is not one of ISO 20022 for payment files."),
        _("Ask the bank what it means, and say it on the page of the batch."),
    ),
    "answer_unknown_batch": (
        _("Answer about no batch of ours"),
        _("The original message id in the bank’s answer is that of none of our payment files."),
        _("Choose the answer to a file that was made here."),
    ),
    "answer_before_handover": (
        _("Answer about a batch that did not leave"),
        _("The bank answers about a payment file that nobody handed over here: it is not booked in transit."),
        _("Ask who took the file to the bank, and look at the batch before anything is booked."),
    ),
    "answer_other_transfer": (
        _("Transfer that is not in the batch"),
        _("The bank’s answer names a transfer that our file did not hold, or names one twice."),
        _("Ask the bank for a correct file."),
    ),
    "answer_differs": (
        _("Answer about other figures"),
        _("A number of transfers, a total, an amount or an id in the bank’s answer is not the one that we sent."),
        _("Ask the bank: nothing is undone before both say the same."),
    ),
    "answer_part_unnamed": (
        _("Part that is not named"),
        _("The answer says that a part of the file was taken without naming the transfers that were not."),
        _("Ask the bank for an answer that names each transfer it refused."),
    ),
    "answer_contradicts": (
        _("Answer that contradicts itself"),
        _("The status of the whole file is not possible beside that of a part of it."),
        _("Ask the bank for a correct file."),
    ),
    "answer_says_nothing": (
        _("Answer without a status"),
        _("The bank’s answer says of no transfer whether it was taken."),
        _("Ask the bank for an answer with a status."),
    ),
    "import_lines_used": (
        _("Import that cannot be undone"),
        _("A line of the import was matched since, to money that somebody counts on, or lies in a locked month."),
        _("Undo those matches first, line by line, or leave the import as it is."),
    ),
}
