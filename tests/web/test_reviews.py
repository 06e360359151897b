"""The pages of a reviewer: nobody approves their own, a rejection says why, a second press changes nothing."""

from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from django.contrib.staticfiles import finders
from django.test import Client

from backend.commons.services import create_commons, open_envelope
from backend.contributions.comparable import Grid
from backend.contributions.models import Contribution, Review
from backend.contributions.own import amend
from backend.contributions.services import declare, review, withdraw
from backend.identity.models import User
from backend.identity.services import grant_role
from backend.ledger.services import entry_count
from tests.contributions.test_contributions import under
from tests.rights.world import person
from tests.web.test_public import text_of

Play = Callable[..., Any]
SignIn = Callable[..., Client]


def declared(world: Any, who: str, **changes: Any) -> Contribution:
    """A contribution that awaits its review."""
    facts = {
        "kind": "development", "minutes": 60, "amount": 30_00, "description": f"Work of {who}",
        "evidence": ["https://example.org/journal"], "form_key": f"form-{who}", **changes,
    }  # fmt: skip
    return declare(actor=world.users[who], budget=world.budget, worked_on=world.today, now=world.now, **facts)


def test_the_queue_shows_what_waits_and_says_what_is_one_s_own(play: Play, sign_in: SignIn) -> None:
    world = play("receive")
    declared(world, "bo")
    declared(world, "sacha")
    text = text_of(sign_in(world.users["sacha"]).get("/en/reviews/"))
    assert "Work of bo Cartolibre, development https://example.org/journal Bo Nguyen" in text
    assert "€30.00 to review" in text
    assert "€30.00 yours: another steward" in text


def test_an_empty_queue_says_so(play: Play, sign_in: SignIn) -> None:
    world = play("receive")
    assert "Nothing waits for a review." in text_of(sign_in(world.users["sacha"]).get("/en/reviews/"))


@pytest.mark.parametrize("who", ["bo", "ana", "claire"])
def test_the_queue_is_that_of_stewards(play: Play, sign_in: SignIn, who: str) -> None:
    world = play("receive")
    answer = sign_in(world.users[who]).get("/en/reviews/")
    assert answer.status_code == 403
    assert "Your roles do not allow this." in text_of(answer)


def test_approving_validates_and_moves_no_money(play: Play, sign_in: SignIn) -> None:
    world = play("receive")
    one, before = declared(world, "bo"), entry_count()
    browser = sign_in(world.users["sacha"])
    page = browser.get(f"/en/reviews/{one.pk}/")
    assert "Approve €30.00 for Bo Nguyen" in text_of(page)
    assert 'href="https://example.org/journal" rel="nofollow ugc noopener"' in page.content.decode()
    answer = browser.post(f"/en/reviews/{one.pk}/", {"verdict": "approve"})
    assert (answer.status_code, answer.headers["Location"]) == (302, "/en/reviews/")
    one.refresh_from_db()
    assert one.state == "validated"
    assert entry_count() == before
    assert "is validated. No money moved." in text_of(browser.get("/en/reviews/"))


def test_a_second_press_gives_the_same_page_and_one_review(play: Play, sign_in: SignIn) -> None:
    world = play("receive")
    one = declared(world, "bo")
    browser = sign_in(world.users["sacha"])
    for _time in range(2):
        assert browser.post(f"/en/reviews/{one.pk}/", {"verdict": "approve"}).status_code == 302
    assert Review.objects.count() == 1
    text = text_of(browser.get(f"/en/reviews/{one.pk}/"))
    assert "Sacha Le Goff approved it on" in text
    assert "It is no longer awaiting review." in text


def test_changing_one_s_mind_is_a_refusal_that_says_who_said_what(play: Play, sign_in: SignIn) -> None:
    world = play("receive")
    one = declared(world, "bo")
    browser = sign_in(world.users["sacha"])
    browser.post(f"/en/reviews/{one.pk}/", {"verdict": "approve"})
    answer = browser.post(f"/en/reviews/{one.pk}/", {"verdict": "reject", "reason": "no"})
    assert answer.status_code == 409
    text = text_of(answer)
    assert "This contribution is “validated”; for this it must be: “awaiting review”, “questioned”." in text
    assert "Sacha Le Goff approved it on" in text
    one.refresh_from_db()
    assert one.state == "validated"


def test_a_rejection_needs_its_reason_and_shows_it(play: Play, sign_in: SignIn) -> None:
    world = play("receive")
    one = declared(world, "bo")
    browser = sign_in(world.users["sacha"])
    for reason in ("", "   "):
        answer = browser.post(f"/en/reviews/{one.pk}/", {"verdict": "reject", "reason": reason})
        assert answer.status_code == 422
        assert "Say why the contribution is rejected." in text_of(answer)
    assert Review.objects.count() == 0
    assert browser.post(f"/en/reviews/{one.pk}/", {"verdict": "reject", "reason": "Not done"}).status_code == 302
    one.refresh_from_db()
    assert one.state == "rejected"
    page = text_of(sign_in(world.users["bo"]).get(f"/en/contributions/{one.pk}/"))
    assert "Sacha Le Goff rejected it on" in page
    assert "“Not done”" in page


def test_one_s_own_has_no_button_and_cannot_be_approved(play: Play, sign_in: SignIn) -> None:
    world = play("receive")
    one = declared(world, "sacha")
    browser = sign_in(world.users["sacha"])
    page = browser.get(f"/en/reviews/{one.pk}/")
    assert "nobody reviews their own, another steward will" in text_of(page)
    assert b'name="verdict"' not in page.content
    answer = browser.post(f"/en/reviews/{one.pk}/", {"verdict": "approve"})
    assert answer.status_code == 403
    assert "Nobody reviews their own contribution" in text_of(answer)
    one.refresh_from_db()
    assert one.state == "declared"


@pytest.mark.parametrize(("who", "status"), [("camille", 403), ("claire", 403), ("ana", 404)])
def test_others_cannot_review(play: Play, sign_in: SignIn, who: str, status: int) -> None:
    world = play("receive")
    one = declared(world, "bo")
    browser = sign_in(world.users[who])
    assert browser.post(f"/en/reviews/{one.pk}/", {"verdict": "approve"}).status_code == status
    one.refresh_from_db()
    assert one.state == "declared"
    if status == 403:
        page = browser.get(f"/en/reviews/{one.pk}/")
        assert b'name="verdict"' not in page.content
        assert "Only a steward of this budget can review it." in text_of(page)


def test_an_address_that_is_not_a_web_one_is_never_a_link(play: Play, sign_in: SignIn) -> None:
    world = play("receive")
    one = declared(world, "bo")
    Contribution.objects.filter(pk=one.pk).update(evidence=["javascript:alert(1)", "https://example.org/ok"])
    page = sign_in(world.users["sacha"]).get(f"/en/reviews/{one.pk}/").content.decode()
    assert "javascript:" not in page
    assert 'href="https://example.org/ok"' in page


def test_the_queue_compares_with_others_and_never_with_fewer_than_three(play: Play, sign_in: SignIn) -> None:
    world = play("receive")
    one = declared(world, "bo")
    for number, amount in enumerate((20_00, 50_00, 80_00)):
        who = person(f"w{number}", f"Wanda {number}")
        grant_role(user=who, kind="contributor", scope=world.budget.pk, granted_by=None, now=world.now)
        world.users[f"w{number}"] = who
        other = declared(world, f"w{number}", amount=amount)
        browser = sign_in(world.users["sacha"])
        page = text_of(browser.get(f"/en/reviews/{one.pk}/"))
        assert "Fewer than three others" in page
        browser.post(f"/en/reviews/{other.pk}/", {"verdict": "approve"})
    browser.get("/en/reviews/")  # what was done to the last one is said there
    page = text_of(browser.get(f"/en/reviews/{one.pk}/"))
    assert "€50.00 in the middle, from €20.00 to €80.00 (3 requests of 3 people)" in page
    assert "Wanda" not in page
    assert "others: €50.00" in text_of(browser.get("/en/reviews/"))
    grid = Grid(world.users["sacha"], [world.commons.pk], today=world.today)
    assert grid.of(world.commons.pk, "EUR", "development", leaving_out=world.users["w0"].pk) is None
    assert Grid(world.users["sacha"], [world.commons.pk], today=world.today + timedelta(days=365)).beside(one) is None
    assert Grid(world.users["ana"], [world.commons.pk], today=world.today).beside(one) is None


def test_the_queue_is_that_of_one_budget_when_asked(play: Play, sign_in: SignIn) -> None:
    world = play("receive")
    declared(world, "bo")
    envelope = open_envelope(
        actor=world.users["sacha"], parent=world.budget, name="Docs", own_rules=False, now=world.now
    )
    browser = sign_in(world.users["sacha"])
    assert "Work of bo" in text_of(browser.get(f"/en/reviews/?budget={world.budget.pk}"))
    assert "Work of bo" not in text_of(browser.get(f"/en/reviews/?budget={envelope.pk}"))
    assert "Work of bo" in text_of(browser.get("/en/reviews/?budget=nonsense"))


def ticked(*rows: Contribution) -> dict[str, list[str]]:
    """What the boxes of these rows send."""
    return {"pick": [f"{row.pk}:{row.version}" for row in rows]}


def test_many_are_approved_after_a_confirmation_and_what_changed_is_left_out(play: Play, sign_in: SignIn) -> None:
    world = play("receive")
    before = entry_count()
    bo, camille, own = declared(world, "bo"), declared(world, "camille"), declared(world, "sacha")
    late = declared(world, "bo", form_key="late", description="Late work")
    browser = sign_in(world.users["sacha"])
    html = browser.get("/en/reviews/").content.decode()
    assert (f"{bo.pk}:1" in html, f"{own.pk}:1" in html) == (True, False)
    empty = browser.post("/en/reviews/approve/", {}, follow=True)
    assert "Tick the contributions that you approve first." in text_of(empty)
    amend(actor=world.users["bo"], contribution_id=bo.pk, changes={"minutes": 90}, now=world.now)
    asked = browser.post("/en/reviews/approve/", ticked(bo, camille, own, late))
    text = text_of(asked)
    assert "Approve 2 contributions?" in text
    assert "Left out, because they were changed or decided meanwhile" in text
    assert f"{bo.pk}:" not in asked.content.decode().replace(f"/{bo.pk}/", "")
    assert Review.objects.count() == 0
    amend(actor=world.users["bo"], contribution_id=late.pk, changes={"minutes": 90}, now=world.now)
    sent = {**ticked(camille, late, own), "confirmed": "yes"}
    report = text_of(browser.post("/en/reviews/approve/", sent))
    assert "You approved one contribution" in report
    assert "This contribution was amended meanwhile" in report
    assert "Nobody reviews their own contribution" in report
    states = dict(Contribution.objects.values_list("pk", "state"))
    assert {row: states[row.pk] for row in (bo, camille, own, late)} == {
        bo: "declared", camille: "validated", own: "declared", late: "declared",
    }  # fmt: skip
    again = text_of(browser.post("/en/reviews/approve/", sent))
    assert "Nothing was approved" in again
    assert (Review.objects.count(), entry_count()) == (1, before)


@pytest.mark.parametrize("who", ["bo", "ana", "claire"])
def test_only_stewards_approve_many(play: Play, sign_in: SignIn, who: str) -> None:
    world = play("receive")
    row = declared(world, "camille")
    answer = sign_in(world.users[who]).post("/en/reviews/approve/", {**ticked(row), "confirmed": "yes"})
    assert answer.status_code == 403
    assert Review.objects.count() == 0


def test_of_another_commons_nothing_is_approved_by_a_forged_list(play: Play, sign_in: SignIn) -> None:
    world = play("receive")
    row = declared(world, "bo")
    ada = person("ada", "Ada Byron", strong=True)
    create_commons(
        name="Far", summary="", currency="EUR", steward=ada, now=world.now, first_day=world.period.starts_on,
        end_before=world.period.ends_before,
    )  # fmt: skip
    answer = sign_in(ada).post("/en/reviews/approve/", {**ticked(row), "confirmed": "yes"})
    assert "Nothing was approved" in text_of(answer)
    assert row.description not in text_of(answer)
    assert Review.objects.count() == 0


def test_an_amended_contribution_comes_back_and_is_not_approved_unread(play: Play, sign_in: SignIn) -> None:
    world = play("receive")
    under(world, review={"mode": "approvals", "approvals": 2})
    one = declared(world, "bo")
    browser = sign_in(world.users["sacha"])
    browser.post(f"/en/reviews/{one.pk}/", {"verdict": "approve", "version": "1"})
    assert "done; waits for another" in text_of(browser.get("/en/reviews/"))
    amend(actor=world.users["bo"], contribution_id=one.pk, changes={"minutes": 90}, now=world.now)
    assert "€30.00 to review" in text_of(browser.get("/en/reviews/"))
    old = browser.post(f"/en/reviews/{one.pk}/", {"verdict": "reject", "reason": "No", "version": "1"})
    assert old.status_code == 409
    assert "amended meanwhile" in text_of(old)
    assert "there are 0" in text_of(browser.get(f"/en/reviews/{one.pk}/"))
    assert browser.post(f"/en/reviews/{one.pk}/", {"verdict": "approve", "version": "2"}).status_code == 302
    assert Review.objects.filter(version=2).count() == 1


def test_a_questioned_one_says_so_and_has_no_box(play: Play, sign_in: SignIn) -> None:
    world = play("receive")
    one = declared(world, "bo")
    browser = sign_in(world.users["sacha"])
    answer = browser.post(f"/en/contributions/{one.pk}/questions/", {"text": "Why?", "back": "review"})
    assert answer.headers["Location"] == f"/en/reviews/{one.pk}/"
    queue = browser.get("/en/reviews/")
    assert "questioned one question" in text_of(queue)
    assert f"{one.pk}:1" not in queue.content.decode()
    page = browser.get(f"/en/reviews/{one.pk}/").content.decode()
    assert ('value="approve"' in page, 'value="reject"' in page) == (False, True)


def test_by_consent_there_is_nothing_to_approve(play: Play, sign_in: SignIn) -> None:
    world = play("receive")
    under(world, review={"mode": "consent", "days": 7})
    one = declared(world, "bo")
    browser = sign_in(world.users["sacha"])
    assert "by consent, on" in text_of(browser.get("/en/reviews/"))
    page = browser.get(f"/en/reviews/{one.pk}/")
    assert "This charter validates by consent: nobody approves it." in text_of(page)
    assert 'name="verdict"' not in page.content.decode()
    assert 'id="object"' in page.content.decode()


def test_shortcuts_are_a_small_script_of_ours_that_can_be_switched_off(play: Play, sign_in: SignIn) -> None:
    world = play("receive")
    declared(world, "bo")
    browser = sign_in(world.users["sacha"])
    assert 'src="/static/review.js" defer' in browser.get("/en/reviews/").content.decode()
    assert "are off" in text_of(browser.post("/en/reviews/shortcuts/", {"on": "no"}, follow=True))
    assert "review.js" not in browser.get("/en/reviews/").content.decode()
    assert User.objects.get(pk=world.users["sacha"].pk).shortcuts is False
    assert User.objects.get(pk=world.users["bo"].pk).shortcuts is True
    browser.post("/en/reviews/shortcuts/", {"on": "yes"})
    assert "review.js" in browser.get("/en/reviews/").content.decode()
    found = finders.find("review.js")
    assert found is not None
    assert len(Path(found).read_bytes()) <= 3 * 1024


def test_the_queue_costs_the_same_for_one_row_and_for_thirty(
    play: Play, sign_in: SignIn, django_assert_max_num_queries: Any
) -> None:
    world = play("receive")
    browser = sign_in(world.users["sacha"])
    for number in range(30):
        declared(world, "bo", form_key=f"row-{number}")
    browser.get("/en/reviews/")
    with django_assert_max_num_queries(22):
        assert len(browser.get("/en/reviews/").context["rows"]) == 30


def test_sums_and_marks_are_in_the_queue_and_before_the_confirmation(play: Play, sign_in: SignIn) -> None:
    world = play("receive")
    one = declared(world, "bo", description="Mend the export", evidence=["https://example.org/one"], minutes=60)
    two = declared(world, "bo", description="mend the  export", form_key="two", minutes=30)
    declared(world, "camille", description="Mend the export", form_key="three", minutes=45)
    browser = sign_in(world.users["sacha"])
    queue = browser.get("/en/reviews/")
    assert queue.content.decode().count("same work, person and day as another") == 2
    assert queue.context["sums"]["minutes"] == 135
    assert "3 contributions shown" in text_of(queue)
    asked = browser.post("/en/reviews/approve/", ticked(one, two))
    assert asked.context["sums"] == {"count": 2, "minutes": 90, "asked": [("EUR", one.amount + two.amount)]}
    assert 'href="https://example.org/one"' in asked.content.decode()
    assert asked.content.decode().count("same work, person and day as another") == 2


def test_work_that_was_validated_already_marks_what_says_the_same(play: Play, sign_in: SignIn) -> None:
    world = play("receive")
    first = declared(world, "bo", description="Mend the export", minutes=60)
    browser = sign_in(world.users["sacha"])
    mark = "same work, person and day as another"
    assert mark not in browser.get("/en/reviews/").content.decode()
    review(actor=world.users["sacha"], contribution_id=first.pk, verdict="approve", now=world.now)
    again = declared(world, "bo", description="Mend the Export", form_key="again", minutes=60)
    declared(world, "camille", description="Mend the export", form_key="other", minutes=60)
    assert browser.get("/en/reviews/").content.decode().count(mark) == 1
    assert browser.post("/en/reviews/approve/", ticked(again)).content.decode().count(mark) == 1
    withdraw(actor=world.users["bo"], contribution_id=first.pk, now=world.now)
    assert mark not in browser.get("/en/reviews/").content.decode()
