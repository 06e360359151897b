"""What a pot owes below its smallest payment waits for more; it is never lost, and a pot that is over pays it all."""

from typing import Any

import pytest

from backend.core.errors import Conflict
from backend.distributions.models import Share
from backend.payees.services import set_account
from backend.payouts.models import Payout
from backend.payouts.services import payable_shares, prepare_batch, waiting_shares
from tests.distributions.pots import Pots
from tests.papers import document_all


@pytest.fixture
def pots(play: Any) -> Pots:
    """A house where pots can be opened."""
    return Pots(play("make_house"))


def owe(pots: Pots, distribution: Any) -> None:
    """Approve a distribution; who is owed hands over their documents."""
    pots.approve(distribution)
    document_all(pots.now)


def names(pots: Pots, shares: list[Share]) -> list[tuple[str, int]]:
    """(name, minor units) of shares."""
    return [(pots.names()[one.contributor_id], one.amount) for one in shares]


def test_small_debts_wait_until_they_are_worth_a_payment(pots: Pots) -> None:
    budget = pots.pot("Seuil", "bo", "camille", minimum_payout=10_00)
    pots.fund(budget, 50_00)
    pots.work(budget, "bo", 40_00)
    pots.work(budget, "camille", 6_40)
    owe(pots, pots.close(budget))
    assert names(pots, payable_shares(currency="EUR")) == [("bo", 40_00)]
    waiting = waiting_shares(currency="EUR")
    assert [(pots.names()[share.contributor_id], why) for share, why in waiting] == [("camille", "below_minimum")]
    batch = prepare_batch(actor=pots.person("claire"), account_id=pots.world.account.pk, now=pots.now)
    assert batch.total == 40_00
    with pytest.raises(Conflict) as refusal:
        prepare_batch(actor=pots.person("claire"), account_id=pots.world.account.pk, now=pots.now)
    assert refusal.value.code == "nothing_to_pay"
    # 6.40 and 3.00 are 9.40: still due.
    for before, amount, paid, carried, payable in ((6_40, 3_00, 0, 9_40, 0), (9_40, 60, 10_00, 0, 3)):
        pots.pass_days(30)
        pots.work(budget, "camille", amount)
        made = pots.close(budget)
        assert made.inputs["owed"] == {pots.person("camille").pk: before}
        assert made.trace is not None
        (row,) = made.trace["settle"]
        assert (row["before"], row["credited"], row["paid"], row["carried"]) == (before, amount, paid, carried)
        owe(pots, made)
        assert len(payable_shares(currency="EUR")) == payable
    assert names(pots, payable_shares(currency="EUR")) == [("camille", 6_40), ("camille", 3_00), ("camille", 60)]
    prepare_batch(actor=pots.person("claire"), account_id=pots.world.account.pk, now=pots.now)
    assert list(Payout.objects.order_by("id").values_list("amount", flat=True)) == [40_00, 10_00]
    assert waiting_shares(currency="EUR") == []


def test_what_another_pot_owes_does_not_help(pots: Pots) -> None:
    for name in ("Un", "Deux"):
        budget = pots.pot(name, "camille", minimum_payout=10_00)
        pots.fund(budget, 20_00)
        pots.work(budget, "camille", 6_00)
        owe(pots, pots.close(budget))
    assert payable_shares(currency="EUR") == []
    assert len(waiting_shares(currency="EUR")) == 2


@pytest.mark.parametrize("state", ["closed", "archived"])
def test_a_pot_that_is_over_pays_whatever_the_amount(pots: Pots, state: str) -> None:
    budget = pots.pot("Fini", "camille", minimum_payout=10_00)
    pots.fund(budget, 20_00)
    pots.work(budget, "camille", 6_00)
    owe(pots, pots.close(budget))
    assert payable_shares(currency="EUR") == []
    budget.state = state
    budget.save(update_fields=["state"])
    assert names(pots, payable_shares(currency="EUR")) == [("camille", 6_00)]
    assert waiting_shares(currency="EUR") == []


def test_who_gave_no_account_is_listed_and_not_paid(pots: Pots) -> None:
    budget = pots.pot("Sans compte", "eve")
    pots.fund(budget, 20_00)
    pots.work(budget, "eve", 6_00)
    owe(pots, pots.close(budget))
    assert names(pots, payable_shares(currency="EUR")) == [("eve", 6_00)]
    set_account(actor=pots.person("eve"), name="Eve", iban="FR1420041010050500013M02606", now=pots.now)
    with pytest.raises(Conflict) as refusal:  # a new account waits three days
        prepare_batch(actor=pots.person("claire"), account_id=pots.world.account.pk, now=pots.now)
    assert refusal.value.code == "nothing_to_pay"
    pots.pass_days(3)
    prepare_batch(actor=pots.person("claire"), account_id=pots.world.account.pk, now=pots.now)
    assert Payout.objects.get().amount == 6_00
