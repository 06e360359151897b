"""The self-check: invariants I1 to I6 over ledger and business rows; a failure freezes payouts.

I1 no lost cent · I2 balanced · I3 nothing rewritten · I4 nothing paid twice · I5 nothing paid unapproved · I6 clearing
purses explained. All of it reads one snapshot.
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from datetime import datetime, timedelta

from django.db import DatabaseError, OperationalError, connection, transaction
from django.db.models import F, Sum
from django.db.models.functions import Coalesce
from django.utils import timezone

from backend.banking.models import BankLine, LinePart
from backend.distributions.models import DistributionMove, Share, SharePart, ShareWaiverPart
from backend.documents.audit import broken_series
from backend.events.sealing import broken_seals
from backend.events.services import record
from backend.identity.models import HostBankAccount
from backend.ledger import audit
from backend.ledger.audit import FEW, Finding
from backend.ledger.services import freeze, seal_due
from backend.ledger.signing import KeyMissing, signer_name
from backend.operations import selfcheck_provider as provider
from backend.operations.models import SelfCheckRun
from backend.operations.selfcheck_payouts import payouts as left_the_house
from backend.operations.selfcheck_pledges import promises
from backend.operations.selfcheck_receipts import receipts
from backend.operations.selfcheck_sharing import sharing
from backend.payments.models import GiveBack, PaperPayment, Payment, Refund, Surplus, TakeBack
from backend.payouts.models import Payout
from backend.pledges.models import Pledge
from backend.transfers.models import OpeningLine, Transfer

EVERY = timedelta(minutes=10)
SEALED_WITHIN = 600  # seconds
SEALED_WHEN_BUSY = 3600  # seconds, while something else than the entries themselves keeps from sealing
KEPT = 1000
LEFT = ["sent", "settled"]  # payouts that were booked
Amounts = dict[tuple[str, str], int]  # (id, currency) → minor units


@dataclass
class Books:
    """What the rows of business say, each from its own table, and what the ledger moved by purse and kind of entry."""

    moved: dict[tuple[str, str, str, str], int]
    received: Amounts = field(default_factory=dict)
    taken_back: Amounts = field(default_factory=dict)
    given_back: Amounts = field(default_factory=dict)
    moved_in: Amounts = field(default_factory=dict)
    moved_out: Amounts = field(default_factory=dict)
    opened: Amounts = field(default_factory=dict)
    shared: Amounts = field(default_factory=dict)
    waived: Amounts = field(default_factory=dict)
    owed: Amounts = field(default_factory=dict)
    left: Amounts = field(default_factory=dict)
    reserved: Amounts = field(default_factory=dict)
    fees: dict[str, int] = field(default_factory=dict)
    provider_fees: dict[str, int] = field(default_factory=dict)
    lines: Amounts = field(default_factory=dict)
    opened_bank: Amounts = field(default_factory=dict)
    waiting: Amounts = field(default_factory=dict)
    transit: Amounts = field(default_factory=dict)
    clearing: Amounts = field(default_factory=dict)
    at_provider: Amounts = field(default_factory=dict)

    def purse(self, kinds: Iterable[str], sign: "dict[str, int] | None" = None) -> Amounts:
        """(owner, currency) → what the ledger's postings give for these kinds of purse, on their normal side."""
        wanted = set(kinds)
        sums: Amounts = defaultdict(int)
        for (kind, owner, money, _entry), amount in self.moved.items():
            if kind in wanted:
                sums[owner, money] += amount * (sign or {}).get(kind, 1)
        return dict(sums)

    def by_kind(self, purses: Iterable[str], entries: str, sign: "dict[str, int] | None" = None) -> dict[str, int]:
        """Currency → what entries whose kind begins so moved in these purses, on their normal side."""
        wanted = set(purses)
        sums: dict[str, int] = defaultdict(int)
        for (kind, _owner, money, entry), amount in self.moved.items():
            if kind in wanted and entry.startswith(entries):
                sums[money] += amount * (sign or {}).get(kind, 1)
        return dict(sums)


POT = {"budget": 1, "reserve": 1, "deficit": -1}


def check(*, sealing: bool = True) -> list[Finding]:
    """Everything that is not as it must be, in one snapshot; empty when all is well. Changes nothing but seals.

    Args: sealing: False to leave out entries that wait to be sealed, where the key of the seals is not.

    Entries that waited longer than ten minutes are sealed first; those that still wait afterwards are a finding. When
    another sealer keeps its lock, or the database has no time, only those that waited for an hour are. Without the key
    of the seals they are one finding, which says so.
    """
    late, keyless = _seal_late() if sealing else (set[str](), False)
    with _one_snapshot():
        books = _read()
        found = [*_pots(books), *_people_and_bank(books), *_kinds(books), *_shares(), *_pledges(), *_together(books)]
        found += [*receipts(), *promises(), *sharing(), *left_the_house(), *provider.charges(), *provider.compared()]
        found += provider.helloasso()
        found += audit.everything()
        found += [Finding("I3.papers", series.name, "", series.last, series.found) for series in broken_series()[:FEW]]
        found += [Finding("I3.events", str(number)) for number in broken_seals()[:FEW]]
        still = sorted(late & set(audit.unsealed_since(0))) if late else []
        if still and keyless:
            found.append(Finding("I3.key_missing", signer_name(), "", 0, len(still)))
        else:
            found += [Finding("I3.unsealed", entry) for entry in still[:FEW]]
        found += _clearing(books)
    return found


def _seal_late() -> tuple[set[str], bool]:
    """Seal; gives the entries that should be sealed by now, and whether the key of the seals is missing."""
    late = set(audit.unsealed_since(SEALED_WITHIN))
    try:
        seal_due(timezone.now(), wait=True)
    except KeyMissing:
        return late, True
    except LookupError:  # hashes are missing: the snapshot says which
        pass
    except DatabaseError as failure:  # what cannot be sealed is found in the snapshot
        if isinstance(failure, OperationalError):
            late &= set(audit.unsealed_since(SEALED_WHEN_BUSY)) if connection.is_usable() else set()
        if not connection.is_usable():
            connection.close()
    return late, False


@contextmanager
def _one_snapshot() -> Iterator[None]:
    """All reads of the block see the same moment, whatever is booked meanwhile."""
    with transaction.atomic(durable=True), connection.cursor() as cursor:
        cursor.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY")
        audit.sets_against_sets()
        cursor.execute("SET LOCAL statement_timeout = '10min'")  # whole tables are read, perhaps on a busy machine
        yield


def _sums(rows: "Iterable[tuple[str, str, int]]") -> Amounts:
    sums: Amounts = defaultdict(int)
    for key, money, amount in rows:
        sums[key, money] += int(amount)
    return dict(sums)


def _read() -> Books:
    """The sums of every business table that stands behind the ledger."""
    payments = Payment.objects.values_list("pledge__budget", "currency").order_by()
    backs = TakeBack.objects.values_list("payment__pledge__budget", "payment__currency").order_by()
    home = "take_back__payment"
    again = GiveBack.objects.values_list(f"{home}__pledge__budget", f"{home}__currency").order_by()
    transfers = Transfer.objects.filter(state="booked").order_by()
    opened = OpeningLine.objects.filter(opening__state="booked").order_by()
    shares = Share.objects.filter(distribution__state="booked").order_by()
    waivers = ShareWaiverPart.objects.order_by()
    parts = SharePart.objects.filter(share__distribution__state="booked").order_by()
    moves = DistributionMove.objects.filter(distribution__state="booked").exclude(kind="reserve").order_by()
    payouts = Payout.objects.filter(state__in=LEFT).order_by()
    lines = BankLine.objects.exclude(state__in=["new", "suspect", "duplicate", "withdrawn"]).order_by()
    over = Surplus.objects.filter(state__in=Surplus.OPEN).order_by()
    papers = PaperPayment.objects.filter(state__in=PaperPayment.OPEN)
    money = "distribution__currency"
    total = Sum("amount")
    left = F("amount") - F("used") - F("taken_back")
    books = Books(
        moved=audit.moved(),
        received=_sums(payments.annotate(total=Sum(F("amount") - F("fee") - F("provider_fee_borne")))),
        taken_back=_sums(backs.annotate(total=Sum(F("from_budget") + F("to_deficit")))),
        given_back=_sums(again.annotate(total=Sum(F("to_budget") + F("to_deficit")))),
        moved_out=_sums(
            [
                *transfers.values_list("source", "currency").annotate(total=total),
                *moves.values_list("source", "distribution__currency").annotate(total=total),
            ]
        ),
        moved_in=_sums(
            [
                *transfers.values_list("target", "currency").annotate(total=total),
                *moves.values_list("target", "distribution__currency").annotate(total=total),
            ]
        ),
        reserved=_reserved(),
        opened=_sums(opened.exclude(budget=None).values_list("budget", "currency").annotate(total=total)),
        opened_bank=_sums(opened.exclude(account=None).values_list("account", "currency").annotate(total=total)),
        shared=_sums(parts.values_list("budget", f"share__{money}").annotate(total=total)),
        waived=_sums(waivers.values_list("budget", f"waiver__share__{money}").annotate(total=total)),
        owed=_add(
            (1, _sums(shares.values_list("payee", money).annotate(total=Sum(F("amount") - F("waived"))))),
            (1, _sums(Refund.objects.values_list("pk", "currency", "amount"))),
        ),
        left=_sums(
            payouts.annotate(whose=Coalesce("payee", "refund")).values_list("whose", "batch__currency", "amount")
        ),
        transit=_sums(
            payouts.filter(state="sent").values_list("batch__account", "batch__currency").annotate(total=total)
        ),
        lines=_sums(lines.values_list("account", "currency").annotate(total=total)),
        waiting=_add(
            (1, _sums(lines.filter(state="suggested").values_list("account", "currency").annotate(total=total))),
            (1, _sums(over.values_list("account", "currency").annotate(total=Sum(left)))),
            (1, _sums(provider.suspended())),
        ),
        clearing=_sums(
            (f"{account}:{kind}", currency, amount)
            for account, kind, currency, amount in papers.values_list("account", "kind", "currency", "amount")
        ),
        at_provider=_sums(provider.held()),
        provider_fees=provider.fees(),
    )
    fees: dict[str, int] = defaultdict(int)
    for currency, fee in Payment.objects.values_list("currency").annotate(total=Sum("fee")).order_by():
        fees[currency] += fee
    for currency, fee in TakeBack.objects.values_list("payment__currency").annotate(total=Sum("fee")).order_by():
        fees[currency] -= fee
    for (_key, currency), fee in _sums(again.annotate(total=Sum("fee"))).items():
        fees[currency] += fee
    for (_key, currency), amount in books.opened_bank.items():
        fees[currency] += amount
    for (_key, currency), amount in books.opened.items():
        fees[currency] -= amount
    own = LinePart.objects.filter(undone=False).exclude(number="").order_by()
    for currency, amount in own.values_list("currency").annotate(total=total):
        fees[currency] += amount
    books.fees = dict(fees)
    return books


def _reserved() -> Amounts:
    """What each reserve must hold: set aside by transfers and distributions, less what was taken from it."""
    transfers = Transfer.objects.filter(state="booked").order_by()
    kept = DistributionMove.objects.filter(distribution__state="booked", kind="reserve").order_by()
    total = Sum("amount")
    return _add(
        (1, _sums(transfers.filter(kind="to_reserve").values_list("source", "currency").annotate(total=total))),
        (-1, _sums(transfers.filter(kind="from_reserve").values_list("source", "currency").annotate(total=total))),
        (1, _sums(kept.values_list("source", "distribution__currency").annotate(total=total))),
    )


def _compare(code: str, expected: Amounts, found: Amounts) -> list[Finding]:
    keys = sorted(expected.keys() | found.keys())
    wrong = [key for key in keys if expected.get(key, 0) != found.get(key, 0)]
    return [Finding(code, key[0], key[1], expected.get(key, 0), found.get(key, 0)) for key in wrong[:FEW]]


def _add(*parts: tuple[int, Amounts]) -> Amounts:
    sums: Amounts = defaultdict(int)
    for sign, amounts in parts:
        for key, amount in amounts.items():
            sums[key] += sign * amount
    return dict(sums)


def _expected_pots(books: Books) -> Amounts:
    """What each pot must hold with its reserve less its deficit: received + opened − taken back + given back − shared
    + waived ± moved."""
    return _add(
        (1, books.received), (1, books.opened), (-1, books.taken_back), (1, books.given_back), (-1, books.shared),
        (1, books.waived),        (1, books.moved_in), (-1, books.moved_out),
    )  # fmt: skip


def _pots(books: Books) -> list[Finding]:
    """I1 per pot and currency, and the reserve of each."""
    return [
        *_compare("I1.pot", _expected_pots(books), books.purse(POT, POT)),
        *_compare("I1.reserve", books.reserved, books.purse(["reserve"])),
    ]


def _shares() -> list[Finding]:
    """I1 per share: its parts by purse add up to it, and those of its waivers to `waived`."""
    whole = Coalesce(Sum("parts__amount"), 0)
    wrong = Share.objects.annotate(whole=whole).exclude(amount=F("whole")).order_by("pk")
    rows = wrong.values_list("pk", "distribution__currency", "amount", "whole")
    found = [Finding("I1.share", key, currency, int(amount), int(parts)) for key, currency, amount, parts in rows[:FEW]]
    back = Coalesce(Sum("waivers__parts__amount"), 0)
    odd = Share.objects.annotate(back=back).exclude(waived=F("back")).order_by("pk")
    found += [
        Finding("I1.waived", key, currency, int(waived), int(parts))
        for key, currency, waived, parts in odd.values_list("pk", "distribution__currency", "waived", "back")[:FEW]
    ]
    return found


def _people_and_bank(books: Books) -> list[Finding]:
    """I1 where money comes from and goes to: payees, bank accounts, the host's own fees, what providers kept."""
    host = {("", currency): amount for currency, amount in books.fees.items()}
    cost = {("", currency): amount for currency, amount in books.provider_fees.items()}
    kept: Amounts = defaultdict(int)
    for (_owner, currency), amount in books.purse(["host_fees"]).items():
        kept["", currency] += amount
    borne: Amounts = defaultdict(int)
    for (_owner, currency), amount in books.purse(["provider_fees"]).items():
        borne["", currency] += amount
    return [
        *_compare("I1.payee", _add((1, books.owed), (-1, books.left)), books.purse(["payee"])),
        *_compare("I1.bank", _add((1, books.lines), (1, books.opened_bank)), books.purse(["bank"])),
        *_compare("I1.host", host, dict(kept)),
        *_compare("I1.provider_fees", cost, dict(borne)),
    ]


def _kinds(books: Books) -> list[Finding]:
    """I1 by kind of entry: what each kind moved in the pots is what its own table says; no other kind moves them."""
    expected: Amounts = defaultdict(int)
    sources = {
        "payment.received": (1, books.received),
        "payment.taken_back": (-1, books.taken_back),
        "payment.given_back": (1, books.given_back),
        "distribution.approved": (-1, books.shared),
        "distribution.waived": (1, books.waived),
        "distribution.upstream": (0, {}),
        "distribution.reserve": (0, {}),
        "distribution.release": (0, {}),
        "opening": (1, books.opened),
        "transfer.": (0, {}),
    }
    found: Amounts = defaultdict(int)
    for prefix, (sign, amounts) in sources.items():
        for (_key, currency), amount in amounts.items():
            expected[prefix, currency] += sign * amount
        for currency, amount in books.by_kind(POT, prefix, POT).items():
            found[prefix, currency] += amount
    for (purse, _owner, currency, entry), amount in books.moved.items():
        if purse in POT and not entry.startswith(tuple(sources)):
            found[entry, currency] += amount * POT[purse]
            expected[entry, currency] += 0
    return _compare("I1.kind", dict(expected), dict(found))


def _pledges() -> list[Finding]:
    """I1 per pledge: what it says it received is the sum of its payments."""
    net = Coalesce(Sum(F("payments__amount") - F("payments__taken_back")), 0)
    wrong = Pledge.objects.annotate(net=net).exclude(received=F("net")).order_by("pk")
    return [Finding("I1.pledge", row.pk, row.currency, row.net, row.received) for row in wrong[:FEW]]


def _together(books: Books) -> list[Finding]:
    """I1 globally, from the business rows alone: what is at the bank, with a provider or on its way there on paper, and
    what a provider kept, is in a pot, owed, kept, in transit or waiting."""
    at_bank: Amounts = defaultdict(int)
    there = [(1, books.lines), (1, books.opened_bank), (1, books.clearing), (1, books.at_provider)]
    for (_key, currency), amount in _add(*there).items():
        at_bank["", currency] += amount
    for currency, amount in books.provider_fees.items():
        at_bank["", currency] += amount
    held: Amounts = defaultdict(int)
    parts = [_expected_pots(books), _add((1, books.owed), (-1, books.left)), books.waiting, books.transit]
    for part in parts:
        for (_key, currency), amount in part.items():
            held["", currency] += amount
    for currency, amount in books.fees.items():
        held["", currency] += amount
    return _compare("I1.global", dict(at_bank), dict(held))


def _clearing(books: Books) -> list[Finding]:
    """I6: suspense is the lines to identify, the surpluses to decide and what a provider moved unexplained; in transit
    the payouts not settled; clearing the cheques and cash that the bank has not shown, and a provider's movements less
    the payouts that it has shown."""
    held = books.purse(["clearing"])
    accounts = set(HostBankAccount.objects.values_list("pk", flat=True))
    paper = {key: amount for key, amount in held.items() if key[0].partition(":")[0] in accounts}
    return [
        *_compare("I6.suspense", books.waiting, books.purse(["suspense"])),
        *_compare("I6.in_transit", books.transit, books.purse(["in_transit"])),
        *_compare("I6.clearing", books.clearing, paper),
        *_compare("I6.provider", books.at_provider, {key: held[key] for key in held.keys() - paper.keys()}),
    ]


def run(*, now: datetime, freezing: bool = True, sealing: bool = True) -> SelfCheckRun:
    """Check everything, keep the run, and freeze payouts when something is found.

    Args: now: when the run is said to begin. freezing: False to look only. sealing: False where the key of the seals
        is not.
    Returns: the run; its findings as JSON.
    """
    began = timezone.now()
    found = check(sealing=sealing)
    extent = audit.extent()
    with transaction.atomic():
        previous = SelfCheckRun.objects.order_by("-pk").first()
        made = SelfCheckRun.objects.create(
            started_at=now, ended_at=now + (timezone.now() - began), ok=not found,
            findings=[asdict(one) for one in found], entries=extent.entries, postings=extent.postings,
        )  # fmt: skip
        old = SelfCheckRun.objects.order_by("-pk").values_list("pk", flat=True)[KEPT : KEPT + 1].first()
        if old is not None:
            SelfCheckRun.objects.filter(pk__lte=old).delete()
        if found and freezing:
            reason = "The self-check found faults in the books"
            held = freeze(actor=None, cause="selfcheck", reason=reason, now=now, data={"findings": made.findings})
            codes = sorted({one.code for one in found})
            if previous is None or sorted({one["code"] for one in previous.findings}) != codes:
                record("selfcheck.failed", actor=None, subject=held.pk, now=now, codes=codes, count=len(found))
    return made


def check_due(now: datetime) -> int:
    """Run the self-check when the last one is ten minutes old; returns how many ran, 0 or 1.

    Nothing is done inside a caller's transaction, where no snapshot of one's own can be taken.
    """
    if connection.in_atomic_block:
        return 0
    last = SelfCheckRun.objects.order_by("-pk").first()
    if last is not None and last.started_at <= now < last.started_at + EVERY:
        return 0
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_try_advisory_lock(hashtextextended('tronc.selfcheck', 0))")
        if cursor.fetchone() != (True,):
            return 0
    try:
        run(now=now)
    finally:
        with connection.cursor() as cursor:  # anew: a lost connection was replaced, and its lock with it
            cursor.execute("SELECT pg_advisory_unlock(hashtextextended('tronc.selfcheck', 0))")
    return 1
