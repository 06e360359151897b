"""What every provider must do, whichever it is.

The fake provider is always tried. Stripe itself is, in its test mode, when TRONC_TRIAL_STRIPE_KEY holds a key that
begins with `sk_test_`: only what needs no person on its pages.
"""

import os
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest

from backend.payments.providers.amounts import NotPayable, from_provider, step, to_provider
from backend.payments.providers.base import (
    CheckoutFacts,
    Done,
    ExpireOrder,
    ForgetOrder,
    NoAnswer,
    PaymentFacts,
    PayoutFacts,
    Provider,
    ProviderError,
    RefundOrder,
    Refused,
    SubscriptionFacts,
    SubscriptionOrder,
)
from backend.payments.providers.stripe import StripeProvider
from tests.payments.orders import fake, order
from tests.payments.provider import SECRET, FakeProvider, fake_provider

__all__ = ["fake_provider"]

TRIAL = os.environ.get("TRONC_TRIAL_STRIPE_KEY", "")
NAMES = ["fake", "stripe"] if TRIAL.startswith("sk_test_") else ["fake"]


@pytest.fixture(params=NAMES)
def provider(request: pytest.FixtureRequest, fake_provider: FakeProvider) -> Provider:
    """Each provider that can be reached."""
    if request.param == "stripe":
        return StripeProvider(name="stripe", shown="Stripe", key=TRIAL, secrets=[SECRET])
    return fake()


# --- the contract: every provider ---------------------------------------------------------------------------------


def test_one_key_makes_one_page_found_again_by_its_key(provider: Provider) -> None:
    began, key = datetime.now(UTC), f"contract:{os.urandom(8).hex()}"
    asked = order(key)
    assert provider.look_up(asked, since=began) is None
    made = provider.perform(asked)
    assert made.remote_id.startswith("cs_test_")
    assert made.address.startswith(("http://127.0.0.1:", "https://checkout.stripe.com/"))
    assert provider.perform(asked) == made
    assert provider.look_up(asked, since=began) == made
    assert provider.look_up(order(key + ":2"), since=began) is None
    facts = provider.read("checkout", made.remote_id)
    assert facts == CheckoutFacts(made.remote_id, "chk_1", "grp_1", "open", False, made.address)

    closing = ExpireOrder(f"{key}:expire", made.remote_id)
    assert provider.look_up(closing, since=began) is None
    assert provider.perform(closing).remote_id == made.remote_id
    assert provider.look_up(closing, since=began) is not None
    closed = provider.read("checkout", made.remote_id)
    assert isinstance(closed, CheckoutFacts)
    assert (closed.state, closed.paid) == ("expired", False)


def test_a_payer_who_is_not_there_is_forgotten_already(provider: Provider) -> None:
    began, asked = datetime.now(UTC), ForgetOrder(f"contract:{os.urandom(8).hex()}", "cus_none")
    assert provider.look_up(asked, since=began) == provider.perform(asked) == Done("cus_none")


def test_one_key_for_two_requests_is_doubt_and_not_a_refusal(provider: Provider) -> None:
    key = f"contract:{os.urandom(8).hex()}"
    provider.perform(order(key))
    with pytest.raises(NoAnswer) as lost:
        provider.perform(order(key, parts=(("Soup", 999),)))
    assert lost.value.sent


def test_what_is_not_there_is_refused(provider: Provider) -> None:
    for about, name in (("payment", "pi_none"), ("checkout", "cs_test_none"), ("subscription", "sub_none"),
                        ("payout", "po_none"), ("dispute", "dp_none"), ("invoice", "in_none")):  # fmt: skip
        with pytest.raises(Refused) as refused:
            provider.read(about, name)  # type: ignore[arg-type]
        assert refused.value.code == "resource_missing"
    with pytest.raises(Refused) as refused:
        provider.perform(RefundOrder(f"contract:{os.urandom(8).hex()}", "prf_1", "ch_none", 100, "EUR"))
    assert refused.value.code == "resource_missing"


def test_an_amount_that_cannot_be_written_there_is_refused_before_it_leaves(provider: Provider) -> None:
    with pytest.raises(Refused) as refused:
        provider.perform(order(f"contract:{os.urandom(8).hex()}", parts=(("Soup", 5124),), currency="TND"))
    assert refused.value.code == "amount_not_payable"


def test_balance_and_list_can_be_read(provider: Provider) -> None:
    now = datetime.now(UTC)
    assert isinstance(provider.balance("EUR"), int)
    rows = list(provider.movements(now - timedelta(days=1), now + timedelta(days=1)))
    assert [row.happened_at for row in rows] == sorted(row.happened_at for row in rows)
    assert provider.live is False


# --- what is read: the fake provider, whose pages need no person ----------------------------------------------------


def test_card_paid_refunded_in_two_parts_and_disputed(fake_provider: FakeProvider) -> None:
    provider = fake()
    page = provider.perform(order("k1"))
    charge = fake_provider.pay(page.remote_id)["id"]
    began = datetime.now(UTC)
    one = RefundOrder("r1", "prf_1", charge, 400, "EUR")
    assert provider.look_up(one, since=began) is None
    done = provider.perform(one)
    assert provider.perform(one) == done == provider.look_up(one, since=began)
    provider.perform(RefundOrder("r2", "prf_2", charge, 100, "EUR"))
    with pytest.raises(Refused) as refused:
        provider.perform(RefundOrder("r3", "prf_3", charge, 1001, "EUR"))
    assert refused.value.code == "amount_too_large"
    dispute = fake_provider.dispute(charge)["id"]
    fake_provider.close(dispute, won=True, fee_back=True)

    facts = provider.read("payment", charge)
    assert isinstance(facts, PaymentFacts)
    assert facts == provider.read("dispute", dispute) == provider.read("refund", done.remote_id)
    assert (facts.group, facts.checkout, facts.state, facts.amount) == ("grp_1", "chk_1", "succeeded", 1500)
    told = [(move.kind, move.amount, move.fee, move.charge) for move in facts.movements]
    assert told == [
        ("charge", 1500, 48, charge),  # 25 and 1.5 % of 15.00, rounded half up
        ("refund", -400, 0, charge),
        ("refund", -100, 0, charge),
        ("dispute", -1000, 1500, charge),
        ("dispute_reversal", 1000, -1500, charge),
    ]
    assert sorted((row.refund, row.amount, row.state) for row in facts.refunds) == [
        ("prf_1", 400, "done"), ("prf_2", 100, "done"),
    ]  # fmt: skip
    assert [(row.amount, row.state) for row in facts.disputes] == [(1000, "won")]
    assert list(provider.movements(began - timedelta(days=1), began + timedelta(days=1))) == list(facts.movements)
    assert provider.balance("EUR") == fake_provider.net() == 1500 - 48 - 500


def test_card_refused_then_paid_is_one_payment(fake_provider: FakeProvider) -> None:
    provider = fake()
    page = provider.perform(order("k1"))
    first = fake_provider.pay(page.remote_id, will="card_declined")
    facts = provider.read("payment", first["id"])
    assert isinstance(facts, PaymentFacts)
    assert (facts.state, facts.failure, facts.movements) == ("failed", "Your card was declined.", ())
    second = fake_provider.pay(page.remote_id)
    after = provider.read("payment", first["id"])
    assert isinstance(after, PaymentFacts)
    assert (after.state, after.charge, len(after.movements)) == ("succeeded", second["id"], 1)


def test_debit_takes_days_and_its_failure_takes_the_money_back(fake_provider: FakeProvider) -> None:
    provider = fake()
    page = provider.perform(order("k1", method="sepa_debit"))
    charge = fake_provider.pay(page.remote_id)["id"]
    waiting = provider.read("payment", charge)
    assert isinstance(waiting, PaymentFacts)
    assert (waiting.state, waiting.movements, waiting.method) == ("processing", (), "sepa_debit")
    complete = provider.read("checkout", page.remote_id)
    assert isinstance(complete, CheckoutFacts)
    assert (complete.state, complete.paid) == ("complete", False)
    fake_provider.advance(days=5)
    came = provider.read("payment", charge)
    assert isinstance(came, PaymentFacts)
    assert [(move.kind, move.amount, move.fee) for move in came.movements] == [("charge", 1500, 35)]
    fake_provider.fail(charge, code="debit_not_authorized", fee=750)
    gone = provider.read("payment", charge)
    assert isinstance(gone, PaymentFacts)
    assert gone.state == "failed"
    assert [(move.kind, move.amount, move.fee) for move in gone.movements][1:] == [("failure", -1500, 750)]
    assert provider.balance("EUR") == -35 - 750


def test_subscription_pays_each_month_fails_pauses_and_resumes(fake_provider: FakeProvider) -> None:
    provider = fake()
    page = provider.perform(order("k1", rhythm="monthly", email="a@example.org"))
    fake_provider.pay(page.remote_id)
    name = fake_provider.subscription_of(page.remote_id)
    fake_provider.advance(days=32)
    fake_provider.payer_will(name, "insufficient_funds")
    fake_provider.advance(days=32 + 4)
    facts = provider.read("subscription", name)
    assert isinstance(facts, SubscriptionFacts)
    assert (facts.group, facts.checkout, facts.state, facts.method) == ("grp_1", "chk_1", "past_due", "card")
    assert [(bill.state, bill.amount, bill.group) for bill in facts.invoices] == [
        ("paid", 1500, "grp_1"), ("paid", 1500, "grp_1"), ("open", 1500, "grp_1"),
    ]  # fmt: skip
    assert facts.invoices[2].attempts >= 2
    assert facts.invoices[2].failure == "Your card has insufficient funds."
    assert provider.read("invoice", facts.invoices[0].remote_id) == facts
    paid = provider.read("payment", facts.invoices[1].payment)
    assert isinstance(paid, PaymentFacts)
    assert (paid.subscription, paid.invoice, paid.group) == (name, facts.invoices[1].remote_id, "grp_1")

    began = datetime.now(UTC)
    pausing = SubscriptionOrder("p1", "pause", name)
    assert provider.look_up(pausing, since=began) is None
    provider.perform(pausing)
    assert provider.look_up(pausing, since=began) is not None
    tries = len(fake_provider.every("charge"))
    fake_provider.advance(days=70)
    paused = provider.read("subscription", name)
    assert isinstance(paused, SubscriptionFacts)
    assert paused.state == "paused"
    assert {bill.state for bill in paused.invoices[2:]} == {"void"}
    assert len(fake_provider.every("charge")) == tries  # nothing was tried meanwhile, the open invoice neither

    fake_provider.payer_will(name, "pay")
    resuming = SubscriptionOrder("p2", "resume", name)
    assert provider.look_up(resuming, since=began) is None
    provider.perform(resuming)
    assert provider.look_up(resuming, since=began) is not None
    fake_provider.advance(days=32)
    after = provider.read("subscription", name)
    assert isinstance(after, SubscriptionFacts)
    assert (after.state, after.invoices[-1].state) == ("active", "paid")
    assert provider.portal(after.customer, return_url="https://tronc.example.org/", language="fr").startswith("http")

    ending = SubscriptionOrder("p3", "cancel", name)
    assert provider.look_up(ending, since=began) is None
    provider.perform(ending)
    assert provider.look_up(ending, since=began) is not None
    ended = provider.read("subscription", name)
    assert isinstance(ended, SubscriptionFacts)
    assert (ended.state, ended.next_on) == ("ended", None)


def test_a_payer_is_forgotten_with_the_address_and_a_repetition_is_no_error(fake_provider: FakeProvider) -> None:
    provider, began = fake(), datetime.now(UTC)
    page = provider.perform(order("k1", rhythm="monthly", email="zoe@example.net"))
    fake_provider.pay(page.remote_id)
    remote = fake_provider.subscription_of(page.remote_id)
    facts = provider.read("subscription", remote)
    assert isinstance(facts, SubscriptionFacts)
    asked = ForgetOrder("f1", facts.customer)
    assert fake_provider.thing(facts.customer)["email"] == "zoe@example.net"
    assert provider.look_up(asked, since=began) is None
    provider.perform(SubscriptionOrder("c1", "cancel", remote))
    assert provider.perform(asked) == Done(facts.customer) == provider.look_up(asked, since=began)
    assert provider.perform(ForgetOrder("f2", facts.customer)) == Done(facts.customer)
    assert fake_provider.thing(facts.customer) == {"id": facts.customer, "object": "customer", "deleted": True}
    again = provider.read("subscription", remote)
    assert isinstance(again, SubscriptionFacts)
    assert (again.state, again.customer) == ("ended", facts.customer)
    fake_provider.again()  # rebuilt from its log
    assert provider.look_up(asked, since=began) == Done(facts.customer)


def test_mandate_that_ends_is_seen_on_its_subscription(fake_provider: FakeProvider) -> None:
    provider = fake()
    page = provider.perform(order("k1", rhythm="quarterly", method="sepa_debit"))
    fake_provider.pay(page.remote_id)
    mandate = fake_provider.every("mandate")[0]["id"]
    first = provider.read("mandate", mandate)
    assert isinstance(first, SubscriptionFacts)
    assert (first.mandate, first.mandate_state, first.invoices[0].processing) == (mandate, "active", True)
    fake_provider.act("end_mandate", mandate)
    fake_provider.advance(days=93)
    later = provider.read("mandate", mandate)
    assert isinstance(later, SubscriptionFacts)
    assert (later.mandate, later.mandate_state) == (mandate, "inactive")
    assert later.invoices[-1].failure == "The debit was not authorised by the account's holder."


def test_payout_leaves_arrives_or_comes_back(fake_provider: FakeProvider) -> None:
    provider = fake()
    fake_provider.pay(provider.perform(order("k1")).remote_id)
    made = fake_provider.payout()
    facts = provider.read("payout", made["id"])
    assert isinstance(facts, PayoutFacts)
    assert (facts.state, facts.amount, facts.text) == ("pending", 1452, made["statement_descriptor"])
    assert [(move.kind, move.amount, move.of) for move in facts.movements] == [("payout", -1452, made["id"])]
    fake_provider.advance(days=2)
    arrived = provider.read("payout", made["id"])
    assert isinstance(arrived, PayoutFacts)
    assert (arrived.state, provider.balance("EUR")) == ("paid", 0)
    fake_provider.act("fail_payout", made["id"])
    back = provider.read("payout", made["id"])
    assert isinstance(back, PayoutFacts)
    assert (back.state, [move.kind for move in back.movements]) == ("failed", ["payout", "payout_failure"])
    assert provider.balance("EUR") == 1452


def test_end_of_month_stays_the_end_of_the_month(fake_provider: FakeProvider) -> None:
    provider = fake()
    fake_provider.stand_at(datetime(2028, 1, 31, 12, tzinfo=UTC))
    page = provider.perform(order("k1", rhythm="monthly", expires_at=datetime(2028, 1, 31, 14, tzinfo=UTC)))
    fake_provider.pay(page.remote_id)
    fake_provider.advance(days=91)
    facts = provider.read("subscription", fake_provider.subscription_of(page.remote_id))
    assert isinstance(facts, SubscriptionFacts)
    days = [bill.period_start.isoformat() for bill in facts.invoices]
    assert days == ["2028-01-31", "2028-02-29", "2028-03-31", "2028-04-30"]


def test_lists_of_many_pages_are_whole(fake_provider: FakeProvider) -> None:
    provider = fake()
    for number in range(230):
        fake_provider.act("fee", amount=number + 1)
    now = datetime.now(UTC)
    rows = list(provider.movements(now - timedelta(days=1), now + timedelta(days=1)))
    assert [row.amount for row in rows] == [-number for number in range(1, 231)]
    assert {row.kind for row in rows} == {"fee"}
    assert list(provider.movements(now + timedelta(days=1), now + timedelta(days=2))) == []


# --- decimals ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("currency", "ours", "theirs"),
    [
        ("JPY", 500, 500), ("XPF", 500, 500), ("EUR", 500, 500), ("TND", 5120, 5120), ("KWD", 10, 10),
        ("ISK", 5, 500), ("UGX", 5, 500), ("MGA", 500, 5), ("RSD", 500, 500), ("EUR", -500, -500), ("ISK", -5, -500),
    ],
)  # fmt: skip
def test_amounts_cross_the_border_without_a_factor(currency: str, ours: int, theirs: int) -> None:
    assert to_provider(ours, currency) == theirs
    assert from_provider(theirs, currency) == ours


def test_amounts_that_would_be_rounded_are_refused() -> None:
    assert [step(code) for code in ("EUR", "JPY", "TND", "MGA", "ISK", "IQD")] == [1, 1, 10, 100, 1, 10]
    for amount, currency in ((5124, "TND"), (1, "KWD"), (150, "MGA"), (1001, "IQD")):
        with pytest.raises(NotPayable):
            to_provider(amount, currency)
    assert from_provider(5124, "TND") == 5124  # a fee may be any thousandth
    with pytest.raises(ProviderError):
        from_provider(150, "ISK")


@pytest.mark.parametrize(
    ("currency", "ours", "fee"), [("JPY", 500, 38), ("EUR", 500, 33), ("TND", 5120, 327), ("ISK", 500, 33)]
)
def test_a_payment_of_any_currency_comes_back_as_it_was_asked(
    fake_provider: FakeProvider, currency: str, ours: int, fee: int
) -> None:
    provider = fake()
    if currency == "ISK":
        fake_provider.settings(rates={"isk": "0.01"})  # it has no hundredths to hold a fee in
    page = provider.perform(order("k1", parts=(("Soup", ours),), currency=currency))
    charge = fake_provider.pay(page.remote_id)["id"]
    facts = provider.read("payment", charge)
    assert isinstance(facts, PaymentFacts)
    move = facts.movements[0]
    assert (facts.amount, facts.currency, move.fee) == (ours, currency, fee)
    if currency == "ISK":
        assert (move.amount, move.currency, move.original_amount, move.original_currency) == (500, "EUR", 500, "ISK")
    else:
        assert (move.amount, move.currency, move.original_amount) == (ours, currency, None)
    provider.perform(RefundOrder("r1", "prf_1", charge, ours, currency))
    assert provider.balance(move.currency) == -fee


def test_a_conversion_keeps_both_amounts_and_its_rate(fake_provider: FakeProvider) -> None:
    provider = fake()
    fake_provider.settings(rates={"jpy": "0.0061", "tnd": "0.295"})
    page = provider.perform(order("k1", parts=(("Soup", 500),), currency="JPY"))
    charge = fake_provider.pay(page.remote_id)["id"]
    provider.perform(RefundOrder("r1", "prf_1", charge, 200, "JPY"))
    facts = provider.read("payment", charge)
    assert isinstance(facts, PaymentFacts)
    assert (facts.amount, facts.currency) == (500, "JPY")
    told = [(move.amount, move.currency, move.original_amount, move.original_currency) for move in facts.movements]
    assert told == [(305, "EUR", 500, "JPY"), (-122, "EUR", -200, "JPY")]
    assert {move.rate for move in facts.movements} == {Decimal("0.0061")}
    now = datetime.now(UTC)
    assert tuple(provider.movements(now - timedelta(days=1), now + timedelta(days=1))) == facts.movements
