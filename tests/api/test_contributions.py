"""`/v1/contributions`: declared with a token, reviewed by peers, taken back; what is refused changes nothing."""

from typing import Any

from django.utils import timezone

from backend.contributions.models import Contribution, Review
from backend.contributions.services import declare
from backend.core.models import IdempotencyRecord
from backend.events.models import Event
from backend.identity.models import User
from backend.operations.moderation import give_back, withdraw_text
from tests.api.conftest import refused, shown, work


def rows() -> tuple[int, int, int]:
    """What a refusal must leave as it was."""
    told = Event.objects.exclude(kind="act.refused")  # that it was refused is written
    return Contribution.objects.count(), IdempotencyRecord.objects.count(), told.count()


def test_a_contribution_is_declared_and_read_back(play: Any, call: Any) -> None:
    world = play("receive")
    bo = call(world.users["bo"])
    answer = bo.post("contributions", work(world))
    body = shown(answer, 201)
    row = Contribution.objects.get()
    assert body == {
        "id": row.pk,
        "budget": world.budget.pk,
        "period": world.period.pk,
        "contributor": {"id": world.users["bo"].pk, "name": "Bo Nguyen"},
        "worked_on": world.today.isoformat(),
        "kind": "development",
        "minutes": 90,
        "amount": {"value": 4500, "currency": "EUR"},
        "waived": {"value": 0, "currency": "EUR"},
        "description": "Export of the atlas",
        "evidence": ["https://example.org/atlas/12"],
        "over_cap_reason": "",
        "metadata": {},
        "version": 1,
        "source": None,
        "source_gone_at": None,
        "remainder_of": None,
        "corrects": None,
        "held_back": {"value": 0, "currency": "EUR"},
        "minutes_held": 0,
        "accepted_at": None,
        "seconds_left": None,
        "validated_at": None,
        "state": "declared",
        "settled_amount": None,
        "created_at": row.created_at.strftime("%Y-%m-%dT%H:%M:%SZ"),
        "description_withdrawn": False,
        "recorded": None,
        "reviews": [],
        "questions": [],
        "objections": [],
    }
    assert answer["Location"] == f"/v1/contributions/{row.pk}"
    assert "Idempotent-Replayed" not in answer
    assert len(row.form_key) == 64
    assert shown(bo.get(f"contributions/{row.pk}"), 200) == body


def test_minutes_amount_and_evidence_may_be_left_out(play: Any, call: Any) -> None:
    world = play("receive")
    bo = call(world.users["bo"])
    volunteer = shown(bo.post("contributions", work(world, amount=None, evidence=None)), 201)
    assert (volunteer["minutes"], volunteer["amount"], volunteer["evidence"]) == (
        90,
        {"value": 0, "currency": "EUR"},
        [],
    )
    paid = shown(bo.post("contributions", work(world, minutes=None)), 201)
    assert (paid["minutes"], paid["amount"]["value"]) == (0, 4500)


# what is written for a number → the code of the fault
BAD_NUMBERS = {
    **dict.fromkeys(["1e3", "1.0", "NaN", "Infinity", "-Infinity", "1" * 5000], "not_whole"),
    **dict.fromkeys(['"10"', "true", "null", "[]", "{}"], "wrong_type"),
    "9223372036854775808": "out_of_range",
}


def test_what_is_not_a_number_that_counts_is_named_and_changes_nothing(play: Any, call: Any) -> None:
    world = play("receive")
    bo = call(world.users["bo"])
    before = rows()
    rest = f'"budget":"{world.budget.pk}","worked_on":"{world.today}","kind":"design","description":"Icons",'
    for number, code in [*BAD_NUMBERS.items(), ("-5", "")]:
        for field, end, pointer, domain_code in [
            ('"minutes":', "}", "/minutes", "minutes_out_of_range"),
            ('"amount":{"currency":"EUR","value":', "}}", "/amount/value", "amount_out_of_range"),
        ]:
            answer = bo.post("contributions", ("{" + rest + field + number + end).encode())
            problem = shown(answer, 422)
            faults = [(one["pointer"], one["code"]) for one in problem["errors"]]
            assert faults == [(pointer, code or domain_code)], number[:20]
            assert rows() == before, number[:20]


def test_the_largest_amount_is_taken_and_the_next_is_not(play: Any, call: Any) -> None:
    world = play("receive")
    bo = call(world.users["bo"])
    largest = {"value": 10**12, "currency": "EUR"}
    assert shown(bo.post("contributions", work(world, amount=largest)), 201)["amount"] == largest
    before = rows()
    problem = refused(
        bo.post("contributions", work(world, amount={"value": 10**12 + 1, "currency": "EUR"})),
        422,
        "amount_out_of_range",
    )
    assert problem["errors"][0]["pointer"] == "/amount/value"
    assert rows() == before


BAD_FIELDS: list[tuple[dict[str, Any], int, str, list[str]]] = [
    ({"colour": "red", "a/b~c": 1}, 422, "invalid_fields", ["/colour", "/a~1b~0c"]),
    ({"budget": None, "kind": None}, 422, "invalid_fields", ["/budget", "/kind"]),
    ({"kind": 3, "minutes": "90"}, 422, "invalid_fields", ["/kind", "/minutes"]),
    ({"worked_on": "20/11/2026"}, 422, "invalid_fields", ["/worked_on"]),
    ({"worked_on": "2026-02-30"}, 422, "invalid_fields", ["/worked_on"]),
    ({"worked_on": "2026-W47-5"}, 422, "invalid_fields", ["/worked_on"]),
    ({"worked_on": "2100-01-01"}, 422, "day_in_the_future", ["/worked_on"]),
    ({"worked_on": "2001-01-01"}, 422, "day_outside_period", ["/worked_on"]),
    ({"amount": 4500}, 422, "invalid_fields", ["/amount"]),
    ({"amount": {"value": 1}}, 422, "invalid_fields", ["/amount/currency"]),
    ({"amount": {"value": 1, "currency": "EUR", "cents": 1}}, 422, "invalid_fields", ["/amount/cents"]),
    ({"amount": {"value": 1, "currency": "USD"}}, 422, "other_currency", ["/amount/currency"]),
    ({"amount": {"value": -5, "currency": "EUR"}}, 422, "amount_out_of_range", ["/amount/value"]),
    ({"minutes": 44641}, 422, "minutes_out_of_range", ["/minutes"]),
    ({"minutes": 0, "amount": None}, 422, "nothing_declared", ["/minutes"]),
    ({"kind": "juggling"}, 422, "kind_unknown", ["/kind"]),
    ({"description": " "}, 422, "description_length", ["/description"]),
    ({"description": "é" * 501}, 422, "description_length", ["/description"]),
    ({"description": "a\x00b"}, 422, "invalid_fields", ["/description"]),
    ({"description": "a\ud800b"}, 422, "invalid_fields", ["/description"]),
    ({"evidence": "https://example.org"}, 422, "invalid_fields", ["/evidence"]),
    ({"evidence": ["https://example.org", 7]}, 422, "invalid_fields", ["/evidence/1"]),
    ({"evidence": ["http://[half"]}, 422, "invalid_fields", ["/evidence/0"]),
    ({"evidence": ["https://example.org", "javascript:alert(1)"]}, 422, "evidence_not_a_link", ["/evidence/1"]),
    (
        {
            "minutes": -1,
            "amount": {"value": -1, "currency": "EUR"},
            "kind": "juggling",
            "description": "",
            "worked_on": "2099-01-01",
            "evidence": ["x", "https://example.org", "y"],
        },
        422,
        "kind_unknown",
        ["/kind", "/minutes", "/amount/value", "/description", "/evidence/0", "/evidence/2", "/worked_on"],
    ),
    ({"evidence": ["https://example.org"] * 11}, 422, "evidence_too_many", ["/evidence"]),
    ({"budget": "bud_" + "0" * 36}, 404, "budget_not_found", ["/budget"]),
]


def test_bad_fields_are_named_and_change_nothing(play: Any, call: Any) -> None:
    world = play("receive")
    bo = call(world.users["bo"])
    before = rows()
    for changed, status, code, pointers in BAD_FIELDS:
        problem = refused(bo.post("contributions", work(world, **changed)), status, code)
        assert [one["pointer"] for one in problem["errors"]] == pointers
        assert all(one["code"] and one["detail"] for one in problem["errors"])
        assert rows() == before, changed


def test_signs_that_turn_a_text_around_are_left_out(play: Any, call: Any) -> None:
    world = play("receive")
    turned = work(world, description="Atlas \u202egpj.exe\u2066")
    made = shown(call(world.users["bo"]).post("contributions", turned), 201)
    assert made["description"] == "Atlas gpj.exe"


def test_one_who_is_not_a_member_declares_nothing(play: Any, call: Any) -> None:
    world = play("receive")
    ana = call(world.users["ana"])
    before = rows()
    refused(ana.post("contributions", work(world)), 403, "not_allowed")
    assert rows() == before


def test_nothing_is_declared_in_a_closed_period(play: Any, call: Any) -> None:
    world = play("close")
    bo = call(world.users["bo"])
    before = rows()
    problem = refused(bo.post("contributions", work(world)), 409, "period_closed")
    assert problem["errors"][0]["pointer"] == "/worked_on"
    assert rows() == before


def test_a_steward_approves_and_nobody_reviews_their_own(play: Any, call: Any) -> None:
    world = play("receive")
    bo, sacha = call(world.users["bo"]), call(world.users["sacha"])
    one = shown(bo.post("contributions", work(world)), 201)["id"]
    refused(bo.post(f"contributions/{one}/reviews", {"verdict": "approve"}), 403, "not_allowed")
    own = shown(sacha.post("contributions", work(world)), 201)["id"]
    refused(sacha.post(f"contributions/{own}/reviews", {"verdict": "approve"}), 403, "own_contribution")
    assert not Review.objects.exists()
    body = shown(sacha.post(f"contributions/{one}/reviews", {"verdict": "approve"}), 201)
    assert (body["verdict"], body["reason"], body["contribution_state"]) == ("approve", "", "validated")
    assert body["reviewer"] == {"id": world.users["sacha"].pk, "name": "Sacha Le Goff"}
    problem = refused(sacha.post(f"contributions/{one}/reviews", {"verdict": "approve"}), 409, "contribution_not_open")
    assert "validated" in problem["detail"]
    assert Review.objects.count() == 1
    read = shown(bo.get(f"contributions/{one}"), 200)
    assert read["state"] == "validated"
    assert [said["verdict"] for said in read["reviews"]] == ["approve"]


def test_a_rejection_says_why(play: Any, call: Any) -> None:
    world = play("receive")
    bo, sacha = call(world.users["bo"]), call(world.users["sacha"])
    one = shown(bo.post("contributions", work(world)), 201)["id"]
    path = f"contributions/{one}/reviews"
    for body, code, pointer in [
        ({"verdict": "reject"}, "reason_missing", "/reason"),
        ({"verdict": "perhaps"}, "verdict_unknown", "/verdict"),
        ({"verdict": "reject", "reason": "x" * 501}, "invalid_fields", "/reason"),
        ({"verdict": "reject", "reason": "no", "state": "settled"}, "invalid_fields", "/state"),
    ]:
        problem = refused(sacha.post(path, body), 422, code)
        assert [where["pointer"] for where in problem["errors"]] == [pointer]
    assert Contribution.objects.get().state == "declared"
    said = shown(sacha.post(path, {"verdict": "reject", "reason": "Already paid in October"}), 201)
    assert (said["contribution_state"], said["reason"]) == ("rejected", "Already paid in October")


def test_only_its_author_withdraws_a_contribution(play: Any, call: Any) -> None:
    world = play("receive")
    bo, camille = call(world.users["bo"]), call(world.users["camille"])
    one = shown(bo.post("contributions", work(world)), 201)["id"]
    refused(camille.post(f"contributions/{one}/withdrawal"), 404, "contribution_not_found")
    refused(bo.post(f"contributions/{one}/withdrawal", {"why": "typo"}), 422, "invalid_fields")
    assert Contribution.objects.get().state == "declared"
    assert shown(bo.post(f"contributions/{one}/withdrawal"), 201)["state"] == "withdrawn"


def test_the_list_is_filtered_by_state_budget_and_days(play: Any, call: Any) -> None:
    world = play("work")
    sacha = call(world.users["sacha"])

    def ids(query: str) -> list[str]:
        return [row["id"] for row in shown(sacha.get(f"contributions?{query}"), 200)["data"]]

    bo, camille = (one.pk for one in world.contributions)
    today, tomorrow = world.today.isoformat(), world.today.replace(day=1).replace(year=world.today.year + 1).isoformat()
    assert ids("") == sorted([bo, camille], reverse=True)
    assert ids("state=validated") == sorted([bo, camille], reverse=True)
    assert ids("state=declared") == []
    assert ids(f"budget={world.budget.pk}") == sorted([bo, camille], reverse=True)
    assert ids("budget=bud_" + "0" * 36) == []
    assert ids(f"from={today}&to={tomorrow}") == sorted([bo, camille], reverse=True)
    assert ids(f"to={today}") == []
    assert ids(f"from={tomorrow}") == []


BAD_PARAMETERS = [
    ("colour=red", "unknown_parameter", "colour"),
    ("state=validated&state=declared", "parameter_repeated", "state"),
    ("state=frozen", "parameter_invalid", "state"),
    ("from=yesterday", "parameter_invalid", "from"),
    ("budget=%00", "parameter_invalid", "budget"),
    ("limit=0", "parameter_invalid", "limit"),
    ("limit=101", "parameter_invalid", "limit"),
    ("limit=1e1", "parameter_invalid", "limit"),
    ("limit=%C2%B2", "parameter_invalid", "limit"),
    ("cursor=bm90aGluZw", "parameter_invalid", "cursor"),
    ("cursor=%C3%A9", "parameter_invalid", "cursor"),
    ("cursor=", "parameter_invalid", "cursor"),
]


def test_a_parameter_that_is_not_understood_is_refused(play: Any, call: Any) -> None:
    bo = call(play("make_house").users["bo"])
    for query, code, parameter in BAD_PARAMETERS:
        problem = refused(bo.get(f"contributions?{query}"), 400, code)
        assert [one["parameter"] for one in problem["errors"]] == [parameter], query


def test_pages_follow_one_another_without_gap_nor_repetition_while_rows_arrive(play: Any, call: Any) -> None:
    world = play("receive")
    bo = call(world.users["bo"])

    def add(number: int) -> str:
        return declare(
            actor=world.users["bo"], budget=world.budget, worked_on=world.today, kind="support", minutes=1,
            description="Help", form_key=f"page-{number}", now=timezone.now(),
        ).pk  # fmt: skip

    first = sorted((add(number) for number in range(7)), reverse=True)
    seen, path = [], "contributions?limit=3&state=declared"
    for turn in range(3):
        answer = bo.get(path)
        body = shown(answer, 200)
        seen += [row["id"] for row in body["data"]]
        add(100 + turn)
        if turn < 2:
            assert body["has_more"] is True
            assert answer["Link"].endswith('; rel="next"')
            following = answer["Link"].partition("/v1/")[2].partition(">")[0]
            assert f"cursor={body['next_cursor']}" in following
            path = following
    assert seen == first
    assert (body["has_more"], body["next_cursor"]) == (False, None)
    assert "Link" not in answer


def test_others_see_a_contribution_only_inside_its_budget(play: Any, call: Any) -> None:
    world = play("work")
    one = world.contributions[0].pk
    stranger = User.objects.create_user("stranger@example.org", "a long password here", name="Stranger")
    for user, sees in [
        (world.users["bo"], True),
        (world.users["camille"], True),
        (world.users["sacha"], True),
        (world.users["claire"], True),
        (world.users["ana"], False),
        (stranger, False),
    ]:
        caller = call(user)
        if sees:
            assert shown(caller.get(f"contributions/{one}"), 200)["id"] == one
        else:
            refused(caller.get(f"contributions/{one}"), 404, "contribution_not_found")
            refused(caller.post(f"contributions/{one}/reviews", {"verdict": "approve"}), 404, "contribution_not_found")
            refused(caller.post(f"contributions/{one}/withdrawal"), 404, "contribution_not_found")
            assert shown(caller.get("contributions"), 200)["data"] == []
    assert Review.objects.count() == 2


def test_a_withdrawn_description_is_marked_wherever_the_contribution_is_read(play: Any, call: Any) -> None:
    world = play("receive")
    bo, claire = call(world.users["bo"]), world.users["claire"]
    names = [shown(bo.post("contributions", work(world)), 201)["id"] for _number in range(2)]

    def marked() -> list[bool]:
        listed = {row["id"]: row for row in shown(bo.get("contributions"), 200)["data"]}
        one = bo.get(f"contributions/{names[0]}")
        tag = one.headers["ETag"]
        amended = bo.patch(f"contributions/{names[0]}", {"description": "Else"}, match=tag)
        answers = [listed[names[0]], shown(one, 200), shown(amended, 200), listed[names[1]]]
        return [answer["description_withdrawn"] for answer in answers]

    assert marked() == [False] * 4
    row = withdraw_text(
        actor=claire, subject=names[0], field="description", reason="Insults.", appeal_to="appeal@example.org",
        now=timezone.now(),
    )  # fmt: skip
    assert marked() == [True, True, True, False]
    give_back(actor=claire, moderation_id=row.pk, now=timezone.now())
    assert marked() == [False] * 4
