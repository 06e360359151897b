"""`/v1/pledges`: promised with a token, paid by a transfer that carries the reference; a promise moves no money."""

from typing import Any

from stdnum import iso11649

from backend.ledger.services import entry_count
from backend.operations.demo import HOST_BIC, HOST_IBAN
from backend.pledges.models import Pledge
from tests.api.conftest import refused, shown


def promise(world: Any, **changed: Any) -> dict[str, Any]:
    """The body of a pledge that is accepted, with some fields changed; None removes a field."""
    body = {
        "budget": world.budget.pk,
        "organisation": world.organisation.pk,
        "amount": {"value": 50000, "currency": "EUR"},
        **changed,
    }
    return {name: value for name, value in body.items() if value is not None}


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
        "amount": {"value": 50000, "currency": "EUR"},
        "received": {"value": 0, "currency": "EUR"},
        "expected": {"value": 50000, "currency": "EUR"},
        "state": "active",
        "reference": row.reference,
        "made_by": world.users["ana"].pk,
        "created_at": row.created_at.strftime("%Y-%m-%dT%H:%M:%SZ"),
        "recorded": None,
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
    del body["payment_instructions"]
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
        ({"organisation": None}, 422, "invalid_fields", "/organisation"),
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
