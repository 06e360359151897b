"""What the world of the matrix holds of receipts: a surplus, a payment, a refund, a cheque and a deposit."""

from typing import TYPE_CHECKING

from backend.identity.services import host_day
from backend.payments.models import Payment
from backend.payments.papers import prepare_deposit, record_paper
from backend.payments.refunds import refund_payment
from backend.payments.services import receive_transfer
from backend.pledges.models import Pledge

if TYPE_CHECKING:
    from tests.rights.world import House


def add_receipts(house: "House") -> None:
    """Add them, all of one's own commons and organisation."""
    played, now = house.played, house.now
    claire, today = played.users["claire"], host_day(now)
    pledge = Pledge.objects.select_related("budget").get(pk=house.things["pledge"]["own"]["pledge_id"])
    over = receive_transfer(
        pledge=pledge, amount=pledge.expected + 7_00, source=f"line:{played.account.pk}:over",
        purse=("suspense", played.account.pk), received_on=today, actor=None, now=now,
    )  # fmt: skip
    assert over.surplus is not None
    other = Pledge.objects.get(pk=house.things["pledge"]["foreign"]["pledge_id"])
    papers = [
        record_paper(
            actor=claire, pledge_id=other.pk, account_id=played.account.pk, kind="cheque", amount=1_00,
            number=str(turn), received_on=today, form_key=f"paper-{turn}", now=now,
        )
        for turn in range(2)
    ]  # fmt: skip
    deposit = prepare_deposit(
        actor=claire, account_id=played.account.pk, kind="cheque", paper_ids=[papers[1].pk], slip="7", form_key="dep",
        now=now,
    )  # fmt: skip
    payment = Payment.objects.get(pk=over.payments[0].pk)
    refund = refund_payment(
        actor=claire, payment_id=payment.pk, amount=1_00, name="La Fabrique du Port", reason="paid twice",
        iban="FR7630006000011234567890189", form_key="refund", now=now,
    )  # fmt: skip
    house.things |= {
        "surplus": {"own": {"surplus_id": over.surplus.pk}},
        "payment": {"own": {"payment_id": payment.pk}},
        "refund": {"own": {"refund_id": refund.pk}},
        "paper": {"own": {"paper_id": papers[0].pk}},
        "deposit": {"own": {"deposit_id": deposit.pk}},
    }
