"""Compares the provider's list of movements with ours: what no event told is booked, or reported, once."""

import logging
from datetime import date, datetime, time, timedelta

from django.db import transaction
from django.db.models import QuerySet
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from backend.core.errors import Invalid
from backend.core.ids import new_id
from backend.core.nudge import nudge
from backend.core.ticking import ticking
from backend.events.services import record
from backend.identity.models import Host, HostBankAccount, User
from backend.identity.permissions import require
from backend.identity.services import host_day, host_zone
from backend.ledger.services import balance, balances
from backend.payments.models import Movement, Reconciliation
from backend.payments.movements import book_movement, on_their_way
from backend.payments.operations import later, wanted_provider
from backend.payments.providers import the_provider
from backend.payments.providers.base import MovementFacts, NoAnswer, Provider, ProviderError
from backend.payments.purses import provider_purse
from backend.payments.syncing import sync

logger = logging.getLogger(__name__)

SWEEP = "payments.reconcile"
EVERY = timedelta(days=1)
OVERLAP = timedelta(days=3)  # the daily comparison looks back so far
LONGEST = timedelta(days=366)
FIRST_DAY = date(2000, 1, 1)  # no provider has a list of before
ERROR = 280
BATCH = 500


@transaction.atomic
def ask_reconciliation(*, actor: User, since: date, until: date, now: datetime) -> Reconciliation:
    """Ask for a comparison of these days, the last one included; a worker makes it. Books what lacks, nothing else.

    Raises: Forbidden; Invalid `range_unusable`; Conflict `no_provider`.
    """
    require(actor, "provider.operate")
    row = _open(actor, since, until, now)
    record(
        "reconciliation.asked", actor=actor, subject=row.pk, now=now, since=since.isoformat(), until=until.isoformat()
    )
    nudge(SWEEP)
    return row


def reconcile_range(*, since: date, until: date, now: datetime) -> Reconciliation:
    """Compare these days at once, from the operator's terminal; not inside a transaction. Raises as above."""
    row = _open(None, since, until, now)
    carry_on(row.pk, now)
    return Reconciliation.objects.get(pk=row.pk)


def _open(actor: User | None, since: date, until: date, now: datetime) -> Reconciliation:
    provider = wanted_provider()
    if until < since or until - since > LONGEST or until > host_day(now) or since < FIRST_DAY:
        raise Invalid(
            "range_unusable",
            _("Choose a first and a last day that have come, since 2000 and a year apart at most."),
            param="since",
        )
    zone = host_zone()
    return Reconciliation.objects.create(
        id=new_id("rec"), provider=provider.name, since=datetime.combine(since, time(), zone),
        until=datetime.combine(until + timedelta(days=1), time(), zone), asked_by=actor, asked_at=now, next_try_at=now,
    )  # fmt: skip


def unfinished(now: datetime) -> "QuerySet[Reconciliation]":
    """The comparisons to make, or to go on with, now."""
    return Reconciliation.objects.filter(finished_at=None, next_try_at__lte=now)


def reconcile_due(now: datetime) -> int:
    """Write down the comparison of the day, and make those that are asked for; returns how many were finished."""
    provider = the_provider()
    if provider is None or not Host.objects.exists():
        return 0
    _daily(provider.name, now)
    finished = 0
    clock = ticking(now)
    for key in list(unfinished(now).filter(provider=provider.name).order_by("asked_at").values_list("pk", flat=True)):
        if not carry_on(key, clock()):
            break
        finished += 1
    return finished


@transaction.atomic
def _daily(provider: str, now: datetime) -> None:
    """The comparison of the day, once: it begins three days before the last one did."""
    list(Host.objects.select_for_update(no_key=True).order_by("pk"))  # two workers write one
    rows = Reconciliation.objects.filter(provider=provider, asked_by=None)
    last = rows.order_by("-asked_at").first()
    if last is not None and last.asked_at > now - EVERY:
        return
    done = rows.filter(finished_at__isnull=False).order_by("-until").first()
    since = (min(done.until, now) if done is not None else now - LONGEST) - OVERLAP
    Reconciliation.objects.create(
        id=new_id("rec"), provider=provider, since=since, until=now, asked_at=now, next_try_at=now
    )


def carry_on(key: str, now: datetime) -> bool:
    """Make one comparison; not inside a transaction. Returns whether the provider answered to the end."""
    provider = wanted_provider()
    row = Reconciliation.objects.get(pk=key)
    try:
        listed = list(provider.movements(row.since, row.until))
        # What lacks is counted before anything is read: one payment may bring several.
        lacking = _lacking(provider.name, listed)
        made, lost_ones = _take_all_in(provider, lacking, now)
        remote, own, currency = _compare(provider)
    except ProviderError as lost:
        _put_off(row, lost, now)
        return False
    reported = sum(one.state == "reported" for one in made)
    with transaction.atomic():
        held = Reconciliation.objects.select_for_update().get(pk=key)
        if held.finished_at is None:
            held.seen, held.booked, held.reported = len(listed), len(made) - reported, reported
            held.remote_balance, held.own_balance, held.currency = remote, own, currency
            held.finished_at, held.error = now, _not_noted(lost_ones)
            held.save()
    if remote != own:
        logger.error("provider: it holds %s, the books say %s (%s, minor units)", remote, own, currency)
    return True


def _take_all_in(provider: Provider, lacking: list[MovementFacts], now: datetime) -> tuple[list[Movement], list[str]]:
    """Book each movement that was not here by itself: one that cannot be noted holds up no other.

    Returns: the rows, and the provider's ids of what could not be noted. Raises: NoAnswer.
    """
    made, failed = [], []
    for facts in lacking:
        try:
            made.append(_take_in(provider, facts, now))
        except NoAnswer:
            raise
        except Exception:
            logger.exception("provider: movement %s could not be noted", facts.remote_id)
            failed.append(facts.remote_id)
    return made, failed


def _not_noted(failed: list[str]) -> str:
    """What a comparison says of what it could not note; empty for nothing."""
    if not failed:
        return ""
    return (gettext("%(count)s could not be noted: %(ids)s") % {"count": len(failed), "ids": ", ".join(failed)})[:ERROR]


def _lacking(provider: str, listed: list[MovementFacts]) -> list[MovementFacts]:
    """Those of a list that the books do not know."""
    known: set[str] = set()
    for begin in range(0, len(listed), BATCH):
        keys = [one.remote_id for one in listed[begin : begin + BATCH]]
        rows = Movement.objects.filter(provider=provider, remote_id__in=keys)
        known |= set(rows.values_list("remote_id", flat=True))
    return [one for one in listed if one.remote_id not in known]


def _take_in(provider: Provider, facts: MovementFacts, now: datetime) -> Movement:
    """Book a movement that was not here: with all that is known of its payment, so that it finds its pledge."""
    known = Movement.objects.filter(provider=provider.name, remote_id=facts.remote_id)
    if facts.charge:
        sync(about="payment", object_id=facts.charge, told_by="reconciler", now=now)
    elif facts.kind in {"payout", "payout_failure"} and facts.of:
        sync(about="payout", object_id=facts.of, told_by="reconciler", now=now)
    found = known.first()
    if found is not None:
        return found
    return book_movement(provider=provider.name, facts=facts, told_by="reconciler", now=now)


def _compare(provider: Provider) -> tuple[int, int, str]:
    """What the provider says it holds, what our books say of it, and in which currency: the first one that differs."""
    accounts = HostBankAccount.objects.order_by("pk").values_list("currency", flat=True)
    ours = [money for (owner, money) in sorted(balances(kind="clearing")) if owner == provider.name]
    currencies = [*dict.fromkeys([*accounts, *ours])] or ["EUR"]
    found = [(*_both(provider, currency), currency) for currency in currencies]
    return next((one for one in found if one[0] != one[1]), found[0])


def _both(provider: Provider, currency: str) -> tuple[int, int]:
    """The provider's balance and ours, read while nothing was booked between the two."""
    for _turn in range(3):
        own = own_balance(provider.name, currency)
        remote = provider.balance(currency)
        if own == own_balance(provider.name, currency):
            break
    return remote, own


def own_balance(provider: str, currency: str) -> int:
    """What our books say that a provider holds, minor units: its purse less what it sent and the bank has not shown."""
    kind, owner = provider_purse(provider)
    return balance(kind=kind, owner=owner, currency=currency) - on_their_way(provider, currency)


def _put_off(row: Reconciliation, lost: ProviderError, now: datetime) -> None:
    Reconciliation.objects.filter(pk=row.pk, finished_at=None).update(
        attempts=row.attempts + 1, next_try_at=now + later(row.attempts + 1, lost), error=str(lost)[:ERROR]
    )
    logger.warning("provider: comparison %s put off (%s)", row.pk, "no answer" if isinstance(lost, NoAnswer) else lost)
