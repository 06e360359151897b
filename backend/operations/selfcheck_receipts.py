"""The self-check of what was received and given back: what each row says against the rows that it sums up."""

from collections.abc import Iterator
from itertools import islice

from django.db.models import Exists, F, OuterRef, Q, Subquery, Sum, Value
from django.db.models.functions import Coalesce, Concat, Substr

from backend.banking.models import BankLine
from backend.ledger.audit import FEW, Finding
from backend.payments.models import Deposit, GiveBack, Payment, Refund
from backend.payouts.models import PaidRefund


def receipts() -> list[Finding]:
    """All that this module can find, a few of each kind."""
    return [found for look in (_taken_back, _refunds, _deposits) for found in islice(look(), FEW)]


def _taken_back() -> Iterator[Finding]:
    """I1: what a payment says was taken back is the sum of its take-backs, less what came home of them."""
    home = GiveBack.objects.filter(take_back__payment=OuterRef("pk")).order_by().values("take_back__payment")
    came = Coalesce(Subquery(home.annotate(total=Sum("amount")).values("total")), 0)
    rows = Payment.objects.annotate(gone=Coalesce(Sum("take_backs__amount"), 0), came=came)
    for row in rows.annotate(summed=F("gone") - F("came")).exclude(taken_back=F("summed")).order_by("pk")[:FEW]:
        yield Finding("I1.taken_back", row.pk, row.currency, row.summed, row.taken_back)


def _refunds() -> Iterator[Finding]:
    """I1: a refund is paid by a payout seen at the bank, in a batch by one that was not, and else owed."""
    live = PaidRefund.objects.filter(refund=OuterRef("pk"), live=True)
    rows = Refund.objects.annotate(
        settled=Exists(live.filter(payout__state="settled")),
        on_its_way=Exists(live.filter(payout__state__in=["prepared", "sent"])),
    )
    right = (
        Q(state="paid", settled=True)
        | Q(state="batched", on_its_way=True)
        | Q(state="owed", settled=False, on_its_way=False)
    )
    for row in rows.exclude(right).order_by("pk")[:FEW]:
        yield Finding("I1.refund", row.pk, row.currency, row.amount if row.settled else 0, row.amount)


def _deposits() -> Iterator[Finding]:
    """I1: a deposit is the sum of what is in it, and one that cleared is named by a bank line of its total."""
    inside = Coalesce(Sum("papers__amount", filter=Q(papers__state__in=["deposited", "cleared"])), 0)
    for row in Deposit.objects.annotate(inside=inside).exclude(total=F("inside")).order_by("pk")[:FEW]:
        yield Finding("I1.deposit", row.pk, row.currency, row.inside, row.total)
    named = Concat(Value("line:"), F("account"), Value(":"), Substr("fingerprint", 1, 24))
    line = BankLine.objects.annotate(named=named).filter(named=OuterRef("line"), amount=OuterRef("total"))
    for cleared in Deposit.objects.filter(~Exists(line), state="cleared").order_by("pk")[:FEW]:
        yield Finding("I1.deposit", cleared.pk, cleared.currency, 0, cleared.total)
