"""Periods that close by themselves, where their charter says so; a person still approves each distribution."""

import logging
from datetime import datetime, timedelta

from django.db import OperationalError, transaction

from backend.commons.models import Period
from backend.contributions.models import Contribution
from backend.core.errors import Conflict
from backend.distributions.closing import freeze_period, hold_period
from backend.distributions.models import Distribution
from backend.distributions.snapshot import OVER, shareable
from backend.events.models import Event
from backend.events.services import record
from backend.identity.models import Host
from backend.identity.services import host_day

logger = logging.getLogger(__name__)
FAILED = "period.closing_failed"


def close_due(now: datetime) -> int:
    """Close the periods whose charter closes them, each once, the oldest of a budget first; returns how many.

    One that comes after a distribution that awaits its approval waits for it. One transaction a period; a sweep.
    What one period meets keeps no other from closing: it is logged, told once, and tried again at the next tick.
    """
    if not Host.objects.exists():
        return 0
    pending = Distribution.objects.exclude(state="booked").values("period__budget")
    periods = (
        Period.objects.filter(state="open", charter__document__has_key="closing", starts_on__lt=host_day(now))
        .exclude(budget__state__in=OVER)
        .exclude(budget__in=pending)
        .order_by("starts_on", "pk")
    )
    done = 0
    for period_id in list(periods.values_list("pk", flat=True)):
        try:
            with transaction.atomic():
                done += _close(period_id, now)
        except OperationalError:  # PostgreSQL is gone: no other period would fare better
            raise
        except Exception:
            logger.exception("period %s did not close by itself", period_id)
            _tell(period_id, now)
    return done


def failed_to_close(period: Period) -> bool:
    """Whether an open period should have closed by itself and could not."""
    return period.state == "open" and Event.objects.filter(kind=FAILED, subject=period.pk).exists()


@transaction.atomic
def _tell(period_id: str, now: datetime) -> None:
    """Record, once a period, that it did not close: its stewards, treasurers and administrators are written to."""
    period = hold_period(period_id)  # two workers that fail together tell it once
    if period is not None and not Event.objects.filter(kind=FAILED, subject=period_id).exists():
        record(FAILED, actor=None, subject=period_id, now=now, scopes=[period.budget_id])


def _close(period_id: str, now: datetime) -> int:
    """Close one period if it is due once it is held: another worker, or a person, may have closed it meanwhile."""
    period = hold_period(period_id)
    if period is None or period.state != "open" or not _due(period, now):
        return 0
    try:
        with transaction.atomic():
            # Never today: who worked today may still declare it.
            freeze_period(period, actor=None, last=host_day(now) - timedelta(days=1), now=now)
    except Conflict:  # an earlier period is open, or awaits its approval: its turn comes
        return 0
    return 1


def _due(period: Period, now: datetime) -> bool:
    """Whether the charter of an open period closes it on this day of the host."""
    today, charter = host_day(now), period.charter
    if charter.closes_after is not None:
        return period.ends_before + timedelta(days=charter.closes_after) <= today
    if charter.closes_every is None or today < period.starts_on + timedelta(days=charter.closes_every):
        return False
    asked = Contribution.objects.filter(
        period=period, state="validated", amount__gt=0, worked_on__lt=min(today, period.ends_before)
    )
    return asked.exists() and shareable(period.budget) > 0
