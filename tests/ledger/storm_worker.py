"""One process of the storm: a line of JSON comes in with what to do, a line goes out with what was answered."""

import json
import os
import sys
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import date, timedelta
from typing import Any

# What a person may be told; anything else that goes wrong is an error of the ledger.
REFUSALS = {
    "purse_short", "month_locked", "hold_ended",
    "closing_moved_on", "month_out_of_order", "month_not_over", "own_closing",
}  # fmt: skip
PART = 100


@dataclass
class Worker:
    """The acts of one process in one plan, and what came of them."""

    name: str
    worker: int
    purses: list[Any]
    month: date
    told: "Counter[str]" = field(default_factory=Counter)
    booked: dict[str, dict[str, int]] = field(default_factory=dict)
    held: dict[str, tuple[str, int]] = field(default_factory=dict)
    ended: list[str] = field(default_factory=list)
    errors: list[str] = field(default_factory=list)
    batches: list[list[Any]] = field(default_factory=list)

    def play(self, acts: Sequence[Sequence[Any]]) -> None:
        """Do them one after the other."""
        from backend.core.errors import DomainError

        for turn, (what, *values) in enumerate(acts):
            try:
                getattr(self, what)(turn, *values)
                self.told[what] += 1
            except DomainError as refusal:
                self.told[refusal.code] += 1
                if refusal.code not in REFUSALS:
                    self.errors.append(f"{what}: {refusal.code}")
            except Exception as error:  # it is reported, with its cause
                self.errors.append(f"{what} {values}: {error!r} from {error.__cause__!r}")

    def entry(self, key: str, move: Sequence[int], late: bool) -> Any:
        """One entry to be, of two lines."""
        from backend.ledger.services import Entry, Line

        one, further, amount = move
        other = (one + further) % len(self.purses)
        lines = [Line(self.purses[one], -amount, "512"), Line(self.purses[other], amount, "7541")]
        day = self.month if late else _today()
        return Entry(f"storm.{key[0]}", "storm", f"{self.name}.{self.worker}.{key}", self.name, day, lines)

    def note(self, pk: str, lines: Sequence[Any]) -> None:
        """Remember the effect of an entry that was answered."""
        effect: Counter[str] = Counter()
        for line in lines:
            effect[line.account.pk] += line.amount
        self.booked[pk] = dict(effect)

    def post(self, turn: int, move: Sequence[int], late: bool) -> None:
        """Book one entry."""
        self._book([self.entry(f"p{turn}", move, late)])

    def bulk(self, turn: int, moves: Sequence[Sequence[int]], late: bool) -> None:
        """Book several, all or none."""
        self._book_many([self.entry(f"b{turn}.{number}", move, late) for number, move in enumerate(moves)])

    def again(self, _turn: int, which: int) -> None:
        """Send what was sent before."""
        if self.batches:
            batch = self.batches[which % len(self.batches)]
            (self._book if which % 2 and len(batch) == 1 else self._book_many)(batch)

    def reverse(self, _turn: int, which: int) -> None:
        """Reverse an entry of this plan, whoever booked it."""
        from backend.ledger.models import JournalEntry
        from backend.ledger.services import Line, reverse

        found = (
            JournalEntry.objects.filter(reference=self.name, reverses=None).exclude(kind="storm.fund").order_by("pk")
        )
        if count := found.count():
            entry = found[which % count]
            made = reverse(entry_id=entry.pk, reference=self.name, happened_on=_today(), now=_now())
            self.note(made.pk, [Line(line.account, -line.amount, line.chart) for line in entry.postings.all()])

    def hold(self, turn: int, purse: int, amount: int) -> None:
        """Set an amount aside."""
        from backend.ledger.services import Reservation, hold

        account = self.purses[purse]
        key = f"{self.name}.{self.worker}.{turn}"
        made = hold(reservation=Reservation(account, amount, "storm", key, self.name), now=_now())
        self.held[made.pk] = (account.pk, amount)

    def capture(self, turn: int, which: int, part: int) -> None:
        """Pay a part of a hold of this plan, whoever made it, from the purse to the bank."""
        from backend.ledger.services import Line, post

        if hold := self._any_hold(which):
            amount = max(1, hold.amount * part // PART)
            lines = [Line(hold.account, amount, "401"), Line(self.purses[0], -amount, "512")]
            made = post(
                kind="storm.capture", scope="storm", key=f"{self.name}.{self.worker}.c{turn}", reference=self.name,
                happened_on=_today(), lines=lines, now=_now(), captures={hold.pk: amount},
            )  # fmt: skip
            self.note(made.pk, lines)
            self.ended.append(hold.pk)

    def release(self, _turn: int, which: int) -> None:
        """Give a hold of this plan back."""
        from backend.ledger.services import release

        if (hold := self._any_hold(which)) and release(hold_ids=[hold.pk], now=_now()):
            self.ended.append(hold.pk)

    def lock(self, _turn: int) -> None:
        """One treasurer asks to lock the month, the other locks it."""
        from backend.ledger.services import ask_lock, lock

        closing = ask_lock(actor=_treasurer("claire"), first_day=self.month.replace(day=1), now=_now())
        lock(actor=_treasurer("denis"), closing_id=closing.pk, now=_now())

    def unlock(self, _turn: int) -> None:
        """One treasurer asks to unlock the month, the other unlocks it."""
        from backend.ledger.services import ask_unlock, closings, unlock

        if closing := closings().filter(locked_at__isnull=False, unlocked_at=None).first():
            ask_unlock(actor=_treasurer("claire"), closing_id=closing.pk, reason="storm", now=_now())
            unlock(actor=_treasurer("denis"), closing_id=closing.pk, now=_now())

    def seal(self, _turn: int) -> None:
        """Seal what waits, unless another does."""
        from backend.ledger.services import seal_due

        seal_due(_now())

    def _book(self, batch: list[Any]) -> None:
        from backend.ledger.services import post

        (entry,) = batch
        self.batches.append(batch)
        made = post(
            kind=entry.kind, scope=entry.scope, key=entry.key, reference=entry.reference, lines=entry.lines,
            happened_on=entry.happened_on, now=_now(),
        )  # fmt: skip
        self.note(made.pk, entry.lines)

    def _book_many(self, batch: list[Any]) -> None:
        from backend.ledger.services import post_many

        self.batches.append(batch)
        for entry, made in zip(batch, post_many(entries=batch, now=_now()), strict=True):
            self.note(made.id, entry.lines)

    def _any_hold(self, which: int) -> Any:
        from backend.ledger.models import Hold

        found = Hold.objects.filter(reference=self.name).select_related("account").order_by("pk")
        count = found.count()
        return found[which % count] if count else None


def prepare() -> date:
    """The host with its two treasurers, and a first entry in last month; returns its day."""
    from backend.ledger.services import Line, open_account, post
    from backend.operations import demo

    world = demo.World(now=_now())
    demo.make_people(world)
    demo.make_house(world)
    day = _today().replace(day=1) - timedelta(days=1)
    bank, budget = (open_account(kind=kind, owner="storm", currency="EUR") for kind in ("bank", "budget"))
    post(
        kind="storm.first", scope="storm", key="first", reference="first", happened_on=day, now=_now(),
        lines=[Line(bank, 1, "512"), Line(budget, -1, "7541")],
    )  # fmt: skip
    return day


def fund(name: str, count: int, amount: int) -> list[str]:
    """The purses of one plan, by id: a bank, then guarded budgets that hold the amount (minor units) each."""
    from backend.ledger.services import Line, open_account, post

    bank = open_account(kind="bank", owner=name, currency="EUR")
    budgets = [open_account(kind="budget", owner=f"{name}.{number}", currency="EUR") for number in range(1, count)]
    lines = [Line(bank, amount * len(budgets), "512"), *(Line(one, -amount, "7541") for one in budgets)]
    post(
        kind="storm.fund", scope="storm", key=name, reference=name, happened_on=_today(), now=_now(), lines=lines
    )  # fmt: skip
    return [bank.pk, *(one.pk for one in budgets)]


def _now() -> Any:
    from django.utils import timezone

    return timezone.now()


def _today() -> date:
    from backend.identity.services import host_day

    return host_day(_now())


def _treasurer(key: str) -> Any:
    from backend.identity.models import User

    return User.objects.get(email=f"{key}@example.org")


def main() -> None:
    """Play each plan that comes in."""
    import django

    django.setup()
    from backend.ledger.models import Account

    for line in sys.stdin:
        job = json.loads(line)
        known = Account.objects.in_bulk(job["purses"])
        one = Worker(
            job["name"], job["worker"], [known[purse] for purse in job["purses"]], date.fromisoformat(job["month"])
        )
        one.play(job["acts"])
        answer = {"told": one.told, "booked": one.booked, "held": one.held, "ended": one.ended, "errors": one.errors}
        print(json.dumps(answer), flush=True)


if __name__ == "__main__":
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "backend.settings")
    main()
