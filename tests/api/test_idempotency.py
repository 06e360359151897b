"""One effect per Idempotency-Key, whatever the client, the network and the other connections do."""

import threading
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from django.db import connection
from django.utils import timezone

from backend.commons.models import Commons
from backend.contributions.models import Contribution
from backend.core.idempotency import once
from backend.core.ids import new_id
from backend.core.models import IdempotencyRecord
from backend.events.models import Event
from backend.identity.models import Role
from backend.pledges.models import Pledge
from tests.api.conftest import refused, shown, work


def promise(world: Any, value: int = 5000) -> dict[str, Any]:
    """The body of a pledge that is accepted."""
    return {
        "budget": world.budget.pk,
        "organisation": world.organisation.pk,
        "amount": {"value": value, "currency": "EUR"},
    }


def test_a_repetition_gets_the_same_bytes_and_changes_nothing(play: Any, call: Any) -> None:
    world = play("receive")
    bo = call(world.users["bo"])
    body = work(world, description="Café, “guillemets” and 🗺")
    first = bo.post("contributions", body, key="one")
    shown(first, 201)
    before = (Contribution.objects.count(), IdempotencyRecord.objects.count(), Event.objects.count())
    again = bo.post("contributions", dict(reversed(body.items())), key="one")
    assert (again.status_code, again.content) == (first.status_code, first.content)
    assert (first.get("Idempotent-Replayed"), again["Idempotent-Replayed"]) == (None, "true")
    assert again["Location"] == first["Location"]
    assert again["Content-Type"] == first["Content-Type"] == "application/json"
    assert again["Request-Id"] != first["Request-Id"]
    assert (Contribution.objects.count(), IdempotencyRecord.objects.count(), Event.objects.count()) == before
    assert before[:2] == (1, 1)


def test_the_answer_does_not_follow_what_happens_later(play: Any, call: Any) -> None:
    world = play("receive")
    bo, sacha = call(world.users["bo"]), call(world.users["sacha"])
    first = bo.post("contributions", work(world), key="one")
    path = f"contributions/{shown(first, 201)['id']}"
    shown(sacha.post(f"{path}/reviews", {"verdict": "approve"}), 201)
    assert bo.post("contributions", work(world), key="one").content == first.content
    assert shown(bo.get(path), 200)["state"] == "validated"


def test_what_is_allowed_no_more_is_not_told_again(play: Any, call: Any) -> None:
    world = play("receive")
    bo, ana = call(world.users["bo"]), call(world.users["ana"])
    first = bo.post("contributions", work(world), key="one")
    shown(first, 201)
    pledged = ana.post("pledges", promise(world), key="one")
    shown(pledged, 201)
    Role.objects.filter(user=world.users["bo"]).delete()
    Role.objects.filter(user=world.users["ana"]).delete()
    before = (Contribution.objects.count(), Pledge.objects.count(), IdempotencyRecord.objects.count())
    again = bo.post("contributions", work(world), key="one")
    assert again.status_code == 403, again.content
    assert first.content not in again.content
    assert ana.post("pledges", promise(world), key="one").status_code in (403, 404)
    assert (Contribution.objects.count(), Pledge.objects.count(), IdempotencyRecord.objects.count()) == before


def test_a_token_held_elsewhere_reads_no_kept_answer(play: Any, call: Any) -> None:
    world = play("receive")
    first = call(world.users["bo"]).post("contributions", work(world), key="one")
    shown(first, 201)
    other = Commons.objects.create(id=new_id("com"), slug="other", name="Other", summary="x", created_at=world.now)
    for token, status in (
        (call(world.users["bo"], only=other.pk), 404), (call(world.users["bo"], ["contributions:read"]), 403),
    ):  # fmt: skip
        assert token.post("contributions", work(world), key="one").status_code == status


def test_the_same_key_with_another_request_is_refused(play: Any, call: Any) -> None:
    world = play("receive")
    bo = call(world.users["bo"])
    one = shown(bo.post("contributions", work(world), key="one"), 201)["id"]
    for path, body in [
        ("contributions", work(world, minutes=91)),
        (f"contributions/{one}/withdrawal", None),
        ("pledges", promise(world)),
    ]:
        problem = refused(bo.post(path, body, key="one"), 422, "idempotency_key_reused")
        assert [fault["header"] for fault in problem["errors"]] == ["Idempotency-Key"]
    assert (Contribution.objects.get().minutes, Contribution.objects.get().state) == (90, "declared")
    # The same body at another address is another request.
    other = shown(bo.post("contributions", work(world), key="two"), 201)["id"]
    shown(bo.post(f"contributions/{one}/withdrawal", key="three"), 201)
    refused(bo.post(f"contributions/{other}/withdrawal", key="three"), 422, "idempotency_key_reused")
    assert Contribution.objects.get(pk=other).state == "declared"
    assert Pledge.objects.count() == 1  # the one of the demonstration


def test_keys_belong_to_the_person_not_to_the_token_nor_to_all(play: Any, call: Any) -> None:
    world = play("receive")
    bo, camille = call(world.users["bo"]), call(world.users["camille"])
    first = bo.post("contributions", work(world), key="one")
    other = camille.post("contributions", work(world), key="one")
    assert shown(other, 201)["id"] != shown(first, 201)["id"]
    renewed = call(world.users["bo"]).post("contributions", work(world), key="one")
    assert (renewed.content, renewed["Idempotent-Replayed"]) == (first.content, "true")
    assert Contribution.objects.count() == 2


def test_every_post_wants_a_key(play: Any, call: Any) -> None:
    world = play("work")
    one = world.contributions[0].pk
    for user, path, body in [
        ("bo", "contributions", work(world)),
        ("sacha", f"contributions/{one}/reviews", {"verdict": "approve"}),
        ("bo", f"contributions/{one}/withdrawal", None),
        ("ana", "pledges", promise(world)),
        ("claire", f"periods/{world.period.pk}/closure", None),
    ]:
        caller = call(world.users[user])
        before = (Contribution.objects.count(), Pledge.objects.count(), Event.objects.count())
        for key, code in [
            ("", "idempotency_key_missing"),
            ("x" * 256, "idempotency_key_invalid"),
            ("a key", "idempotency_key_invalid"),
            ("clé", "idempotency_key_invalid"),
        ]:
            problem = refused(caller.post(path, body, **{"Idempotency-Key": key}), 400, code)
            assert [fault["header"] for fault in problem["errors"]] == ["Idempotency-Key"]
        assert (Contribution.objects.count(), Pledge.objects.count(), Event.objects.count()) == before
    shown(call(world.users["bo"]).post("contributions", work(world), key="x" * 255), 201)


def test_a_refusal_is_not_kept_so_that_the_key_can_be_used_again(play: Any, call: Any) -> None:
    world = play("receive")
    bo = call(world.users["bo"])
    refused(bo.post("contributions", work(world, minutes=44641), key="one"), 422, "minutes_out_of_range")
    refused(bo.post("contributions", work(world, kind="juggling"), key="one"), 422, "kind_unknown")
    assert not IdempotencyRecord.objects.exists()
    answer = bo.post("contributions", work(world), key="one")
    shown(answer, 201)
    assert "Idempotent-Replayed" not in answer


def test_the_row_itself_guards_against_a_second_effect_once_the_answer_is_forgotten(play: Any, call: Any) -> None:
    world = play("receive")
    bo = call(world.users["bo"])
    first = shown(bo.post("contributions", work(world), key="one"), 201)
    IdempotencyRecord.objects.all().delete()
    assert shown(bo.post("contributions", work(world), key="one"), 201) == first
    IdempotencyRecord.objects.all().delete()
    refused(bo.post("contributions", work(world, minutes=91), key="one"), 409, "form_key_reused")
    assert Contribution.objects.count() == 1


def in_thread(act: Callable[[], Any]) -> Any:
    """Act on a connection of its own, closed afterwards."""
    try:
        return act()
    finally:
        connection.close()


def test_while_the_first_is_running_the_second_is_told_to_wait(committed: str, play: Any, call: Any) -> None:
    world = play("receive")
    bo = call(world.users["bo"])
    started, go_on = threading.Event(), threading.Event()

    def slow() -> tuple[int, dict[str, str]]:
        started.set()
        assert go_on.wait(30)
        return 201, {"text": "{}", "location": ""}

    def first() -> None:
        once(scope=bo.user.pk, key="one", request="the first", now=timezone.now(), act=slow)

    with ThreadPoolExecutor(1) as pool:
        running = pool.submit(in_thread, first)
        assert started.wait(30)
        answer = bo.post("contributions", work(world), key="one")
        refused(answer, 409, "idempotency_key_in_flight")
        assert answer["Retry-After"] == "1"
        assert Contribution.objects.count() == 0
        shown(bo.post("contributions", work(world), key="two"), 201)
        go_on.set()
        running.result(30)
    assert Contribution.objects.count() == 1


def test_ten_at_once_with_one_key_make_one_row(committed: str, play: Any, call: Any) -> None:
    world = play("receive")
    contributor, payer = call(world.users["bo"]), call(world.users["ana"])
    for caller, path, body in [(contributor, "contributions", work(world)), (payer, "pledges", promise(world, 7700))]:
        gate = threading.Barrier(10)

        def shoot(caller: Any = caller, path: str = path, body: Any = body, gate: Any = gate) -> Any:
            gate.wait(30)
            return caller.post(path, body, key="race")

        with ThreadPoolExecutor(10) as pool:
            answers = [one.result(60) for one in [pool.submit(in_thread, shoot) for _ in range(10)]]
        statuses = Counter(answer.status_code for answer in answers)
        assert set(statuses) <= {201, 409}
        assert statuses[201] >= 1
        for answer in answers:
            if answer.status_code == 409:
                refused(answer, 409, "idempotency_key_in_flight")
        made = {answer.content for answer in answers if answer.status_code == 201}
        assert len(made) == 1
        fresh = [answer for answer in answers if answer.status_code == 201 and "Idempotent-Replayed" not in answer]
        assert len(fresh) == 1
    assert Contribution.objects.count() == 1
    assert Pledge.objects.filter(amount=7700).count() == 1
    assert IdempotencyRecord.objects.count() == 2


def test_a_batch_that_is_out_of_reach_now_is_not_told_again(play: Any, call: Any) -> None:
    world = play("receive")
    bo = call(world.users["bo"])
    body = {"items": [work(world), work(world, minutes=5)]}
    first = bo.post("contributions/batch", body, key="many")
    shown(first, 201)
    assert bo.post("contributions/batch", body, key="many").content == first.content
    before = Contribution.objects.count()
    other = Commons.objects.create(id=new_id("com"), slug="other", name="Other", summary="x", created_at=world.now)
    held = call(world.users["bo"], only=other.pk).post("contributions/batch", body, key="many")
    told = refused(held, 422, "batch_refused")["errors"]
    assert [one["code"] for one in told] == ["budget_not_found"] * 2
    Role.objects.filter(user=world.users["bo"]).delete()
    told = refused(bo.post("contributions/batch", body, key="many"), 422, "batch_refused")["errors"]
    assert [one["code"] for one in told] == ["not_allowed"] * 2
    assert Contribution.objects.count() == before
