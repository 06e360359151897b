"""What is asked of the provider: a row, the network, a row; whatever is lost on the way, it is done once."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest

from backend.core.errors import Conflict, Forbidden, Invalid
from backend.payments.asking import ask_due, poll_due
from backend.payments.checkouts import start_checkout
from backend.payments.models import Checkout, Operation, Payment
from backend.payments.operations import KEY_LIVES, carry_out, give_up, look_again
from backend.pledges.models import Instalment
from backend.pledges.services import cancel_pledge
from tests.concurrency import at_once
from tests.payments.flow import BACK, agree, begin, open_page, tell
from tests.payments.money import a_pledge, bank_says
from tests.payments.provider import FakeProvider, fake_provider

__all__ = ["fake_provider"]

Play = Callable[..., Any]
PAGES = "POST /v1/checkout/sessions$"


def wanted(world: Any, fake: FakeProvider, key: str = "k") -> Checkout:
    """Ana wants a page; nothing is asked yet."""
    begin(world, fake)
    pledge = a_pledge(world, 40_00, key)
    return start_checkout(
        actor=world.users["ana"], code="", group=pledge.group, method="card", language="fr", return_url=BACK,
        now=world.now,
    )  # fmt: skip


def sessions(fake: FakeProvider) -> int:
    """How many pages the provider made."""
    return len(fake.every("checkout.session"))


def settle(fake: FakeProvider, page: Checkout, turns: int = 12) -> str:
    """Sweeps for a while; gives the state of the operation."""
    for _turn in range(turns):
        fake.advance(minutes=5)
        ask_due(fake.now())
    page.refresh_from_db()
    return str(Operation.objects.get(pk=page.operation_id).state)


@pytest.mark.parametrize("kind", ["cut", "late", "drop", "500", "503", "429", "409"])
@pytest.mark.parametrize("times", [1, 3])
def test_whatever_is_lost_one_page_is_opened(
    kind: str, times: int, play: Play, fake_provider: FakeProvider, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("backend.payments.providers.stripe.TIMEOUT", 1)
    world = play("make_house")
    page = wanted(world, fake_provider)
    fake_provider.fault(PAGES, kind, times=times, seconds=2 if kind == "late" else 0, effect=kind == "500")
    row = carry_out(operation_id=page.operation_id, now=world.now)
    assert row.state in {"ready", "unknown"}
    assert carry_out(operation_id=page.operation_id, now=world.now).attempts == 1  # not before its time
    assert settle(fake_provider, page) == "done"
    assert sessions(fake_provider) == 1
    assert (page.state, page.remote_id) == ("open", fake_provider.every("checkout.session")[0]["id"])
    keys = {one for one in fake_provider.server.engine.books.keys if one.startswith("checkout:")}
    assert len(keys) == 1  # never another key


def test_how_long_it_is_left_alone_is_what_it_asked(play: Play, fake_provider: FakeProvider) -> None:
    world = play("make_house")
    page = wanted(world, fake_provider)
    fake_provider.fault(PAGES, "429", seconds=900)
    row = carry_out(operation_id=page.operation_id, now=world.now)
    assert (row.state, row.next_try_at) == ("ready", world.now + timedelta(seconds=900))
    assert ask_due(world.now + timedelta(seconds=899)) == 0
    assert ask_due(world.now + timedelta(seconds=901)) == 1


def test_after_the_life_of_its_key_it_is_only_looked_for(play: Play, fake_provider: FakeProvider) -> None:
    """Fault 20: the key is pruned at the provider; sent again, it would be done twice."""
    world = play("make_house")
    page = wanted(world, fake_provider)
    fake_provider.fault(PAGES, "500", effect=False)
    carry_out(operation_id=page.operation_id, now=world.now)
    fake_provider.advance(hours=25)
    for _turn in range(30):
        fake_provider.advance(minutes=5)
        ask_due(fake_provider.now())
    row = Operation.objects.get()
    assert (row.state, sessions(fake_provider)) == ("unknown", 0)
    assert fake_provider.now() - world.now > KEY_LIVES
    claire = world.users["claire"]
    assert look_again(actor=claire, operation_id=row.pk, now=fake_provider.now()).state == "unknown"
    with pytest.raises(Forbidden):
        give_up(actor=world.users["ana"], operation_id=row.pk, reason="x", now=fake_provider.now())
    with pytest.raises(Invalid):
        give_up(actor=claire, operation_id=row.pk, reason=" ", now=fake_provider.now())
    given = give_up(actor=claire, operation_id=row.pk, reason="nothing there", now=fake_provider.now())
    assert (given.state, given.given_up_by) == ("given_up", claire)
    page.refresh_from_db()
    assert page.state == "failed"
    with pytest.raises(Conflict):
        give_up(actor=claire, operation_id=row.pk, reason="again", now=fake_provider.now())
    again = open_page(world, Instalment.objects.get().pledge, fake_provider.now())
    assert (again.state, again.operation.key == row.key) == ("open", False)


def test_a_lost_answer_is_found_after_the_life_of_its_key(play: Play, fake_provider: FakeProvider) -> None:
    world = play("make_house")
    page = wanted(world, fake_provider)
    fake_provider.fault(PAGES, "cut")
    carry_out(operation_id=page.operation_id, now=world.now)
    Operation.objects.update(next_try_at=fake_provider.advance(hours=30))
    ask_due(fake_provider.now())
    page.refresh_from_db()
    assert (Operation.objects.get().state, page.remote_id != "", sessions(fake_provider)) == ("done", True, 1)


def test_two_workers_send_one_request(committed: str, play: Play, fake_provider: FakeProvider) -> None:
    world = play("make_house")
    page = wanted(world, fake_provider)
    at_once(lambda _number: carry_out(operation_id=page.operation_id, now=world.now), 6)
    assert (sessions(fake_provider), Operation.objects.get().attempts) == (1, 1)


def test_two_clicks_open_one_page(committed: str, play: Play, fake_provider: FakeProvider) -> None:
    world = play("make_house")
    begin(world, fake_provider)
    pledge = a_pledge(world, 40_00, "k")
    pages = at_once(lambda _number: open_page(world, pledge, world.now).pk, 6)
    assert len(set(pages)) == 1
    assert (sessions(fake_provider), Checkout.objects.count()) == (1, 1)


def test_who_dies_after_asking_leaves_a_row_that_is_looked_up(
    play: Play, fake_provider: FakeProvider, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Killed between the answer and its writing: the provider has a page, the row says only that it was sent."""
    world = play("make_house")
    page = wanted(world, fake_provider)

    class Killed(BaseException):
        pass

    def die(name: str) -> None:
        if name == "operation.answered":
            raise Killed

    with monkeypatch.context() as patch:
        patch.setattr("backend.payments.operations.failpoint", die)
        with pytest.raises(Killed):
            carry_out(operation_id=page.operation_id, now=world.now)
    assert Operation.objects.get().state == "sent"
    assert ask_due(world.now + timedelta(seconds=59)) == 0  # whoever sent it may still be at it
    assert ask_due(world.now + timedelta(seconds=61)) == 1
    assert (Operation.objects.get().state, sessions(fake_provider)) == ("done", 1)


def test_a_refusal_is_told_and_another_attempt_has_another_key(play: Play, fake_provider: FakeProvider) -> None:
    world = play("make_house")
    page = wanted(world, fake_provider)
    Checkout.objects.filter(pk=page.pk).update(expires_at=world.now)
    fake_provider.advance(days=2)  # the page would end before it is opened
    row = carry_out(operation_id=page.operation_id, now=fake_provider.now())
    page.refresh_from_db()
    assert (row.state, page.state) == ("refused", "failed")
    assert page.failure != ""
    again = open_page(world, Instalment.objects.get().pledge, fake_provider.now())
    assert (again.state, sessions(fake_provider)) == ("open", 1)
    assert len(set(Operation.objects.values_list("key", flat=True))) == 2


def test_a_page_is_closed_when_a_transfer_pays(committed: str, play: Play, fake_provider: FakeProvider) -> None:
    world = play("make_house")
    begin(world, fake_provider)
    pledge = a_pledge(world, 40_00, "k")
    page = open_page(world, pledge, world.now)
    bank_says(world, 1, 0, (40_00, "Fabrique", pledge.reference))
    ask_due(world.now)
    ask_due(world.now)
    page.refresh_from_db()
    assert (page.state, fake_provider.thing(page.remote_id)["status"]) == ("expired", "expired")
    assert list(Operation.objects.filter(kind="expire").values_list("state", flat=True)) == ["done"]
    assert Payment.objects.get().method == "bank_transfer"
    assert agree(fake_provider)


def test_a_page_of_a_cancelled_pledge_is_closed(play: Play, fake_provider: FakeProvider) -> None:
    world = play("make_house")
    begin(world, fake_provider)
    pledge = a_pledge(world, 40_00, "k")
    page = open_page(world, pledge, world.now)
    cancel_pledge(actor=world.users["ana"], pledge_id=pledge.pk, now=world.now)
    ask_due(world.now)
    page.refresh_from_db()
    assert page.state == "expired"


def test_what_no_event_told_is_looked_at_within_the_hour(
    committed: str, play: Play, fake_provider: FakeProvider
) -> None:
    """Fault 27: the events never come."""
    world = play("make_house")
    begin(world, fake_provider)
    card = open_page(world, a_pledge(world, 40_00, "k"), world.now)
    debit = open_page(world, a_pledge(world, 30_00, "d"), world.now, "sepa_debit")
    left = open_page(world, a_pledge(world, 20_00, "l"), world.now)
    fake_provider.pay(card.remote_id)
    taken = fake_provider.pay(debit.remote_id)
    fake_provider.lose()
    assert poll_due(fake_provider.advance(minutes=59)) == 0
    assert poll_due(fake_provider.advance(minutes=2)) == 3
    assert Payment.objects.get().amount == 40_00
    assert sorted(Instalment.objects.values_list("amount", "state")) == [
        (20_00, "called"), (30_00, "pending"), (40_00, "received"),
    ]  # fmt: skip
    assert poll_due(fake_provider.now()) == 0
    fake_provider.fail(taken["id"])
    fake_provider.lose()
    poll_due(fake_provider.advance(hours=2))
    for page in (card, debit, left):
        page.refresh_from_db()
    assert (card.state, debit.state, left.state) == ("paid", "failed", "expired")
    assert Instalment.objects.get(amount=30_00).state == "failed"
    assert agree(fake_provider)


def test_without_a_provider_nothing_is_asked(play: Play, settings: Any) -> None:
    world = play("make_house")
    settings.PROVIDER = ""
    pledge = a_pledge(world, 40_00, "k")
    with pytest.raises(Conflict, match="transfer"):
        open_page(world, pledge, world.now)
    assert (ask_due(world.now), poll_due(world.now), Checkout.objects.count()) == (0, 0, 0)


def test_a_debit_on_its_way_books_nothing_until_it_came(
    committed: str, play: Play, fake_provider: FakeProvider
) -> None:
    world = play("make_house")
    begin(world, fake_provider)
    page = open_page(world, a_pledge(world, 30_00, "d"), world.now, "sepa_debit")
    charge = fake_provider.pay(page.remote_id)
    tell(fake_provider)
    page.refresh_from_db()
    assert (page.state, Payment.objects.count(), Instalment.objects.get().state) == ("processing", 0, "pending")
    fake_provider.settle(charge["id"])
    tell(fake_provider)
    page.refresh_from_db()
    assert (page.state, Payment.objects.get().method, Instalment.objects.get().state) == (
        "paid", "sepa_debit", "received",
    )  # fmt: skip
    fake_provider.fail(charge["id"], fee=350)
    tell(fake_provider, times=2)
    assert (Payment.objects.get().state, Instalment.objects.get().state) == ("lost", "called")
    page.refresh_from_db()
    assert page.state == "paid"
    assert agree(fake_provider)
