"""`/v1/contributions` beyond declaring: amended as it was read, deleted while a draft, many at once, discussed."""

from typing import Any

import pytest
from django.utils import timezone

from backend.contributions.models import Contribution, Objection, Question, Review
from backend.contributions.own import draft
from tests.api.conftest import refused, shown, work
from tests.api.test_contributions import rows


def declared(caller: Any, world: Any, **changed: Any) -> tuple[str, str]:
    """The id and the ETag of work that awaits its review."""
    answer = caller.post("contributions", work(world, **changed))
    return shown(answer, 201)["id"], answer["ETag"]


def test_what_was_read_is_amended_and_gets_another_tag(play: Any, call: Any) -> None:
    world = play("make_house")
    bo, sacha = call(world.users["bo"]), call(world.users["sacha"])
    name, tag = declared(bo, world)
    assert bo.get(f"contributions/{name}")["ETag"] == sacha.get(f"contributions/{name}")["ETag"] == tag
    answer = bo.patch(f"contributions/{name}", {"duration": "1h15", "metadata": {"sprint": "42"}}, match=tag)
    body = shown(answer, 200)
    assert (body["minutes"], body["version"], body["metadata"]) == (75, 2, {"sprint": "42"})
    assert answer["ETag"] == bo.get(f"contributions/{name}")["ETag"] != tag
    problem = refused(bo.patch(f"contributions/{name}", {"minutes": 5}, match=tag), 412, "changed_meanwhile")
    assert problem["errors"][0]["header"] == "If-Match"
    refused(bo.patch(f"contributions/{name}", {"minutes": 5}, match=f"W/{answer['ETag']}"), 412, "changed_meanwhile")
    refused(bo.patch(f"contributions/{name}", {"minutes": 5}, match=""), 428, "if_match_missing")
    for no_tag in (
        "tag",
        '"a',
        '"a"b"',
        '"a" "b"',
        '"a",, "b"',
        '*, "a"',
        '"' + "a" * 201 + '"',
        '"a", ' * 400 + '"a"',
    ):
        refused(bo.patch(f"contributions/{name}", {"minutes": 5}, match=no_tag), 400, "if_match_invalid")
    for other in ('""', '"a" ,\t"b"', 'W/"a"'):
        refused(bo.patch(f"contributions/{name}", {"minutes": 5}, match=other), 412, "changed_meanwhile")
    assert Contribution.objects.get().minutes == 75
    shown(bo.patch(f"contributions/{name}", {"minutes": 5}, match=f'"other", {answer["ETag"]}'), 200)


def test_a_review_changes_the_tag(play: Any, call: Any) -> None:
    world = play("make_house")
    bo, sacha = call(world.users["bo"]), call(world.users["sacha"])
    name, tag = declared(bo, world)
    shown(sacha.post(f"contributions/{name}/questions", {"text": "Why?"}), 201)
    refused(bo.patch(f"contributions/{name}", {"minutes": 5}, match=tag), 412, "changed_meanwhile")


def test_nobody_approves_an_amendment_that_they_did_not_read(play: Any, call: Any) -> None:
    world = play("make_house")
    bo, sacha = call(world.users["bo"]), call(world.users["sacha"])
    name, tag = declared(bo, world)
    shown(bo.patch(f"contributions/{name}", {"amount": {"value": 90_00, "currency": "EUR"}}, match=tag), 200)
    for path, body in (("reviews", {"verdict": "approve"}), ("questions", {"text": "Why?"}),
                       ("objections", {"reason": "Twice"})):  # fmt: skip
        refused(sacha.post(f"contributions/{name}/{path}", body), 409, "contribution_amended")
    assert (Review.objects.count(), Question.objects.count(), Contribution.objects.get().state) == (0, 0, "declared")
    approved = shown(sacha.post(f"contributions/{name}/reviews", {"verdict": "approve", "version": 2}), 201)
    assert (approved["version"], approved["contribution_state"]) == (2, "validated")


def test_a_bad_change_names_its_field_and_changes_nothing(play: Any, call: Any) -> None:
    world = play("make_house")
    bo = call(world.users["bo"])
    name, _tag = declared(bo, world)
    before = rows()
    for body, code, pointer in (
        ({"state": "settled"}, "invalid_fields", "/state"), ({"budget": "x"}, "invalid_fields", "/budget"),
        ({"duration": "a while"}, "invalid_fields", "/duration"),
        ({"duration": "1h", "minutes": 60}, "duration_twice", "/duration"),
        ({"metadata": {"a": 1}}, "invalid_fields", "/metadata/a"),
        ({"metadata": {"a" * 41: "1"}}, "metadata_shape", "/metadata"),
        ({"amount": {"value": 1, "currency": "USD"}}, "other_currency", "/amount/currency"),
        ({"description": "x\u0000"}, "invalid_fields", "/description"),
    ):  # fmt: skip
        problem = refused(bo.patch(f"contributions/{name}", body), 422, code)
        assert problem["errors"][0]["pointer"] == pointer, body
    assert rows() == before
    refused(call(world.users["sacha"]).patch(f"contributions/{name}", {"minutes": 5}), 403, "contribution_of_another")
    refused(call(world.users["ana"]).patch(f"contributions/{name}", {"minutes": 5}), 404, "contribution_not_found")


def test_a_draft_is_declared_or_deleted(play: Any, call: Any) -> None:
    world = play("make_house")
    bo, sacha = call(world.users["bo"]), call(world.users["sacha"])
    facts = {"worked_on": world.today, "description": "Merged 12", "minutes": 90, "kind": "development"}
    one, two = (
        draft(
            contributor=world.users["bo"], budget=world.budget, facts=facts, source="frg_1", form_key=key,
            now=timezone.now(),
        )
        for key in "ab"
    )  # fmt: skip
    refused(sacha.get(f"contributions/{one.pk}"), 404, "contribution_not_found")
    assert [row["id"] for row in shown(bo.get("contributions?state=draft&source=frg_1"), 200)["data"]] == [
        two.pk, one.pk,
    ]  # fmt: skip
    assert shown(bo.post(f"contributions/{one.pk}/declaration", {}), 201)["state"] == "declared"
    refused(bo.delete(f"contributions/{one.pk}"), 409, "contribution_not_open")
    tag = bo.get(f"contributions/{two.pk}")["ETag"]
    refused(bo.delete(f"contributions/{two.pk}", match='"x"'), 412, "changed_meanwhile")
    answer = bo.delete(f"contributions/{two.pk}", match=tag)
    assert (answer.status_code, answer.content) == (204, b"")
    refused(bo.delete(f"contributions/{two.pk}", match=tag), 404, "contribution_not_found")


def test_what_peers_say_through_the_api(play: Any, call: Any) -> None:
    world = play("make_house")
    bo, sacha, camille = (call(world.users[name]) for name in ("bo", "sacha", "camille"))
    name, _tag = declared(bo, world)
    other, _tag = declared(bo, world)
    asked = shown(sacha.post(f"contributions/{name}/questions", {"text": "Why?", "version": 1}), 201)
    question = asked["questions"][0]
    assert (asked["state"], question["text"], question["answer"]) == ("questioned", "Why?", None)
    refused(
        bo.post(f"contributions/{other}/questions/{question['id']}/answer", {"text": "x"}), 404, "question_not_found"
    )
    answered = shown(bo.post(f"contributions/{name}/questions/{question['id']}/answer", {"text": "So"}), 201)
    assert (answered["state"], answered["questions"][0]["answer"]) == ("declared", "So")
    key = "once"
    doubted = shown(camille.post(f"contributions/{name}/objections", {"reason": "Twice"}, key=key), 201)
    again = camille.post(f"contributions/{name}/objections", {"reason": "Twice"}, key=key)
    assert (again["Idempotent-Replayed"], shown(again, 201)) == ("true", doubted)
    objection = doubted["objections"][0]["id"]
    refused(camille.post(f"contributions/{name}/objections", {"reason": "Twice"}), 409, "already_objected")
    refused(sacha.post(f"contributions/{other}/objections/{objection}/lifting"), 404, "objection_not_found")
    problem = refused(
        sacha.post(f"contributions/{name}/objections/{objection}/opinions", {"upholds": "no", "reason": ""}),
        422, "invalid_fields",
    )  # fmt: skip
    assert problem["errors"][0]["pointer"] == "/upholds"
    decided = shown(
        sacha.post(f"contributions/{name}/objections/{objection}/opinions", {"upholds": False, "reason": "No"}), 201
    )
    assert (decided["state"], decided["objections"][0]["state"]) == ("declared", "overruled")
    assert decided["objections"][0]["opinions"][0]["reason"] == "No"
    waived = shown(bo.post(f"contributions/{name}/waiver", {"amount": {"value": 500, "currency": "EUR"}}), 201)
    assert (waived["amount"]["value"], waived["waived"]["value"]) == (4000, 500)
    refused(bo.post(f"contributions/{name}/waiver", {"amount": {"value": 5, "currency": "USD"}}), 422, "other_currency")
    assert shown(bo.post(f"contributions/{name}/waiver", {}), 201)["state"] == "waived"
    assert (Question.objects.count(), Objection.objects.count()) == (1, 1)


def test_a_batch_is_kept_whole_or_each_fault_is_named(play: Any, call: Any) -> None:
    world = play("make_house")
    bo = call(world.users["bo"])
    fine = work(world, minutes=None, duration="0:45")
    before = rows()
    for wrong in (
        {"/items/1/duration": {"minutes": 3}, "/items/3/amount/currency": {"amount": {"value": 1, "currency": "USD"}}},
        {
            "/items/1/kind": {"kind": "magic"}, "/items/3/budget": {"budget": "bud_" + "0" * 36},
            "/items/5/description": {"description": " "},
        },
    ):  # fmt: skip
        items = [fine] * 7
        for pointer, change in wrong.items():
            items[int(pointer.split("/")[2])] = {**fine, **change}
        problem = refused(bo.post("contributions/batch", {"items": items}), 422, "batch_refused")
        assert [one["pointer"] for one in problem["errors"]] == list(wrong)
    assert rows() == before
    refused(bo.post("contributions/batch", {"items": []}), 422, "batch_size")
    refused(bo.post("contributions/batch", {"items": [fine] * 501}), 422, "invalid_fields")
    refused(bo.post("contributions/batch", {"items": [{**fine, "state": "settled"}]}), 422, "invalid_fields")
    assert rows() == before
    made = bo.post("contributions/batch", {"items": [fine, {**fine, "description": "two"}]}, key="k")
    assert [one["description"] for one in shown(made, 201)["data"]] == [fine["description"], "two"]
    again = bo.post("contributions/batch", {"items": [fine, {**fine, "description": "two"}]}, key="k")
    assert (again["Idempotent-Replayed"], again.content) == ("true", made.content)
    assert Contribution.objects.count() == 2


def test_the_largest_batch_is_taken(play: Any, call: Any) -> None:
    world = play("make_house")
    bo = call(world.users["bo"])
    body = {"items": [work(world, description=f"Work {number}") for number in range(500)]}
    assert len(shown(bo.post("contributions/batch", body), 201)["data"]) == 500
    assert Contribution.objects.count() == 500


def test_filters_and_expansions(play: Any, call: Any, django_assert_max_num_queries: Any) -> None:
    world = play("make_house")
    bo, camille = call(world.users["bo"]), call(world.users["camille"])
    mine, _tag = declared(bo, world)
    declared(bo, world, kind="design")
    theirs, _tag = declared(camille, world)

    def found(query: str) -> list[str]:
        return [row["id"] for row in shown(bo.get(f"contributions?{query}"), 200)["data"]]

    assert theirs not in found("contributor=me")
    assert found(f"contributor={world.users['camille'].pk}") == [theirs]
    assert mine not in found("kind=design")
    assert len(found("kind=design")) == 1
    (row,) = shown(bo.get(f"contributions?expand=budget,period&contributor={world.users['camille'].pk}"), 200)["data"]
    assert row["budget"]["commons"]["slug"] == world.commons.slug
    assert row["period"]["id"] == world.period.pk
    whole = bo.get(f"contributions/{mine}?expand=budget")
    assert shown(whole, 200)["budget"]["id"] == world.budget.pk
    assert whole["ETag"] == bo.get(f"contributions/{mine}")["ETag"]
    refused(bo.get("contributions?expand=contributor.email"), 400, "parameter_invalid")
    refused(bo.get(f"contributions/{mine}?expand="), 400, "parameter_invalid")


@pytest.mark.parametrize("count", [1, 50])
def test_a_list_takes_as_many_queries_for_one_row_as_for_fifty(
    play: Any, call: Any, count: int, django_assert_num_queries: Any
) -> None:
    world = play("make_house")
    bo = call(world.users["bo"])
    shown(bo.post("contributions/batch", {"items": [work(world) for _ in range(count)]}), 201)
    bo.get("contributions")
    with django_assert_num_queries(4):
        assert len(shown(bo.get("contributions?expand=budget"), 200)["data"]) == count


def test_durations_are_read_as_people_write_them(play: Any, call: Any) -> None:
    world = play("make_house")
    bo = call(world.users["bo"])
    for typed, minutes in (("90", 90), ("1h30", 90), ("1:30", 90), ("1 h 30", 90), ("2h", 120)):
        assert shown(bo.post("contributions", work(world, minutes=None, duration=typed)), 201)["minutes"] == minutes
    before = rows()
    refused(bo.post("contributions", work(world, minutes=None, duration="1h" + "0" * 900_000)), 422, "invalid_fields")
    assert rows() == before
