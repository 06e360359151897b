"""A hundred euros from a pledge to a reconciled bank line: through services, then through HTTP with real processes."""

from collections.abc import Callable
from typing import Any

from backend.banking.models import BankLine
from backend.contributions.models import Contribution
from backend.ledger.services import balance, balances, trial_balance
from backend.payouts.models import PayoutBatch


def test_the_journey_through_services(play: Callable[..., Any]) -> None:
    world = play("settle")
    budget, account = world.budget.pk, world.account.pk
    assert balance(kind="bank", owner=account, currency="EUR") == 142_50 - 95_00
    assert balance(kind="budget", owner=budget, currency="EUR") == 0
    assert balance(kind="host_fees", owner=world.host.pk, currency="EUR") == 5_00
    assert balance(kind="suspense", owner=account, currency="EUR") == 42_50
    assert balance(kind="in_transit", owner=account, currency="EUR") == 0
    assert set(balances(kind="payee").values()) == {0}
    rows = {row.chart: row.balance for row in trial_balance()}
    assert rows == {"401": 0, "471": -42_50, "512": 47_50, "58": 0, "6226": 95_00, "706": -5_00, "7541": -95_00}
    assert sum(rows.values()) == 0
    given = {c.contributor.name: c.settled_amount for c in Contribution.objects.select_related("contributor")}
    assert given == {"Bo Nguyen": 57_00, "Camille Faure": 38_00}
    assert PayoutBatch.objects.get().state == "settled"
    assert sorted(BankLine.objects.values_list("state", flat=True)) == ["matched", "matched", "matched", "suggested"]
