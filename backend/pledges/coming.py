"""What comes next of pledges: the days on which instalments fall due that were not called yet."""

from collections.abc import Sequence
from datetime import date

from backend.pledges.calendar import next_due
from backend.pledges.models import Instalment, Pledge


def next_days(pledges: Sequence[Pledge], *, today: date) -> dict[str, date]:
    """Pledge id → its next day, in one query; absent when there is none."""
    going = {one.pk: one for one in pledges if one.state == "active" and one.paused_at is None}
    lasts = Instalment.objects.filter(pledge__in=list(going)).order_by("pledge", "-number").distinct("pledge")
    found = {}
    for last in lasts:
        one = going[last.pledge_id]
        if last.state == "due":
            found[one.pk] = last.due_on
        elif coming := next_due(one.starts_on, one.rhythm, after=last.due_on, ends_on=one.ends_on):
            found[one.pk] = max(coming[1], today)  # the sweep that writes it is on its way
    return found
