"""What the world of the matrix holds of card and debit payments: pages, a subscription, a charge, what waits there."""

from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from backend.core.ids import new_id
from backend.identity.services import host_day
from backend.payments.helloasso import import_export
from backend.payments.helloasso_plan import Choices
from backend.payments.models import Checkout, Movement, Operation, Subscription
from backend.payments.movements import book_movement
from backend.payments.provider_refunds import ask_refund
from backend.payments.providers.base import MovementFacts, PaymentFacts
from backend.pledges.donations import gift_of
from backend.pledges.models import Pledge
from backend.pledges.services import Terms, make_pledge

if TYPE_CHECKING:
    from tests.rights.world import House

PROVIDER = "fake"


def add_provider(house: "House") -> None:
    """Add them: in each place a monthly pledge paid by card, a gift, a charge, and what a treasurer finds waiting."""
    played, now = house.played, house.now
    places = {
        "own": (played.users["ana"], played.budget, played.organisation),
        "foreign": (house.otto, played.budget, house.roof),
        "other": (house.otto, house.pot, house.roof),
    }
    paid: dict[str, dict[str, str]] = {}
    pages: dict[str, dict[str, str]] = {}
    for which, (actor, budget, organisation) in places.items():
        pledge = make_pledge(
            actor=actor, budget=budget, organisation=organisation, amount=30_00, currency="EUR",
            form_key=f"card-{which}", terms=Terms(rhythm="monthly"), now=now,
        )  # fmt: skip
        page = _followed(pledge, which, now)
        paid[which], pages[which] = {"pledge_id": pledge.pk}, {"pledge_id": pledge.pk, "payment_id": page.pk}
    given = _followed(gift_of(house.things["gift"]["own"]["code"]), "gift", now)
    charged = Pledge.objects.get(pk=paid["own"]["pledge_id"])
    movement = _charge(house, "ch_rights", charged.group)
    unknown = _charge(house, "ch_nobody", "")
    refund = ask_refund(
        actor=played.users["claire"], charge="ch_rights", amount=1_00, reason="asked twice", form_key="by provider",
        now=now,
    )  # fmt: skip
    assert (movement.state, unknown.state) == ("booked", "reported")
    house.things |= {
        "card pledge": paid,
        "card payment": pages,
        "gift payment": {"own": {"payment_id": given.pk}, "other": {"payment_id": pages["own"]["payment_id"]}},
        "helloasso import": {"own": {"import_id": _helloasso(house)}},
        "operation": {"own": {"operation_id": Operation.objects.filter(state="unknown").order_by("pk")[0].pk}},
        "movement": {"own": {"movement_id": unknown.pk}},
        "hook": {"own": {"provider": "nobody"}},
        "charge": {"own": {"charge": "ch_rights"}},
        "provider refund": {"own": {"refund_id": refund.pk}},
    }


def _helloasso(house: "House") -> str:
    """Claire imported an export with one gift."""
    data = "Référence du paiement;Montant total;Date du paiement\n77;5,00;01/10/2026\n".encode()
    made = import_export(
        actor=house.played.users["claire"], data=data, choices=Choices(campaigns={"": house.played.budget.pk}),
        file_name="helloasso.csv", form_key="helloasso", now=house.now,
    )  # fmt: skip
    return made.pk


def _followed(pledge: Pledge, key: str, now: datetime) -> Checkout:
    """A payment page that failed, whose answer had been lost, and payments that follow by themselves since."""
    operation = Operation.objects.create(
        id=new_id("opn"), provider=PROVIDER, kind="checkout", key=f"rights:{key}", request={}, state="unknown",
        first_sent_at=now, next_try_at=now, created_at=now,
    )  # fmt: skip
    Subscription.objects.create(
        id=new_id("sub"), provider=PROVIDER, remote_id=f"sub_{key}", customer=f"cus_{key}", group=pledge.group,
        method="card", synced_at=now, created_at=now,
    )  # fmt: skip
    return Checkout.objects.create(
        id=new_id("cko"), group=pledge.group, operation=operation, recurring=True, method="card", amount=30_00,
        currency="EUR", state="failed", created_at=now, expires_at=now + timedelta(days=1), finished_at=now,
    )  # fmt: skip


def _charge(house: "House", charge: str, group: str) -> Movement:
    """A payment of 30 € that the provider took, with a fee of 0.50 €."""
    facts = MovementFacts(
        remote_id=f"txn_{charge}", kind="charge", amount=30_00, fee=50, currency="EUR", happened_at=house.now,
        available_on=host_day(house.now), of=charge, charge=charge,
    )  # fmt: skip
    payment = PaymentFacts(
        remote_id=f"pi_{charge}", charge=charge, state="succeeded", amount=30_00, currency="EUR", method="card",
        created_at=house.now, group=group, movements=(facts,),
    )  # fmt: skip
    return book_movement(provider=PROVIDER, facts=facts, payment=payment, told_by="event", now=house.now)
