"""The money of a card, from the payer's page to the line of the bank, with the provider's own log beside the books."""

from collections.abc import Callable
from typing import Any

from backend.banking.explaining import explain
from backend.operations import demo
from backend.payments.models import Dispute, Movement, Payment, ProviderPayout, ProviderRefund
from backend.payments.operations import carry_out
from backend.payments.provider_refunds import approve_refund, ask_refund
from tests.payments.flow import agree, begin, held, open_page, tell
from tests.payments.money import a_pledge, bank_says
from tests.payments.provider import FakeProvider, fake_provider
from tests.payments.provider_money import faults, purses

__all__ = ["fake_provider"]
Play = Callable[..., Any]


def there(fake: FakeProvider) -> int:
    """What the provider’s log says that it holds or sent to the bank, in cents."""
    sent = sum(-row["net"] for row in fake.every("balance_transaction") if row["reporting_category"] == "payout")
    return fake.net() + sent


def test_paid_disputed_won_given_back_in_part_and_sent_to_the_bank(
    committed: str, play: Play, fake_provider: FakeProvider
) -> None:
    world = play("make_house")
    begin(world, fake_provider)
    pledge = a_pledge(world, 100_00, "k")
    page = open_page(world, pledge, world.now)
    charge = fake_provider.pay(page.remote_id)
    tell(fake_provider)
    payment = Payment.objects.get()
    assert (payment.charge, payment.amount, payment.state) == (charge["id"], 100_00, "succeeded")
    kept = payment.provider_fee
    assert kept > 0
    assert purses(world) == {
        "clearing": 100_00 - kept, "provider_fees": kept, "budget": 95_00, "host_fees": 5_00,
    }  # fmt: skip
    assert agree(fake_provider)

    dispute = fake_provider.dispute(charge["id"], fee=15_00)
    tell(fake_provider, times=3, shuffle=7)
    payment.refresh_from_db()
    assert (payment.state, payment.taken_back, Dispute.objects.get().state) == ("disputed", 100_00, "opened")
    assert (purses(world).get("budget", 0), held()) == (0, -kept - 15_00)
    fake_provider.close(dispute["id"], won=True)
    tell(fake_provider, times=3, shuffle=8)
    payment.refresh_from_db()
    assert (payment.state, payment.taken_back, Dispute.objects.get().state) == ("won", 0, "won")
    assert agree(fake_provider)

    asked = ask_refund(
        actor=world.users["claire"], charge=charge["id"], amount=40_00, reason="a mistake", form_key="f",
        now=fake_provider.now(),
    )  # fmt: skip
    approved = approve_refund(actor=world.users["denis"], refund_id=asked.pk, now=fake_provider.now())
    assert approved.operation is not None
    carry_out(operation_id=approved.operation.pk, now=fake_provider.now())
    carry_out(operation_id=approved.operation.pk, now=fake_provider.now())
    tell(fake_provider, times=2)
    assert (ProviderRefund.objects.get().state, len(fake_provider.every("refund"))) == ("done", 1)
    assert (purses(world)["budget"], purses(world)["host_fees"]) == (57_00, 3_00)
    assert agree(fake_provider)

    before = held()
    fake_provider.advance(days=8)
    fake_provider.payout()
    tell(fake_provider)
    payout = ProviderPayout.objects.get()
    assert (payout.state, held(), there(fake_provider)) == ("sent", before, before)
    assert payout.amount == before
    world.now = fake_provider.now()
    line = bank_says(world, 1, 0, (payout.amount, "PRESTATAIRE", f"VIR {payout.text or payout.remote_id}"))
    payout.refresh_from_db()
    assert (line.state, payout.state, held(), explain()) == ("matched", "settled", 0, [])
    assert set(Movement.objects.values_list("state", flat=True)) == {"booked"}
    assert faults() == []
    demo.sweep(fake_provider.now())
    assert faults() == []
