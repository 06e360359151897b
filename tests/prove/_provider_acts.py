"""What people, banks, the network and the clock do to payments by card in one seeded run of the proof."""

import random
from collections import Counter
from collections.abc import Callable
from datetime import timedelta
from typing import Any

from backend.commons.models import Budget
from backend.core.errors import DomainError
from backend.operations import demo
from backend.payments import operations
from backend.payments.asking import ask_due, poll_due
from backend.payments.checkouts import returned, start_checkout
from backend.payments.models import Checkout, Notice
from backend.payments.movements import left_of_charge
from backend.payments.notices import receive_notice, treat_notices
from backend.payments.operations import carry_out
from backend.payments.provider_refunds import approve_refund, ask_refund
from backend.payments.providers import the_provider
from backend.payments.providers.base import BadNotice, CheckoutOrder, ProviderError
from backend.payments.providers.fake.books import Wrong
from backend.payments.providers.stripe_notices import sign
from backend.payments.reconciling import reconcile_due
from backend.pledges.models import Pledge
from backend.pledges.services import Terms, cancel_pledge, make_pledges
from tests.concurrency import at_once
from tests.payments.provider import OLD_SECRET, SECRET, FakeProvider

BACK = "https://tronc.example.org/back"
# The faults of requests, and how often each is chosen.
FAULTS = ["cut", "cut", "drop", "500", "500 done", "429", "503", "409", "late"]


class Death(BaseException):
    """The process dies here: nothing after it happens, and no handler of the product sees it."""


class Life:
    """One run: a house, a provider of its own, dice."""

    def __init__(self, world: Any, second: Budget, fake: FakeProvider, seed: int) -> None:
        """Keep them; `done` counts what happened."""
        self.world, self.second, self.fake = world, second, fake
        self.dice = random.Random(seed)  # noqa: S311  the dice must be the same again
        self.done: Counter[str] = Counter()
        self.groups: list[str] = []
        self.number = 0
        self.away = False
        self.deadly = 0.0  # how often a process dies at a failpoint of what is asked
        operations.failpoint = self.maybe_die  # type: ignore[assignment]

    @property
    def now(self) -> Any:
        """The provider's moment, which is everybody's."""
        return self.fake.now()

    def maybe_die(self, name: str) -> None:
        """A failpoint is reached."""
        if self.dice.random() < self.deadly:
            self.done[f"deaths at {name}"] += 1
            raise Death(name)

    def surviving(self, act: Callable[[], Any]) -> None:
        """Do something as a process that may die of it."""
        self.deadly = 0.15
        try:
            act()
        except Death:
            pass
        finally:
            self.deadly = 0.0

    def step(self) -> None:
        """A few minutes pass, perhaps a fault is on its way, and something happens."""
        self.fake.advance(minutes=self.dice.randint(1, 12))
        self.world.now = self.now
        if self.away and self.dice.random() < 0.3:
            self.leave()
        if self.dice.random() < 0.3:
            self.trouble()
        act = self.dice.choices(list(ACTS), weights=list(ACTS.values()))[0]
        act(self)

    def trouble(self) -> None:
        """The next requests of some kind go wrong."""
        kind = self.dice.choice(FAULTS)
        match = self.dice.choice(
            ["POST", "POST /v1/checkout", "POST /v1/refunds", "GET", "GET /v1/charges", "DELETE|POST"]
        )
        self.fake.fault(
            match,
            kind.partition(" ")[0],
            times=1 if kind == "late" else self.dice.choice([1, 1, 2, 4]),
            seconds={"late": 1.3, "429": 20, "503": self.dice.choice([0, 30])}.get(kind, 0),
            effect=kind == "500 done",
        )

    # --- what people do -----------------------------------------------------------------------------------------

    def promise(self) -> None:
        """Somebody promises, to one budget or two, once or each month."""
        self.number += 1
        amount = self.dice.choice([self.dice.randint(100, 500), self.dice.randint(500, 90_000)])
        parts = [(self.world.budget, amount)]
        if self.dice.random() < 0.3:
            parts.append((self.second, self.dice.randint(100, 20_000)))
        made = make_pledges(
            actor=self.world.users["ana"],
            parts=parts,
            currency="EUR",
            organisation=self.world.organisation,
            form_key=f"promise {self.number}",
            now=self.now,
            terms=Terms(rhythm=self.dice.choice(["once", "once", "once", "monthly", "quarterly"])),
        )
        self.groups.append(made[0].group)
        self.done["promises"] += 1

    def open_page(self, *, then_pay: bool = True) -> None:
        """Somebody presses the button, perhaps five times at once, and mostly pays."""
        if len(self.groups) < 2 or self.dice.random() < 0.45:
            self.promise()
        group, method = self.dice.choice(self.groups[-3:]), self.dice.choice(["card", "card", "sepa_debit"])
        now = self.now

        def press(_number: int = 0) -> str:
            return start_checkout(
                actor=self.world.users["ana"], code="", group=group, method=method, language="fr", return_url=BACK,
                now=now,
            ).pk  # fmt: skip

        if self.dice.random() < 0.1:
            pressed = at_once(press, 5)
            assert len(set(pressed)) == 1, f"several pages of one promise: {pressed}"
            self.done["buttons pressed five times at once"] += 1
        try:
            page = Checkout.objects.get(pk=press())
        except DomainError as refusal:
            self.done[f"pages refused: {refusal.code}"] += 1
            return
        self.done["pages asked"] += 1
        self.surviving(lambda: carry_out(operation_id=page.operation_id, now=self.now))
        if then_pay and self.dice.random() < 0.8:
            self.pay()

    def pay(self) -> None:
        """Somebody pays on a page they were sent to, or is refused; then they come back, or not."""
        open_ones = [
            row
            for row in Checkout.objects.exclude(remote_id="").order_by("created_at", "pk")
            if self.fake.thing(row.remote_id)["status"] == "open"
        ]
        if not open_ones:
            self.open_page(then_pay=False)
            return
        page = self.dice.choice(open_ones)
        will = self.dice.choices(["pay", "fail", "card_declined"], [7, 2, 2])[0]
        if page.method == "card" and will == "fail":
            will = "pay"
        self.fake.pay(page.remote_id, will=will)
        self.done[f"pages answered: {page.method} {will}"] += 1
        if self.dice.random() < 0.5:
            self.come_back(page)

    def come_back(self, page: Checkout) -> None:
        """The payer comes back, perhaps while events about the same payment arrive."""
        now = self.now
        if self.dice.random() < 0.3:
            self.tell(treat=False)

            def race(number: int) -> None:
                if number % 2:
                    returned(checkout_id=page.pk, now=now)
                else:
                    treat_notices(now)

            at_once(race, 4)
            self.done["payers back while events arrive"] += 1
        else:
            returned(checkout_id=page.pk, now=now)

    def refund(self) -> None:
        """Two treasurers give a payment or a part of it back."""
        charges = [row["id"] for row in self.fake.every("charge") if row["status"] == "succeeded"]
        known = [one for one in charges if left_of_charge(one) > 0]
        for charge in self.dice.sample(known, min(len(known), self.dice.choice([1, 1, 1, 4]))):
            left = left_of_charge(charge)
            amount = left if self.dice.random() < 0.4 else self.dice.randint(1, left)
            users, self.number = self.world.users, self.number + 1
            try:
                row = ask_refund(
                    actor=users["claire"], charge=charge, amount=amount, reason="asked by the payer",
                    form_key=f"refund {self.number}", now=self.now, advance=True,
                )  # fmt: skip
                approve_refund(actor=users["denis"], refund_id=row.pk, now=self.now, advance=True)
            except DomainError as refusal:
                self.done[f"refunds refused: {refusal.code}"] += 1
                continue
            self.done["refunds approved"] += 1
        self.sweep()  # several at once, and the process may die between two of them

    def cancel(self) -> None:
        """A payer ends a promise."""
        rows = Pledge.objects.filter(state="active", group__in=self.groups).order_by("pk")
        if not rows or self.dice.random() < 0.5:
            return
        try:
            cancel_pledge(actor=self.world.users["ana"], pledge_id=self.dice.choice(list(rows)).pk, now=self.now)
        except DomainError as refusal:
            self.done[f"cancellations refused: {refusal.code}"] += 1
            return
        self.done["promises cancelled"] += 1

    # --- what banks and the provider do -------------------------------------------------------------------------

    def bank(self) -> None:
        """Something happens to money that came: a dispute, its end, a debit or a refund that fails, a payout, a fee."""
        fake, dice = self.fake, self.dice
        paid = [row for row in fake.every("charge") if row["status"] == "succeeded" and not row["disputed"]]
        whole = [row for row in paid if row["amount_refunded"] < row["amount"]]
        debits = [row for row in whole if row["payment_method_details"]["type"] == "sepa_debit"]
        disputes = [row for row in fake.every("dispute") if row["status"] not in ("won", "lost", "warning_closed")]
        refunds = [row for row in fake.every("refund") if row["status"] != "failed" and self._refundable(row)]
        out = [row for row in fake.every("payout") if row["status"] == "in_transit"]
        mandates = [row for row in fake.every("mandate") if row["status"] == "active"]

        def one(rows: list[dict[str, Any]]) -> str:
            return str(dice.choice(rows)["id"])

        won, fee_back, warning = dice.random() < 0.5, dice.random() < 0.5, dice.random() < 0.2
        # What can happen, to which of these; None: to nothing in particular.
        choices: dict[str, tuple[list[dict[str, Any]] | None, Callable[[], Any]]] = {
            "disputes": (whole, lambda: fake.dispute(one(whole), warning=warning)),
            "disputes closed": (disputes, lambda: fake.close(one(disputes), won=won, fee_back=fee_back)),
            "debits taken back": (debits, lambda: fake.fail(one(debits), fee=dice.choice([0, 750]))),
            "refunds failed": (refunds, lambda: fake.act("fail_refund", one(refunds))),
            "payouts": (None, fake.payout),
            "payouts failed": (out, lambda: fake.act("fail_payout", one(out))),
            "fees": (None, lambda: fake.act("fee", amount=dice.randint(1, 900))),
            "movements of an unknown kind": (None, lambda: fake.act("adjust", amount=dice.choice([-500, 300]))),
            "mandates ended": (mandates, lambda: fake.act("end_mandate", one(mandates))),
        }
        name = dice.choice([what for what, (rows, _) in choices.items() if rows is None or rows])
        try:
            choices[name][1]()
        except Wrong:
            return  # nothing to pay out
        self.done[name] += 1

    def _refundable(self, refund: dict[str, Any]) -> bool:
        charge = self.fake.thing(refund["charge"])
        return charge["status"] == "succeeded" and not charge["disputed"]

    def cards(self) -> None:
        """The card of a subscription stops working, or works again."""
        rows = [row for row in self.fake.every("subscription") if row["status"] != "canceled"]
        if rows:
            self.fake.payer_will(self.dice.choice(rows)["id"], self.dice.choice(["pay", "insufficient_funds"]))
            self.done["cards that changed their mind"] += 1

    def stranger(self) -> None:
        """A payment that no promise of ours explains arrives at the same provider."""
        provider = the_provider()
        assert provider is not None
        order = CheckoutOrder(
            key=f"stranger:{self.number}:{self.dice.random()}", checkout="", group="", parts=(("Elsewhere", 700),),
            currency="EUR", rhythm="once", method="card", language="en", success_url=BACK, cancel_url=BACK,
            expires_at=self.now + timedelta(hours=2),
        )  # fmt: skip
        try:
            self.fake.pay(provider.perform(order).remote_id)
        except ProviderError:
            return
        self.done["payments of strangers"] += 1

    # --- what the network and the clock do ----------------------------------------------------------------------

    def tell(self, *, treat: bool = True) -> None:
        """Events arrive: in order or not, once or ten times, in either shape, or never."""
        way = self.dice.choice(["plain", "plain", "ten times", "shuffled", "at once", "never", "later", "forged"])
        if way == "never":
            self.done["events that never came"] += self.fake.lose()
        if way in {"later", "never"}:
            return
        if way == "forged":
            self.forge()
            return
        taken: list[tuple[bytes, str]] = []
        count = self.fake.deliver(
            lambda body, signature: taken.append((body, signature)),
            times=10 if way == "ten times" else 1,
            shape=self.dice.choice(["new", "old"]),
            shuffle=self.dice.randrange(1000) if way == "shuffled" else None,
            secret=self.dice.choice([SECRET, OLD_SECRET]),
        )
        now = self.now
        if way == "at once" and taken:
            at_once(lambda number: receive_notice(body=taken[-1][0], signature=taken[-1][1], now=now), 10)
        for body, signature in taken:
            receive_notice(body=body, signature=signature, now=now)
        self.done[f"events delivered: {way}"] += count
        if treat:
            self.surviving(lambda: treat_notices(self.now))

    def forge(self) -> None:
        """Somebody sends an event that is not the provider's: nothing is kept."""
        waiting = self.fake.waiting()
        if not waiting:
            return
        before, now = Notice.objects.count(), self.now
        body = f'{{"id":"evt_forged{self.number}","object":"event","type":"charge.succeeded"}}'.encode()
        for signature in (
            sign(body, "whsec_of_somebody", at=int(now.timestamp())),
            sign(body, SECRET, at=int(now.timestamp()) - 301),
        ):
            try:
                receive_notice(body=body, signature=signature, now=now)
            except BadNotice:
                continue
            raise AssertionError("a forged event was taken in")
        assert Notice.objects.count() == before
        self.done["events forged"] += 1

    def sweep(self) -> None:
        """The background work has a turn, and may die in it."""
        for act in (ask_due, treat_notices, poll_due, reconcile_due):
            if self.dice.random() < 0.8:
                self.surviving(lambda act=act: act(self.now))  # type: ignore[misc]

    def time(self) -> None:
        """Hours or weeks pass; now and then more than a key lives."""
        hours = self.dice.choice([1, 3, 25, 26, 24 * 6, 24 * 32])
        self.fake.advance(hours=hours)
        self.world.now = self.now
        self.done["days passed"] += hours // 24

    def leave(self) -> None:
        """The provider goes away, or comes back with all that it accepted."""
        if self.away:
            self.fake.again()
        else:
            self.fake.stop()
            self.done["providers away"] += 1
        self.away = not self.away

    # --- the end ------------------------------------------------------------------------------------------------

    def heal(self) -> None:
        """Nothing goes wrong any more; what was lost stays lost. Time passes, and the background work has its turns."""
        if self.away:
            self.leave()
        self.fake.well()
        for _turn in range(4):
            self.settle(minutes=5)
        self.fake.advance(hours=25)  # past the life of every key, and to the next daily comparison
        for _turn in range(3):
            self.settle(minutes=5)
        self.fake.advance(hours=2)  # what is on its way is looked at each hour
        self.settle(minutes=5)
        self.fake.lose()
        demo.sweep(self.now)

    def settle(self, *, minutes: int) -> None:
        """Some minutes of a healthy house."""
        self.fake.advance(minutes=minutes)
        self.world.now = self.now
        for _round in range(3):
            for act in (ask_due, treat_notices, poll_due, reconcile_due):
                act(self.now)
        if self.dice.random() < 0.5:
            self.fake.deliver(lambda body, sign: receive_notice(body=body, signature=sign, now=self.now))


ACTS: dict[Callable[[Life], None], int] = {
    Life.promise: 1,
    Life.open_page: 22,
    Life.pay: 10,
    Life.refund: 8,
    Life.cancel: 2,
    Life.bank: 12,
    Life.cards: 3,
    Life.stranger: 1,
    Life.tell: 14,
    Life.sweep: 14,
    Life.time: 4,
    Life.leave: 2,
}
