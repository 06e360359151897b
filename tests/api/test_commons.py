"""`/v1/commons`: public facts and the five figures, the same as the pages show."""

from typing import Any

from backend.operations.figures import five_figures
from backend.pledges.services import cancel_pledge
from tests.api.conftest import refused, shown

# (expected, received, committed, paid, available) after each step of the demonstration, minor units
FIGURES = {
    "make_house": (0, 0, 0, 0, 0),
    "make_promise": (10000, 0, 0, 0, 0),
    "receive": (0, 9500, 0, 0, 9500),
    "work": (0, 9500, 10000, 0, -500),
    "close": (0, 9500, 10000, 0, -500),
    "approve_distribution": (0, 9500, 0, 9500, 0),
    "settle": (0, 9500, 0, 9500, 0),
}


def test_the_five_figures_follow_the_hundred_euros(play: Any, call: Any) -> None:
    from backend.operations import demo

    world = play("make_people")
    bo = call(world.users["bo"])
    for step in demo.STEPS[1:]:
        step(world)
        if step.__name__ in FIGURES:
            figures = shown(bo.get(f"commons/{world.commons.pk}"), 200)["budgets"][0]["figures"]
            assert all(amount["currency"] == "EUR" for amount in figures.values())
            assert tuple(amount["value"] for amount in figures.values()) == FIGURES[step.__name__], step.__name__
            found = five_figures(world.budget)
            assert (found.short, found.missing) == (found.available < 0, max(0, -found.available))
            assert found.committed == FIGURES[step.__name__][2]


def test_a_cancelled_pledge_is_not_expected(play: Any, call: Any) -> None:
    world = play("make_promise")
    assert five_figures(world.budget).expected == 10000
    cancel_pledge(actor=world.users["ana"], pledge_id=world.pledge.pk, now=world.now)
    assert five_figures(world.budget).expected == 0


def test_a_commons_is_read(play: Any, call: Any) -> None:
    world = play("receive")
    bo = call(world.users["bo"])
    body = shown(bo.get(f"commons/{world.commons.pk}"), 200)
    zero = {"value": 0, "currency": "EUR"}
    assert body == {
        "id": world.commons.pk,
        "slug": "cartolibre",
        "name": "Cartolibre",
        "summary": "L’atlas libre des tiers-lieux.",
        "website": "",
        "licence": "AGPL-3.0-or-later",
        "created_at": world.commons.created_at.strftime("%Y-%m-%dT%H:%M:%SZ"),
        "budgets": [
            {
                "id": world.budget.pk,
                "parent": None,
                "name": "Cartolibre",
                "currency": "EUR",
                "state": "open",
                "figures": {
                    "expected": zero,
                    "received": {"value": 9500, "currency": "EUR"},
                    "committed": zero,
                    "paid": zero,
                    "available": {"value": 9500, "currency": "EUR"},
                },
                "open_period": {
                    "id": world.period.pk,
                    "budget": world.budget.pk,
                    "starts_on": world.period.starts_on.isoformat(),
                    "ends_before": world.period.ends_before.isoformat(),
                    "state": "open",
                },
            }
        ],
    }
    assert shown(bo.get("commons"), 200) == {"data": [body], "has_more": False, "next_cursor": None}
    refused(bo.get("commons/com_" + "0" * 36), 404, "commons_not_found")
    refused(bo.get(f"commons/{world.commons.pk}?expand=budgets"), 400, "unknown_parameter")
