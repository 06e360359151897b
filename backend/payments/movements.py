"""Books each movement of the host's balance at a payment provider, once, whoever told it; what nobody knows waits."""

from collections.abc import Iterable
from datetime import datetime
from typing import Any

from django.db import connection, transaction
from django.db.models import Q, Sum
from django.utils.translation import gettext as _

from backend.commons.services import OPEN_TO_MONEY, hold
from backend.core.errors import Conflict, Invalid, NotFound
from backend.core.failpoints import around_commit
from backend.core.ids import new_id
from backend.events.services import record
from backend.identity.models import User
from backend.identity.permissions import require
from backend.identity.services import host_day
from backend.ledger.services import post
from backend.payments.charge_money import (
    AWAY,
    HOME,
    Act,
    book_fee,
    catch_up,
    come_to_nothing,
    return_over,
    state_of_payments,
    suspend,
    take_over,
)
from backend.payments.charges import Charge
from backend.payments.models import Movement, Payment, ProviderPayout, Surplus
from backend.payments.provider_payouts import payout_of_movement, payout_returned
from backend.payments.providers.base import MovementFacts, PaymentFacts
from backend.payments.purses import fees_line, line_on, provider_purse, provider_suspense, suspense_account
from backend.payments.services import TAKES_MONEY, payable_together, receive_transfer
from backend.pledges.models import Pledge

__all__ = [
    "bear_movement", "book_movement", "explain_movement", "left_of_charge", "may_be_borne", "on_their_way",
    "state_of_payments", "why_in_words",
]  # fmt: skip

OF_A_CHARGE = ("charge", *AWAY, *HOME)


@transaction.atomic
def book_movement(
    *, provider: str, facts: MovementFacts, payment: PaymentFacts | None = None, told_by: str, now: datetime
) -> Movement:
    """Book one movement of the balance at a provider; a repetition changes nothing and gives back the first row.

    The ledger moved, for a payment: as `receive_transfer` says. For what left it again: as `take_back` says, and for
    what came home after all: as `give_back` says. For a fee: provider fees +, clearing −. For a payout to the bank:
    nothing, the bank's line will. What nothing here explains: clearing ±, suspense of the provider ∓; it is reported.
    Args: provider: its name in purses. facts: what it says. payment: the payment it belongs to, when known: whose
        pledges it pays, how. told_by: `event`, `return` or `reconciler`.
    """
    _hold(facts, payment)
    _alone(f"charge:{provider}:{facts.charge}" if facts.charge else "")
    _alone(f"movement:{provider}:{facts.remote_id}")
    known = Movement.objects.filter(provider=provider, remote_id=facts.remote_id).first()
    if known is not None:
        return known
    row = Movement(
        id=new_id("mov"), provider=provider, remote_id=facts.remote_id, kind=facts.kind, amount=facts.amount,
        fee=facts.fee, currency=facts.currency, happened_on=host_day(facts.happened_at),
        available_on=facts.available_on, of=facts.of, charge=facts.charge, told_by=told_by, created_at=now,
    )  # fmt: skip
    if facts.original_amount is not None and facts.rate is not None:
        row.original_amount, row.original_currency = facts.original_amount, facts.original_currency
        row.rate = facts.rate
    done = _book(row, payment, now)
    row.entries, row.suspended, row.why = done.entries, done.suspended, done.why
    row.state = "reported" if done.why else "booked"
    row.save(force_insert=True)
    _tell(row, now)
    if row.charge:
        if row.kind == "charge" and row.state == "booked":
            catch_up(row, now)
        come_to_nothing(row)
        state_of_payments(charge=row.charge)
    around_commit("movement.booked")
    return row


def _alone(what: str) -> None:
    """Wait for whoever books or explains the same; after the budgets and pledges, as everywhere."""
    if what:
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_advisory_xact_lock(hashtextextended(%s, 0))", [what])


def _hold(facts: MovementFacts, payment: PaymentFacts | None) -> None:
    """Lock the budgets that this movement may reach, then their pledges, before anything else."""
    mine = Q(payments__charge=facts.charge) if facts.charge else Q(pk="")
    if payment is not None and payment.group:
        mine |= Q(group=payment.group)
    found = list(Pledge.objects.filter(mine).values_list("reference", flat=True).distinct())
    pledges = Pledge.objects.filter(reference__in=found).select_related("budget").order_by("pk")
    hold([one.budget for one in pledges])
    list(pledges.select_for_update(of=("self",)).values_list("pk"))


def _book(row: Movement, payment: PaymentFacts | None, now: datetime) -> Act:
    """Book a new movement and what the provider kept of it."""
    if row.kind == "charge" and row.amount > 0 and row.fee >= 0:
        return _charge(row, payment, now)  # its fee is shared with it
    done = _moved(row, now) if row.amount else Act()
    if row.fee:
        done.entries.append(book_fee(row, row.fee, "fee", now))
    return done


def _moved(row: Movement, now: datetime) -> Act:
    """Book what is not a payment coming in: away, home again, a fee, to the bank, or what nobody knows."""
    purse = provider_purse(row.provider)
    if row.kind in AWAY and row.amount < 0:
        return take_over(row, -row.amount, purse, now)
    if row.kind in HOME and row.amount > 0:
        return return_over(row, row.amount, purse, now)
    if row.kind == "fee":
        return Act([book_fee(row, -row.amount, "own", now)])
    if row.kind == "payout" and row.amount < 0:
        payout_of_movement(row, now=now)
        return Act()
    if row.kind == "payout_failure":
        return Act() if payout_returned(row, now=now) else suspend(row, row.amount, "payout_settled", now)
    return suspend(row, row.amount, "left_out" if row.told_by == "import" else "kind_unknown", now)


# --- money in -----------------------------------------------------------------------------------------------------


def _charge(row: Movement, payment: PaymentFacts | None, now: datetime) -> Act:
    pledge, why = _pledge_of(row, payment)
    if pledge is None:
        return suspend(row, row.amount, why, now, kept=row.fee)
    receipt = receive_transfer(
        pledge=pledge, amount=row.amount, source=f"charge:{row.charge}", purse=provider_purse(row.provider),
        received_on=row.happened_on, method=_method(payment), charge=charge_of(row), actor=None, now=now,
    )  # fmt: skip
    return Act(_entries(receipt.payments, receipt.surplus))


def _pledge_of(row: Movement, payment: PaymentFacts | None) -> tuple[Pledge | None, str]:
    """The pledge that a payment pays, or why it pays none: a key of WHY."""
    group = payment.group if payment is not None else ""
    pledges = Pledge.objects.filter(group=group).exclude(group="").select_related("budget").order_by("pk")
    if not pledges or not row.charge:
        return None, "no_pledge"
    if Movement.objects.filter(provider=row.provider, kind="charge", charge=row.charge).exists():
        return None, "charge_twice"
    mine = [one for one in pledges if one.currency == row.currency]
    if not mine:
        return None, "other_currency"
    taking = [one for one in mine if one.state in (*TAKES_MONEY, "written_off") and payable_together(one)]
    if not taking:
        return None, "pot_closed"
    if not suspense_account(provider_purse(row.provider), row.currency):
        return None, "no_account"
    return taking[0], ""


def _method(payment: PaymentFacts | None) -> str:
    return "sepa_debit" if payment is not None and payment.method == "sepa_debit" else "card"


def charge_of(row: Movement) -> Charge:
    """What the provider says of the payment that a movement is."""
    return Charge(row.charge, row.provider, row.fee, row.original_amount, row.original_currency, row.rate)


def _entries(payments: Iterable[Payment], surplus: Surplus | None) -> list[str]:
    found = [one.entry for one in payments]
    return found + ([surplus.entry] if surplus is not None and surplus.entry else [])


def _tell(row: Movement, now: datetime) -> None:
    facts: dict[str, Any] = {"movement": row.kind, "amount": row.amount, "currency": row.currency}
    if row.state == "reported":
        record("movement.reported", actor=None, subject=row.pk, now=now, cause=row.why, **facts)
    else:
        record("movement.booked", actor=None, subject=row.pk, now=now, **facts)


# --- what others ask ----------------------------------------------------------------------------------------------


def left_of_charge(charge: str) -> int:
    """What of a charge neither went back through the provider nor was refunded otherwise, minor units."""
    moved = Movement.objects.filter(charge=charge, kind__in=OF_A_CHARGE).aggregate(total=Sum("amount"))["total"] or 0
    here = sum(Payment.objects.filter(charge=charge).values_list("amount", flat=True)) - sum(
        Payment.objects.filter(charge=charge).values_list("taken_back", flat=True)
    )
    here += sum(one.left for one in Surplus.objects.filter(source=f"charge:{charge}:s"))
    reported = Movement.objects.filter(charge=charge, state="reported").aggregate(total=Sum("suspended"))["total"] or 0
    return max(0, min(int(moved), here + int(reported)))


def explain_movement(*, actor: User, movement_id: str, pledge_id: str, now: datetime) -> Movement:
    """Say which pledge a payment in suspense pays, and book what went back of it since. Nothing leaves the provider.

    The ledger moved: suspense of the provider +, and as `receive_transfer` says.
    Raises: Forbidden; NotFound; Invalid `pledge_not_found`; Conflict `movement_not_waiting`, `movement_not_a_payment`,
        `budget_not_receiving`.
    """
    require(actor, "bank.match")
    with transaction.atomic():
        found = Movement.objects.filter(pk=movement_id).first()
        if found is None:
            raise NotFound("movement_not_found", _("There is no such movement."))
        pledge = Pledge.visible_to(actor).filter(pk=pledge_id, currency=found.currency).select_related("budget").first()
        if (
            pledge is None
            or pledge.state not in (*TAKES_MONEY, "written_off")
            or pledge.budget.state not in OPEN_TO_MONEY
        ):
            raise Invalid("pledge_not_found", _("Choose the pledge that this payment pays."), param="pledge")
        together = Pledge.objects.filter(reference=pledge.reference).select_related("budget")
        hold([one.budget for one in together])
        list(together.order_by("pk").select_for_update(of=("self",)).values_list("pk"))
        _alone(f"charge:{found.provider}:{found.charge}" if found.charge else "")
        row = Movement.objects.select_for_update(of=("self",)).get(pk=found.pk)
        if row.state == "explained" and row.explained_by_id == actor.pk:
            return row  # the same act again
        if row.kind != "charge" or row.suspended != row.amount or not row.charge:
            raise Conflict(
                "movement_not_a_payment", _("Only a payment that waits in suspense can be said to pay a pledge.")
            )
        if row.state != "reported" or Payment.objects.filter(charge=row.charge).exists():
            raise Conflict(
                "movement_not_waiting",
                _("This movement no longer waits: it is “%(state)s”.") % {"state": row.get_state_display()},
            )
        receipt = receive_transfer(
            pledge=pledge, amount=row.amount, source=f"charge:{row.charge}", purse=provider_suspense(row.provider),
            received_on=row.happened_on, method="card", charge=charge_of(row), actor=actor, now=now,
        )  # fmt: skip
        row.entries += _entries(receipt.payments, receipt.surplus)
        row.state, row.explained_by = "explained", actor
        row.save(update_fields=["state", "entries", "explained_by"])
        record(
            "movement.explained", actor=actor, subject=row.pk, now=now, scopes=[pledge.budget_id, pledge.payer_id],
            before={"state": "reported"}, after={"state": "explained"}, pledge=pledge.pk, amount=row.amount,
            currency=row.currency,
        )  # fmt: skip
        catch_up(row, now)
        state_of_payments(charge=row.charge)
    return row


def may_be_borne(row: Movement) -> bool:
    """Whether the host may bear what waits of a movement: neither a payment, nor what belongs to one that waits itself,
    nor what a bank sent back, which a line of the statement explains."""
    if row.state != "reported" or row.kind in ("charge", "payout", "payout_failure"):
        return False
    theirs = Movement.objects.filter(provider=row.provider, charge=row.charge, kind="charge", state="reported")
    return not row.charge or not theirs.exclude(why="charge_twice").exists()


def bear_movement(*, actor: User, movement_id: str, reason: str, now: datetime) -> Movement:
    """Say that the host bears, or keeps, what waits of a movement. Nothing leaves the provider.

    The ledger moved: suspense of the provider ±, provider fees of the host ∓, today.
    Args: reason: why nobody else does, kept in the log.
    Raises: Forbidden; NotFound; Invalid `reason_missing`; Conflict `movement_not_waiting`, `movement_not_borne`.
    """
    require(actor, "bank.match")
    if not reason.strip():
        raise Invalid("reason_missing", _("Say why the host bears it."), param="reason")
    with transaction.atomic():
        found = Movement.objects.filter(pk=movement_id).first()
        if found is None:
            raise NotFound("movement_not_found", _("There is no such movement."))
        _alone(f"charge:{found.provider}:{found.charge}" if found.charge else "")
        row = Movement.objects.select_for_update(of=("self",)).get(pk=found.pk)
        if row.state == "explained" and row.explained_by_id == actor.pk:
            return row  # the same act again
        if row.state != "reported":
            raise Conflict(
                "movement_not_waiting",
                _("This movement no longer waits: it is “%(state)s”.") % {"state": row.get_state_display()},
            )
        if not may_be_borne(row):
            raise Conflict(
                "movement_not_borne",
                _("The host does not bear this: say which pledge its payment pays, or which line of the bank it is."),
            )
        entry = post(
            kind="provider.fee", scope="movement", key=f"{row.provider}:{row.remote_id}:borne", reference=row.pk,
            happened_on=host_day(now), late=True,
            lines=[
                line_on(provider_suspense(row.provider), row.suspended, row.currency),
                fees_line(-row.suspended, row.currency),
            ],
            now=now,
        )  # fmt: skip
        row.entries += [entry.pk]
        row.state, row.explained_by = "explained", actor
        row.save(update_fields=["state", "entries", "explained_by"])
        record(
            "movement.explained", actor=actor, subject=row.pk, now=now, why=reason.strip()[:280],
            before={"state": "reported"}, after={"state": "explained"}, borne=-row.suspended, currency=row.currency,
        )  # fmt: skip
    return row


def why_in_words(row: Movement) -> str:
    """Why a movement was reported, and what to do about it, in the language of the moment."""
    words = {
        "no_pledge": _("This payment names no pledge of this instance. Say which pledge it pays, or give it back."),
        "charge_twice": _("A second amount for a payment that is already booked. Ask the provider."),
        "other_currency": _("It settled in another currency than that of its pledge. Give it back."),
        "pot_closed": _(
            "Its pledge or its pot takes no money any more, or whoever paid was forgotten meanwhile. Give it back on"
            " the provider’s own pages, or say which pledge it pays."
        ),
        "no_account": _("The host has no bank account in this currency. Add one, then say what it pays."),
        "above_left": _("More went back than was left of this payment: the rest waits for somebody to explain it."),
        "not_known": _("It went back from a payment that this instance does not know."),
        "nothing_taken": _("It came home, and nothing here was taken back for it."),
        "payout_settled": _(
            "The bank refused a payout that is already matched to a line of the statement. Say by which line it took"
            " the money back."
        ),
        "left_out": _(
            "Memberships, tickets or campaigns that the import left out: they come to the bank with the gifts, and are"
            " the host’s. Say why the host keeps them."
        ),
        "kind_unknown": _("A movement that this version does not know: look at it in the provider’s own pages."),
    }
    return words.get(row.why, row.why)


def on_their_way(provider: str, currency: str) -> int:
    """What payouts of a provider left it and the bank has not shown, minor units."""
    rows = ProviderPayout.objects.filter(provider=provider, currency=currency, state="sent")
    return rows.aggregate(total=Sum("amount"))["total"] or 0
