"""For auditors: entries drawn at random with the papers behind each, and the statement of an account, as files."""

from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import date, datetime

from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from backend.banking.models import BankLine
from backend.core.errors import Invalid
from backend.core.money import decimal_text, require_amount, require_currency
from backend.distributions.models import Share
from backend.distributions.paper_models import SupportingDocument
from backend.documents.models import Document
from backend.events.services import record
from backend.exports.extract import sides
from backend.exports.services import chunks
from backend.exports.tables import csv_row, safe_text
from backend.identity.models import User
from backend.identity.permissions import require
from backend.identity.services import the_host
from backend.ledger import chart
from backend.ledger.drawing import Draw, DrawnEntry, chart_stream, draw_entries
from backend.payments.models import Payment
from backend.payouts.models import Payout

LARGEST = 200  # entries of one sample
SEED_LENGTH = 80
COLUMNS = (
    "rank", "entry", "year", "journal", "number", "happened_on", "kind", "label", "reference", "currency", "amount",
    "papers",
)  # fmt: skip
STATEMENT = ("entry", "happened_on", "kind", "label", "reference", "purse_kind", "owner", "currency", "debit", "credit",
             "balance")  # fmt: skip


@dataclass(frozen=True)
class Paper:
    """One thing that stands behind an entry: a bank line, an issued paper or a supporting document, with its label."""

    sort: str  # line, document or supporting
    id: str
    label: str


@dataclass(frozen=True)
class Sample:
    """What was asked for, what was drawn, and the papers behind each entry by its id."""

    seed: str
    size: int
    currency: str
    minimum: int
    first: date
    last: date
    draw: Draw
    papers: dict[str, list[Paper]]


def sample(
    *, actor: User, seed: str, size: int, currency: str, minimum: int, first: date, last: date, now: datetime
) -> Sample:
    """Draw sealed entries of some days at random, with what stands behind each. Moves no money; the draw is recorded.

    Args: seed: any text; the same one gives the same sample of the same books. minimum: minor units, 0 for all.
    Raises: Forbidden; Invalid `seed_missing`, `sample_size`, `unknown_currency`, `amount_out_of_range`, `export_range`.
    """
    require(actor, "ledger.read")
    text = " ".join(seed.split())
    if not 1 <= len(text) <= SEED_LENGTH:
        raise Invalid("seed_missing", _("Give the seed of the draw: 1 to 80 characters, any words."), param="seed")
    if not 1 <= size <= LARGEST:
        raise Invalid("sample_size", _("Draw 1 to %(most)s entries.") % {"most": LARGEST}, param="size")
    require_currency(currency)
    require_amount(minimum, param="minimum", minimum=0)
    if last < first:
        raise Invalid("export_range", _("The last day is before the first: nothing would be in it."), param="last")
    drawn = draw_entries(seed=text, size=size, currency=currency, minimum=minimum, first=first, last=last)
    record(
        "books.sampled", actor=actor, subject=the_host().pk, now=now, seed=text, size=size, currency=currency,
        minimum=minimum, first=first.isoformat(), last=last.isoformat(), population=drawn.population,
    )  # fmt: skip
    return Sample(text, size, currency, minimum, first, last, drawn, papers_of(drawn.entries))


def papers_of(entries: Iterable[DrawnEntry]) -> dict[str, list[Paper]]:
    """Entry id → what stands behind it: bank lines, calls, invoices and certificates, supporting documents."""
    rows = list(entries)
    found: dict[str, list[Paper]] = defaultdict(list)
    ids = [row.id for row in rows]
    lines = BankLine.objects.filter(Q(entry__in=ids) | Q(suspense_entry__in=ids)).order_by("pk")
    for line in lines:
        for entry in {line.entry, line.suspense_entry} & set(ids):
            found[entry].append(Paper("line", str(line.pk), line.counterparty or line.text[:60]))
    _of_payments(rows, found)
    _of_shares(rows, found)
    return dict(found)


def _of_payments(rows: list[DrawnEntry], found: dict[str, list[Paper]]) -> None:
    """The certificate of a payment, and the calls and invoices of its pledge."""
    subjects: dict[str, set[str]] = defaultdict(set)
    known = Q(entry__in=[row.id for row in rows]) | Q(pk__in=[row.reference for row in rows])
    payments = list(Payment.objects.filter(known).select_related("pledge"))
    for row in rows:
        for payment in payments:
            if row.id == payment.entry or row.reference == payment.pk:
                subjects[payment.pk].add(row.id)
                subjects[payment.pledge.group].add(row.id)
    for paper in Document.objects.filter(subject__in=list(subjects)).order_by("issued_at", "pk"):
        for entry in sorted(subjects[paper.subject]):
            found[entry].append(Paper("document", paper.pk, paper.label))


def _of_shares(rows: list[DrawnEntry], found: dict[str, list[Paper]]) -> None:
    """The supporting documents of the shares of a distribution, of a batch, of a payout, or of one share."""
    shares: dict[str, set[str]] = defaultdict(set)
    wanted = {row.reference for row in rows}
    of = {row.reference: set[str]() for row in rows}
    for row in rows:
        of[row.reference].add(row.id)
    for pk, distribution in Share.objects.filter(Q(distribution__in=wanted) | Q(pk__in=wanted)).values_list(
        "pk", "distribution_id"
    ):
        shares[pk] |= of.get(distribution, set()) | of.get(pk, set())
    paid = Payout.objects.filter(Q(batch__in=wanted) | Q(pk__in=wanted)).values_list("pk", "batch_id", "shares__share")
    for payout, batch, share in paid:
        if share is not None:
            shares[share] |= of.get(batch, set()) | of.get(payout, set())
    documents = SupportingDocument.objects.filter(share__in=list(shares), state__in=SupportingDocument.LIVE)
    for paper in documents.order_by("made_at", "pk"):
        label = f"{paper.number} {decimal_text(paper.total, paper.currency)} {paper.currency}".strip()
        for entry in sorted(shares[paper.share_id]):
            found[entry].append(Paper("supporting", paper.pk, label))


def sample_file(drawn: Sample) -> tuple[str, Iterator[bytes]]:
    """A sample as a table, in the order of the books; its name holds its days."""

    def rows() -> Iterator[str]:
        yield csv_row(COLUMNS)
        for rank, one in enumerate(drawn.draw.entries, start=1):
            papers = "; ".join(f"{paper.label} ({paper.id})" for paper in drawn.papers.get(one.id, []))
            yield csv_row((
                str(rank), one.id, str(one.year), one.journal, f"{one.number:06d}", f"{one.happened_on}",
                safe_text(one.kind), safe_text(chart.entry_label(one.kind)), safe_text(one.reference), drawn.currency,
                decimal_text(one.amount, drawn.currency), safe_text(papers),
            ))  # fmt: skip

    return f"tronc-sample-{drawn.first}-{drawn.last}.csv", chunks(rows(), lambda text: text.encode())


def account_file(*, actor: User, number: str, currency: str, up_to: date, now: datetime) -> tuple[str, Iterator[bytes]]:
    """Every line booked under a number of the chart up to a day, the oldest first, with the balance after each.

    Raises: Forbidden; Invalid `unknown_currency`. Taking it is recorded; moves no money.
    """
    require(actor, "ledger.read")
    require_currency(currency)
    record(
        "books.exported", actor=actor, subject=the_host().pk, now=now, format=f"account {number}", first="",
        last=up_to.isoformat(),
    )  # fmt: skip

    def rows() -> Iterator[str]:
        yield csv_row(STATEMENT)
        for one in chart_stream(number=number, currency=currency, up_to=up_to):
            yield csv_row((
                one.entry, f"{one.happened_on}", safe_text(one.kind), safe_text(chart.entry_label(one.kind)),
                safe_text(one.reference), one.purse_kind, one.purse_owner, currency, *sides(one.amount, currency),
                decimal_text(one.balance, currency),
            ))  # fmt: skip

    return f"tronc-account-{number}-{currency}-{up_to}.csv", chunks(rows(), lambda text: text.encode())
