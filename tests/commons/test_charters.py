"""Charters: one document, refused with the path and the reason; a version holds from the next period only."""

import hashlib
import json
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.db import DatabaseError, connection, transaction
from django.utils import translation
from jsonschema import Draft202012Validator

from backend.allocation.rules import RULES
from backend.commons.charter_schema import charter_schema
from backend.commons.charters import CharterInvalid, default_document, read_document, valid_document
from backend.commons.models import Budget, Charter, Period
from backend.commons.services import (
    adopt_charter,
    charter_of,
    create_commons,
    current_period,
    following,
    open_envelope,
    open_next_period,
    require_open_period,
    ruling_budget,
)
from backend.commons.words import RULE_NAMES, RULE_SENTENCES
from backend.core.errors import Conflict, Forbidden, Invalid
from backend.distributions.services import close_period
from backend.events.models import Event
from backend.identity.services import host_day
from tests.concurrency import at_once

Play = Callable[..., Any]
REST = {"rest": True}


def document(**changes: Any) -> dict[str, Any]:
    """A simple charter with some members changed."""
    return {**default_document(), **changes}


def tier(**changes: Any) -> dict[str, Any]:
    """The one tier of a simple charter with some members changed."""
    return {"id": "general", "rule": "claims_pro", "take": REST, **changes}


def faults_of(given: Any, budget: Budget | None = None) -> dict[str, str]:
    """Path → sentence of what is wrong."""
    with pytest.raises(CharterInvalid) as refusal:
        valid_document(given, budget=budget)
    assert (refusal.value.code, refusal.value.param) == ("charter_invalid", refusal.value.faults[0][0] or "document")
    return dict(refusal.value.faults)


def adopt(world: Any, by: str = "sacha", after: int | None = None, **changes: Any) -> Charter:
    """The steward adopts the latest rules with some members changed."""
    latest = world.budget.charters.latest("version").document
    return adopt_charter(
        actor=world.users[by], budget=world.budget, document={**latest, **changes}, now=world.now, after=after
    )


def test_the_schema_is_a_schema_and_every_rule_is_in_it() -> None:
    Draft202012Validator.check_schema(charter_schema())
    assert charter_schema()["properties"]["tiers"]["items"]["properties"]["rule"]["enum"] == sorted(RULES)
    assert set(RULE_NAMES) == set(RULE_SENTENCES) == set(RULES)


def test_a_minimal_document_is_completed_and_stays_valid() -> None:
    found = valid_document({"format": 1, "tiers": [tier()], "bounds": {"ceiling": 5}})
    assert found == document(bounds={"floor": 0, "ceiling": 5, "ceiling_bp": None, "hourly_cap": None})
    assert found["tiers"] == [tier(kinds=None, reimburses=False)]
    assert valid_document(found) == found
    # Without a default, so that documents written before there were any keep their digest.
    assert set(found) == set(charter_schema()["properties"]) - {"rates", "closing"}
    assert list(Draft202012Validator(charter_schema()).iter_errors(found)) == []


@pytest.mark.parametrize(
    ("changes", "path", "said"),
    [
        ({"format": 2}, "format", "“2” is not known here. Use: 1."),
        ({"tiers": []}, "tiers", "too short"),
        ({"tiers": [tier(rule="magic")]}, "tiers[0].rule", "“magic” is not known here. Use: as_asked, catch_up"),
        ({"tiers": [{"id": "a"}]}, "tiers[0].rule", "missing"),
        ({"tiers": [tier(id="a\n")]}, "tiers[0].id", "not written as it must be"),
        ({"tiers": [tier(take={})]}, "tiers[0].take", 'Write it in one of these ways: {"rest": true} or {"cents": n}'),
        ({"tiers": [tier(take={"rest": False})]}, "tiers[0].take", "Write it in one of these ways"),
        ({"tiers": [tier(take={"bp": 0, "of": "left"})]}, "tiers[0].take.bp", "0 is too small: 1 at least."),
        ({"tiers": [tier(take={"bp": 1, "of": "all"})]}, "tiers[0].take.of", "Use: whole, left."),
        ({"tiers": [tier(kinds=[])]}, "tiers[0].kinds", "too short"),
        ({"tiers": [tier(kinds=["review", "review"])]}, "tiers[0].kinds", "twice"),
        ({"tiers": [tier(kinds=["magic"])]}, "tiers[0].kinds[0]", "“magic”"),
        ({"tiers": [tier(kinds=["expense"])]}, "tiers[0].kinds[0]", "The charter has no kind “expense”"),
        ({"tiers": [tier(id="1")]}, "tiers[0].id", "not written as it must be"),
        ({"tiers": [tier(), tier()]}, "tiers[1].id", "Another tier has this name."),
        ({"tiers": [tier(take={"cents": 5})]}, "tiers[0].take", "The last tier shares all that is left"),
        ({"tiers": [tier(speed=1)]}, "tiers[0].speed", "Use: id, kinds, reimburses, rule, take."),
        ({"kinds": {}}, "kinds", "Choose or write at least 1."),
        ({"kinds": {"magic": 1000}}, "kinds.magic", "There is nothing of this name here."),
        ({"kinds": {"review": 1000.0}}, "kinds.review", "Write a whole number in plain figures here."),
        ({"kinds": {"review": True}}, "kinds.review", "a whole number"),
        ({"minutes_a_day": "420"}, "minutes_a_day", "a whole number"),
        ({"decay_ppm": []}, "decay_ppm", "too short"),
        ({"decay_ppm": [1_000_001]}, "decay_ppm[0]", "1000001 is too large: 1000000 at most."),
        ({"decay_ppm": [500_000, 500_001]}, "decay_ppm[1]", "Older work never counts more than newer work."),
        ({"decay_ppm": [0]}, "decay_ppm[0]", "must count"),
        ({"bounds": {"floor": 6, "ceiling": 5}}, "bounds.floor", "The floor is above the ceiling."),
        ({"soft_cap": 6, "hard_cap": 5}, "soft_cap", "is larger than the largest request."),
        ({"hard_cap": 0}, "hard_cap", "1 at least"),
        ({"hard_cap": "5"}, "hard_cap", "Write a whole number in plain figures or null here."),
        ({"reserve": {"bp": 10_001}}, "reserve.bp", "too large"),
        ({"upstream": [{"to": "bud_x", "bp": 1}]}, "upstream[0].to", "not written as it must be"),
        ({"upstream": [{"to": f"bud_{'0' * 36}", "bp": 1}]}, "upstream[0].to", "There is no such budget."),
        ({"earmarks": {"weights": "sub"}}, "earmarks.weights", "Use: add, offset, exclude."),
        ({"unpaid": {"carry_periods": -1}}, "unpaid.carry_periods", "too small"),
        ({"review": {"mode": "approvals"}}, "review", "Write it in one of these ways"),
        ({"review": {"mode": "consent", "days": 91}}, "review.days", "91 is too large"),
        ({"review": {"mode": "consent", "approvals": 1}}, "review", "Write it in one of these ways"),
        ({"review": {"mode": "approvals", "approvals": 0}}, "review.approvals", "0 is too small"),
        ({"objections": {"settled_by": 10}}, "objections.settled_by", "10 is too large"),
        ({"rates": {}}, "rates", "Choose or write at least 1."),
        ({"rates": {"expense": 1}}, "rates.expense", "There is nothing of this name here."),
        ({"rates": {"review": 0}}, "rates.review", "0 is too small"),
        ({"kinds": {"review": 1000}, "rates": {"support": 1}}, "rates.support", "The charter has no kind “support”"),
        ({"period": {"months": 3, "days": 1}}, "period", "Write it in one of these ways: null or"),
        ({"period": {"months": 0}}, "period.months", "0 is too small"),
        ({"publication_days": 91}, "publication_days", "too large"),
        ({"declare": "nobody"}, "declare", "Use: members, everyone."),
        ({"colour": 1}, "colour", "There is nothing of this name here."),
        (
            {"tiers": [tier(rule="as_asked")], "bounds": {"floor": 1}},
            "tiers[0].rule", "Requests served in the order of validation (as_asked) have no floors",
        ),
    ],
)  # fmt: skip
def test_a_bad_charter_is_refused_with_its_path_and_reason(
    db: None, changes: dict[str, Any], path: str, said: str
) -> None:
    found = faults_of(document(**changes))
    assert list(found) == [path]
    assert said in found[path]


def test_all_faults_are_told_at_once_in_the_language_of_the_reader() -> None:
    given = document(hard_cap="x", tiers=[tier(rule="magic", take={"cents": -1})], declare=None)
    assert list(faults_of(given)) == ["declare", "hard_cap", "tiers[0].rule", "tiers[0].take.cents"]
    with translation.override("fr"):
        assert set(faults_of(given)) == {"declare", "hard_cap", "tiers[0].rule", "tiers[0].take.cents"}
    assert faults_of([]) == {"": "Write an object between braces here."}
    assert faults_of({"format": 1}) == {"tiers": "This member is missing."}


def test_expenses_first_may_take_all_that_is_there() -> None:
    kinds = {"development": 1000, "expense": 1000}
    first = tier(id="expenses", rule="as_asked", kinds=["expense"], reimburses=True)
    found = valid_document(document(kinds=kinds, tiers=[first, tier(rule="weighted", kinds=["development"])]))
    assert [one["id"] for one in found["tiers"]] == ["expenses", "general"]


@pytest.mark.parametrize(
    ("text", "path", "said"),
    [
        ("{", "", "This is not JSON: see line 1."),
        ("[1]", "", "Write an object between braces here."),
        ('{"format": 1.0}', "", "1.0: write whole numbers only"),
        ('{"format": 1e3}', "", "1e3: write whole numbers only"),
        ('{"format": NaN}', "", "NaN: write whole numbers only"),
        ('{"format": 1, "format": 1}', "format", "This member is written twice."),
        ('{"bounds": {"floor": 1, "floor": 2}}', "floor", "This member is written twice."),
        ('{"a": "' + "x" * 65_536 + '"}', "", "The document is too long: 64 kB at most."),
        ('{"a": ' + "[" * 30_000 + "]" * 30_000 + "}", "", "too deep"),
        (b"\xff\xfe", "", "This is not JSON"),
        ('{"format": ' + "9" * 5000 + "}", "", "This is not JSON"),
    ],
)
def test_a_text_that_is_no_document_is_refused(text: str | bytes, path: str, said: str) -> None:
    with pytest.raises(CharterInvalid) as refusal:
        valid_document(read_document(text))
    assert (refusal.value.faults[0][0], said in refusal.value.faults[0][1]) == (path, True), refusal.value.faults


def test_a_deep_value_is_refused_before_anything_walks_it() -> None:
    deep: Any = 1
    for _level in range(5000):
        deep = [deep]
    assert faults_of(document(soft_cap=deep)) == {"": "The document is too deep."}


def test_upstream_goes_to_other_open_pots_once_and_half_at_most(play: Play) -> None:
    world = play("make_house")
    other = Budget.objects.get(
        parent=None,
        commons=create_commons(
            name="Bibliothèque", summary="", currency="EUR", steward=world.users["sacha"], now=world.now,
            first_day=world.period.starts_on, end_before=world.period.ends_before,
        ),
    )  # fmt: skip
    own = open_envelope(actor=world.users["sacha"], parent=world.budget, name="Atlas", now=world.now)
    edge = {"to": other.pk, "bp": 2500}
    found = valid_document(document(upstream=[edge]), budget=world.budget)
    assert found["upstream"] == [edge]
    same = "This budget is of the same commons: use a transfer."
    for target in (world.budget, own):
        said = faults_of(document(upstream=[{"to": target.pk, "bp": 1}]), world.budget)
        assert said == {"upstream[0].to": same}
    assert faults_of(document(upstream=[edge, edge]), world.budget) == {"upstream[1].to": "This budget is named twice."}
    said = faults_of(document(upstream=[edge, {**edge, "bp": 2501}]), world.budget)
    assert said["upstream"].startswith("Half of what comes in can go upstream at most")
    Budget.objects.filter(pk=other.pk).update(currency="CHF")
    assert "another currency" in faults_of(document(upstream=[edge]), world.budget)["upstream[0].to"]
    Budget.objects.filter(pk=other.pk).update(currency="EUR", state="closed")
    assert faults_of(document(upstream=[edge]), world.budget) == {"upstream[0].to": "This budget is not open."}


def test_a_commons_begins_with_a_complete_document_and_its_digest(play: Play) -> None:
    world = play("make_house")
    charter = world.budget.charters.get()
    assert charter.document == default_document()
    text = json.dumps(charter.document, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    assert charter.sha256 == hashlib.sha256(text.encode()).hexdigest()
    assert (charter.rule, charter.approvals, charter.hard_cap, charter.declare) == ("claims_pro", 1, None, "members")
    assert world.period.charter == charter_of(world.budget) == charter
    facts = {
        "name": "X", "summary": "", "currency": "EUR", "steward": world.users["sacha"], "now": world.now,
        "first_day": world.period.starts_on, "end_before": world.period.ends_before,
    }  # fmt: skip
    with pytest.raises(Invalid) as refusal:
        create_commons(**facts, rule="magic")
    assert refusal.value.code == "rule_unknown"
    with pytest.raises(CharterInvalid):
        create_commons(**facts, document={"format": 1})
    assert Budget.objects.count() == 1


def test_a_change_holds_from_the_next_period_only(play: Play) -> None:
    world = play("make_house")
    first = world.budget.charters.get()
    made = adopt(world, hard_cap=40_00, period={"months": 3})
    assert (made.version, made.hard_cap, made.created_by) == (2, 40_00, world.users["sacha"])
    world.period.refresh_from_db()
    assert world.period.charter == charter_of(world.budget) == first
    coming = open_next_period(after=world.period)
    assert coming.charter == made
    start = world.period.ends_before
    months = (coming.ends_before.year - start.year) * 12 + coming.ends_before.month - start.month
    assert (coming.starts_on, months, coming.ends_before.day) == (start, 3, 1)
    event = Event.objects.get(kind="charter.adopted")
    assert (event.subject, event.data) == (made.pk, {"version": 2, "sha256": made.sha256})
    # A period that has not begun takes a later version; the running one never does.
    third = adopt(world, hard_cap=50_00)
    coming.refresh_from_db()
    world.period.refresh_from_db()
    assert (coming.charter, world.period.charter) == (third, first)


def test_a_period_closed_early_is_followed_by_one_under_the_new_rules(play: Play) -> None:
    world = play("work")
    made = adopt(world, hard_cap=40_00)
    closed = close_period(actor=world.users["claire"], period_id=world.period.pk, now=world.now)
    rest = Period.objects.get(budget=world.budget, state="open")
    assert (rest.starts_on, rest.charter) == (host_day(world.now) + timedelta(days=1), made)
    assert (closed.charter.version, charter_of(world.budget)) == (1, made)


def test_several_open_periods_keep_theirs_until_the_first_that_has_not_begun(play: Play) -> None:
    world = play("make_house")
    today = host_day(world.now)
    Period.objects.filter(pk=world.period.pk).update(starts_on=today - timedelta(days=40), ends_before=today)
    world.period.refresh_from_db()
    running = open_next_period(after=world.period, ends_before=today + timedelta(days=1))
    coming = open_next_period(after=running, ends_before=today + timedelta(days=31))
    made = adopt(world, declare="everyone")
    versions = {one.pk: one.charter.version for one in Period.objects.select_related("charter")}
    assert versions == {world.period.pk: 1, running.pk: 1, coming.pk: made.version}
    assert charter_of(world.budget).version == 1


def test_the_same_rules_twice_are_one_version_and_an_older_one_can_come_back(play: Play) -> None:
    world = play("make_house")
    first = world.budget.charters.get()
    made = adopt(world, hard_cap=40_00)
    assert adopt(world).pk == made.pk
    back = adopt_charter(actor=world.users["sacha"], budget=world.budget, document=first.document, now=world.now)
    assert (back.version, back.sha256) == (3, first.sha256)
    assert Event.objects.filter(kind="charter.adopted").count() == 2


def test_refusals_write_nothing(play: Play) -> None:
    world = play("make_house")
    for person in ("bo", "claire", "ana"):
        with pytest.raises(Forbidden):
            adopt(world, by=person, hard_cap=40_00)
    with pytest.raises(CharterInvalid):
        adopt(world, hard_cap=-1)
    with pytest.raises(Conflict) as refusal:
        adopt(world, after=2, hard_cap=40_00)
    assert refusal.value.code == "charter_changed"
    following_one = open_envelope(
        actor=world.users["sacha"], parent=world.budget, name="Atlas", now=world.now, own_rules=False
    )
    with pytest.raises(Conflict) as refusal:
        adopt_charter(actor=world.users["sacha"], budget=following_one, document=document(), now=world.now)
    assert refusal.value.code == "charter_of_parent"
    Budget.objects.filter(pk=world.budget.pk).update(state="closed")
    with pytest.raises(Conflict) as refusal:
        adopt(world, hard_cap=40_00)
    assert refusal.value.code == "budget_not_open"
    assert (Charter.objects.count(), Event.objects.filter(kind="charter.adopted").count()) == (1, 0)


def test_an_envelope_follows_the_rules_above_or_has_its_own(play: Play) -> None:
    world = play("make_house")
    sacha = world.users["sacha"]
    atlas = open_envelope(actor=sacha, parent=world.budget, name="Atlas", now=world.now, own_rules=False)
    relief = open_envelope(actor=sacha, parent=atlas, name="Relief", now=world.now, own_rules=False)
    team = open_envelope(actor=sacha, parent=world.budget, name="Team", now=world.now)
    below = open_envelope(actor=sacha, parent=team, name="Below", now=world.now, own_rules=False)
    assert [ruling_budget(one).name for one in (atlas, relief, team, below)] == [
        "Cartolibre",
        "Cartolibre",
        "Team",
        "Team",
    ]
    assert [one.name for one in following(world.budget)] == ["Cartolibre", "Atlas", "Relief"]
    assert [one.name for one in following(team)] == ["Team", "Below"]
    assert (atlas.charters.count(), atlas.periods.count(), team.charters.count(), team.periods.count()) == (0, 0, 1, 1)
    assert current_period(relief) == require_open_period(atlas, day=world.today) == world.period
    assert charter_of(team).document == charter_of(world.budget).document


def test_two_stewards_at_once_write_two_versions_in_order(committed: str, play: Play) -> None:
    world = play("make_house")
    versions = at_once(lambda number: adopt(world, hard_cap=(number + 1) * 100).version, times=4)
    assert sorted(versions) == [2, 3, 4, 5]
    assert len(set(Charter.objects.values_list("sha256", flat=True))) == 5


def test_two_stewards_who_read_the_same_version_do_not_overwrite_each_other(committed: str, play: Play) -> None:
    world = play("make_house")
    found = at_once(lambda number: adopt(world, after=1, hard_cap=(number + 1) * 100).version, times=4)
    assert sorted(map(str, found)) == ["2", "charter_changed", "charter_changed", "charter_changed"]
    assert Charter.objects.count() == 2


def test_the_same_rules_adopted_ten_times_at_once_are_one_version(committed: str, play: Play) -> None:
    world = play("make_house")
    assert set(at_once(lambda _number: adopt(world, hard_cap=40_00).version)) == {2}
    assert Event.objects.filter(kind="charter.adopted").count() == 1


def test_a_closing_and_an_adoption_at_once_leave_the_next_period_under_the_latest_rules(
    committed: str, play: Play
) -> None:
    world = play("work")
    claire = world.users["claire"]

    def act(number: int) -> str:
        if number % 2:
            return f"version {adopt(world, hard_cap=number * 10_00).version}"
        close_period(actor=claire, period_id=world.period.pk, now=world.now)
        return "closed"

    done = at_once(act, times=6)
    assert done.count("closed") == 3
    latest = world.budget.charters.latest("version")
    assert latest.version == 4
    assert Period.objects.get(budget=world.budget, state="open").charter == latest
    assert Period.objects.get(pk=world.period.pk).charter.version == 1


def test_postgresql_keeps_versions_as_they_are_and_refuses_documents_without_rules(play: Play) -> None:
    world = play("make_house")
    charter = world.budget.charters.get()
    for sql in (
        "UPDATE commons_charter SET document = '{}'",
        "DELETE FROM commons_charter",
        "INSERT INTO commons_charter (id, budget_id, version, document, sha256, created_at) "
        "SELECT 'cha_x', budget_id, 9, document || '{\"tiers\": []}', sha256, now() FROM commons_charter",
        "INSERT INTO commons_charter (id, budget_id, version, document, sha256, created_at) "
        "SELECT 'cha_x', budget_id, 9, document || '{\"hard_cap\": 0}', sha256, now() FROM commons_charter",
        "INSERT INTO commons_charter (id, budget_id, version, document, sha256, created_at) "
        "SELECT 'cha_x', budget_id, 9, document, 'x', now() FROM commons_charter",
    ):
        with pytest.raises(DatabaseError), transaction.atomic(), connection.cursor() as cursor:
            cursor.execute(sql)
    assert Charter.objects.get() == charter
