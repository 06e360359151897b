"""What the tests of payments by card do: open a page, pay there, let events and sweeps come, look at the whole."""

from datetime import datetime
from typing import Any

from backend.ledger.services import balance
from backend.operations import demo
from backend.operations.selfcheck import check
from backend.payments.asking import ask_due
from backend.payments.checkouts import start_checkout
from backend.payments.models import Checkout, Movement, Notice, Operation, Payment, ProviderPayout, Subscription
from backend.payments.notices import receive_notice, treat_notices
from backend.payments.operations import carry_out
from backend.pledges.models import Instalment, Pledge
from backend.pledges.services import Terms
from tests.payments.money import a_pledge
from tests.payments.provider import FakeProvider

BACK = "http://localhost/en/pledges/x/payment/"


def begin(world: Any, fake: FakeProvider) -> None:
    """The provider's clock stands at the world's; from here on `fake.advance` moves it."""
    fake.stand_at(world.now)


def open_page(world: Any, pledge: Pledge, now: datetime, method: str = "card") -> Checkout:
    """Ana asks for a payment page, and the provider opens it."""
    made = start_checkout(
        actor=world.users["ana"], code="", group=pledge.group, method=method, language="fr", return_url=BACK, now=now
    )
    carry_out(operation_id=made.operation_id, now=now)
    made.refresh_from_db()
    return made


def monthly(world: Any, amount: int, key: str = "month") -> Pledge:
    """Ana promises this each month for her organisation."""
    return a_pledge(world, amount, key, Terms(rhythm="monthly"))


def tell(fake: FakeProvider, **how: Any) -> int:
    """Deliver the waiting events and treat them; returns how many were delivered."""
    sent = fake.deliver(lambda body, signature: receive_notice(body=body, signature=signature, now=fake.now()), **how)
    treat_notices(fake.now())
    return sent


def work(fake: FakeProvider) -> None:
    """One turn of the sweeps that speak with the provider, then the events that this makes."""
    ask_due(fake.now())
    tell(fake)


def held() -> int:
    """What the books say that the provider holds, in cents."""
    return balance(kind="clearing", owner="fake", currency="EUR")


def agree(fake: FakeProvider) -> bool:
    """Whether the provider's log and the books agree to the cent, and the self-check finds nothing."""
    return held() == fake.net() and [str(one) for one in check(sealing=False)] == []


def whole() -> dict[str, Any]:
    """All that a permutation of events must leave the same: states and amounts, without ids and moments."""
    return {
        "checkouts": sorted(Checkout.objects.values_list("state", "method", "amount")),
        "subscriptions": list(Subscription.objects.order_by("remote_id").values_list("state", "failures")),
        "instalments": list(Instalment.objects.order_by("pledge", "number").values_list("number", "state", "received")),
        "pledges": list(Pledge.objects.order_by("pk").values_list("state", "means", "received")),
        "payments": sorted(Payment.objects.values_list("source", "amount", "state", "taken_back")),
        "movements": sorted(Movement.objects.values_list("remote_id", "kind", "amount", "fee", "state")),
        "payouts": sorted(ProviderPayout.objects.values_list("remote_id", "state", "amount")),
        "operations": sorted(Operation.objects.values_list("kind", "state")),
        "waiting": Notice.objects.filter(state__in=["waiting", "stuck"]).count(),
    }


def sweep(world: Any, fake: FakeProvider) -> None:
    """Everything in the background, at the provider's moment."""
    demo.sweep(fake.now())
