"""Undoes an import of HelloAsso as a whole, within the open months: all of it by reversing entries, or nothing."""

from collections import defaultdict
from dataclasses import dataclass
from datetime import datetime, time

from django.db import connection, transaction
from django.db.models import QuerySet
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from backend.commons.models import Budget
from backend.commons.services import hold
from backend.core.errors import Conflict, Invalid, NotFound
from backend.core.ids import new_id
from backend.events.services import record
from backend.identity.models import User
from backend.identity.permissions import require
from backend.identity.services import host_zone
from backend.ledger.services import open_from, reverse, whole_entry
from backend.payments.helloasso import PROVIDER, back_key, left_out_key, settle_payout_row
from backend.payments.helloasso_file import CURRENCY
from backend.payments.helloasso_models import HelloAssoImport, HelloAssoLine
from backend.payments.models import Movement, Payment, ProviderPayout, Surplus, TakeBack
from backend.payments.movements import book_movement
from backend.payments.providers.base import MovementFacts
from backend.payments.taking_back import may_give
from backend.pledges.changing import give_up
from backend.pledges.models import Pledge
from backend.pledges.services import note_received

NAMED = 5  # hindrances that the refusal names; the page shows them all


@dataclass(frozen=True)
class Hindrance:
    """What keeps an import from being undone: the line of its file (0 for all of it), and why."""

    line: int
    why: "str | Promise"


def hindrances(made: HelloAssoImport) -> list[Hindrance]:
    """What keeps an import from being undone as a whole; nothing when it can be."""
    lines = list(made.lines.filter(undone_at=None).order_by("number", "pk"))
    return [*_seen(made), *_used(lines), *_left_out_kept(made), *_spent(lines)]


def _touched(made: HelloAssoImport) -> set[str]:
    """The payouts that this import said something of."""
    rows = HelloAssoLine.objects.filter(paid_with=made, undone_at=None)
    return set(rows.values_list("payout", flat=True))


def _seen(made: HelloAssoImport) -> list[Hindrance]:
    rows = ProviderPayout.objects.filter(provider=PROVIDER, state="settled", remote_id__in=_touched(made))
    return [
        Hindrance(0, _("the bank showed its payout %(payout)s: take them apart first") % {"payout": row.remote_id})
        for row in rows.order_by("remote_id")
    ]


def _used(lines: list[HelloAssoLine]) -> list[Hindrance]:
    """Payments that others count on, and those of a locked month."""
    first = open_from()
    back: dict[str, int] = defaultdict(int)
    for line in lines:
        if line.kind == "refund":
            back[line.charge] += line.amount
    found = []
    for line in lines:
        if not line.charge:
            continue
        entries = [key for row in _movements(line) for key in row.entries]
        if first is not None and any(whole_entry(key).happened_on < first for key in entries):
            found.append(Hindrance(line.number, _("its month is locked")))
        elif line.kind == "payment" and _taken(line.charge) != back[line.charge]:
            found.append(Hindrance(line.number, _("it was given back since")))
        elif line.kind == "payment" and _surplus(line.charge).exclude(state="waiting", taken_back=0).exists():
            found.append(Hindrance(line.number, _("somebody decided on what it brought above its pledge")))
    return found


def _taken(charge: str) -> int:
    return sum(Payment.objects.filter(charge=charge).values_list("taken_back", flat=True))


def _surplus(charge: str) -> "QuerySet[Surplus]":
    return Surplus.objects.filter(source=f"charge:{charge}:s")


def _movements(line: HelloAssoLine) -> list[Movement]:
    """What the books hold of one line."""
    keys = [line.charge, f"{line.charge}:fee"] if line.kind == "payment" else [back_key(line)]
    return list(Movement.objects.filter(provider=PROVIDER, remote_id__in=keys).order_by("pk"))


def _left_out_kept(made: HelloAssoImport) -> list[Hindrance]:
    keys = [left_out_key(made, payout) for payout in _touched(made)]
    rows = Movement.objects.filter(provider=PROVIDER, remote_id__in=keys, state="explained")
    return [Hindrance(0, _("somebody said who keeps what it left out of payout %(payout)s") % {"payout": row.of})
            for row in rows.order_by("pk")]  # fmt: skip


def _spent(lines: list[HelloAssoLine]) -> list[Hindrance]:
    """Budgets that no longer hold what came with the import."""
    wanted: dict[str, int] = defaultdict(int)
    for line in lines:
        if line.kind != "payment" or not line.charge:
            continue
        for payment in Payment.objects.filter(charge=line.charge):
            for row in whole_entry(payment.entry).lines:
                if row.kind == "budget":
                    wanted[row.owner] -= row.amount
        for gone in TakeBack.objects.filter(payment__charge=line.charge):
            wanted[gone.payment.pledge.budget_id] -= gone.from_budget
    budgets = Budget.objects.filter(pk__in=wanted).order_by("name")
    return [
        Hindrance(0, _("%(budget)s has shared, or is sharing, part of what came") % {"budget": one.name})
        for one in budgets
        if wanted[one.pk] > may_give(one)
    ]


def undo_import(*, actor: User, import_id: str, reason: str, now: datetime) -> HelloAssoImport:
    """Undo an import: the mirror of each of its entries, on the day of each. Nothing leaves HelloAsso nor the bank.

    Pledges that it paid await the money again; gifts that came with it are cancelled; the same file may be imported
    again, and then comes anew.
    Raises: Forbidden; NotFound; Invalid `reason_missing`; Conflict `helloasso_import_used` naming why, `purse_short`.
    """
    require(actor, "bank.import")
    require(actor, "bank.match")
    reason = " ".join(reason.split())[:280]
    if not reason:
        raise Invalid("reason_missing", _("Say why this import is undone. An auditor reads it."), param="reason")
    with transaction.atomic():
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_advisory_xact_lock(hashtextextended(%s, 0))", [PROVIDER])
        made = HelloAssoImport.visible_to(actor).select_for_update(of=("self",)).filter(pk=import_id).first()
        if made is None:
            raise NotFound("helloasso_import_not_found", _("There is no such import."))
        if made.undone_at is not None:
            return made
        lines = list(made.lines.filter(undone_at=None).select_related("pledge").order_by("-pk"))
        references = {line.pledge.reference for line in lines if line.pledge is not None}
        hold([one.budget for one in Pledge.objects.filter(reference__in=references).select_related("budget")])
        if wrong := hindrances(made):
            raise _refusal(wrong)
        payouts = _touched(made)
        for line in lines:  # the last first: what went back comes home before its payment is undone
            _undo_refund(line, now) if line.kind == "refund" else _undo_payment(line, now)
        for payout in sorted(payouts):
            _undo_left_out(made, payout, now)
        HelloAssoLine.objects.filter(paid_with=made).exclude(brought=made).update(payout="", paid_with=None)
        made.lines.filter(undone_at=None).update(undone_at=now)
        for payout in sorted(payouts):
            settle_payout_row(payout, now=now)
        made.undone_at, made.undone_by, made.undone_reason = now, actor, reason
        made.save(update_fields=["undone_at", "undone_by", "undone_reason"])
        record(
            "helloasso.undone", actor=actor, subject=made.pk, now=now, why=reason, after={"rows": made.rows},
            scopes=sorted({line.pledge.budget_id for line in lines if line.pledge is not None}),
        )  # fmt: skip
    return made


def _undo_refund(line: HelloAssoLine, now: datetime) -> None:
    if line.charge:
        told = Movement.objects.get(provider=PROVIDER, remote_id=back_key(line))
        at = datetime.combine(told.happened_on, time(12), host_zone())
        facts = MovementFacts(
            remote_id=f"{told.remote_id}:undone", kind="refund_failure", amount=line.amount, fee=0, currency=CURRENCY,
            happened_at=at, of=told.of, charge=line.charge,
        )  # fmt: skip
        book_movement(provider=PROVIDER, facts=facts, told_by="import", now=now)


def _undo_payment(line: HelloAssoLine, now: datetime) -> None:
    if not line.charge:
        return
    rows = Movement.objects.filter(provider=PROVIDER, remote_id__in=[line.charge, f"{line.charge}:fee"])
    for row in rows.order_by("pk"):
        done = [_reversed(row.entries[0], line.charge, now)] if row.kind == "fee" else _undo_charge(line, now)
        Movement.objects.create(
            id=new_id("mov"), provider=PROVIDER, remote_id=f"{row.remote_id}:undone", amount=-row.amount,
            kind="fee" if row.kind == "fee" else "failure", currency=CURRENCY, happened_on=row.happened_on, of=row.of,
            charge=row.charge, state="booked", entries=done, told_by="import", created_at=now,
        )  # fmt: skip
    if line.made_pledge and line.pledge is not None:
        give_up(Pledge.objects.select_for_update(of=("self",)).get(pk=line.pledge_id), now=now)


def _undo_charge(line: HelloAssoLine, now: datetime) -> list[str]:
    """Reverse what a payment brought: its parts for pledges, and what came above them."""
    done = []
    payments = Payment.objects.select_for_update(of=("self",)).filter(charge=line.charge).order_by("pk")
    for number, payment in enumerate(payments.select_related("pledge__budget"), start=1):
        entry = whole_entry(payment.entry)
        given = {kind: -sum(row.amount for row in entry.lines if row.kind == kind) for kind in ("budget", "deficit")}
        mirror = _reversed(payment.entry, payment.pk, now, kind="payment.taken_back")
        TakeBack.objects.create(
            id=new_id("tkb"), payment=payment, amount=payment.amount, fee=payment.fee, from_budget=given["budget"],
            to_deficit=given["deficit"], source=f"undo:{line.charge}:{number}", taken_on=entry.happened_on,
            entry=mirror, created_at=now,
        )  # fmt: skip
        payment.taken_back, payment.state = payment.amount, "undone"
        payment.save(update_fields=["taken_back", "state"])
        note_received(pledge_id=payment.pledge_id, amount=-payment.amount, now=now)
        done.append(mirror)
    for surplus in _surplus(line.charge).select_for_update(of=("self",)):
        done.append(_reversed(surplus.entry, surplus.pk, now))
        surplus.taken_back, surplus.state = surplus.amount, "returned"
        surplus.save(update_fields=["taken_back", "state"])
    return done


def _reversed(entry_id: str, reference: str, now: datetime, kind: str = "") -> str:
    """The mirror of an entry, on its own day: its month is open."""
    day = whole_entry(entry_id).happened_on
    return reverse(entry_id=entry_id, reference=reference, happened_on=day, now=now, kind=kind).pk


def _undo_left_out(made: HelloAssoImport, payout: str, now: datetime) -> None:
    """What waited in suspense for being left out waits no more: its two movements come to nothing."""
    row = Movement.objects.filter(provider=PROVIDER, remote_id=left_out_key(made, payout)).first()
    if row is not None:
        facts = MovementFacts(
            remote_id=f"{row.remote_id}:undone", kind="other", amount=-row.amount, fee=0, currency=CURRENCY,
            happened_at=datetime.combine(row.happened_on, time(12), host_zone()), of=row.of, charge=row.charge,
        )  # fmt: skip
        book_movement(provider=PROVIDER, facts=facts, told_by="import", now=now)


def _refusal(wrong: list[Hindrance]) -> Conflict:
    named = "; ".join(f"{one.line}: {one.why}" if one.line else str(one.why) for one in wrong[:NAMED])
    return Conflict(
        "helloasso_import_used",
        _("Nothing was undone, for %(number)s reasons. %(why)s") % {"number": len(wrong), "why": named},
    )
