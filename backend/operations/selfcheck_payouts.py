"""The self-check of what left: nothing paid twice, and nothing paid that two people had not approved (I4, I5)."""

from collections.abc import Iterator
from itertools import islice

from django.db import connection
from django.db.models import BigIntegerField, Count, F, Q, Sum
from django.db.models.functions import Coalesce

from backend.ledger.audit import FEW, Finding
from backend.payouts.models import PaidRefund, PaidShare, Payout

LEFT = ["sent", "settled"]
# A bank line that names a transfer of ours: by its own id, as banks repeat it in one piece.
_SHOWN_AGAIN = """
SELECT payout.id, line.currency, payout.amount, -sum(line.amount)
  FROM banking_bankline line JOIN payouts_payout payout ON payout.end_to_end_id = line.references ->> 'end_to_end_id'
 WHERE line.amount < 0 AND line.state NOT IN ('new', 'suspect', 'duplicate', 'withdrawn')
 GROUP BY payout.id, line.currency
HAVING count(*) > 1 OR (payout.state NOT IN ('sent', 'settled', 'returned') AND payout.returned_line = '')
 ORDER BY payout.id LIMIT %s
"""
_BY_LINE = """
WITH paid AS (
    SELECT payout.line, payout.batch_id, batch.currency, sum(payout.amount) AS total
      FROM payouts_payout payout JOIN payouts_payoutbatch batch ON batch.id = payout.batch_id
     WHERE payout.state IN ('settled', 'returned') OR (payout.state = 'rejected' AND payout.returned_line <> '')
     GROUP BY payout.line, payout.batch_id, batch.currency
), shown AS (
    SELECT 'line:' || account_id || ':' || left(fingerprint, 24) AS line, matched_to, currency, -amount AS total
      FROM banking_bankline WHERE state = 'matched' AND amount < 0 AND matched_to LIKE 'bat\\_%%'
)
SELECT coalesce(paid.batch_id, matched_to), coalesce(paid.currency, shown.currency), coalesce(paid.total, 0),
       coalesce(shown.total, 0)
  FROM paid FULL JOIN shown USING (line)
 WHERE (paid.total, paid.batch_id) IS DISTINCT FROM (shown.total, shown.matched_to)
 ORDER BY 1 LIMIT %s
"""


def payouts() -> list[Finding]:
    """All that this module can find, a few of each kind."""
    return [found for look in (_twice, _shown_again, _amounts, _approved, _by_line) for found in islice(look(), FEW)]


def _twice() -> Iterator[Finding]:
    """I4: a share, or a refund, has left with one payout at most that neither failed nor came back."""
    out = Count("pk", filter=Q(payout__state__in=LEFT))
    shares = PaidShare.objects.values_list("share").annotate(out=out).filter(out__gt=1).order_by("share")
    refunds = PaidRefund.objects.values_list("refund").annotate(out=out).filter(out__gt=1).order_by("refund")
    for thing, times in [*shares, *refunds]:
        yield Finding("I4.twice", thing, "", 1, times)


def _shown_again() -> Iterator[Finding]:
    """I4: the bank shows a transfer leaving once, and none that it never got, or had refused and did not give back."""
    yield from _found("I4.bank", _SHOWN_AGAIN)


def _amounts() -> Iterator[Finding]:
    """I5: a payout is of what its shares, or its refund, are to be paid."""
    rows = Payout.objects.exclude(state="cancelled").annotate(
        due=Coalesce(
            Sum(F("shares__share__amount") - F("shares__share__waived")),
            F("refund__amount"),
            0,
            output_field=BigIntegerField(),
        )
    )
    wrong = rows.filter(Q(state__in=["prepared", *LEFT])).exclude(amount=F("due")).order_by("pk")
    for row in wrong.select_related("batch"):
        yield Finding("I5.amount", row.pk, row.batch.currency, row.due, row.amount)


def _approved() -> Iterator[Finding]:
    """I5: what was handed to the bank was approved by another than who prepared it, whom it does not pay."""
    gone = Payout.objects.exclude(state__in=["prepared", "cancelled"])
    wrong = gone.filter(
        Q(batch__approved_by=None)
        | Q(batch__approved_by=F("batch__prepared_by"))
        | Q(batch__approved_by=F("payee__user"))
    )
    for row in wrong.select_related("batch").order_by("pk"):
        yield Finding("I5.approved", row.pk, row.batch.currency, 0, row.amount)


def _by_line() -> Iterator[Finding]:
    """I5: what was paid is on one bank line that says exactly that, and each line of a batch is in its payouts."""
    yield from _found("I5.line", _BY_LINE)


def _found(code: str, statement: str) -> Iterator[Finding]:
    with connection.cursor() as cursor:
        cursor.execute(statement, [FEW])
        rows = cursor.fetchall()
    for thing, currency, expected, found in rows:
        yield Finding(code, thing, currency, int(expected), int(found))
