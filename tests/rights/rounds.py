"""What else the world of the matrix holds: a statement round in each commons, with its answers."""

from datetime import date, timedelta
from typing import TYPE_CHECKING

from backend.contributions.adjustments import propose_adjustment
from backend.contributions.rounds import open_round
from backend.identity.services import host_day
from backend.ledger import chart
from backend.transfers.models import YearEnd

if TYPE_CHECKING:
    from tests.rights.world import House


def add_rounds(house: "House") -> None:
    """Add them: Bo and Camille are asked in the one, Berta in the other."""
    today, users = host_day(house.now), house.played.users
    found = {}
    for which, budget, steward in (("own", house.played.budget, users["sacha"]), ("other", house.pot, house.basil)):
        found[which] = open_round(
            actor=steward, budget=budget, first_day=today - timedelta(days=20), last_day=today,
            answer_by=today + timedelta(days=7), form_key=f"round-{which}", now=house.now,
        )  # fmt: skip
    adjustment = propose_adjustment(
        actor=users["camille"], contribution_id=house.played.contributions[1].pk, minutes=0, amount=1_00,
        reason="too much", form_key="adjustment", now=house.now,
    )  # fmt: skip
    written = YearEnd.objects.create(
        id="yen_rights", kind="dedicated", year=today.year - 1, last_day=date(today.year - 1, 12, 31), digest="none",
        proposed_by=users["claire"], proposed_at=house.now,
    )  # fmt: skip
    asked = {
        "own": found["own"].answers.get(person=users["bo"]),
        "foreign": found["own"].answers.get(person=users["camille"]),
        "other": found["other"].answers.get(person=house.berta),
    }
    house.things |= {
        "adjustment": {"own": {"adjustment_id": adjustment.pk}},
        "settled": {
            "own": {"contribution_id": house.played.contributions[0].pk},
            "foreign": {"contribution_id": house.played.contributions[1].pk},
        },
        "year": {"own": {"year": today.year}},
        "month": {"own": {"month": f"{today:%Y-%m}"}},
        "year and kind": {"own": {"year": today.year, "kind": "dedicated"}},
        "year end": {"own": {"year_end_id": written.pk}},
        "commons and year": {
            "own": {"commons_id": house.played.commons.pk, "year": today.year},
            "other": {"commons_id": house.sea.pk, "year": today.year},
        },
        "organisation and year": {
            "own": {"organisation_id": house.played.organisation.pk, "year": today.year},
            "foreign": {"organisation_id": house.roof.pk, "year": today.year},
        },
        "number": {"own": {"number": chart.BANK}},
        "round": {which: {"round_id": row.pk} for which, row in found.items()},
        "round answer": {which: {"answer_id": row.pk} for which, row in asked.items()},
    }
