"""Takes in an export of HelloAsso: weighed first, then booked as a whole, each payment once whatever is given again."""

from datetime import date, datetime, time

from django.db import connection, transaction
from django.utils.translation import gettext_lazy as _

from backend.commons.models import Budget
from backend.core import crypto
from backend.core.errors import Conflict, Invalid
from backend.core.ids import new_id
from backend.core.money import format_money
from backend.events.services import record
from backend.identity.models import User
from backend.identity.naming import language_of
from backend.identity.permissions import require
from backend.identity.services import host_day, host_zone
from backend.payments.helloasso_file import CURRENCY, Row
from backend.payments.helloasso_models import HelloAssoCampaign, HelloAssoImport, HelloAssoLine
from backend.payments.helloasso_plan import Choices, Part, Plan, weigh
from backend.payments.models import Movement, ProviderPayout
from backend.payments.movements import book_movement
from backend.payments.providers.base import MovementFacts, MovementKind, PaymentFacts
from backend.pledges.models import Donor, Instalment, Pledge
from backend.pledges.references import new_reference

PROVIDER = "helloasso"  # in the names of its purses
BANK_TEXT = "HELLOASSO"  # what the bank writes on the line of a payout


@transaction.atomic
def import_export(
    *, actor: User, data: bytes, choices: Choices, file_name: str, form_key: str, now: datetime
) -> HelloAssoImport:
    """Book an export, all of it or nothing; what is here already is left as it is.

    The ledger moves, for a payment: as `receive_transfer` says, out of what HelloAsso holds. For a fee: provider fees
    +, clearing −. For a refund: as `take_back` says. What is left out and on its way to the bank: clearing +, suspense
    of HelloAsso −. A payout moves nothing until a bank line shows it.
    Args: form_key: a repetition gives back the first import.
    Raises: as `weigh`; Invalid `helloasso_refused`, `helloasso_undecided`; Conflict `helloasso_nothing_new`,
        `helloasso_payout_seen`.
    """
    require(actor, "bank.import")
    with connection.cursor() as cursor:  # two imports at once know of each other's payments
        cursor.execute("SELECT pg_advisory_xact_lock(hashtextextended(%s, 0))", [PROVIDER])
    done = HelloAssoImport.objects.filter(made_by=actor, form_key=form_key).first()
    if done is not None:
        return done
    plan = weigh(actor=actor, data=data, choices=choices)
    _require_whole(plan)
    made = HelloAssoImport.objects.create(
        id=new_id("hai"), file_name=file_name[:120], sha256=plan.sha256, form_key=form_key, made_by=actor,
        rows=len(plan.paid) + len(plan.left_out) + len(plan.refunds) + len(plan.told), created_at=now,
    )  # fmt: skip
    for part in plan.paid:
        _book(made, part, actor, now)
    for part in plan.left_out:
        line = _keep(made, part.row, "left_out", part.row.amount, fee=part.row.fee, payout=part.row.payout)
        if part.row.refunded:
            _refund(made, part.row, line, part.row.refunded, now)
    for row, first, amount in plan.refunds:
        _refund(made, row, first, amount, now)
    for row, first in plan.told:
        first.payout, first.paid_with = row.payout, made
        first.save(update_fields=["payout", "paid_with"])
    for campaign in plan.campaigns:
        budget = next((part.budget for part in plan.paid if part.budget and part.row.campaign == campaign), None)
        HelloAssoCampaign.objects.update_or_create(name=campaign, defaults={"budget": budget})
    days = {row.payout: row.paid_on or row.day for row in _rows(plan) if row.payout}
    for payout in sorted(days):
        _carry_left_out(made, payout, now)
        settle_payout_row(payout, arrives_on=days[payout], now=now)
    record(
        "helloasso.imported", actor=actor, subject=made.pk, now=now, after={"rows": made.rows},
        scopes=sorted({part.budget.pk for part in plan.gifts if part.budget}), amount=plan.amount, currency=CURRENCY,
        sha256=plan.sha256,
    )  # fmt: skip
    return made


def _rows(plan: Plan) -> list[Row]:
    return [
        *(part.row for part in (*plan.paid, *plan.left_out)),
        *(row for row, _line in plan.told),
        *(row for row, _line, _amount in plan.refunds if row.amount < 0),
    ]


def _require_whole(plan: Plan) -> None:
    """Refuse what a person must correct or decide first."""
    if plan.refused:
        line, why = plan.refused[0]
        raise Invalid(
            "helloasso_refused",
            _("Nothing was imported: %(number)s lines are not understood. Line %(line)s: %(why)s")
            % {"number": len(plan.refused), "line": line, "why": why},
            param="file",
        )
    if plan.undecided:
        raise Invalid(
            "helloasso_undecided", _("Say which budget each campaign is for, or that it is left out."), param="campaign"
        )
    if plan.empty:
        raise Conflict("helloasso_nothing_new", _("All that this file says is here already: nothing was imported."))
    settled = ProviderPayout.objects.filter(provider=PROVIDER, state="settled", remote_id__in=list(plan.payouts))
    for row in settled:
        if row.amount != plan.payouts[row.remote_id]:
            raise Conflict(
                "helloasso_payout_seen",
                _(
                    "The bank showed payout %(payout)s as %(seen)s, and with this file it would be %(said)s. Take the"
                    " bank line and the payout apart first."
                )
                % {
                    "payout": row.remote_id,
                    "seen": format_money(row.amount, CURRENCY),
                    "said": format_money(plan.payouts[row.remote_id], CURRENCY),
                },
                param="file",
            )


def _keep(made: HelloAssoImport, row: Row, kind: str, amount: int, **more: object) -> HelloAssoLine:
    values: dict[str, object] = {"payout": "", **more}
    return HelloAssoLine.objects.create(
        brought=made, number=row.line, payment=row.payment, kind=kind, amount=amount, happened_on=row.day,
        campaign=row.campaign, paid_with=made if values["payout"] else None, **values,
    )  # fmt: skip


def _book(made: HelloAssoImport, part: Part, actor: User, now: datetime) -> None:
    """Book one payment, what HelloAsso kept of it, and what it gave back since."""
    row = part.row
    again = HelloAssoLine.objects.filter(payment=row.payment, kind="payment").exclude(undone_at=None).count()
    charge = f"{PROVIDER}:{row.payment}" + (f"~{again + 1}" if again else "")
    pledge = part.pledge
    if pledge is None:
        assert part.budget is not None, "a gift without a budget"
        pledge = _gift(part.budget, row, now)
    paid = PaymentFacts(
        remote_id=charge, charge=charge, state="succeeded", amount=row.amount, currency=CURRENCY, method="card",
        created_at=_at(row), group=pledge.group,
    )  # fmt: skip
    movement = _move(charge, "charge", row.amount, _at(row), now, charge=charge, payment=paid)
    if movement.state != "booked":
        raise Conflict(
            "helloasso_pledge_closed",
            _("Line %(line)s: the pot of its pledge takes no money any more. Choose “a gift” for it.")
            % {"line": row.line},
            param="file",
        )
    if row.fee:
        _move(f"{charge}:fee", "fee", -row.fee, _at(row), now)
    line = _keep(
        made, row, "payment", row.amount, fee=row.fee, payout=row.payout, charge=charge, pledge=pledge,
        made_pledge=part.pledge is None,
    )  # fmt: skip
    if row.refunded:
        _refund(made, row, line, row.refunded, now)


def _refund(made: HelloAssoImport, row: Row, first: HelloAssoLine, amount: int, now: datetime) -> None:
    """Book that HelloAsso gave a payment back. Of what was left out, nothing was booked that could go back."""
    payout = row.payout if row.amount < 0 or first.brought_id == made.pk else ""
    line = _keep(made, row, "refund", amount, payout=payout, charge=first.charge, pledge=first.pledge)
    if first.charge:
        told = row.amount < 0 or first.brought_id == made.pk  # else nobody says on which day it went back
        at = _at(row) if told else now
        _move(back_key(line), "refund", -amount, at, now, charge=first.charge)


def back_key(line: HelloAssoLine) -> str:
    """How the books name a refund."""
    return f"{line.charge}:back:{line.pk}"


def _move(
    remote_id: str,
    kind: MovementKind,
    amount: int,
    at: datetime,
    now: datetime,
    *,
    charge: str = "",
    payment: PaymentFacts | None = None,
) -> Movement:
    facts = MovementFacts(
        remote_id=remote_id, kind=kind, amount=amount, fee=0, currency=CURRENCY, happened_at=at, of=remote_id,
        charge=charge,
    )  # fmt: skip
    return book_movement(provider=PROVIDER, facts=facts, payment=payment, told_by="import", now=now)


def _at(row: Row) -> datetime:
    """Noon of the day of a payment, where the host is."""
    return datetime.combine(row.day, time(12), host_zone())


def _gift(budget: Budget, row: Row, now: datetime) -> Pledge:
    """Write down who gave, as a gift without an account: they are not written to, and may take it into an account with
    the same address. The address itself is not kept."""
    key = new_id("don")
    donor = Donor.objects.create(
        id=key, name_sealed=crypto.seal_for(key, row.name or "HelloAsso", bound_to=key), email_sealed="",
        email_index=crypto.equality_index(row.email) if row.email else "", language=language_of("fr"), created_at=now,
    )  # fmt: skip
    pledge = Pledge.objects.create(
        id=new_id("plg"), budget=budget, donor=donor, made_by=None, amount=row.amount, currency=CURRENCY,
        starts_on=row.day, visibility="anonymous", group=new_id("grp"), reference=new_reference(), form_key=key,
        means="card", created_at=now,
    )  # fmt: skip
    Instalment.objects.create(
        id=new_id("ins"), pledge=pledge, number=1, due_on=row.day, amount=row.amount, currency=CURRENCY,
        state="called", called_at=now, created_at=now,
    )  # fmt: skip
    return pledge


def _carry_left_out(made: HelloAssoImport, payout: str, now: datetime) -> None:
    """What a payout carries that is for no pot waits in suspense: it comes to the bank with the rest."""
    lines = HelloAssoLine.objects.filter(payout=payout, paid_with=made, undone_at=None)
    mine = [line for line in lines if not line.charge]
    amount = sum(line.money for line in mine)
    if amount:
        key = left_out_key(made, payout)
        facts = MovementFacts(
            remote_id=key, kind="other", amount=amount, fee=0, currency=CURRENCY, happened_at=now, of=payout, charge=key
        )
        book_movement(provider=PROVIDER, facts=facts, told_by="import", now=now)


def left_out_key(made: HelloAssoImport, payout: str) -> str:
    """How the books name what a payout carries that an import left out."""
    return f"{PROVIDER}:{made.pk}:{payout}"


def settle_payout_row(payout: str, *, arrives_on: date | None = None, now: datetime) -> None:
    """Write down what a payout carries, as all imports that stand say it; nothing is left of one that carries nothing.

    The caller has compared it with what the bank showed.
    """
    lines = HelloAssoLine.objects.filter(payout=payout, undone_at=None)
    amount = sum(line.money for line in lines)
    row = ProviderPayout.objects.select_for_update().filter(provider=PROVIDER, remote_id=payout).first()
    if row is None:
        if amount > 0:
            ProviderPayout.objects.create(
                id=new_id("ppo"), provider=PROVIDER, remote_id=payout, amount=amount, currency=CURRENCY,
                text=BANK_TEXT, arrives_on=arrives_on or host_day(now), created_at=now,
            )  # fmt: skip
        return
    if row.state == "settled":
        return
    if amount > 0:
        row.amount, row.state = amount, "sent"
        if arrives_on is not None:
            row.arrives_on = arrives_on
    else:
        row.state = "withdrawn"
    row.save(update_fields=["amount", "state", "arrives_on"])
