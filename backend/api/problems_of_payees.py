"""Refusals about payees, the shares they are owed, and the directors of the host: title, cause, what to do."""

from django.utils.translation import gettext_lazy as _

PROBLEMS: dict[str, tuple[object, object, object]] = {
    "payee_not_found": (
        _("There is no such payee"),
        _("The id is wrong, or the payee is somebody else’s."),
        _("Choose one of your own payees."),
    ),
    "payee_closed": (
        _("The payee is closed"),
        _("A closed payee is paid nothing more, and is not opened again."),
        _("Choose another of your payees, or add one."),
    ),
    "payee_by_default": (
        _("The payee is the one for what is to come"),
        _("What is shared from now on goes to this payee."),
        _("Choose another payee for what is to come, then close this one."),
    ),
    "payee_owed": (
        _("The payee is owed money"),
        _("Money is owed to this payee, or on its way."),
        _("Wait until it is paid, or choose another payee for each share."),
    ),
    "too_many_payees": (
        _("You have too many payees"),
        _("One person has at most twenty payees that are open."),
        _("Close those that you use no more."),
    ),
    "siren_missing": (
        _("The SIREN is missing"),
        _("In France a company, a cooperative or an association is known by its SIREN on papers."),
        _("Copy its nine figures from an official paper; an association without one gives its RNA number."),
    ),
    "rna_invalid": (
        _("The RNA number is not valid"),
        _("A number of the French register of associations is a W and nine figures."),
        _("Copy it from the receipt of the association’s declaration."),
    ),
    "vat_number_missing": (
        _("The VAT number is missing"),
        _("Who is liable for VAT bears its VAT number on invoices."),
        _("Give the number, or another answer about VAT."),
    ),
    "vat_number_of_another": (
        _("The VAT number is of another company"),
        _("A French VAT number ends with the SIREN of its company."),
        _("Copy both from the same paper."),
    ),
    "prefix_invalid": (
        _("The prefix of invoice numbers is not valid"),
        _("What invoice numbers begin with has sixteen signs at most."),
        _("Choose a shorter one, or leave it empty."),
    ),
    "block_link_over": (
        _("The link is not valid any more"),
        _("The link of the mail is wrong or too old, or the payee is closed."),
        _("Sign in and look at your payees; tell a treasurer if an account is not yours."),
    ),
    "share_not_due": (
        _("The share is not waiting to be paid"),
        _("It is not booked yet, or it is in a payout batch, paid or waived."),
        _("Nothing can be changed of who is paid for it now."),
    ),
    "director_already": (
        _("The person is a director already"),
        _("At that time they are noted as a director of the host."),
        _("End that time first, or choose a later day."),
    ),
    "director_not_found": (
        _("There is no such director"),
        _("The id is wrong."),
        _("Open the page of the directors again."),
    ),
    "director_unknown": (
        _("Nobody has this address"),
        _("A director is noted by the main address of their account."),
        _("Look the address up on the page of people, or invite the person first."),
    ),
    "director_ends_too_soon": (
        _("The end comes too soon"),
        _("Somebody directs the host for one day at least."),
        _("Give a day after the first one."),
    ),
    "director_ended": (
        _("The end was noted already"),
        _("The day on which this person ceased to direct the host is kept."),
        _("If they direct it again, note that from its first day on."),
    ),
    "limit_set_already": (
        _("A limit begins on that day already"),
        _("One limit holds from a day on."),
        _("Choose another day."),
    ),
}
