"""`/v1/periods` and `/v1/distributions`: closed with a token, computed at once; approved by nobody here."""

from typing import Any

from django.utils import timezone

from backend.allocation.rebuild import verify
from backend.commons.models import Period
from backend.distributions.models import Distribution
from backend.distributions.services import answer_arbitration, close_period, propose_arbitration
from backend.identity.models import User
from backend.ledger.services import entry_count
from backend.operations.demo import sweep
from tests.api.conftest import refused, shown


def test_a_period_is_read(play: Any, call: Any) -> None:
    world = play("work")
    period = world.period
    body = shown(call(world.users["bo"]).get(f"periods/{period.pk}"), 200)
    assert body == {
        "id": period.pk,
        "budget": world.budget.pk,
        "starts_on": period.starts_on.isoformat(),
        "ends_before": period.ends_before.isoformat(),
        "state": "open",
        "distribution": None,
    }
    refused(call(world.users["bo"]).get("periods/per_" + "0" * 36), 404, "period_not_found")


def test_a_treasurer_closes_a_period_and_the_distribution_follows(play: Any, call: Any) -> None:
    world = play("work")
    claire = call(world.users["claire"])
    entries = entry_count()
    answer = claire.post(f"periods/{world.period.pk}/closure", key="close")
    body = shown(answer, 202)
    row = Distribution.objects.get()
    assert answer["Location"] == f"/v1/distributions/{row.pk}"
    assert (body["id"], body["state"], body["shares"], body["trace"]) == (row.pk, "frozen", [], None)
    assert (body["pot"], body["digest"], body["approved_by"]) == ({"value": 9500, "currency": "EUR"}, None, None)
    sweep(timezone.now())
    read = shown(claire.get(f"distributions/{row.pk}"), 200)
    assert (read["state"], read["period"], read["budget"]) == ("published", world.period.pk, world.budget.pk)
    assert read["charter"]["rule"] == "claims_pro"
    assert read["prepared_by"] == {"id": world.users["claire"].pk, "name": "Claire Moreau"}
    row.refresh_from_db()
    assert (read["digest"], read["trace"]) == (row.digest, row.trace)
    assert verify(read["trace"])
    shares = {
        share["contributor"]["name"]: (share["asked"]["value"], share["amount"]["value"]) for share in read["shares"]
    }
    assert shares == {"Bo Nguyen": (6000, 5700), "Camille Faure": (4000, 3800)}
    assert sum(amount for _asked, amount in shares.values()) == read["pot"]["value"]
    # The repetition gives the first answer back, although the distribution has moved on.
    again = claire.post(f"periods/{world.period.pk}/closure", key="close")
    assert (again.content, again["Idempotent-Replayed"]) == (answer.content, "true")
    period = shown(claire.get(f"periods/{world.period.pk}"), 200)
    assert (period["state"], period["distribution"]) == ("published", row.pk)
    assert entry_count() == entries


def test_a_period_is_closed_once_and_by_those_who_may(play: Any, call: Any) -> None:
    world = play("work")
    path = f"periods/{world.period.pk}/closure"
    for name in ["bo", "ana"]:
        refused(call(world.users[name]).post(path), 403, "not_allowed")
    refused(call(world.users["sacha"]).post(path, {"force": True}), 422, "invalid_fields")
    refused(call(world.users["sacha"]).post("periods/per_" + "0" * 36 + "/closure"), 404, "period_not_found")
    assert Period.objects.get(pk=world.period.pk).state == "open"
    assert not Distribution.objects.exists()
    shown(call(world.users["sacha"]).post(path), 202)
    problem = refused(call(world.users["claire"]).post(path), 409, "period_not_open")
    assert "Sacha Le Goff" in problem["detail"]
    assert Distribution.objects.count() == 1


def test_a_distribution_is_a_404_for_those_outside_its_budget(play: Any, call: Any) -> None:
    world = play("close")
    stranger = User.objects.create_user("stranger@example.org", "a long password here", name="Stranger")
    for user in [world.users["ana"], stranger]:
        refused(call(user).get(f"distributions/{world.distribution.pk}"), 404, "distribution_not_found")
        assert shown(call(user).get(f"periods/{world.period.pk}"), 200)["distribution"] is None
    for name in ["bo", "sacha", "denis"]:
        assert shown(call(world.users[name]).get(f"distributions/{world.distribution.pk}"), 200)["state"] == "published"


def test_an_approved_distribution_says_who_approved_it(play: Any, call: Any) -> None:
    world = play("approve_distribution")
    body = shown(call(world.users["bo"]).get(f"distributions/{world.distribution.pk}"), 200)
    assert (body["state"], body["approved_by"]["name"]) == ("booked", "Denis Caron")
    assert {share["state"] for share in body["shares"]} == {"owed"}


def test_the_computation_alone_is_read_once_it_is_there(play: Any, call: Any) -> None:
    world = play("work")
    bo = call(world.users["bo"])
    made = close_period(actor=world.users["claire"], period_id=world.period.pk, now=world.now)
    refused(bo.get(f"distributions/{made.pk}/trace"), 409, "distribution_not_ready")
    sweep(timezone.now())
    made.refresh_from_db()
    assert shown(bo.get(f"distributions/{made.pk}/trace"), 200) == made.trace
    refused(call(world.users["ana"]).get(f"distributions/{made.pk}/trace"), 404, "distribution_not_found")


def test_an_arbitration_is_read_with_the_answers(play: Any, call: Any) -> None:
    world = play("close")
    bo, purse = world.users["bo"], world.budget.pk
    entered = propose_arbitration(
        actor=world.users["sacha"], distribution_id=world.distribution.pk, digest=world.distribution.digest,
        amounts={(bo.pk, purse): 50_00}, reason="Réunion", form_key="k", now=world.now,
    )  # fmt: skip
    body = shown(call(bo).get(f"distributions/{world.distribution.pk}"), 200)
    assert (body["arbitration"]["id"], body["arbitration"]["state"]) == (entered.pk, "waiting")
    answer_arbitration(
        actor=world.users["denis"], arbitration_id=entered.pk, accept=True, person_id=bo.pk, now=world.now
    )
    body = shown(call(bo).get(f"distributions/{world.distribution.pk}"), 200)
    (line,) = body["arbitration"]["lines"]
    money = [line["before"]["value"], line["agreed"]["value"], line["budget"], line["answer"]]
    assert money == [57_00, 50_00, purse, "accepted"]
    assert (line["person"]["name"], line["recorded_by"]["name"]) == ("Bo Nguyen", "Denis Caron")
    (share,) = [one for one in body["shares"] if one["contributor"]["id"] == bo.pk]
    assert (share["amount"]["value"], [one["amount"]["value"] for one in share["parts"]]) == (50_00, [50_00])
    assert body["trace"]["arbitration"]["reason"] == "Réunion"
