"""`/v1/pledges`: promised with a token, paid by a transfer that carries the reference; a promise moves no money."""

from datetime import date, timedelta
from typing import Any

from stdnum import iso11649

from backend.commons.services import create_commons, open_envelope, root_budget
from backend.ledger.services import entry_count
from backend.operations.demo import HOST_BIC, HOST_IBAN
from backend.pledges.models import Pledge
from tests.api.conftest import refused, shown

MISSING = object()


def promise(world: Any, **changed: Any) -> dict[str, Any]:
    """The body of a pledge that is accepted, with some fields changed; MISSING removes a field."""
    body = {
        "budget": world.budget.pk,
        "organisation": world.organisation.pk,
        "amount": {"value": 50000, "currency": "EUR"},
        **changed,
    }
    return {name: value for name, value in body.items() if value is not MISSING}


def test_a_pledge_is_made_with_its_payment_instructions(play: Any, call: Any) -> None:
    world = play("make_house")
    ana = call(world.users["ana"])
    answer = ana.post("pledges", promise(world))
    body = shown(answer, 201)
    row = Pledge.objects.get()
    assert iso11649.is_valid(row.reference)
    assert body == {
        "id": row.pk,
        "budget": world.budget.pk,
        "organisation": world.organisation.pk,
        "person": None,
        "amount": {"value": 50000, "currency": "EUR"},
        "received": {"value": 0, "currency": "EUR"},
        "expected": {"value": 50000, "currency": "EUR"},
        "state": "active",
        "rhythm": "once",
        "starts_on": row.starts_on.isoformat(),
        "ends_on": None,
        "next_due_on": None,
        "paused_at": None,
        "visibility": "visible",
        "pseudonym": "",
        "purchase_order": "",
        "paper": "call",
        "group": row.group,
        "reference": row.reference,
        "made_by": world.users["ana"].pk,
        "created_at": row.created_at.strftime("%Y-%m-%dT%H:%M:%SZ"),
        "recorded": None,
        "parts": [{"pledge": row.pk, "budget": world.budget.pk, "amount": {"value": 50000, "currency": "EUR"}}],
        "instalments": [
            {
                "id": row.instalments.get().pk,
                "number": 1,
                "due_on": row.starts_on.isoformat(),
                "pay_by": (row.starts_on + timedelta(days=30)).isoformat(),
                "amount": {"value": 50000, "currency": "EUR"},
                "received": {"value": 0, "currency": "EUR"},
                "state": "called",
                "called_at": row.created_at.strftime("%Y-%m-%dT%H:%M:%SZ"),
                "document": None,
            }
        ],
        "payment_instructions": {
            "method": "bank_transfer",
            "holder": "Association des Communs",
            "iban": HOST_IBAN,
            "bic": HOST_BIC,
            "reference": row.reference,
            "reference_printed": iso11649.format(row.reference),
            "amount": {"value": 50000, "currency": "EUR"},
        },
    }
    assert answer["Location"] == f"/v1/pledges/{row.pk}"
    assert shown(ana.get(f"pledges/{row.pk}"), 200) == body
    listed = shown(ana.get("pledges"), 200)
    for name in ("parts", "instalments", "payment_instructions"):
        del body[name]
    assert listed == {"data": [body], "has_more": False, "next_cursor": None}
    assert entry_count() == 0


def test_what_was_received_is_no_longer_asked(play: Any, call: Any) -> None:
    world = play("receive")
    body = shown(call(world.users["ana"]).get(f"pledges/{world.pledge.pk}"), 200)
    assert (body["state"], body["received"]["value"], body["expected"]["value"]) == ("fulfilled", 10000, 0)
    assert body["payment_instructions"]["amount"]["value"] == 0


def test_refused_pledges_change_nothing(play: Any, call: Any) -> None:
    world = play("make_house")
    ana = call(world.users["ana"])
    cases: list[tuple[dict[str, Any], int, str, str]] = [
        ({"amount": {"value": 1, "currency": "XYZ"}}, 422, "unknown_currency", "/amount/currency"),
        ({"amount": {"value": 1, "currency": "eur"}}, 422, "unknown_currency", "/amount/currency"),
        ({"amount": {"value": 1, "currency": "USD"}}, 422, "other_currency", "/amount/currency"),
        ({"amount": {"value": 0, "currency": "EUR"}}, 422, "amount_out_of_range", "/amount/value"),
        ({"amount": {"value": -5, "currency": "EUR"}}, 422, "amount_out_of_range", "/amount/value"),
        ({"amount": {"value": 10**12 + 1, "currency": "EUR"}}, 422, "amount_out_of_range", "/amount/value"),
        ({"amount": {"value": 2**63, "currency": "EUR"}}, 422, "invalid_fields", "/amount/value"),
        ({"amount": {"value": 1.5, "currency": "EUR"}}, 422, "invalid_fields", "/amount/value"),
        ({"amount": {"value": "10", "currency": "EUR"}}, 422, "invalid_fields", "/amount/value"),
        ({"amount": {"value": True, "currency": "EUR"}}, 422, "invalid_fields", "/amount/value"),
        ({"amount": "100"}, 422, "invalid_fields", "/amount"),
        ({"organisation": MISSING}, 422, "invalid_fields", "/organisation"),
        ({"amount": MISSING}, 422, "parts_or_budget", "/parts"),
        ({"parts": [{"budget": "x", "amount": {"value": 1, "currency": "EUR"}}]}, 422, "parts_or_budget", "/parts"),
        ({"parts": [{"budget": "x"}]}, 422, "invalid_fields", "/parts/0/amount"),
        ({"rhythm": "weekly"}, 422, "rhythm_unknown", "/rhythm"),
        ({"starts_on": "2020-01-01"}, 422, "starts_out_of_range", "/starts_on"),
        ({"starts_on": "tomorrow"}, 422, "invalid_fields", "/starts_on"),
        ({"ends_on": "2999-01-01"}, 422, "ends_out_of_range", "/ends_on"),
        ({"visibility": "pseudonymous"}, 422, "pseudonym_missing", "/pseudonym"),
        ({"paper": "receipt"}, 422, "paper_unknown", "/paper"),
        ({"organisation": "org_" + "0" * 36}, 404, "organisation_not_found", "/organisation"),
        ({"budget": "bud_" + "0" * 36}, 404, "budget_not_found", "/budget"),
        ({"state": "fulfilled"}, 422, "invalid_fields", "/state"),
        ({"received": {"value": 1, "currency": "EUR"}}, 422, "invalid_fields", "/received"),
    ]
    for changed, status, code, pointer in cases:
        problem = refused(ana.post("pledges", promise(world, **changed)), status, code)
        assert [one["pointer"] for one in problem["errors"]] == [pointer], changed
        assert not Pledge.objects.exists()


def test_only_the_members_of_an_organisation_pledge_for_it_or_see_its_pledges(play: Any, call: Any) -> None:
    world = play("make_promise")
    for name in ["bo", "sacha"]:
        caller = call(world.users[name])
        refused(caller.post("pledges", promise(world)), 404, "organisation_not_found")
        refused(caller.get(f"pledges/{world.pledge.pk}"), 404, "pledge_not_found")
        assert shown(caller.get("pledges"), 200)["data"] == []
    assert Pledge.objects.count() == 1
    assert shown(call(world.users["denis"]).get(f"pledges/{world.pledge.pk}"), 200)["id"] == world.pledge.pk


def test_several_budgets_in_one_act_share_a_reference_and_a_transfer(play: Any, call: Any) -> None:
    world = play("make_house")
    other = open_envelope(actor=world.users["sacha"], parent=world.budget, name="Maintenance", now=world.now)
    ana = call(world.users["ana"])
    parts = [
        {"budget": world.budget.pk, "amount": {"value": 6000, "currency": "EUR"}},
        {"budget": other.pk, "amount": {"value": 4050, "currency": "EUR"}},
    ]
    body = promise(world, budget=MISSING, amount=MISSING, parts=parts, rhythm="monthly")
    answer = ana.post("pledges", body, key="both")
    made = shown(answer, 201)
    assert [{name: one[name] for name in ("budget", "amount")} for one in made["parts"]] == parts
    assert made["payment_instructions"]["amount"] == {"value": 10050, "currency": "EUR"}
    assert len(set(Pledge.objects.values_list("group", "reference"))) == 1
    again = ana.post("pledges", body, key="both")
    assert again.content == answer.content
    assert Pledge.objects.count() == 2
    mixed = [parts[0], {**parts[1], "amount": {"value": 1, "currency": "USD"}}]
    refused(ana.post("pledges", {**body, "parts": mixed}), 422, "other_currency")
    refused(ana.post("pledges", {**body, "parts": [parts[0], parts[0]]}), 422, "budgets_repeated")
    refused(ana.post("pledges", {**body, "parts": []}), 422, "parts_missing")
    assert Pledge.objects.count() == 2


def test_a_person_pledges_in_their_own_name(play: Any, call: Any) -> None:
    world = play("make_house")
    made = shown(call(world.users["bo"]).post("pledges", promise(world, organisation=None)), 201)
    assert (made["organisation"], made["person"]) == (None, world.users["bo"].pk)
    held = call(world.users["ana"], ["pledges:write", "pledges:read"], only=world.organisation.pk)
    refused(held.post("pledges", promise(world, organisation=None)), 404, "organisation_not_found")
    refused(call(world.users["ana"]).get(f"pledges/{made['id']}"), 404, "pledge_not_found")


def test_a_pledge_is_changed_and_cancelled_by_who_made_it(play: Any, call: Any) -> None:
    world = play("make_house")
    ana, bo, claire = (call(world.users[name]) for name in ("ana", "bo", "claire"))
    made = shown(ana.post("pledges", promise(world, rhythm="yearly")), 201)
    path = f"pledges/{made['id']}"
    changes = {"amount": {"value": 25000, "currency": "EUR"}, "visibility": "anonymous"}
    refused(bo.post(f"{path}/changes", changes), 404, "pledge_not_found")
    refused(claire.post(f"{path}/changes", changes), 403, "not_allowed")
    wrong = {"amount": {"value": 1, "currency": "USD"}}
    refused(ana.post(f"{path}/changes", wrong), 422, "other_currency")
    refused(ana.post(f"{path}/changes", {"rhythm": "once"}), 422, "invalid_fields")
    assert shown(ana.get(path), 200) == made
    changed = shown(ana.post(f"{path}/changes", changes), 201)
    assert (changed["amount"]["value"], changed["visibility"], changed["expected"]["value"]) == (
        25000, "anonymous", 50000,
    )  # fmt: skip
    refused(bo.post(f"{path}/cancellation", {}), 404, "pledge_not_found")
    refused(claire.post(f"{path}/cancellation", {}), 403, "not_allowed")
    ended = shown(ana.post(f"{path}/cancellation", {}), 201)
    assert (ended["state"], ended["expected"]["value"], ended["instalments"][0]["state"]) == (
        "cancelled", 0, "cancelled",
    )  # fmt: skip
    assert entry_count() == 0


def test_a_pledge_is_paused_and_taken_up_again(play: Any, call: Any) -> None:
    world = play("make_house")
    ana, bo = call(world.users["ana"]), call(world.users["bo"])
    made = shown(ana.post("pledges", promise(world, rhythm="monthly")), 201)
    path = f"pledges/{made['id']}"
    refused(bo.post(f"{path}/pause", {"reason": "x"}), 404, "pledge_not_found")
    refused(ana.post(f"{path}/pause", {}), 422, "reason_missing")
    refused(ana.post(f"{path}/pause", {"reason": " "}), 422, "reason_missing")
    once = shown(ana.post("pledges", promise(world)), 201)
    refused(ana.post(f"pledges/{once['id']}/pause", {"reason": "x"}), 409, "pledge_paid_once")
    assert Pledge.objects.exclude(paused_at=None).count() == 0
    paused = shown(ana.post(f"{path}/pause", {"reason": "the budget is not voted"}), 201)
    assert (paused["paused_at"] is None, paused["next_due_on"], paused["state"]) == (False, None, "active")
    taken_up = shown(ana.post(f"{path}/resumption", {}), 201)
    assert (taken_up["paused_at"], taken_up["next_due_on"]) == (None, made["next_due_on"])


def test_a_token_held_to_one_commons_reads_nothing_of_the_parts_in_another(play: Any, call: Any) -> None:
    world = play("make_house")
    second = create_commons(
        name="Semences", summary="", currency="EUR", steward=world.users["sacha"], first_day=date(2026, 8, 1),
        end_before=date(2099, 1, 1), now=world.now,
    )  # fmt: skip
    other = root_budget(second)
    parts = [
        {"budget": world.budget.pk, "amount": {"value": 1000, "currency": "EUR"}},
        {"budget": other.pk, "amount": {"value": 7777, "currency": "EUR"}},
    ]
    body = {"organisation": world.organisation.pk, "parts": parts}
    made = shown(call(world.users["ana"]).post("pledges", body), 201)
    held = call(world.users["ana"], only=world.commons.pk)
    own = next(one["pledge"] for one in made["parts"] if one["budget"] == world.budget.pk)
    seen = shown(held.get(f"pledges/{own}"), 200)
    assert [one["budget"] for one in seen["parts"]] == [world.budget.pk]
    assert seen["payment_instructions"] is None
    assert "7777" in str(made)
    assert "7777" not in str(seen)
    assert "8777" not in str(seen)


def test_the_refusals_name_what_a_field_may_hold(play: Any, call: Any) -> None:
    world = play("make_house")
    ana = call(world.users["ana"])
    for field, values in {
        "rhythm": "once, monthly, quarterly, yearly",
        "visibility": "visible, pseudonymous, anonymous",
        "paper": "call, invoice",
    }.items():
        told = refused(ana.post("pledges", promise(world, **{field: "weekly"})), 422, f"{field}_unknown")
        assert values in told["detail"]
    told = refused(ana.post("pledges", promise(world, rhythm="monthly", ends_on="2027-02-30")), 422, "invalid_fields")
    assert told["errors"][0]["detail"] == "There is no such day in the calendar."
    made = shown(ana.post("pledges", promise(world)), 201)
    told = refused(ana.post(f"pledges/{made['id']}/cancellation", {"why": "x"}), 422, "invalid_fields")
    assert told["errors"][0]["detail"] == "There is no field “why” here: send an empty object."
    assert Pledge.objects.filter(state="active").count() == 1
    ended = shown(ana.post(f"pledges/{made['id']}/cancellation", {}), 201)
    assert shown(ana.post(f"pledges/{made['id']}/cancellation", {}), 201) == ended  # again: the same answer
