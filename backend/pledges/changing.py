"""Changes pledges before their next instalment: their amount, end and names; pauses, takes up again, cancels them.

What was received stays, what was called keeps its amount; none of it moves money.
"""

from collections.abc import Mapping
from datetime import date, datetime
from typing import Any, TypedDict

from django.db import transaction
from django.db.models import Sum
from django.utils.translation import gettext_lazy as _

from backend.core import crypto
from backend.core.errors import Conflict, Forbidden, Invalid, NotFound
from backend.core.ids import new_id
from backend.core.money import require_amount
from backend.core.nudge import nudge
from backend.documents.services import party_of, require_invoices
from backend.events.services import record
from backend.identity.models import Organisation, User
from backend.identity.permissions import may, require
from backend.identity.services import host_day
from backend.pledges.calendar import MONTHS, covers_until, due_day
from backend.pledges.instalments import settle
from backend.pledges.limits import pledged, require_room
from backend.pledges.models import Instalment, Pledge
from backend.pledges.papers import credit_cancelled
from backend.pledges.terms import one_of, require_end, require_short, require_shown, short_reason

# Free texts: the audit trail keeps only a hash of them.
TEXTS = ("pseudonym", "purchase_order")
# What the subscription of a provider holds too: it is ended and begun again, never changed behind the payer's back.
OF_SUBSCRIPTION = {"amount", "ends_on"}
# The sweep that asks the provider to pause, to go on or to end.
ASKS_PROVIDER = "payments.ask_provider"
# What may still be changed once nothing more is awaited: how the public reads it.
ALWAYS = {"visibility", "pseudonym"}


class Changes(TypedDict, total=False):
    """What is changed of a pledge; what is not named stays. `amount`: minor units of each instalment to come."""

    amount: int
    ends_on: date | None
    visibility: str
    pseudonym: str
    purchase_order: str
    paper: str


def require_payer(actor: User, pledge: Pledge) -> None:
    """Refuse whoever does not act for who promised: a member of the organisation, the person, who claimed the gift.

    Raises: Forbidden `not_allowed`.
    """
    if pledge.organisation_id is not None:
        require(actor, "pledge.make", scopes=[pledge.organisation_id])
        return
    require(actor, "pledge.give")
    if not is_payer(actor, pledge):
        raise Forbidden("not_allowed", _("Your roles do not allow this. Nothing was changed."), action="pledge.give")


def is_payer(actor: User, pledge: Pledge) -> bool:
    """Whether a person acts for who promised."""
    if pledge.organisation_id is not None:
        return may(actor, "pledge.make", scopes=[pledge.organisation_id])
    return actor.pk in (pledge.person_id, pledge.donor.claimed_by_id if pledge.donor is not None else None)


def held_pledge(actor: User, pledge_id: str) -> Pledge:
    """A pledge the actor may read, held until the transaction ends.

    Raises: NotFound `pledge_not_found`.
    """
    rows = Pledge.visible_to(actor).select_related("organisation", "person", "donor", "budget")
    pledge = rows.select_for_update(of=("self",)).filter(pk=pledge_id).first()
    if pledge is None:
        raise NotFound("pledge_not_found", _("There is no such pledge."))
    return pledge


@transaction.atomic
def change_pledge(*, actor: User, pledge_id: str, changes: Changes, now: datetime) -> Pledge:
    """Change a pledge from its next instalment on. Moves no money.

    Instalments that were called keep their amount; those called for a day after the new end are cancelled while
    nothing was received for them. The same values again change nothing.
    Raises: NotFound `pledge_not_found`; Forbidden; Invalid `amount_out_of_range` and those of terms; Conflict
        `pledge_over`, `pledge_called`, `above_spending_limit`, `invoice_host_incomplete`, `invoice_party_incomplete`.
    """
    if changes.keys() & {"amount", "ends_on"}:
        _hold_payer(actor, pledge_id)
    pledge = held_pledge(actor, pledge_id)
    require_payer(actor, pledge)
    asked = {name: value for name, value in changes.items() if value != getattr(pledge, name)}
    if asked.get("visibility", "pseudonymous") != "pseudonymous" and "pseudonym" not in changes:
        asked["pseudonym"] = ""  # the other name goes with the wish for one
    if not asked:
        return pledge
    reopened = _require_changes(pledge, asked, now)
    spent = _spent(actor, pledge, now) if asked.keys() & {"amount", "ends_on"} else {}
    before = {name: getattr(pledge, name) for name in asked}
    for name, value in asked.items():
        setattr(pledge, name, value)
    pledge.save(update_fields=list(asked))
    if reopened:
        pledge.state = "active"
        pledge.save(update_fields=["state"])
        _skip(pledge, now)
    dropped = _follow(pledge, asked, before, now)
    record(
        "pledge.changed", actor=actor, subject=pledge.pk, now=now, scopes=[pledge.budget_id, pledge.payer_id],
        on_behalf=pledge.organisation_id or "", before=_told(before), after=_told(asked), cancelled=dropped,
        currency=pledge.currency,
    )  # fmt: skip
    if _promises_more(asked, before):
        _require_room(actor, pledge, spent, now)
    settle(pledge, now=now)
    return pledge


def _promises_more(asked: Mapping[str, Any], before: Mapping[str, Any]) -> bool:
    if asked.get("amount", 0) > before.get("amount", 0):
        return True
    end = before.get("ends_on")
    return end is not None and (asked["ends_on"] is None or asked["ends_on"] > end)


def _hold_payer(actor: User, pledge_id: str) -> None:
    """Hold the organisation of a pledge, before the pledge: no two acts pass a limit together."""
    mine = Pledge.visible_to(actor).filter(pk=pledge_id).values("organisation")
    list(Organisation.objects.select_for_update(of=("self",), no_key=True).filter(pk__in=mine))


def _spent(person: User, pledge: Pledge, now: datetime) -> dict[int, int]:
    """What a person decided so far for the organisation of a pledge, by calendar year; empty when there is none."""
    return pledged(person, pledge.organisation, pledge.currency, now=now) if pledge.organisation is not None else {}


def _require_room(person: User, pledge: Pledge, spent: Mapping[int, int], now: datetime) -> None:
    """Refuse what a change, which is written already, adds above a limit of the person; the caller undoes it all."""
    if pledge.organisation is None:
        return
    acts = Pledge.objects.filter(group=pledge.group, state="active").aggregate(total=Sum("amount"))
    raised = pledge.amount if acts["total"] is None else acts["total"]
    require_room(
        person, pledge.organisation, once=raised, before=spent, after=_spent(person, pledge, now),
        currency=pledge.currency,
    )  # fmt: skip


def _require_changes(pledge: Pledge, asked: Mapping[str, Any], now: datetime) -> bool:
    """Refuse what cannot be changed; returns whether a pledge that came to its end goes on after it."""
    reopened = pledge.state == "fulfilled" and bool(MONTHS[pledge.rhythm]) and "ends_on" in asked
    if pledge.state != "active" and not reopened and asked.keys() - ALWAYS:
        raise Conflict("pledge_over", _("Nothing more is awaited for this pledge: make another one instead."))
    if pledge.means != "transfer" and asked.keys() & OF_SUBSCRIPTION:
        raise Conflict(
            "pledge_taken_by_provider",
            _("It is paid by itself, by card or debit: to change its amount or its end, cancel it and make another."),
        )
    today = host_day(now)
    if "ends_on" in asked:
        require_end(asked["ends_on"], rhythm=pledge.rhythm, starts_on=pledge.starts_on, today=today)
    if asked.keys() & ALWAYS:
        require_shown(asked.get("visibility", pledge.visibility), asked.get("pseudonym", pledge.pseudonym))
    if "purchase_order" in asked:
        require_short("purchase_order", asked["purchase_order"])
    if "paper" in asked:
        if asked["paper"] not in dict(Pledge.PAPERS):
            raise Invalid("paper_unknown", one_of(dict(Pledge.PAPERS)), param="paper")
        payer = pledge.organisation or pledge.person
        if asked["paper"] == "invoice" and payer is not None:
            require_invoices(party_of(payer))
    if "amount" in asked:
        _require_amount(pledge, asked["amount"])
    return reopened


def _require_amount(pledge: Pledge, amount: int) -> None:
    require_amount(amount)
    if not MONTHS[pledge.rhythm] and not pledge.instalments.filter(state="due").exists():
        raise Conflict(
            "pledge_called", _("Its only instalment is called: cancel this pledge and make another one."),
            param="amount",
        )  # fmt: skip


def _follow(pledge: Pledge, asked: Mapping[str, Any], before: Mapping[str, Any], now: datetime) -> int:
    """Bring the instalments that are not called yet in line; returns how many were cancelled."""
    if "amount" in asked:
        pledge.instalments.filter(state="due").update(amount=pledge.amount)
    if "ends_on" not in asked:
        return 0
    if before["ends_on"] is not None:
        _bring_back(pledge, before["ends_on"], now)
    if asked["ends_on"] is None:
        return 0
    late = pledge.instalments.filter(state__in=["due", "called", "failed"], due_on__gt=pledge.ends_on)
    return _cancel_rows(pledge, [row.pk for row in late], now)


def _bring_back(pledge: Pledge, ended_on: date, now: datetime) -> None:
    """What an earlier end had cancelled is to come again, at the present amount, with another paper."""
    rows = pledge.instalments.filter(state="cancelled", received=0, due_on__gt=ended_on, due_on__gte=host_day(now))
    if pledge.ends_on is not None:
        rows = rows.filter(due_on__lte=pledge.ends_on)
    rows.update(
        state="due", called_at=None, pay_by=None, document="", reminded_at=None, reminders=0, amount=pledge.amount
    )  # fmt: skip


def _told(values: Mapping[str, Any]) -> dict[str, Any]:
    """What changed as the audit trail keeps it: no free text."""
    found = {}
    for name, value in values.items():
        if name in TEXTS:
            found[name] = crypto.equality_index(value) if value else ""
        else:
            found[name] = value.isoformat() if isinstance(value, date) else value
    return found


@transaction.atomic
def cancel_pledge(*, actor: User, pledge_id: str, now: datetime) -> Pledge:
    """Cancel a pledge: what is still awaited of it is awaited no more, what was received stays. Moves no money.

    Raises: NotFound `pledge_not_found`; Forbidden; Conflict `pledge_not_cancellable` when nothing is awaited any more.
    """
    pledge = held_pledge(actor, pledge_id)
    require_payer(actor, pledge)
    if pledge.state == "cancelled":
        return pledge
    if pledge.state != "active":
        raise Conflict(
            "pledge_not_cancellable", _("Nothing more is awaited for this pledge: there is nothing left to cancel.")
        )
    give_up(pledge, now=now)
    record(
        "pledge.cancelled", actor=actor, subject=pledge.pk, now=now, scopes=[pledge.budget_id, pledge.payer_id],
        on_behalf=pledge.organisation_id or "",
    )  # fmt: skip
    return pledge


@transaction.atomic
def cancel_act(*, actor: User, pledge_id: str, now: datetime) -> int:
    """Cancel all that is still awaited of the pledges made in one act; returns how many pledges. Moves no money.

    Raises: as `cancel_pledge`.
    """
    group = Pledge.visible_to(actor).filter(pk=pledge_id).values("group")
    keys = list(Pledge.visible_to(actor).filter(group__in=group, state="active").order_by("pk").values_list("pk"))
    if not keys:
        raise Conflict(
            "pledge_not_cancellable", _("Nothing more is awaited for this pledge: there is nothing left to cancel.")
        )
    for (key,) in keys:
        cancel_pledge(actor=actor, pledge_id=key, now=now)
    return len(keys)


def give_up(pledge: Pledge, *, now: datetime) -> None:
    """Cancel what is awaited of a pledge, and the pledge. The caller holds it and records why."""
    awaiting = pledge.instalments.filter(state__in=Instalment.AWAITING).values_list("pk", flat=True)
    _cancel_rows(pledge, list(awaiting), now)
    pledge.state = "cancelled"
    pledge.save(update_fields=["state"])
    pledge.refresh_from_db(fields=["expected"])
    nudge(ASKS_PROVIDER)  # a payment page may be open, or a subscription run, for it


def _cancel_rows(pledge: Pledge, keys: list[str], now: datetime) -> int:
    """Cancel instalments; what an invoice asked for with them gets its credit note."""
    done = pledge.instalments.filter(pk__in=keys).update(state="cancelled")
    rows = pledge.instalments.filter(pk__in=keys).select_related("pledge")
    credit_cancelled([(row, row.amount - row.received) for row in rows], now=now)
    return done


@transaction.atomic
def pause_pledge(*, actor: User, pledge_id: str, reason: str, now: datetime) -> Pledge:
    """Pause a pledge: no further instalment is called and nobody is reminded until it is taken up again.

    What was called stays awaited. Who promised may, and a treasurer. Moves no money.
    Raises: NotFound; Forbidden; Invalid `reason_missing`; Conflict `pledge_over`, `pledge_paid_once`.
    """
    pledge = held_pledge(actor, pledge_id)
    _require_payer_or_treasurer(actor, pledge)
    why = short_reason(reason)
    if pledge.paused_at is not None:
        return pledge
    _require_recurring(pledge)
    for one in _taken_together(pledge):
        one.paused_at, one.pause_reason = now, why
        one.save(update_fields=["paused_at", "pause_reason"])
    record(
        "pledge.paused", actor=actor, subject=pledge.pk, now=now, scopes=[pledge.budget_id, pledge.payer_id],
        on_behalf=pledge.organisation_id or "", why=why,
    )  # fmt: skip
    return pledge


@transaction.atomic
def resume_pledge(*, actor: User, pledge_id: str, now: datetime) -> Pledge:
    """Take a paused pledge up again from its next day on; the periods that passed meanwhile are never called.

    They are written as cancelled, so that the numbers and days of the calendar go on. Moves no money.
    Raises: NotFound; Forbidden; Conflict `pledge_over`, `pledge_paid_once`, `above_spending_limit`.
    """
    _hold_payer(actor, pledge_id)
    pledge = held_pledge(actor, pledge_id)
    _require_payer_or_treasurer(actor, pledge)
    if pledge.paused_at is None:
        return pledge
    _require_recurring(pledge)
    # A treasurer takes it up on the limit of who made it.
    whose = actor if is_payer(actor, pledge) else pledge.made_by or actor
    spent = _spent(whose, pledge, now)
    for one in _taken_together(pledge):
        one.paused_at, one.pause_reason = None, ""
        one.save(update_fields=["paused_at", "pause_reason"])
    record(
        "pledge.resumed", actor=actor, subject=pledge.pk, now=now, scopes=[pledge.budget_id, pledge.payer_id],
        on_behalf=pledge.organisation_id or "", skipped=_skip(pledge, now) if pledge.means == "transfer" else 0,
    )  # fmt: skip
    _require_room(whose, pledge, spent, now)
    settle(pledge, now=now)
    return pledge


def _taken_together(pledge: Pledge) -> list[Pledge]:
    """The pledge, held; and those that the same subscription pays: it is paused and goes on as one."""
    if pledge.means == "transfer":
        return [pledge]
    nudge(ASKS_PROVIDER)
    others = Pledge.objects.select_for_update(of=("self",)).filter(group=pledge.group, state="active")
    return [pledge, *others.exclude(pk=pledge.pk).order_by("pk")]


def _skip(pledge: Pledge, now: datetime) -> int:
    """Cancel the periods that passed during a pause and were not called, and write the others so; returns how many."""
    today = host_day(now)
    skipped = pledge.instalments.filter(state="due", due_on__lt=today).update(state="cancelled")
    last = pledge.instalments.order_by("-number").first()
    number = last.number + 1 if last is not None else 1
    while (day := due_day(pledge.starts_on, pledge.rhythm, number)) < today:
        if pledge.ends_on is not None and day > pledge.ends_on:
            break
        Instalment.objects.create(
            id=new_id("ins"), pledge=pledge, number=number, due_on=day, amount=pledge.amount, currency=pledge.currency,
            covers_until=covers_until(pledge.starts_on, pledge.rhythm, number), state="cancelled", created_at=now,
        )  # fmt: skip
        number, skipped = number + 1, skipped + 1
    return skipped


def _require_payer_or_treasurer(actor: User, pledge: Pledge) -> None:
    if not may(actor, "pledge.write_off"):
        require_payer(actor, pledge)


def _require_recurring(pledge: Pledge) -> None:
    if pledge.state != "active":
        raise Conflict("pledge_over", _("Nothing more is awaited for this pledge: make another one instead."))
    if not MONTHS[pledge.rhythm]:
        raise Conflict("pledge_paid_once", _("A pledge paid once is not paused: cancel it, or pay later."))
