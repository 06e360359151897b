"""The catalogue's part on numbered papers and what the host says of itself on them."""

from django.utils.translation import gettext_lazy as _

PROBLEMS: dict[str, tuple[object, object, object]] = {
    "invoice_host_incomplete": (
        _("The host cannot issue invoices yet"),
        _("An invoice carries the address of the host and its VAT status, and one of them was not said."),
        _("Ask for a call for funds instead, or have the settings of the host completed: two people do it."),
    ),
    "invoice_party_incomplete": (
        _("An invoice needs an address"),
        _("An invoice names the address of who pays, and it is not known."),
        _("Give the address in the details of the organisation, or ask for a call for funds instead."),
    ),
    "vat_not_supported": (
        _("Value added tax is not supported yet"),
        _("A host that is liable for VAT would have to compute it, and this is not built."),
        _("Leave the VAT status as it is, and issue these invoices elsewhere."),
    ),
    "tax_receipts_not_built": (
        _("Tax receipts stay off"),
        _("A tax receipt given without the right to give it is fined, and the service does not make them."),
        _("Use payment certificates: they say what was received."),
    ),
    "host_address_long": (
        _("This address is too long"),
        _("The address of the host is printed on every paper, in a few lines."),
        _("Shorten it to 300 characters."),
    ),
    "rna_invalid": (
        _("This is not an RNA number"),
        _("The number of an association in the national register is W and nine figures."),
        _("Copy it from the receipt of the prefecture, or leave it empty."),
    ),
    "document_not_found": (
        _("There is no such paper"),
        _("No paper has this number, or it is not yours to read."),
        _("Look for it in the list of papers."),
    ),
    "document_forgotten": (
        _("This paper was forgotten"),
        _("It named somebody whose data were erased: its number and total stay, what it said is gone."),
        _("Nothing can be done: it cannot be read any more by anybody."),
    ),
    "not_an_invoice": (
        _("This is not an invoice"),
        _("A credit note cancels an invoice; other papers are not cancelled."),
        _("Open the invoice, and cancel it from there."),
    ),
    "credit_out_of_range": (
        _("More than what stands of the invoice"),
        _("Credit notes cancel an invoice up to what it asked for, and some of it may be credited already."),
        _("Give a smaller amount, or leave it empty: all that stands is credited."),
    ),
    "nothing_received": (
        _("Nothing was received"),
        _("The payment was taken back or refunded in full, so there is nothing to certify."),
        _("Look at the pledge: it says what is awaited."),
    ),
    "year_not_over": (
        _("The year is not over"),
        _("A yearly statement says what a whole calendar year held."),
        _("Ask again from January on; certificates can be had before."),
    ),
    "nothing_in_year": (
        _("Nothing in this year"),
        _("The organisation had nothing due and paid nothing in this year."),
        _("Choose another year."),
    ),
}
