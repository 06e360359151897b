"""`/v1/events`: one order for ever, nothing missed, nothing of what one may not see, and no text of anybody."""

from datetime import timedelta
from typing import Any

from django.utils import timezone

from backend.contributions.services import declare, review
from backend.core.ids import new_id
from backend.events.models import Event
from backend.events.sealing import chain_due
from backend.events.services import record
from backend.identity.models import User
from backend.identity.services import grant_role
from tests.api.conftest import refused, shown


def kinds(body: Any) -> list[str]:
    """What happened, in the order of the feed."""
    return [one["kind"] for one in body["data"]]


def test_the_feed_is_followed_page_after_page_and_goes_on(play: Any, call: Any) -> None:
    world = play("work")
    bo = call(world.users["bo"])
    chain_due(timezone.now())
    whole = shown(bo.get("events?limit=100"), 200)
    assert {"contribution.declared", "contribution.validated"} <= set(kinds(whole))
    assert set(whole["data"][0]) == {"id", "kind", "subject", "scopes", "created_at"}
    seen, path = [], "events?limit=3"
    while path:
        answer = bo.get(path)
        body = shown(answer, 200)
        seen += body["data"]
        path = answer["Link"].partition("/v1/")[2].partition(">")[0] if body["has_more"] else ""
    assert seen == whole["data"]
    last = whole["next_cursor"]
    assert last == whole["data"][-1]["id"]
    nothing = shown(bo.get(f"events?after={last}"), 200)
    assert (nothing["data"], nothing["next_cursor"]) == ([], last)
    declare(
        actor=bo.user, budget=world.budget, worked_on=world.today, kind="support", minutes=5, description="Help",
        form_key="later", now=timezone.now(),
    )  # fmt: skip
    assert shown(bo.get(f"events?after={last}"), 200)["data"] == []  # it is not in the chain yet
    chain_due(timezone.now())
    assert kinds(shown(bo.get(f"events?after={last}"), 200)) == ["contribution.declared"]


def test_an_event_that_was_committed_late_is_not_missed(play: Any, call: Any) -> None:
    world = play("make_house")
    early = new_id("evt")  # begun first, committed last: its id sorts before those that were read
    bo = call(world.users["bo"])
    record("commons.amended", actor=bo.user, subject=bo.user.pk, now=timezone.now())
    chain_due(timezone.now())
    last = shown(bo.get("events?limit=100"), 200)["next_cursor"]
    assert early < last
    Event.objects.create(id=early, kind="commons.amended", actor=bo.user, subject=bo.user.pk, created_at=timezone.now())
    chain_due(timezone.now())
    body = shown(bo.get(f"events?after={last}"), 200)
    assert [one["id"] for one in body["data"]] == [early]
    assert shown(bo.get(f"events?after={early}"), 200)["data"] == []


def test_one_follows_the_work_one_sees_and_not_who_gives(play: Any, call: Any) -> None:
    world = play("close")
    chain_due(timezone.now())
    users = world.users
    told = {
        key: kinds(shown(call(users[key]).get("events?limit=100"), 200)) for key in ("bo", "ana", "claire", "sacha")
    }
    assert told["bo"].count("contribution.validated") == 2  # those of the other contributor too
    assert "period.closed" in told["bo"]
    assert not [one for one in told["bo"] if one.startswith(("pledge.", "payment.", "statement."))]
    assert "pledge.made" in told["ana"]
    assert not [one for one in told["ana"] if one.startswith(("contribution.", "period."))]
    assert "statement.imported" in told["claire"]
    assert "pledge.made" in told["sacha"]
    stranger = User.objects.create_user("stranger@example.org", "a long password here", name="Stranger")
    assert shown(call(stranger).get("events"), 200)["data"] == []


def test_a_stranger_who_declared_learns_what_becomes_of_it(play: Any, call: Any) -> None:
    world = play("make_house")
    guest = User.objects.create_user("guest@example.org", "a long password here", name="Guest")
    grant_role(user=guest, kind="contributor", scope=world.budget.pk, granted_by=None, now=world.now)
    mine = declare(
        actor=guest, budget=world.budget, worked_on=world.today, kind="support", minutes=5, description="Help",
        form_key="guest", now=timezone.now(),
    )  # fmt: skip
    guest.roles.all().delete()
    review(actor=world.users["sacha"], contribution_id=mine.pk, verdict="reject", reason="no", now=timezone.now())
    chain_due(timezone.now())
    found = shown(call(guest).get("events?limit=100"), 200)
    assert [one["kind"] for one in found["data"] if one["subject"] == mine.pk] == [
        "contribution.declared",
        "contribution.rejected",
    ]
    assert "no" not in str([list(one.values()) for one in found["data"]]).split("'")  # the reason stays on its page


def test_a_held_token_follows_one_place_alone(play: Any, call: Any) -> None:
    world = play("work")
    chain_due(timezone.now())
    claire, ana = world.users["claire"], world.users["ana"]
    inside = shown(call(claire, only=world.commons.pk).get("events?limit=100"), 200)["data"]
    assert inside
    places = {world.commons.pk, world.budget.pk}
    assert all(places & {one["subject"], *one["scopes"]} for one in inside)
    whole = shown(call(claire).get("events?limit=100"), 200)["data"]
    assert len(inside) < len(whole)
    of_hers = shown(call(ana, only=world.organisation.pk).get("events?limit=100"), 200)["data"]
    assert "pledge.made" in [one["kind"] for one in of_hers]
    elsewhere = call(claire, only="com_" + "0" * 36)
    assert shown(elsewhere.get("events"), 200)["data"] == []


def test_the_feed_ends_after_ninety_days_and_refuses_a_place_that_is_none(play: Any, call: Any) -> None:
    world = play("make_house")
    bo = call(world.users["bo"])
    for days in (91, 89):
        when = timezone.now() - timedelta(days=days)
        record("commons.amended", actor=bo.user, subject=bo.user.pk, now=when, day=days)
    chain_due(timezone.now())
    old = Event.objects.get(data={"day": 91})
    found = [one["id"] for one in shown(bo.get("events?limit=100"), 200)["data"]]
    assert Event.objects.get(data={"day": 89}).pk in found
    assert old.pk not in found
    assert shown(bo.get(f"events?limit=100&after={old.pk}"), 200)["data"]  # one may still go on from there
    for wrong in ("evt_" + "0" * 36, "x", "", "evt_%00"):
        problem = refused(bo.get(f"events?after={wrong}"), 400, "parameter_invalid")
        assert [one["parameter"] for one in problem["errors"]] == ["after"]
