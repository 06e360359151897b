"""The whole of permissions.ACTIONS, role by role, in one's own and in a foreign scope, against matrix.toml."""

import tomllib
from typing import Any

import pytest

from backend.core.errors import Forbidden
from backend.identity.models import Role
from backend.identity.permissions import ACTIONS, EVERYBODY, counting, dormant, may, require
from backend.operations import demo
from tests.rights.matrix import FILE
from tests.rights.world import House, person
from tests.treasurers import make_treasurer

TABLE: dict[str, str] = tomllib.loads(FILE.read_text("utf-8"))["actions"]
KINDS = [kind for kind, _label in Role.KINDS]
OF_THE_HOST = {"treasurer", "auditor", "administrator"}


def roles_of(action: str, which: str) -> set[str]:
    """The roles that the table lets do an action, in one's own or in a foreign scope: there, only those of the host.

    `everybody` is every role, and none.
    """
    named = set(TABLE[action].split())
    if named == {"everybody"}:
        return {*KINDS, "outsider"}
    return named if which == "own" else named & OF_THE_HOST


def test_every_action_has_its_row_and_every_row_its_action() -> None:
    assert sorted(set(ACTIONS) - set(TABLE)) == [], "actions without a row in matrix.toml"
    assert sorted(set(TABLE) - set(ACTIONS)) == [], "rows of matrix.toml without an action"
    for action, named in TABLE.items():
        assert set(named.split()) <= {*KINDS, EVERYBODY}, action


def scopes(house: House, which: str) -> list[str]:
    """The organisation and the budget of an act: where the roles of these tests are held, or elsewhere."""
    played = house.played
    return [played.organisation.pk, played.budget.pk] if which == "own" else [house.roof.pk, house.pot.pk]


@pytest.fixture(scope="module")
def holders(house: House) -> dict[str, Any]:
    """Somebody for each kind of role, with a second factor, who holds that role alone; and somebody with none."""
    found = {}
    for kind in KINDS:
        found[kind] = person(f"only-{kind}", kind, strong=True)
        place = (
            house.played.host.pk if kind in OF_THE_HOST
            else house.played.organisation.pk if kind.startswith("organisation") else house.played.budget.pk
        )  # fmt: skip
        if kind == "treasurer":
            make_treasurer(found[kind], now=house.now)
        else:
            Role.objects.create(user=found[kind], kind=kind, scope=place, created_at=house.now)
    found["outsider"] = person("only-nobody", "Nobody")
    return found


@pytest.mark.parametrize("action", sorted(ACTIONS))
def test_who_may_do_it(house: House, holders: dict[str, Any], action: str) -> None:
    for which in ("own", "foreign"):
        allowed = {kind for kind, user in holders.items() if may(user, action, scopes=scopes(house, which))}
        assert allowed == roles_of(action, which), which
        for kind, user in holders.items():
            if kind not in allowed:
                with pytest.raises(Forbidden) as refusal:
                    require(user, action, scopes=scopes(house, which))
                assert refusal.value.code == "not_allowed"


def test_the_administrator_decides_nothing_over_money() -> None:
    money = {
        "distribution.approve", "distribution.arbitrate", "batch.prepare", "batch.approve", "batch.download",
        "bank.read", "bank.import", "bank.match", "ledger.read", "month.lock", "opening.decide", "transfer.decide",
        "period.close", "pledge.make", "pledge.record", "contribution.record", "contribution.review",
    }  # fmt: skip
    assert money <= set(ACTIONS)
    assert not [action for action in money if "administrator" in ACTIONS[action]]
    assert not [action for action in ACTIONS if "auditor" in ACTIONS[action] and not action.endswith(READS)]


# What an auditor may do beyond reading: stop a payment or a change of account that looks wrong.
READS = (".read", ".read_all", "host.stop")


@pytest.mark.parametrize("kinds", [{"auditor", "steward", "treasurer"}, {"administrator", "auditor"}])
def test_a_strong_role_sleeps_without_a_factor_and_wakes_with_it(house: House, kinds: set[str]) -> None:
    user = person("sleeper-" + "-".join(sorted(kinds)), "Sleeper")
    for kind in sorted(kinds):
        if kind == "treasurer":
            make_treasurer(user, now=house.now)
            continue
        place = house.played.budget.pk if kind == "steward" else house.played.host.pk
        Role.objects.create(user=user, kind=kind, scope=place, created_at=house.now)
    Role.objects.create(user=user, kind="contributor", scope=house.played.budget.pk, created_at=house.now)
    places = scopes(house, "own")
    assert (set(counting(user).values_list("kind", flat=True)), dormant(user)) == ({"contributor"}, kinds)
    asleep = {action for action in ACTIONS if not may(user, action, scopes=places)}
    for action in asleep:
        waits = bool(ACTIONS[action] & kinds)
        with pytest.raises(Forbidden) as refusal:
            require(user, action, scopes=places)
        assert refusal.value.code == ("second_factor_missing" if waits else "not_allowed"), action
    demo.give_factor(user)
    assert dormant(user) == set()
    assert {action for action in asleep if may(user, action, scopes=places)} == {
        action for action in asleep if ACTIONS[action] & kinds
    }


def test_all_of_it_was_counted(holders: dict[str, Any]) -> None:
    cells = len(ACTIONS) * len(holders) * 2
    assert cells > 700
    print(f"\nActions: {cells} cells")
