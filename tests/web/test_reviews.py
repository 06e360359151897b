"""The pages of a reviewer: nobody approves their own, a rejection says why, a second press changes nothing."""

from collections.abc import Callable
from typing import Any

import pytest
from django.test import Client

from backend.contributions.models import Contribution, Review
from backend.contributions.services import declare
from backend.ledger.services import entry_count
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
    assert "Work of bo Cartolibre, development Bo Nguyen" in text
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
