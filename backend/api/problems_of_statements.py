"""The refusals of statement files that are not camt.053, and of what a person chooses for them."""

from django.utils.translation import gettext_lazy as _

PROBLEMS: dict[str, tuple[object, object, object]] = {
    "statement_mt942": (
        _("Interim report, not a statement"),
        _("The file is an MT942: a report during the day, whose operations may still change."),
        _("Download the statement of the day (MT940, or better camt.053)."),
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
}
