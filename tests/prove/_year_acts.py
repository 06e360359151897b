"""What people do in the proof of a year: payers pay, late, twice or in part; treasurers type, decide, give back."""

from collections import defaultdict
from collections.abc import Callable
from datetime import date, timedelta
from random import Random
from typing import Any

from tests.prove._year_house import REFUNDED_TO, House, Seen, at

Act = Callable[[date], None]
CALLED = ("called", "partly_received")


class Year:
    """The acts planned for each day, and how each payer answers a call."""

    def __init__(self, house: House, seed: int, last: date) -> None:
        """Args: last: nobody begins to pay anything after this day."""
        self.house, self.seed, self.last = house, seed, last
        self.plans: dict[date, list[Act]] = defaultdict(list)
        self.asked: set[tuple[str, date]] = set()
        # Whose transfer forgot its reference: what the statement calls them → the reference
        self.unnamed: dict[str, str] = {}
        self.returns: dict[str, str] = {}  # what the statement calls a debit → the payment it takes back
        self.counter = 0

    def plan(self, day: date, act: Act) -> None:
        """Have something done on a day."""
        self.plans[day].append(act)

    def do(self, day: date) -> None:
        """Do what was planned for a day."""
        for act in self.plans.pop(day, []):
            act(day)

    # --- payers -------------------------------------------------------------------------------------------------------

    def answer_calls(self, day: date) -> None:
        """Each call that was not answered yet is answered once, in a way drawn from the dice of that call."""
        from backend.pledges.models import Instalment

        rows = (
            Instalment.objects.filter(state__in=CALLED).select_related("pledge").order_by("due_on", "pledge__form_key")
        )
        calls: dict[tuple[str, date], list[Any]] = defaultdict(list)
        for row in rows:
            calls[row.pledge.reference, row.due_on].append(row)
        for (reference, due_on), together in calls.items():
            if (reference, due_on) not in self.asked:
                self.asked.add((reference, due_on))
                self._answer(day, reference, due_on, sum(row.awaited for row in together), together[0].pledge)

    def _answer(self, day: date, reference: str, due_on: date, amount: int, pledge: Any) -> None:
        dice = Random(f"{self.seed} {pledge.form_key} {due_on}")  # noqa: S311  the same again
        on = max(day, due_on) + timedelta(days=dice.choice([0, 1, 2, 3, 5, 12, 30, 44]))
        way = dice.choices(
            ["whole", "twice", "part", "more", "never", "unnamed", "cheque", "cash"], [60, 5, 8, 5, 6, 6, 8, 2]
        )[0]
        if on > self.last:
            way = "never"
        self.house.done[f"calls paid: {way}"] += 1
        text = f"soutien {reference} merci"
        if way == "whole":
            self._transfer(on, amount, text)
        elif way == "twice":
            self._transfer(on, amount, text)
            self._transfer(on + timedelta(days=dice.choice([0, 4])), amount, text)
        elif way == "part":
            first = max(1, amount * dice.choice([20, 50, 90]) // 100)
            self._transfer(on, first, text)
            if amount > first and dice.random() < 0.6:
                self._transfer(on + timedelta(days=9), amount - first, text)
        elif way == "more":
            self._transfer(on, amount + dice.choice([1, 50, 2_000]), text)
        elif way == "unnamed":
            self.counter += 1
            name = f"PAYEUR {self.counter:04}"
            self.unnamed[name] = reference
            self.house.bank.show(on, Seen(amount, name, "soutien"))
        elif way in {"cheque", "cash"}:
            self.plan(on, lambda when: self._paper(when, pledge.pk, way, amount))

    def _transfer(self, on: date, amount: int, text: str) -> None:
        self.house.bank.show(on, Seen(amount, "UN PAYEUR", text))

    def _paper(self, day: date, pledge_id: str, kind: str, amount: int) -> None:
        """A cheque or cash is handed over; one for a pledge that was cancelled meanwhile is given back."""
        from backend.core.errors import Invalid
        from backend.payments.papers import record_paper

        self.counter += 1
        try:
            record_paper(
                actor=self.house.claire, pledge_id=pledge_id, account_id=self.house.world.account.pk, kind=kind,
                amount=amount, drawer="Un tireur", number=str(self.counter), received_on=day,
                form_key=f"paper{self.counter}", now=at(day, 11),
            )  # fmt: skip
            self.house.done[f"{kind} taken"] += 1
        except Invalid as refusal:
            if refusal.code != "pledge_not_found":
                raise
            self.house.done[f"{kind} given back at once"] += 1

    # --- treasurers ---------------------------------------------------------------------------------------------------

    def import_statement(self, day: date) -> None:
        """The statement of what moved before a day; then what the house does by itself."""
        from backend.banking.services import import_statement

        data = self.house.bank.statement(self.house.world, day)
        if data is not None:
            import_statement(actor=self.house.claire, data=data, accept_gap=False, now=at(day))

    def identify(self, day: date) -> None:
        """What waits in suspense and can be named is: transfers without reference, deposits, returns."""
        from backend.banking.identifying import identify, settle_deposit, take_back
        from backend.banking.models import BankLine
        from backend.payments.models import Deposit
        from backend.pledges.models import Pledge

        deposits = {one.slip: one.pk for one in Deposit.objects.filter(state="prepared")}
        for line in BankLine.objects.filter(state="suggested").order_by("pk"):
            facts: dict[str, Any] = {"actor": self.house.claire, "line_id": line.pk, "now": at(day, 14)}
            if line.counterparty in self.unnamed:
                reference = self.unnamed[line.counterparty]
                pledge = Pledge.objects.filter(reference=reference).exclude(state="cancelled").order_by("pk").first()
                if pledge is not None:
                    identify(pledge_id=pledge.pk, **facts)
                    self.house.done["transfers named by a treasurer"] += 1
            elif line.text in deposits:
                settle_deposit(deposit_id=deposits[line.text], **facts)
                self.house.done["deposits seen"] += 1
            elif line.counterparty in self.returns:
                take_back(payment_id=self.returns[line.counterparty], **facts)
                self.house.done["payments taken back by the bank"] += 1

    def deposit(self, day: date) -> None:
        """A cheque in ten comes back; the others, and the cash, are taken to the bank, which shows them later."""
        from backend.payments.models import PaperPayment
        from backend.payments.papers import prepare_deposit, return_paper

        now = at(day, 15)
        for kind in ("cheque", "cash"):
            papers = list(PaperPayment.objects.filter(state="received", kind=kind).order_by("received_on", "number"))
            kept = []
            for paper in papers:
                if kind == "cheque" and self.house.dice.random() < 0.1:
                    return_paper(actor=self.house.claire, paper_id=paper.pk, returned_on=day, reason="unpaid", now=now)
                    self.house.done["cheques returned"] += 1
                else:
                    kept.append(paper)
            if kept:
                self.counter += 1
                slip = f"REMISE {self.counter:04}"
                made = prepare_deposit(
                    actor=self.house.claire, account_id=self.house.world.account.pk, kind=kind, slip=slip,
                    paper_ids=[paper.pk for paper in kept], form_key=slip, now=now,
                )  # fmt: skip
                self.house.bank.show(day + timedelta(days=3), Seen(made.total, "", slip))

    def decide(self, day: date) -> None:
        """What came above is credited, kept for the next call, or given back; some of it waits."""
        from backend.payments.models import Surplus
        from backend.payments.refunds import refund_surplus
        from backend.payments.surpluses import credit_surplus, keep_surplus, may_be_kept

        for surplus in Surplus.objects.filter(state="waiting").select_related("pledge__budget").order_by("source"):
            facts: dict[str, Any] = {
                "actor": self.house.claire, "surplus_id": surplus.pk, "reason": "asked", "now": at(day, 16),
            }  # fmt: skip
            way = self.house.dice.choice(["credit", "keep", "refund", "refund", "wait"])
            if way == "keep" and not may_be_kept(surplus.pledge):
                way = "credit"
            if way == "wait" or (way == "refund" and surplus.source.startswith("paper:")):
                continue
            if way == "credit":
                credit_surplus(**facts)
            elif way == "keep":
                keep_surplus(**facts)
            else:
                refund_surplus(name="Un payeur", iban=REFUNDED_TO, form_key=f"r{surplus.pk}", **facts)
            self.house.done[f"surpluses: {way}"] += 1

    def refund(self, day: date) -> None:
        """Part of a payment is given back; the bank takes another one back by itself."""
        from backend.payments.models import Payment
        from backend.payments.refunds import refund_payment

        by_transfer = Payment.objects.filter(state="succeeded", method="bank_transfer", taken_back=0)
        rows = list(by_transfer.order_by("received_on", "amount", "pledge__form_key", "pk")[:40])
        if len(rows) < 2:
            return
        given, taken = self.house.dice.sample(rows, 2)
        refund_payment(
            actor=self.house.claire, payment_id=given.pk, amount=max(1, given.amount // 3), name="Un payeur",
            iban=REFUNDED_TO, reason="asked", form_key=f"rp{given.pk}", now=at(day, 16),
        )  # fmt: skip
        self.house.done["payments refunded in part"] += 1
        self.counter += 1
        name = f"RETOUR {self.counter:04}"
        self.returns[name] = taken.pk
        self.house.bank.show(day + timedelta(days=1), Seen(-taken.amount, name, "rappel"))

    def pay_out(self, day: date) -> None:
        """A batch of what is owed back: one prepares, the other approves; the bank shows it two days later."""
        from backend.payments.models import Refund
        from backend.payouts.models import Payout
        from backend.payouts.services import approve_batch, hand_over, prepare_batch

        if not Refund.objects.filter(state="owed").exists():
            return
        now = at(day, 17)
        batch = prepare_batch(actor=self.house.claire, account_id=self.house.world.account.pk, now=now)
        approve_batch(actor=self.house.denis, batch_id=batch.pk, digest=batch.digest, now=now)
        hand_over(actor=self.house.claire, batch_id=batch.pk, now=now)
        for payout in Payout.objects.filter(batch=batch).order_by("end_to_end_id"):
            self.house.bank.show(
                day + timedelta(days=2), Seen(-payout.amount, payout.name, "remboursement", payout.end_to_end_id)
            )
            self.house.done["refunds paid out"] += 1

    # --- payers change their minds ------------------------------------------------------------------------------------

    def change_minds(self, day: date) -> None:
        """Some raise their promise, pause it, take it up again, cancel it; what never comes is written off."""
        from backend.core.errors import Conflict
        from backend.pledges.models import Pledge
        from backend.pledges.services import (
            cancel_pledge,
            change_pledge,
            pause_pledge,
            resume_pledge,
            unpaid,
            write_off_instalment,
        )

        dice, now = self.house.dice, at(day, 13)
        going = (
            Pledge.objects.filter(state="active", donor=None).select_related("made_by").order_by("form_key", "amount")
        )
        for pledge in going.exclude(rhythm="once"):
            what = dice.choices(["nothing", "change", "pause", "cancel"], [90, 4, 3, 3])[0]
            facts: dict[str, Any] = {"actor": pledge.made_by, "pledge_id": pledge.pk, "now": now}
            if pledge.paused_at is not None:
                if dice.random() < 0.5:
                    resume_pledge(**facts)
                    self.house.done["promises taken up again"] += 1
            elif what == "change":
                change_pledge(changes={"amount": pledge.amount + 700}, **facts)
                self.house.done["promises raised"] += 1
            elif what == "pause":
                pause_pledge(reason="short of money", **facts)
                self.house.done["promises paused"] += 1
            elif what == "cancel":
                cancel_pledge(**facts)
                self.house.done["promises cancelled"] += 1
        for row in list(unpaid(day)):
            if dice.random() < 0.5:
                try:
                    write_off_instalment(actor=self.house.claire, instalment_id=row.pk, reason="never came", now=now)
                    self.house.done["instalments written off"] += 1
                except Conflict as refusal:
                    if refusal.code != "instalment_not_awaiting":
                        raise

    def unknown(self, day: date) -> None:
        """A transfer that nobody will ever name."""
        self.counter += 1
        self.house.bank.show(day, Seen(self.house.dice.choice([1, 4_250, 9_999]), f"INCONNU {self.counter:04}", "don"))
        self.house.done["transfers nobody can name"] += 1
