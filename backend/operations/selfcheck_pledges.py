"""The self-check of promises: what a pledge says it awaits and received, against its instalments and its calendar."""

from collections.abc import Iterator
from itertools import islice

from django.db import connection
from django.db.models import F, Q, Sum
from django.db.models.functions import Coalesce

from backend.documents.models import Document
from backend.ledger.audit import FEW, Finding
from backend.pledges.models import Instalment, Pledge

# The calendar of PostgreSQL adds months as ours does: the 31st falls on the last day of a short month. A pledge that a
# payment provider took by itself has fallen due on the days of its clock.
_DAYS = """
SELECT instalment.id FROM pledges_instalment instalment JOIN pledges_pledge pledge ON pledge.id = instalment.pledge_id
 WHERE instalment.due_on <> (pledge.starts_on + make_interval(months => (instalment.number - 1) *
    CASE pledge.rhythm WHEN 'monthly' THEN 1 WHEN 'quarterly' THEN 3 WHEN 'yearly' THEN 12 ELSE 0 END))::date
   AND NOT EXISTS (SELECT FROM pledges_instalment paid WHERE paid.pledge_id = pledge.id AND paid.invoice <> '')
 ORDER BY instalment.id LIMIT %s
"""


def promises() -> list[Finding]:
    """All that this module can find, a few of each kind."""
    looks = (_expected, _received, _days, _credited)
    return [found for look in looks for found in islice(look(), FEW)]


def _expected() -> Iterator[Finding]:
    """I1: a pledge awaits what its instalments await."""
    awaiting = Q(instalments__state__in=Instalment.AWAITING)
    sums = Coalesce(Sum(F("instalments__amount") - F("instalments__received"), filter=awaiting), 0)
    for row in Pledge.objects.annotate(sums=sums).exclude(expected=F("sums")).order_by("pk")[:FEW]:
        yield Finding("I1.expected", row.pk, row.currency, row.sums, row.expected)


def _received() -> Iterator[Finding]:
    """I1: its instalments received no more than the pledge did."""
    sums = Coalesce(Sum("instalments__received"), 0)
    for row in Pledge.objects.annotate(sums=sums).filter(sums__gt=F("received")).order_by("pk")[:FEW]:
        yield Finding("I1.instalments", row.pk, row.currency, row.received, row.sums)


def _days() -> Iterator[Finding]:
    """I1: each instalment falls due on its day of the calendar."""
    with connection.cursor() as cursor:
        cursor.execute(_DAYS, [FEW])
        for (key,) in cursor.fetchall():
            yield Finding("I1.instalment_day", str(key))


def _credited() -> Iterator[Finding]:
    """I1: credit notes cancel no more of an invoice than it asked for."""
    sums = Coalesce(Sum("corrections__total"), 0)
    rows = Document.objects.filter(kind="invoice").annotate(sums=sums).filter(sums__gt=F("total"))
    for row in rows.order_by("pk")[:FEW]:
        yield Finding("I1.credited", row.label, row.currency, row.total, row.sums)
