"""Recurring payments that the provider runs: its clock is the only one, each of its invoices is our instalment.

What the provider does is read by `note_subscription`; what it should do (pause, go on, end) follows from our pledges
and is asked by `converge`.
"""

import logging
from collections.abc import Iterable
from datetime import date, datetime, timedelta

from django.conf import settings
from django.db import transaction
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, override

from backend.core.errors import Conflict, NotFound
from backend.core.ids import new_id
from backend.core.nudge import nudge
from backend.events.services import record
from backend.identity.models import User
from backend.identity.services import host_day
from backend.payments.models import Operation, Subscription
from backend.payments.offering import page_at
from backend.payments.operations import SWEEP, ask, standing, wanted_provider
from backend.payments.providers.base import InvoiceFacts, ProviderError, SubscriptionFacts
from backend.payments.services import lock_group
from backend.pledges.calendar import due_day
from backend.pledges.donations import gift_of
from backend.pledges.instalments import goes_on, settle
from backend.pledges.models import Instalment, Pledge
from backend.pledges.services import require_payer

logger = logging.getLogger(__name__)

CLOCKS_DIFFER = timedelta(minutes=10)
FAILURE = 280
ACTS = ("pause", "resume", "cancel")
ASK_AGAIN = timedelta(hours=1)  # after a refusal
UNPAID = ("open", "uncollectible")
LIVE = ("active", "past_due", "paused")


# --- what the provider says ---------------------------------------------------------------------------------------


@transaction.atomic
def note_subscription(provider: str, facts: SubscriptionFacts, *, read_at: datetime, now: datetime) -> list[str]:
    """Bring our rows in line with a subscription: its state, its invoices, what failed.

    Args: read_at: before the provider was asked, by this machine's clock.
    Returns: the provider's ids of the payments to read, of invoices whose money is not all here.
    """
    pledges = lock_group(facts.group)
    if not pledges or facts.state == "incomplete":
        return []
    row = _row(provider, facts, pledges, now)
    if row is None:
        return [one.payment for one in facts.invoices if one.payment]
    # A clock that was ahead when this was last read must not keep out all that is read before it is reached.
    if row.read_at is None or read_at >= row.read_at or row.read_at - read_at > CLOCKS_DIFFER:
        row.read_at = read_at
        for number, invoice in enumerate(facts.invoices):
            _note_invoice(pledges, facts, number, invoice, now)
        _note_state(row, facts, pledges, now)
    paid = [one for one in facts.invoices if one.payment and one.state == "paid"]
    rows = Instalment.objects.filter(pledge__in=pledges, invoice__in=[one.remote_id for one in paid])
    here = set(rows.filter(state="received").values_list("invoice", flat=True))
    here -= set(rows.exclude(state="received").values_list("invoice", flat=True))
    return [one.payment for one in paid if one.remote_id not in here]


def _row(provider: str, facts: SubscriptionFacts, pledges: list[Pledge], now: datetime) -> Subscription | None:
    """Our row, made the first time; None for a second one of the same pledges, which is asked to end."""
    found = Subscription.objects.select_for_update().filter(provider=provider, remote_id=facts.remote_id).first()
    if found is not None:
        return found
    leader = pledges[0]
    if facts.state != "ended" and Subscription.objects.filter(group=leader.group).exclude(state="ended").exists():
        key = f"cancel:{facts.remote_id}:1"
        ask(kind="cancel", key=key, request={"subscription": facts.remote_id}, actor=None, now=now)
        return None
    row = Subscription.objects.create(
        id=new_id("sub"), provider=provider, remote_id=facts.remote_id, customer=facts.customer, group=leader.group,
        method=facts.method, synced_at=now, created_at=now,
    )  # fmt: skip
    Pledge.objects.filter(group=leader.group).update(means=facts.method)
    for pledge in pledges:
        pledge.means = facts.method
    record(
        "subscription.begun", actor=None, subject=row.pk, now=now, scopes=_scopes(pledges), pledge=leader.pk,
        amount=sum(one.amount for one in pledges), currency=leader.currency, method=row.method,
    )  # fmt: skip
    return row


def _scopes(pledges: list[Pledge]) -> list[str]:
    return [*dict.fromkeys(one.budget_id for one in pledges), pledges[0].payer_id]


def _note_state(row: Subscription, facts: SubscriptionFacts, pledges: list[Pledge], now: datetime) -> None:
    """The state of a subscription; after too many failures, or without a mandate, the pledges are paused."""
    before = row.state
    assert facts.state != "incomplete", "a subscription that did not begin has no row"
    row.failures, row.last_failure = _failures(facts, _since(row))
    row.method, row.next_on = facts.method or row.method, facts.next_on
    row.customer = facts.customer if row.customer or row.state != "ended" else ""  # forgotten there: it stays so
    row.mandate, row.mandate_state, row.synced_at = facts.mandate, facts.mandate_state, now
    if row.state != "ended":
        row.state = facts.state
    if row.state == "ended" and before != "ended":
        _end(row, pledges, {one.remote_id for one in facts.invoices if one.processing}, now)
    elif row.state == "paused":
        if before != "paused":
            _pause(row, pledges, now, "")
    elif facts.mandate_state == "inactive":
        _pause(row, pledges, now, "mandate")
    elif row.failures >= settings.DUNNING_FAILURES:
        _pause(row, pledges, now, "failures")
    elif before == "paused":  # until it was seen paused, what runs is only not paused yet
        _resume(row, pledges, now)
    row.save()


def _since(row: Subscription) -> date | None:
    """The day from which failures count: that of the last time it was taken up again."""
    last = standing(row.remote_id, ("resume",))
    return host_day(last.created_at) if last is not None else None


def _failures(facts: SubscriptionFacts, since: date | None) -> tuple[int, str]:
    """How often the provider tried in vain since the last payment that it got, and its last word about it.

    Args: since: what is of periods before this day was paused for already.
    """
    count, why = 0, ""
    for invoice in facts.invoices:
        if since is not None and invoice.period_start < since:
            continue
        if invoice.state == "paid":
            count, why = 0, ""
        elif invoice.state in UNPAID:
            tried = invoice.attempts - (1 if invoice.processing else 0)
            count, why = count + max(0, tried), invoice.failure or why
    return count, why[:FAILURE]


def _pause(row: Subscription, pledges: list[Pledge], now: datetime, cause: str) -> None:
    """Pause the pledges, once; `converge` asks the provider. Args: cause: `failures`, `mandate`; empty when it is told
    that the provider has paused it."""
    if row.paused_at is not None:
        return
    row.paused_at = now
    words = {
        "failures": gettext_lazy("Several payments in a row did not go through."),
        "mandate": gettext_lazy("The bank no longer accepts this debit."),
        "": gettext_lazy("The payments were paused."),
    }
    news = [one for one in pledges if one.state == "active" and one.paused_at is None]
    if not news and not cause:
        return  # who promised had paused it
    with override(_language(pledges[0])):
        why = str(words[cause])
    for pledge in news:
        pledge.paused_at, pledge.pause_reason = now, why
        pledge.save(update_fields=["paused_at", "pause_reason"])
    record(
        "subscription.paused", actor=None, subject=row.pk, now=now, scopes=_scopes(pledges), why=why,
        pledge=pledges[0].pk, amount=sum(one.amount for one in pledges), currency=pledges[0].currency,
        failures=row.failures, cause=cause,
    )  # fmt: skip
    nudge(SWEEP)


def _language(pledge: Pledge) -> str:
    """The language of who promised."""
    if pledge.donor is not None:
        return pledge.donor.language
    return pledge.made_by.language if pledge.made_by is not None else settings.LANGUAGE_CODE


def _resume(row: Subscription, pledges: list[Pledge], now: datetime) -> None:
    """The provider takes it up again."""
    row.paused_at = None
    for pledge in pledges:
        if pledge.paused_at is not None:
            pledge.paused_at, pledge.pause_reason = None, ""
            pledge.save(update_fields=["paused_at", "pause_reason"])
    record("subscription.went_on", actor=None, subject=row.pk, now=now, scopes=_scopes(pledges), pledge=pledges[0].pk)


def _end(row: Subscription, pledges: list[Pledge], on_its_way: Iterable[str], now: datetime) -> None:
    """Nothing more is taken by itself. Who promised without an end decides on the pledge's page how it goes on.

    Args: on_its_way: the invoices whose debit is still to come, or to fail: their instalments stay pending.
    """
    for pledge in pledges:
        pledge.means = "transfer"
        pledge.save(update_fields=["means"])
        pledge.instalments.filter(state="pending", received=0).exclude(invoice__in=on_its_way).update(state="called")
        if pledge.state != "active":
            continue
        if goes_on(pledge) and pledge.paused_at is None:
            with override(_language(pledge)):
                pledge.paused_at, pledge.pause_reason = now, _("The payments by card or debit have ended.")
            pledge.save(update_fields=["paused_at", "pause_reason"])
        settle(pledge, now=now)
    record("subscription.ended", actor=None, subject=row.pk, now=now, scopes=_scopes(pledges), pledge=pledges[0].pk)


# --- invoices -----------------------------------------------------------------------------------------------------


def _note_invoice(
    pledges: list[Pledge], facts: SubscriptionFacts, number: int, invoice: InvoiceFacts, now: datetime
) -> None:
    """An invoice and the instalments of its period, made when it is the first to tell of them."""
    if invoice.state == "draft" or not invoice.amount:
        return
    failed: list[Instalment] = []
    for pledge in pledges:
        row = pledge.instalments.select_for_update().filter(invoice=invoice.remote_id).first()
        if row is None and pledge.state in {"active", "fulfilled"} and invoice.state != "void":
            row = _tie(pledge, facts, number, invoice, now)
        if row is not None and not row.received and row.state in Instalment.AWAITING:
            wanted = _wanted(invoice)
            if wanted and wanted != row.state:
                failed += [row] if wanted == "failed" else []
                row.state = wanted
                row.save(update_fields=["state"])
                settle(pledge, now=now)
    if failed:
        record(
            "payment.failed", actor=None, subject=failed[0].pledge_id, now=now, scopes=_scopes(pledges),
            pledge=failed[0].pledge_id, amount=invoice.amount, currency=invoice.currency,
            failure=invoice.failure[:FAILURE], instalments=[one.pk for one in failed],
        )  # fmt: skip


def _wanted(invoice: InvoiceFacts) -> str:
    """The state of an unpaid instalment that an invoice says; empty to leave it. Received is said by money alone."""
    if invoice.state == "void":
        return "cancelled"
    if invoice.processing:
        return "pending"
    if invoice.state == "uncollectible" or (invoice.state == "open" and invoice.attempts):
        return "failed"
    return ""


def _tie(pledge: Pledge, facts: SubscriptionFacts, number: int, invoice: InvoiceFacts, now: datetime) -> Instalment:
    """The instalment that an invoice pays: the oldest that awaits money and has none yet, else the next one."""
    rows = pledge.instalments.select_for_update().order_by("number")
    waiting = rows.filter(state__in=Instalment.AWAITING, invoice="").first()
    if waiting is not None:
        waiting.invoice = invoice.remote_id
        if waiting.state == "due":
            waiting.state, waiting.called_at = "called", now
        waiting.save(update_fields=["invoice", "state", "called_at"])
        return waiting
    last = rows.last()
    assert last is not None, f"{pledge.pk} has no first instalment"
    day = max(invoice.period_start, last.due_on + timedelta(days=1))
    made = Instalment.objects.create(
        id=new_id("ins"), pledge=pledge, number=last.number + 1, due_on=day, amount=pledge.amount,
        currency=pledge.currency, covers_until=_until(facts, pledge, number, day), state="called", called_at=now,
        invoice=invoice.remote_id, created_at=now,
    )  # fmt: skip
    settle(pledge, now=now)
    return made


def _until(facts: SubscriptionFacts, pledge: Pledge, number: int, day: date) -> date:
    """The day on which the next invoice is due: counted from the provider's first one, as it counts."""
    first = facts.invoices[0].period_start
    if due_day(first, pledge.rhythm, number + 1) == day:
        return due_day(first, pledge.rhythm, number + 2)
    return due_day(day, pledge.rhythm, 2)


# --- what the provider should do ----------------------------------------------------------------------------------


def converge(now: datetime) -> int:
    """Ask the provider for what our pledges want of it: to pause, to go on, to end; returns how many were asked."""
    rows = Subscription.objects.exclude(state="ended").order_by("pk")
    return sum(_converge(one, now) for one in list(rows))


def _wish(row: Subscription) -> str:
    """What a live subscription should do otherwise: `cancel`, `pause`, `resume`, or nothing."""
    pledges = list(Pledge.objects.filter(group=row.group))
    if any(one.state in {"cancelled", "written_off"} for one in pledges):
        return "cancel"  # its amount would be wrong; the other pledges of the act are asked what to do
    if any(one.state == "fulfilled" for one in pledges) and not any(one.state == "active" for one in pledges):
        return "cancel"
    ends = [one.ends_on for one in pledges if one.ends_on is not None]
    if len(ends) == len(pledges) and row.next_on is not None and row.next_on > max(ends):
        return "cancel"  # its last period was taken: the provider's page could not be told of an end
    paused = any(one.paused_at is not None for one in pledges)
    if paused and row.state != "paused":
        return "pause"
    return "resume" if row.state == "paused" and not paused else ""


@transaction.atomic
def _converge(row: Subscription, now: datetime) -> int:
    wish = _wish(row)
    if not wish:
        return 0
    lock_group(row.group)
    held = Subscription.objects.select_for_update().get(pk=row.pk)
    wish = _wish(held) if held.state != "ended" else ""
    last = standing(held.remote_id, ACTS)
    if not wish or not _askable(held, last, wish, now):
        return 0
    remote = held.remote_id
    number = Operation.objects.filter(kind=wish, request__subscription=remote).count() + 1
    ask(kind=wish, key=f"{wish}:{remote}:{number}", request={"subscription": remote}, actor=None, now=now)
    return 1


def _askable(row: Subscription, last: Operation | None, wish: str, now: datetime) -> bool:
    """Whether it may be asked now: not while an answer is awaited, nor before what was done is read again."""
    if last is None:
        return True
    if last.state in Operation.OPEN:
        return False
    if last.kind == wish and last.state == "done":
        return last.done_at is not None and row.synced_at > last.done_at
    if last.kind == wish and last.state == "given_up":
        return False  # a treasurer saw to it
    return last.kind != wish or last.created_at <= now - ASK_AGAIN


# --- what payers do -----------------------------------------------------------------------------------------------


@transaction.atomic
def resume_subscription(*, actor: User | None, code: str, group: str, now: datetime) -> Subscription:
    """Take up again what was paused after failures: the provider is asked to go on. Periods that passed are not taken.

    Args: actor: who promised, None with the code of a gift's link. Moves no money.
    Raises: NotFound; Forbidden; Conflict `no_provider`, `subscription_over`, `subscription_busy`.
    """
    wanted_provider()
    pledges = lock_group(group)
    if not pledges or (actor is None and gift_of(code).group != group):
        raise NotFound("pledge_not_found", gettext_lazy("There is no such pledge."))
    if actor is not None:
        for pledge in pledges:
            require_payer(actor, pledge)
    row = Subscription.objects.select_for_update().filter(group=group).exclude(state="ended").first()
    if row is None:
        raise Conflict(
            "subscription_over",
            gettext_lazy("These payments have ended. Pay by card or debit once more to begin again."),
        )
    last = standing(row.remote_id, ACTS)
    asked = last is not None and last.state in Operation.OPEN
    if (row.paused_at is None and row.state != "paused") or (asked and last is not None and last.kind == "resume"):
        return row
    if asked:
        raise Conflict(
            "subscription_busy", gettext_lazy("The payment provider is just being asked: try again in a minute.")
        )
    for pledge in pledges:
        if pledge.paused_at is not None:
            pledge.paused_at, pledge.pause_reason = None, ""
            pledge.save(update_fields=["paused_at", "pause_reason"])
    row.paused_at = None
    row.save(update_fields=["paused_at"])
    number = Operation.objects.filter(kind="resume", request__subscription=row.remote_id).count() + 1
    ask(
        kind="resume", key=f"resume:{row.remote_id}:{number}", request={"subscription": row.remote_id}, actor=actor,
        now=now,
    )  # fmt: skip
    record("subscription.resumed", actor=actor, subject=row.pk, now=now, scopes=_scopes(pledges), pledge=pledges[0].pk)
    return row


def portal_address(*, group: str, return_url: str, language: str) -> str:
    """The provider's page where a payer changes the card or the account of a subscription; not inside a transaction.

    Raises: Conflict `no_provider`, `subscription_over`, `provider_away`.
    """
    provider = wanted_provider()
    row = Subscription.objects.filter(group=group).exclude(state="ended").first()
    if row is None:
        raise Conflict(
            "subscription_over",
            gettext_lazy("These payments have ended. Pay by card or debit once more to begin again."),
        )
    address = ""
    try:
        address = page_at(
            provider.portal(row.customer, return_url=return_url, language="fr" if language.startswith("fr") else "en")
        )
    except ProviderError as lost:
        logger.warning("provider: no page to change a card (%s)", type(lost).__name__)
    if not address:
        raise Conflict(
            "provider_away", gettext_lazy("The payment provider does not answer. Nothing changed: try again later.")
        )
    return address
