"""A person splits a line over pledges and accounts of the chart, or books all of it to one: equal to the cent."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from django.db import transaction
from django.utils.translation import get_language
from django.utils.translation import gettext_lazy as _

from backend.banking.identifying import identifiable, locked_line, require_waiting
from backend.banking.matching import matched
from backend.banking.models import BankLine, LinePart
from backend.commons.services import hold
from backend.core.errors import Invalid
from backend.core.ids import new_id
from backend.core.money import format_money
from backend.events.services import record
from backend.identity.models import User
from backend.identity.permissions import require
from backend.identity.services import the_host
from backend.ledger import chart
from backend.ledger.services import Line, open_account, post
from backend.payments.purses import line_on
from backend.payments.services import book_payment
from backend.pledges.models import Pledge

# What the host pays and receives for itself. Its money is the purse `host_fees`, which pots never touch.
OWN_BUSINESS = (
    "627", "768", "604", "6063", "6064", "611", "613", "615", "616", "618", "6227", "623", "625", "626", "6281", "635",
    "658", "661", "695", "706", "708", "7411", "7551", "7561", "758",
)  # fmt: skip
MOST_PARTS = 20


@dataclass(frozen=True)
class Part:
    """What one part of a line is: an id of a pledge, or a number of the chart. Amount in minor units, signed as the
    line."""

    amount: int
    pledge: str = ""
    number: str = ""


def own_accounts() -> list[tuple[str, str]]:
    """The accounts that a line may be booked to, of those in the chart in force: number and name in one's language."""
    place = 0 if (get_language() or "fr").startswith("fr") else 1
    return [(number, chart.LABELS[number][place]) for number in OWN_BUSINESS if number in chart.LABELS]


def book_to(*, actor: User, line_id: int, number: str, now: datetime) -> BankLine:
    """Say that a line in suspense is the host's own: a bank charge, interest, something it bought.

    The ledger moves: suspense, the host's own money, on this number of the chart.
    Raises: as `split_line`.
    """
    require(actor, "bank.match")
    with transaction.atomic():
        line = locked_line(actor, line_id)
        return split_line(actor=actor, line_id=line_id, parts=[Part(line.amount, number=number)], now=now)


def split_line(*, actor: User, line_id: int, parts: Sequence[Part], now: datetime) -> BankLine:
    """Say what each part of a line in suspense is. The parts are equal to the line, to the cent; all or none is booked.

    The ledger moves, for each part: suspense to the pot of its pledge, as `book_payment` says; or to the host's own
    money. No part takes more than its pledge awaits.
    Raises: NotFound; Forbidden; Invalid `parts_missing`, `parts_too_many`, `part_amount`, `parts_differ`,
        `pledge_not_found`, `pledge_twice`, `part_above_awaited`, `account_not_own`, `not_a_credit`; Conflict
        `line_not_waiting`.
    """
    require(actor, "bank.match")
    with transaction.atomic():
        line = locked_line(actor, line_id)
        if line.state in {"matched", "booked"} and line.matched_by_id == actor.pk and _same(line, parts):
            return line  # the same act again
        require_waiting(line)
        pledges = _checked(actor, line, parts)
        rows = [
            _book(line, part, place, pledge=pledges.get(part.pledge), actor=actor, now=now)
            for place, part in enumerate(parts, start=1)
        ]
        LinePart.objects.bulk_create(rows)
        line.entry = rows[0].entry
        paid = [one for one in rows if one.payment_id]
        matched(line, str(paid[0].payment_id) if paid else rows[0].number, actor, "matched" if paid else "booked")
        record(
            "bank_line.booked", actor=actor, subject=line.statement_id, now=now, line=line.pk, amount=line.amount,
            currency=line.currency, parts=[[one.amount, one.payment_id or one.number] for one in rows],
        )  # fmt: skip
    return line


def _same(line: BankLine, parts: Sequence[Part]) -> bool:
    """Whether a line was split so before."""
    rows = LinePart.objects.filter(line=line, undone=False).select_related("payment").order_by("place")
    known = [(one.amount, one.payment.pledge_id if one.payment else "", one.number) for one in rows]
    return known == [(one.amount, one.pledge, one.number) for one in parts]


def _checked(actor: User, line: BankLine, parts: Sequence[Part]) -> dict[str, Pledge]:
    """The pledges of the parts, under their locks, once everything that was asked for is possible."""
    if not parts:
        raise Invalid("parts_missing", _("Say at least one part: a pledge or an account, and its amount."))
    if len(parts) > MOST_PARTS:
        raise Invalid(
            "parts_too_many", _("A line is split in %(number)s parts at most.") % {"number": MOST_PARTS}
        )  # fmt: skip
    allowed = dict(own_accounts())
    for part in parts:
        if not part.amount or (part.amount > 0) != (line.amount > 0):
            raise Invalid(
                "part_amount", _("Each part is above zero, and of the direction of its line."), param="amount"
            )  # fmt: skip
        if not part.pledge and part.number not in allowed:
            raise Invalid(
                "account_not_own",
                _("Choose one of the accounts of the list: the others are booked by what they are for."),
                param="number",
            )
    total = sum(part.amount for part in parts)
    if total != line.amount:
        raise Invalid(
            "parts_differ",
            _("The parts come to %(total)s, the line is of %(amount)s: %(gap)s are left.")
            % {
                "total": format_money(total, line.currency), "amount": format_money(line.amount, line.currency),
                "gap": format_money(line.amount - total, line.currency),
            },
            param="amount",
        )  # fmt: skip
    keys = [part.pledge for part in parts if part.pledge]
    if len(set(keys)) != len(keys):
        raise Invalid("pledge_twice", _("The same pledge stands in two parts: make them one."), param="pledge")
    if keys and line.amount < 0:
        raise Invalid("not_a_credit", _("Only money received can pay a pledge."), param="pledge")
    return _held(actor, line, {part.pledge: part.amount for part in parts if part.pledge})


def _held(actor: User, line: BankLine, asked: dict[str, int]) -> dict[str, Pledge]:
    """The pledges of some parts, under the locks of their budgets and their own."""
    rows = identifiable(actor, line.currency).filter(pk__in=asked).select_related("budget").order_by("pk")
    hold([one.budget for one in rows])
    found = {one.pk: one for one in rows.select_for_update(of=("self",))}
    for key, amount in asked.items():
        pledge = found.get(key)
        if pledge is None:
            raise Invalid(
                "pledge_not_found",
                _("Choose the pledge that this line pays: one that is not cancelled, of a pot that is not closed."),
                param="pledge",
            )
        if amount > pledge.expected:
            raise Invalid(
                "part_above_awaited",
                _("%(reference)s awaits %(awaited)s, less than the part of %(amount)s: put the rest elsewhere.")
                % {
                    "reference": pledge.reference, "awaited": format_money(pledge.expected, line.currency),
                    "amount": format_money(amount, line.currency),
                },
                param="amount",
            )  # fmt: skip
    return found


def _book(line: BankLine, part: Part, place: int, *, pledge: Pledge | None, actor: User, now: datetime) -> LinePart:
    made = LinePart(
        id=new_id("lnp"), line=line, turn=line.turn, place=place, amount=part.amount, currency=line.currency
    )  # fmt: skip
    if pledge is not None:
        made.payment = book_payment(
            pledge=pledge, amount=part.amount, source=f"{line.fact}:p{place}", purse=("suspense", line.account_id),
            received_on=line.booked_on, method="bank_transfer", payer_index=line.counterparty_index, actor=actor,
            now=now,
        )  # fmt: skip
        made.entry = made.payment.entry
        return made
    made.number = part.number
    made.entry = post(
        kind="bank.booked", scope="bank_line", key=f"{line.fact}:c{place}", reference=made.pk,
        happened_on=line.booked_on, late=True,
        lines=[
            line_on(("suspense", line.account_id), part.amount, line.currency),
            Line(
                open_account(kind="host_fees", owner=the_host().pk, currency=line.currency), -part.amount, part.number
            ),
        ],
        now=now,
    ).pk  # fmt: skip
    return made
