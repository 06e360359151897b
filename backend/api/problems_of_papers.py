"""Refusals about the supporting documents of shares: title, cause, what to do."""

from django.utils.translation import gettext_lazy as _

PROBLEMS: dict[str, tuple[object, object, object]] = {
    "share_needs_no_document": (
        _("The share awaits no document"),
        _("It is not booked yet, its document is there already, or it is paid or waived."),
        _("Open the page of the share: it says what comes next."),
    ),
    "invoice_payee_incomplete": (
        _("The details of the payee are incomplete"),
        _("An invoice bears the address of who is paid, its SIREN and what it says of VAT."),
        _("Fill in the details of the payee, or hand over a document of your own."),
    ),
    "invoice_foreign_vat": (
        _("The service does not write this invoice"),
        _("The payee is liable for the VAT of another country."),
        _("Hand over an invoice of your own."),
    ),
    "mandate_missing": (
        _("The mandate is missing"),
        _("An invoice is written in somebody’s name with their agreement alone."),
        _("Agree, once for this payee, or hand over a document of your own."),
    ),
    "paper_changed": (
        _("This is not the document that was read"),
        _("An approval is for exactly the invoice that was shown; its day, number or amount changed since."),
        _("Open the page again, read it, and approve that."),
    ),
    "paper_number_invalid": (
        _("The number is not valid"),
        _("A document has a number of one to forty signs."),
        _("Copy it from the document."),
    ),
    "paper_number_in_series": (
        _("The number is of the drafted invoices"),
        _("What begins like the numbers of invoices drafted here must follow the last of them."),
        _("Take the next number that is shown, or one of your own that begins otherwise."),
    ),
    "paper_number_taken": (
        _("The number is taken"),
        _("This payee handed over a document of this number already."),
        _("Check the number: each document has its own."),
    ),
    "invoice_series_shared": (
        _("Another payee numbers its invoices so"),
        _("Two payees with one SIREN are one seller, whose invoices are numbered in one series without doubles."),
        _("Give the payee a prefix of its own in its details, then read the draft again."),
    ),
    "paper_day_invalid": (
        _("The day is not valid"),
        _("A document is not dated in the future."),
        _("Copy the day from the document."),
    ),
    "paper_total_differs": (
        _("The amounts differ"),
        _("The document must be for exactly what is due, all taxes included."),
        _("Check what you typed, or make the document anew for the amount that is due."),
    ),
    "paper_file_missing": (
        _("The file is missing"),
        _("No file was chosen, or it is empty."),
        _("Choose the file of the document."),
    ),
    "paper_file_too_large": (
        _("The file is too large"),
        _("A document weighs 5 MB at most."),
        _("Save it with smaller images."),
    ),
    "paper_file_unknown": (
        _("The kind of file is not known"),
        _("Its own bytes say that it is no PDF, PNG or JPEG, nor the XML of an invoice."),
        _("Save the document as PDF."),
    ),
    "paper_not_found": (
        _("There is no such supporting document"),
        _("The id is wrong, or the document is somebody else’s."),
        _("Open the list of documents again."),
    ),
    "own_paper": (
        _("You handed this document over"),
        _("Nobody checks their own document."),
        _("Ask another treasurer."),
    ),
    "paper_decided": (
        _("The document is decided on"),
        _("It was accepted, refused, or no longer holds."),
        _("Open the list of documents again."),
    ),
    "paper_stale": (
        _("The share changed since"),
        _("The amount of the share, or its payee, is another one than that of the document."),
        _("Wait for another document."),
    ),
    "not_receipts_alone": (
        _("Receipts are not enough"),
        _("The share pays for work, or for an expense without its receipt."),
        _("Approve the drafted invoice, or hand over a document."),
    ),
}
