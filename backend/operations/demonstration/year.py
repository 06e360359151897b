"""Plays the tables of the demonstration in the order of their dates, each act through its service."""

from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, time, timedelta
from functools import partial
from zoneinfo import ZoneInfo

from backend.banking.models import BankLine
from backend.banking.services import identify, import_statement, match_due, payout_came_back, take_back
from backend.commons.models import Budget, Period
from backend.commons.services import adopt_charter, charter_of, open_envelope, open_next_period
from backend.contributions.services import declare, review
from backend.distributions.models import Distribution
from backend.distributions.services import (
    answer_arbitration,
    approve,
    close_period,
    compute_due,
    object_to_distribution,
    propose_arbitration,
)
from backend.identity.models import Host, HostBankAccount, Organisation, User
from backend.ledger.services import Closing as MonthClosing
from backend.ledger.services import ask_lock, lock
from backend.notifications.services import compose_due
from backend.operations.demo import World, statement_file
from backend.operations.demonstration import papers
from backend.operations.demonstration.cast import ORGANISATIONS
from backend.operations.demonstration.tables import Agreement, Closing, Envelope, Move, Promise, Rules, Work
from backend.payouts.models import Payout, PayoutBatch
from backend.payouts.services import approve_batch, hand_over, prepare_batch
from backend.pledges.models import Pledge
from backend.pledges.references import printed
from backend.pledges.services import call_due, make_pledge, remind_due
from backend.transfers.services import decide_transfer, propose_transfer

MONTHS = 12  # whole months told; month 12 is the present one
ZONE = ZoneInfo("Europe/Paris")
LEAD = 6  # days of the present month that the last acts need
Act = Callable[[datetime], object]


@dataclass(frozen=True)
class BankFact:
    """What a statement will say: signed minor units, counterparty, free text, end-to-end id."""

    amount: int
    counterparty: str
    text: str
    end_to_end: str = ""


@dataclass
class Year:
    """The house while its year is told."""

    now: datetime
    users: dict[str, User] = field(default_factory=dict)
    organisations: dict[str, Organisation] = field(default_factory=dict)
    pots: dict[str, Budget] = field(default_factory=dict)
    stewards: dict[str, str] = field(default_factory=dict)
    pledges: dict[Promise, Pledge] = field(default_factory=dict)
    host: Host = field(init=False)
    account: HostBankAccount = field(init=False)
    balance: int = 0
    statements: int = 0
    facts: dict[date, list[BankFact]] = field(default_factory=lambda: defaultdict(list))
    acts: list[tuple[datetime, int, Act]] = field(default_factory=list)

    def first(self, month: int) -> date:
        """The first day of a month of the story, 0 to 12 and beyond."""
        present = (self.now.astimezone(ZONE).date() - timedelta(days=LEAD)).replace(day=1)
        years, months = divmod(present.year * 12 + present.month - 1 + month - MONTHS, 12)
        return date(years, months + 1, 1)

    def day(self, month: int, day: int) -> date:
        """A day of a month of the story."""
        return self.first(month).replace(day=day)

    def at(self, day: date, hour: int) -> datetime:
        """An hour of a day, on the host's clock."""
        return datetime.combine(day, time(hour), ZONE)

    def plan(self, day: date, hour: int, act: Act) -> None:
        """Have something done at an hour; acts of the same hour follow the order they were planned in."""
        self.acts.append((self.at(day, hour), len(self.acts), act))

    def play(self) -> None:
        """Do all that was planned, in the order of the hours; an act may plan later ones."""
        while self.acts:
            self.acts.sort(key=lambda planned: planned[:2], reverse=True)
            when, _order, act = self.acts.pop()
            assert when <= self.now, "the demonstration has no future"
            act(when)

    def background(self, when: datetime) -> None:
        """What the workers would have done by then; mail is written, not sent."""
        for sweep in (call_due, match_due, compute_due, remind_due, compose_due):
            sweep(when)

    # --- promises and the bank ------------------------------------------------------------------------------------

    def plan_promise(self, promise: Promise) -> None:
        """A pledge, then its transfer if it ever comes."""
        self.plan(self.day(promise.month, promise.day), 10, lambda when: self._promise(promise, when))
        if promise.paid is not None:
            early = promise.paid > promise.month
            on = self.day(promise.paid, 6 if early else promise.day + 4)
            self.plan(on, 12, lambda _when: self._transfer(promise, on))

    def _promise(self, promise: Promise, when: datetime) -> None:
        self.pledges[promise] = make_pledge(
            actor=self.users[ORGANISATIONS[promise.organisation].manager], budget=self.pots[promise.pot],
            organisation=self.organisations[promise.organisation], amount=promise.amount, currency="EUR",
            form_key=f"demonstration-{len(self.pledges)}", now=when,
        )  # fmt: skip

    def _transfer(self, promise: Promise, on: date) -> None:
        pledge = self.pledges[promise]
        text = "soutien au commun" if promise.unnamed else f"soutien {printed(pledge.reference)}"
        name = self.organisations[promise.organisation].name.upper()[:70]
        self.facts[on].append(BankFact(promise.received or promise.amount, name, text))
        if promise.unnamed:
            self.plan(
                self.first(int(promise.paid or 0) + 1), 10,
                lambda when: identify(
                    actor=self.users["denis"], pledge_id=pledge.pk, now=when,
                    line_id=BankLine.objects.get(state="suggested", counterparty=name).pk,
                ),
            )  # fmt: skip

    def plan_statement(self, day: date, by: str) -> None:
        """A statement of all that the bank booked before a day, imported that morning."""
        self.plan(day, 9, lambda when: self._statement(day - timedelta(days=1), by, when))

    def _statement(self, closing: date, by: str, when: datetime) -> None:
        told = [(on, fact) for on in sorted(self.facts) if on <= closing for fact in self.facts[on]]
        self.facts = defaultdict(list, {on: facts for on, facts in self.facts.items() if on > closing})
        self.statements += 1
        world = World(now=self.at(closing, 12))
        world.account = self.account
        data = statement_file(
            world, number=self.statements, opening=self.balance, days=[on for on, _fact in told],
            lines=[(fact.amount, fact.counterparty, fact.text, fact.end_to_end) for _on, fact in told],
        )  # fmt: skip
        self.balance += sum(fact.amount for _on, fact in told)
        import_statement(actor=self.users[by], data=data, accept_gap=False, now=when)
        self.background(when)

    def plan_recall(self, promise: Promise, day: date, seen: date) -> None:
        """The bank takes a payment back; a treasurer says which one once the statement has come."""
        text = f"RAPPEL DE VIREMENT {self.organisations[promise.organisation].name}"
        self.plan(day, 8, lambda _when: self.facts[day].append(BankFact(-promise.amount, "", text)))
        self.plan(
            seen, 11,
            lambda when: take_back(
                actor=self.users["claire"], line_id=BankLine.objects.get(state="suggested", text=text).pk,
                payment_id=self.pledges[promise].payments.get().pk, now=when,
            ),
        )  # fmt: skip

    def plan_return(self, who: str, day: date, seen: date) -> None:
        """The bank of somebody sends their last payment back; a treasurer says so once the statement has come."""
        self.plan(day, 8, lambda _when: self._sent_back(who, day, seen))

    def _sent_back(self, who: str, day: date, seen: date) -> None:
        paid = Payout.objects.filter(payee__user=self.users[who], state="settled").order_by("batch__sent_at").last()
        assert paid is not None
        text = f"VIREMENT NON ABOUTI {paid.name}"
        self.facts[day].append(BankFact(paid.amount, paid.name, text, paid.end_to_end_id))
        self.plan(
            seen, 11,
            lambda when: payout_came_back(
                actor=self.users["claire"], line_id=BankLine.objects.get(booked_on=day, amount=paid.amount).pk,
                payout_id=paid.pk, now=when,
            ),
        )  # fmt: skip

    # --- work and its sharing -------------------------------------------------------------------------------------

    def plan_work(self, work: Work) -> None:
        """A contribution on its day, and what its steward says three days later."""
        day = self.day(work.month, work.day)
        self.plan(day, 18, lambda when: self._declare(work, day, when))

    def _declare(self, work: Work, day: date, when: datetime) -> None:
        slug = self.pots[work.pot].commons.slug
        contribution = declare(
            actor=self.users[work.who], budget=self.pots[work.pot], worked_on=day, kind=work.kind,
            minutes=work.minutes, amount=work.amount, description=work.what,
            evidence=[f"https://example.org/{slug}/journal"],
            form_key=f"demonstration-{work.pot}-{work.month}-{work.day}", now=when,
        )  # fmt: skip
        if work.verdict:
            self.plan(
                day + timedelta(days=3), 17,
                lambda later: review(
                    actor=self.users[self.stewards[work.pot]], contribution_id=contribution.pk, verdict=work.verdict,
                    reason=work.reason, now=later,
                ),
            )  # fmt: skip

    def plan_envelope(self, envelope: Envelope) -> None:
        """A budget opened under the root of its commons."""
        self.plan(self.day(envelope.month, 2), 9, lambda when: self._open(envelope, when))
        if envelope.follows:
            return
        self.plan_periods(envelope.pot, range(envelope.first, MONTHS + envelope.months + 1, envelope.months))

    def plan_periods(self, pot: str, bounds: Sequence[int]) -> None:
        """Periods of whole months, each opened on its first day; the very first came with the budget."""
        for before, first, end in zip(bounds, bounds[1:], bounds[2:], strict=False):
            self.plan(self.first(first), 8, partial(self._next_period, pot, before, end))

    def _next_period(self, pot: str, before: int, end: int, _when: datetime) -> None:
        latest = Period.objects.select_related("budget").get(budget=self.pots[pot], starts_on=self.first(before))
        if latest.budget.state == "open":
            open_next_period(after=latest, ends_before=self.first(end))

    def _open(self, envelope: Envelope, when: datetime) -> None:
        self.pots[envelope.pot] = open_envelope(
            actor=self.users[self.stewards[envelope.root]], parent=self.pots[envelope.root], name=envelope.name,
            own_rules=not envelope.follows, now=when,
            first_day=None if envelope.follows else self.first(envelope.first),
            end_before=None if envelope.follows else self.first(envelope.first + envelope.months),
        )  # fmt: skip
        self.stewards[envelope.pot] = self.stewards[envelope.root]

    def plan_rules(self, rules: Rules) -> None:
        """A charter adopted by the steward of its pot."""
        self.plan(self.day(rules.month, rules.day), 10, lambda when: self._adopt(rules, when))

    def _adopt(self, rules: Rules, when: datetime) -> None:
        pot = self.pots[rules.pot]
        upstream = [{"to": self.pots[rules.upstream[0]].pk, "bp": rules.upstream[1]}] if rules.upstream else []
        adopt_charter(
            actor=self.users[self.stewards[rules.pot]], budget=pot, now=when,
            document={**charter_of(pot).document, "upstream": upstream, **rules.changes},
        )  # fmt: skip

    def plan_agreement(self, agreement: Agreement) -> None:
        """Amounts that a meeting agreed on, and the answers that have come."""
        day = self.first(agreement.month) + timedelta(days=agreement.days)
        self.plan(day, 16, lambda when: self._agree(agreement, when))

    def _agree(self, agreement: Agreement, when: datetime) -> None:
        found = Distribution.objects.get(period__budget=self.pots[agreement.pot], state="published")
        arbitration = propose_arbitration(
            actor=self.users[self.stewards[agreement.pot]], distribution_id=found.pk, digest=found.digest,
            amounts={(self.users[who].pk, self.pots[agreement.pot].pk): cents
                     for who, cents in agreement.amounts.items()},
            reason=agreement.reason, form_key=f"demonstration-{agreement.pot}-{agreement.month}", now=when,
        )  # fmt: skip
        for hours, who in enumerate(agreement.confirmed, start=1):
            answer_arbitration(
                actor=self.users[who], arbitration_id=arbitration.pk, accept=True, now=when + timedelta(hours=hours)
            )

    def plan_objection(self, pot: str, who: str, day: date, reason: str) -> None:
        """Somebody objects to what a closed period would share: nobody approves it before that has ended."""
        self.plan(day, 17, lambda when: self._object(pot, who, reason, when))

    def _object(self, pot: str, who: str, reason: str, when: datetime) -> None:
        found = Distribution.objects.get(period__budget=self.pots[pot], state="published")
        object_to_distribution(
            actor=self.users[who], distribution_id=found.pk, digest=found.digest, reason=reason, now=when
        )

    def plan_closing(self, closing: Closing) -> None:
        """The end of a period: closed, computed, and approved by another person some days later."""
        day = self.first(closing.month)
        self.plan(day, 14, lambda when: self._close(closing, when))
        if closing.approved is not None:
            self.plan(day + timedelta(days=closing.approved), 10, lambda when: self._approve(closing, when))

    def _close(self, closing: Closing, when: datetime) -> None:
        period = Period.objects.filter(budget=self.pots[closing.pot], state="open").earliest("starts_on")
        close_period(actor=self.users[closing.by], period_id=period.pk, now=when)
        self.background(when)

    def _approve(self, closing: Closing, when: datetime) -> None:
        found = Distribution.objects.get(period__budget=self.pots[closing.pot], state="published")
        approve(actor=self.users[closing.approver], distribution_id=found.pk, digest=found.digest, now=when)

    # --- transfers and payouts ------------------------------------------------------------------------------------

    def plan_moves(self, moves: Iterable[Move]) -> None:
        """Money moved between pots, on the first day of the month that follows."""
        for number, move in enumerate(moves):
            proposer, decider = ("claire", "denis") if number % 2 else ("denis", "claire")
            self.plan(self.first(move.month + 1), 11, partial(self._move, move, (proposer, decider)))

    def _move(self, move: Move, pair: tuple[str, str], when: datetime) -> None:
        transfer = propose_transfer(
            actor=self.users[pair[0]], kind="move", source=self.pots[move.source], target=self.pots[move.target],
            amount=move.amount, reason=move.reason, form_key=f"demonstration-{move.source}-{move.target}", now=when,
        )  # fmt: skip
        if move.decided is not None:
            decide_transfer(
                actor=self.users[pair[1]], transfer_id=transfer.pk, accept=move.decided, reason=move.refusal,
                now=when + timedelta(hours=1),
            )  # fmt: skip

    def plan_inside(self, day: date, pot: str, kind: str, amount: int | None, reason: str) -> None:
        """A steward gives a remainder back, or puts money in reserve, within what one person may do alone."""
        self.plan(
            day, 11,
            lambda when: propose_transfer(
                actor=self.users[self.stewards[pot]], kind=kind, source=self.pots[pot], target=None, amount=amount,
                reason=reason, form_key=f"demonstration-{pot}-{kind}", now=when,
            ),
        )  # fmt: skip

    def plan_locks(self, months: Iterable[int]) -> None:
        """Months locked in order three weeks after their end: one treasurer asks, the other locks the next day."""
        for number, month in enumerate(months):
            pair = ("claire", "denis") if number % 2 else ("denis", "claire")
            self.plan(self.day(month + 1, 21), 9, partial(self._lock, self.first(month), pair))

    def _lock(self, first_day: date, pair: tuple[str, str], when: datetime) -> None:
        asked = self.ask_lock(first_day, pair[0], when)
        lock(actor=self.users[pair[1]], closing_id=asked.pk, now=when + timedelta(days=1))

    def ask_lock(self, first_day: date, by: str, when: datetime) -> MonthClosing:
        """A request to lock a month, which another treasurer may follow."""
        return ask_lock(actor=self.users[by], first_day=first_day, now=when)

    def plan_payday(self, day: date, preparer: str, *, approved: bool = True, handed_over: bool = True) -> None:
        """Everything owed is put in a batch, approved by the other treasurer, and handed to the bank the next day."""
        self.plan(day, 15, lambda when: self._pay(preparer, approved, handed_over, when))

    def _pay(self, preparer: str, approved: bool, handed_over: bool, when: datetime) -> None:
        other = {"claire": "denis", "denis": "claire"}[preparer]
        papers.document(when - timedelta(hours=6))
        batch = prepare_batch(actor=self.users[preparer], account_id=self.account.pk, now=when)
        if approved:
            approve_batch(
                actor=self.users[other], batch_id=batch.pk, digest=batch.digest, now=when + timedelta(hours=1)
            )
        if handed_over:
            self.plan(when.date() + timedelta(days=1), 9, lambda later: self._hand_over(batch, preparer, later))

    def _hand_over(self, batch: PayoutBatch, by: str, when: datetime) -> None:
        hand_over(actor=self.users[by], batch_id=batch.pk, now=when)
        for payout in batch.payouts.order_by("name"):
            self.facts[when.date() + timedelta(days=1)].append(
                BankFact(-payout.amount, payout.name, "retribution", payout.end_to_end_id)
            )
