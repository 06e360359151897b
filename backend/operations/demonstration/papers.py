"""What stands between a share and its payment in the demonstration: details of payees, their documents, a director."""

from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from stdnum import luhn

from backend.distributions.invoicing import approve_invoice, draft_invoice
from backend.distributions.models import Share
from backend.distributions.papers import hand_over
from backend.identity.organisations import Address
from backend.identity.services import host_day
from backend.operations.demonstration import cast
from backend.payees.details import Details, add_payee, edit_payee
from backend.payees.directors import mark_director
from backend.payees.services import payee_of

if TYPE_CHECKING:
    from backend.operations.demonstration.year import Year

STREETS = ("rue des Lices", "quai de la Fosse", "rue Mouffetard", "cours Julien", "rue de la Soif")
TOWNS = (("35000", "Rennes"), ("44000", "Nantes"), ("75005", "Paris"), ("13006", "Marseille"), ("29200", "Brest"))
# A document of their own, which a treasurer is to check.
OWN_FILE = b"%PDF-1.4\n1 0 obj<</Type/Catalog/Pages 2 0 R>>endobj\n2 0 obj<</Type/Pages/Count 0/Kids[]>>endobj\n%%EOF\n"


def siren_of(number: int) -> str:
    """A SIREN whose last figure checks the others."""
    begun = f"{81_200_000 + 37 * number:08d}"
    return begun + luhn.calc_check_digit(begun)


def describe(year: "Year", when: datetime) -> None:
    """Everybody who is paid says what their invoices must bear."""
    for number, (key, person) in enumerate(cast.PEOPLE.items()):
        if not person.paid:
            continue
        code, town = TOWNS[number % len(TOWNS)]
        payee = payee_of(year.users[key], now=when)
        edit_payee(
            actor=year.users[key], payee_id=payee.pk, now=when,
            details=Details(
                kind="person", siren=siren_of(number), vat_status="franchise",
                address=Address(f"{3 + 2 * number} {STREETS[number % len(STREETS)]}", code, town, "FR"),
            ),
        )  # fmt: skip


def document(when: datetime) -> int:
    """Everybody who has an account approves the invoices drafted for what they are owed; returns how many."""
    owed = Share.objects.filter(state="owed", distribution__state="booked", amount__gt=0)
    rows = owed.exclude(payee__iban_sealed="").exclude(payee__siren="").order_by("pk")
    shares = list(rows.select_related("contributor", "payee", "distribution__period__budget"))
    for share in shares:
        share.payee.refresh_from_db()  # its last number may be of the share before
        draft = draft_invoice(share, now=when)
        approve_invoice(actor=share.contributor, share_id=share.pk, digest=draft.digest, mandate=True, now=when)
    return len(shares)


def live(year: "Year", now: datetime) -> None:
    """The last days: a document awaits its check, a share is ready to be paid, somebody has a second payee, a director
    of the host is paid."""
    owed = Share.objects.filter(state="owed", distribution__state="booked", amount__gt=0)
    share = owed.exclude(payee__iban_sealed="").select_related("contributor").order_by("pk").first()
    if share is not None:
        hand_over(
            actor=share.contributor, share_id=share.pk, data=OWN_FILE, number="2026-031", total=share.due,
            dated_on=host_day(now), now=now,
        )  # fmt: skip
    ready = owed.exclude(payee__iban_sealed="").exclude(payee__siren="").order_by("-pk")
    last = ready.select_related("contributor", "payee", "distribution__period__budget").first()
    if last is not None:
        draft = draft_invoice(last, now=now)
        approve_invoice(actor=last.contributor, share_id=last.pk, digest=draft.digest, mandate=True, now=now)
    paid = next(key for key, person in cast.PEOPLE.items() if person.paid)
    add_payee(
        actor=year.users[paid], now=now,
        details=Details(
            kind="association", legal_name="Les Ateliers du Port", rna="W442001234", vat_status="not_liable",
            address=Address("8 quai Vert", "44000", "Nantes", "FR"),
        ),
    )  # fmt: skip
    mark_director(
        actor=year.users["claire"], email=cast.address(paid), starts_on=host_day(now - timedelta(days=90)), now=now
    )
