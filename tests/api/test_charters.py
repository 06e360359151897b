"""`/v1/budgets/{id}/charter`: the rules in force, their versions, the schema; nothing of them is written here."""

from typing import Any

from backend.commons.charter_schema import charter_schema
from backend.commons.services import adopt_charter, open_envelope, open_next_period
from tests.api.conftest import refused, shown, work


def test_the_charter_in_force_its_versions_and_the_schema(play: Any, call: Any) -> None:
    world = play("make_house")
    bo, ana = call(world.users["bo"]), call(world.users["ana"])
    first = world.budget.charters.get()
    made = adopt_charter(
        actor=world.users["sacha"], budget=world.budget, document={**first.document, "hard_cap": 5}, now=world.now
    )
    coming = open_next_period(after=world.period)
    atlas = open_envelope(actor=world.users["sacha"], parent=world.budget, name="Atlas", now=world.now, own_rules=False)
    for budget in (world.budget, atlas):
        body = shown(bo.get(f"budgets/{budget.pk}/charter"), 200)
        assert (body["id"], body["budget"], body["version"], body["latest_version"]) == (
            first.pk,
            world.budget.pk,
            1,
            2,
        )
        assert (body["document"], body["sha256"]) == (first.document, first.sha256)
        assert body["adopted_by"] == {"id": world.users["sacha"].pk, "name": "Sacha Le Goff"}
        assert [(one["id"], one["charter_version"]) for one in body["open_periods"]] == [
            (world.period.pk, 1), (coming.pk, 2)
        ]  # fmt: skip
    assert shown(ana.get(f"budgets/{world.budget.pk}/charter"), 200)["adopted_by"] is None
    versions = shown(bo.get(f"budgets/{atlas.pk}/charters"), 200)
    assert [(one["id"], one["version"]) for one in versions["data"]] == [(made.pk, 2), (first.pk, 1)]
    assert shown(bo.get("charter.schema.json"), 200) == charter_schema()
    refused(bo.get(f"budgets/bud_{'0' * 36}/charter"), 404, "budget_not_found")


def test_a_declaration_is_refused_by_the_charter_at_its_field(play: Any, call: Any) -> None:
    from tests.contributions.test_contributions import under

    world = play("make_house")
    under(world, soft_cap=40_00, kinds={"review": 1000, "expense": 1000})
    bo, sacha = call(world.users["bo"]), call(world.users["sacha"])
    problem = refused(bo.post("contributions", work(world)), 422, "kind_not_in_charter")
    assert problem["errors"][0]["pointer"] == "/kind"
    problem = refused(bo.post("contributions", work(world, kind="review")), 422, "reason_over_soft_cap")
    assert problem["errors"][0]["pointer"] == "/over_cap_reason"
    made = shown(bo.post("contributions", work(world, kind="review", over_cap_reason="Urgent")), 201)
    assert made["over_cap_reason"] == "Urgent"
    address = f"contributions/{made['id']}/reviews"
    refused(sacha.post(address, {"verdict": "approve", "minutes": 91}), 422, "validated_minutes")
    said = shown(sacha.post(address, {"verdict": "approve", "minutes": 60}), 201)
    assert (said["minutes"], said["contribution_state"]) == (60, "validated")
    assert shown(bo.get(f"contributions/{made['id']}"), 200)["validated_at"] is not None
