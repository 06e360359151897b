"""Every refused act leaves exactly one event, whether a page shows it, a form catches it or the API answers it."""

import time
from datetime import timedelta
from typing import Any

import pytest
from allauth.mfa.models import Authenticator
from django.contrib.auth.models import AnonymousUser
from django.core.cache import cache
from django.http import HttpResponse
from django.test import Client, RequestFactory
from django.utils import timezone

from backend.contributions.services import review
from backend.core.errors import Forbidden
from backend.core.refusals import listening, raised
from backend.events.models import Event, Untold
from backend.events.services import record_refusal
from backend.identity.permissions import require
from backend.identity.tokens import create_token
from backend.operations import demo
from backend.payouts.models import PayoutBatch
from backend.payouts.services import prepare_batch
from backend.web.audit_trail import AuditTrail
from tests.concurrency import at_once


def refusals() -> list[tuple[str, str, str]]:
    """(actor's id, subject, code) of each refusal, in order."""
    found = Event.objects.filter(kind="act.refused").order_by("created_at", "id")
    return [(str(event.actor_id), event.subject, event.data["code"]) for event in found]


def test_a_page_that_roles_do_not_open(play: Any, sign_in: Any) -> None:
    world = play("make_house")
    bo = world.users["bo"]
    answer = sign_in(bo).get("/en/bank/", headers={"X-Request-ID": "req-of-a-test"})
    assert answer.status_code == 403
    event = Event.objects.get(kind="act.refused")
    assert (event.actor_id, event.subject, event.origin, event.request_id) == (bo.pk, bo.pk, "web", "req-of-a-test")
    assert event.data == {"action": "bank.read", "code": "not_allowed", "path": "bank"}
    assert not Untold.objects.filter(event=event).exists()  # nobody is written to about it


def test_a_form_that_two_people_must_see(play: Any, sign_in: Any) -> None:
    """The one who prepared a batch approves it: the form catches the refusal, the trail keeps it."""
    world = play("document")
    batch = prepare_batch(actor=world.users["claire"], account_id=world.account.pk, now=world.now)
    browser = sign_in(world.users["claire"])
    assert browser.get(f"/en/payouts/{batch.pk}/").status_code == 200  # the page says why the button is not there
    assert refusals() == []
    events = Event.objects.count()
    browser.post(f"/en/payouts/{batch.pk}/approve/", {"digest": batch.digest})
    assert refusals() == [(world.users["claire"].pk, batch.pk, "own_batch")]
    assert Event.objects.count() == events + 1
    assert PayoutBatch.objects.get(pk=batch.pk).state == "prepared"


def test_the_scopes_of_the_thing_are_those_of_its_facts(play: Any, sign_in: Any) -> None:
    """Who cares for the budget reads what was refused in it."""
    world = play("work")
    budget = world.budget.pk
    browser = sign_in(world.users["bo"])
    answer = browser.post(f"/en/reviews/{world.contributions[0].pk}/", {"verdict": "approve"})
    assert answer.status_code == 403
    assert [event.scopes for event in Event.objects.filter(kind="act.refused")] == [[budget]]
    noted = record_refusal(
        actor=world.users["bo"], subject=world.contributions[0].pk, now=timezone.now(), action="", code="c", path="p"
    )
    assert noted is not None
    assert noted.scopes == [budget]


def test_outside_of_a_request_and_for_what_one_may_not_see_nothing_is_kept(play: Any, sign_in: Any) -> None:
    world = play("work")
    with pytest.raises(Forbidden):
        review(
            actor=world.users["camille"], contribution_id=world.contributions[0].pk, verdict="approve",
            now=timezone.now(),
        )  # fmt: skip
    answer = sign_in(world.users["ana"]).get(f"/en/distributions/{world.contributions[0].pk}/")
    assert answer.status_code == 404
    assert refusals() == []


def test_the_api_keeps_refusals_of_scopes_and_of_roles(play: Any) -> None:
    world = play("make_house")
    sacha = world.users["sacha"]
    _row, text = create_token(user=sacha, name="t", scopes=["commons:read"], days=30, now=timezone.now())
    answer = Client().get(f"/v1/contributions?budget={world.budget.pk}", headers={"Authorization": f"Bearer {text}"})
    assert answer.status_code == 403
    event = Event.objects.get(kind="act.refused")
    assert (event.actor_id, event.origin, event.data["code"]) == (sacha.pk, "api", "scope_missing")


def test_nobody_is_no_actor(play: Any, client: Client) -> None:
    play("make_house")
    assert client.get("/en/bank/").status_code == 302
    assert client.get("/v1/pledges").status_code == 401
    assert refusals() == []


def test_a_role_that_sleeps_is_refused_and_kept(play: Any, sign_in: Any) -> None:
    world = play("make_house")
    browser = sign_in(world.users["denis"])
    Authenticator.objects.filter(user=world.users["denis"]).delete()
    answer = browser.get("/en/bank/")
    assert answer.status_code == 403
    assert refusals() == [(world.users["denis"].pk, world.users["denis"].pk, "second_factor_missing")]


def test_only_what_is_raised_counts(play: Any) -> None:
    world = play("make_house")
    with listening() as kept:
        first = Forbidden("shown", "only shown")
        assert raised(kept) is None
        with pytest.raises(Forbidden):
            require(world.users["bo"], "bank.read")
        assert raised(kept) is not first
        assert getattr(raised(kept), "action", "") == "bank.read"


def test_a_refusal_of_the_code_of_time_is_not_one_of_rights(play: Any, sign_in: Any) -> None:
    """What cannot be done now, or is written wrong, is no refusal to somebody."""
    world = play("make_house")
    browser = sign_in(world.users["ana"])
    answer = browser.post("/en/organisations/new/", {"name": "", "kind": "informal"})
    assert answer.status_code == 422
    assert demo.code_for(time.time()).isdigit()
    assert refusals() == []


def test_many_refusals_are_counted_rather_than_written_one_by_one(play: Any) -> None:
    """Ten in an hour are written each; then one a minute, which counts those before it. Another act has its own ten."""
    world = play("make_house")
    cache.clear()
    start = timezone.now()

    def refuse(seconds: int, action: str = "bank.read", who: str = "bo") -> Any:
        return record_refusal(
            actor=world.users[who], subject="", now=start + timedelta(seconds=seconds), action=action,
            code="not_allowed", path="bank",
        )  # fmt: skip

    first = [refuse(second) for second in range(10)]
    assert all(event is not None and "count" not in event.data for event in first)
    assert [refuse(10), refuse(11), refuse(12), refuse(68)] == [None] * 4
    assert refuse(13, action="audit.read") is not None
    assert refuse(13, who="ana") is not None
    counted = refuse(69)  # a minute after the tenth
    assert counted.data["count"] == 5
    assert refuse(70) is None
    assert refuse(129).data["count"] == 2
    later = refuse(2 * 3600)
    assert "count" not in later.data
    found = Event.objects.filter(kind="act.refused", actor=world.users["bo"], data__action="bank.read")
    assert sum(event.data.get("count", 1) for event in found) == 18


def test_refusals_of_two_at_once_are_all_counted(play: Any, committed: str) -> None:
    world = play("make_house")
    now, bo = timezone.now(), world.users["bo"]
    for _number in range(10):
        record_refusal(actor=bo, subject="", now=now, action="bank.read", code="not_allowed", path="bank")

    def refuse(_number: int) -> Any:
        return record_refusal(actor=bo, subject="", now=now, action="bank.read", code="not_allowed", path="bank")

    assert at_once(refuse, times=3) == [None] * 3
    after = now + timedelta(minutes=2)
    counted = record_refusal(actor=bo, subject="", now=after, action="bank.read", code="not_allowed", path="bank")
    assert counted is not None
    assert counted.data["count"] == 4


def test_what_is_refused_to_strangers_is_not_written(play: Any) -> None:
    play("make_house")
    request = RequestFactory().post("/en/bank/")
    request.user = AnonymousUser()
    AuditTrail(lambda _request: HttpResponse()).write(request, Forbidden("not_allowed", "No."))
    assert refusals() == []
