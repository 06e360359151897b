"""What supporters of Movilab promise again and again, give without an account, pay by cheque, twice, and by mistake."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from functools import partial
from itertools import count

from backend.operations.demonstration import movilab
from backend.operations.demonstration.cast import ORGANISATIONS, address
from backend.operations.demonstration.year import BankFact, Year
from backend.payments.papers import prepare_deposit, record_paper
from backend.pledges.calendar import due_day
from backend.pledges.donations import give
from backend.pledges.models import Pledge
from backend.pledges.services import Terms, cancel_pledge, change_pledge, make_pledge

LAST = 3  # of the present month: the last day that a statement of the demonstration tells
TAKES = timedelta(days=4)  # from the day an instalment falls due to the day the bank books its transfer


@dataclass(frozen=True)
class Renewed:
    """A promise to the common pot made in `month` on `day` and paid each time: of an organisation, or of a person.

    raised: (month, amount) from which it is another one. ends: the month in which it is cancelled.
    """

    payer: str
    month: int
    day: int
    amount: int
    rhythm: str
    visibility: str = "visible"
    pseudonym: str = ""
    raised: tuple[int, int] | None = None
    ends: int | None = None


RENEWED = (
    Renewed("reseau", 1, 5, 50_00, "monthly", raised=(6, 80_00)),
    Renewed("ateliers", 2, 6, 120_00, "quarterly"),
    Renewed("halles", 3, 4, 25_00, "monthly", "pseudonymous", "Un lieu du Morbihan", ends=8),
    Renewed("bo", 4, 3, 5_00, "monthly", "anonymous"),
)


def plan(year: Year) -> None:
    """All of it, each thing on its day."""
    for one in RENEWED:
        year.plan(year.day(one.month, one.day), 10, partial(_promise, year, one))
    year.plan(year.day(9, 2), 18, partial(_give, year))
    year.plan(year.day(12, 2), 18, partial(_give_once, year))
    year.plan(year.day(12, 1), 16, partial(_cheque, year))


def _days(year: Year, pledge: Pledge) -> Iterator[date]:
    """The days on which the bank books the transfers of a promise, up to the last one told."""
    for number in count(1):
        day = due_day(pledge.starts_on, pledge.rhythm, number) + TAKES
        if day > year.day(12, LAST):
            return
        yield day


def _promise(year: Year, one: Renewed, when: datetime) -> None:
    organisation = year.organisations.get(one.payer)
    person = year.users[ORGANISATIONS[one.payer].manager] if organisation is not None else year.users[one.payer]
    pledge = make_pledge(
        actor=person, budget=year.pots[movilab.ROOT], amount=one.amount, currency="EUR", organisation=organisation,
        person=None if organisation is not None else person, form_key=f"demonstration-renewed-{one.payer}", now=when,
        terms=Terms(rhythm=one.rhythm, visibility=one.visibility, pseudonym=one.pseudonym),
    )  # fmt: skip
    name = (organisation.name if organisation is not None else person.name).upper()
    over = year.first(one.ends) if one.ends is not None else date.max
    raised, more = (year.first(one.raised[0]), one.raised[1]) if one.raised is not None else (date.max, 0)
    for day in _days(year, pledge):
        if day < over:
            amount = more if day - TAKES >= raised else one.amount
            year.facts[day].append(BankFact(amount, name, f"soutien {pledge.reference}"))
    if one.raised is not None:
        # Before the month's call is written, at the end of the month before.
        year.plan(
            raised - timedelta(days=5), 10,
            lambda later: change_pledge(actor=person, pledge_id=pledge.pk, changes={"amount": more}, now=later),
        )  # fmt: skip
    if one.ends is not None:
        year.plan(
            over + timedelta(days=1), 10,  # the statement of its last transfer is there
            lambda later: cancel_pledge(actor=person, pledge_id=pledge.pk, now=later),
        )  # fmt: skip


def _give(year: Year, when: datetime) -> None:
    """Somebody without an account gives each month; the last transfer came thrice, and what is above waits."""
    pledge = give(
        budget=year.pots[movilab.ROOT], name="Gaëlle Prigent", email=address("gaelle"), amount=10_00, currency="EUR",
        rhythm="monthly", named=True, language="fr", form_key="demonstration-gift", now=when,
    )  # fmt: skip
    days = list(_days(year, pledge))
    for day in [*days, days[-1], days[-1]]:  # the first one too many pays the call of the next month
        year.facts[day].append(BankFact(10_00, "MME GAELLE PRIGENT", f"don {pledge.reference}"))


def _give_once(year: Year, when: datetime) -> None:
    """A gift that is promised and not paid yet."""
    give(
        budget=year.pots[movilab.ROOT], name="Erwan Kerdoncuff", email=address("erwan"), amount=50_00, currency="EUR",
        rhythm="once", named=False, language="fr", form_key="demonstration-gift-once", now=when,
    )  # fmt: skip


def _cheque(year: Year, when: datetime) -> None:
    """A cheque handed over for a new promise; with it a deposit that the bank has not shown yet."""
    manager = year.users[ORGANISATIONS["commune"].manager]
    pledge = make_pledge(
        actor=manager, budget=year.pots[movilab.ROOT], organisation=year.organisations["commune"], amount=180_00,
        currency="EUR", form_key="demonstration-cheque", now=when,
    )  # fmt: skip
    paper = record_paper(
        actor=year.users["claire"], pledge_id=pledge.pk, account_id=year.account.pk, kind="cheque", amount=180_00,
        drawer=year.organisations["commune"].name, number="0004512", received_on=when.date(),
        form_key="demonstration-cheque", now=when + timedelta(hours=1),
    )  # fmt: skip
    prepare_deposit(
        actor=year.users["claire"], account_id=year.account.pk, kind="cheque", paper_ids=[paper.pk],
        slip="Remise 12", form_key="demonstration-deposit", now=when + timedelta(hours=2),
    )  # fmt: skip


def invoices(year: Year, now: datetime) -> None:
    """A region asks for an invoice, and for the same once more by mistake: cancelled, a credit note answers it."""
    manager, region = year.users[ORGANISATIONS["region"].manager], year.organisations["region"]
    region.refresh_from_db()  # its address was given since
    terms = Terms(rhythm="yearly", paper="invoice", purchase_order="BC-2041")
    made = [
        make_pledge(
            actor=manager, budget=year.pots[movilab.ROOT], organisation=region, amount=1_200_00,
            currency="EUR", terms=terms, form_key=f"demonstration-invoice-{number}",
            now=now - timedelta(days=2, hours=number),
        )
        for number in (2, 1)
    ]  # fmt: skip
    year.background(now - timedelta(days=2))
    cancel_pledge(actor=manager, pledge_id=made[1].pk, now=now - timedelta(days=1))
