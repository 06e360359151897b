"""The pages of a period: closing pays nothing, the computation is readable, another person approves what was read."""

import json
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone

from backend.allocation.rebuild import verify
from backend.commons.models import Period
from backend.commons.services import adopt_charter
from backend.contributions.services import declare
from backend.distributions.models import Distribution
from backend.distributions.services import close_period
from backend.ledger.services import balance, entry_count
from backend.operations.demo import sweep
from tests.web.test_public import text_of
from tests.web.test_work import grow_old
from tests.work import bring_to

Play = Callable[..., Any]
SignIn = Callable[..., Client]


def test_the_checklist_says_what_closing_would_do(play: Play, sign_in: SignIn) -> None:
    world = play("work")
    declare(
        actor=world.users["bo"], budget=world.budget, worked_on=world.today, kind="support", minutes=30, amount=5_00,
        description="Answered questions", form_key="late", now=world.now,
    )  # fmt: skip
    answer = sign_in(world.users["claire"]).get(f"/en/periods/{world.period.pk}/")
    text = text_of(answer)
    assert "In the pot €95.00 Validated requests €100.00 Validated time 5 h Not reviewed 1" in text
    assert "1 contribution is not reviewed: it will go into the next period." in text
    assert "The requests pass the money by €5.00." in text
    assert "The charter shares what there is: pro rata of the validated requests." in text
    assert "Bo Nguyen 1 3 h €60.00" in text
    assert "Nothing is paid now" in text
    assert "no-store" in answer.headers["Cache-Control"]


def test_the_checklist_tells_what_a_charter_that_reads_no_request_would_do(play: Play, sign_in: SignIn) -> None:
    world = play("work")
    document = world.period.charter.document
    tiers = [{**document["tiers"][0], "rule": "equal"}]
    adopted = adopt_charter(
        actor=world.users["sacha"], budget=world.budget, document={**document, "tiers": tiers}, now=world.now
    )
    Period.objects.filter(pk=world.period.pk).update(charter=adopted)
    text = text_of(sign_in(world.users["claire"]).get(f"/en/periods/{world.period.pk}/"))
    assert "Closed now, €95.00 would be shared and €0.00 would stay: the same for everyone." in text
    one = world.contributions[0]
    facts = text_of(sign_in(world.users["bo"]).get(f"/en/contributions/{one.pk}/"))
    assert "€60.00 (does not count: the charter shares without looking at amounts)" in facts


def test_closing_freezes_and_shows_a_page_that_waits(play: Play, sign_in: SignIn) -> None:
    world = play("work")
    before = entry_count()
    browser = sign_in(world.users["claire"])
    path = f"/en/periods/{world.period.pk}/close/"
    answer = browser.post(path, {"name": world.budget.full_name})
    assert (answer.status_code, answer.headers["Location"]) == (302, path)
    distribution = Distribution.objects.get()
    assert browser.post(path, {"name": world.budget.full_name}).headers["Location"] == path
    assert entry_count() == before
    page = f"/en/distributions/{distribution.pk}/"
    waiting = browser.get(page)
    assert "The shares are being computed." in text_of(waiting)
    assert waiting.headers["Refresh"] == "3; url=?wait=1"
    assert browser.get(page, {"wait": "9"}).headers["Refresh"] == "3; url=?wait=10"
    assert "Refresh" not in browser.get(page, {"wait": "10"}).headers
    assert "Refresh" not in browser.get(page, {"wait": "²"}).headers
    assert browser.get(f"/en/distributions/{world.period.pk}/").status_code == 404
    assert browser.get(f"/en/distributions/{distribution.pk}/trace.json").status_code == 404
    sweep(timezone.now())
    ready = browser.get(page)
    assert "Refresh" not in ready.headers
    assert "€57.00" in text_of(ready)


def test_someone_else_who_closes_is_told_who_did(play: Play, sign_in: SignIn) -> None:
    world = play("close")
    period = Period.objects.get(state="published")
    answer = sign_in(world.users["denis"]).post(f"/en/periods/{period.pk}/close/", {"name": world.budget.full_name})
    assert answer.status_code == 409
    assert "Claire Moreau closed this period on" in text_of(answer)
    assert Distribution.objects.count() == 1


@pytest.mark.parametrize(("who", "status"), [("bo", 403), ("ana", 404)])
def test_others_close_nothing(play: Play, sign_in: SignIn, who: str, status: int) -> None:
    world = play("work")
    browser = sign_in(world.users[who])
    assert browser.post(f"/en/periods/{world.period.pk}/close/", {"name": world.budget.full_name}).status_code == status
    assert Distribution.objects.count() == 0
    assert world.period.state == "open"
    if status == 403:
        assert "A steward or a treasurer closes this period." in text_of(browser.get(f"/en/periods/{world.period.pk}/"))


def test_the_list_shows_the_periods_of_one_s_budgets(play: Play, sign_in: SignIn) -> None:
    world = play("settle")
    text = text_of(sign_in(world.users["camille"]).get("/en/periods/"))
    assert "approved and booked" in text
    assert "€95.00" in text
    nothing = text_of(sign_in(world.users["ana"]).get("/en/periods/"))
    assert "Cartolibre" not in nothing
    assert "No period is open." in nothing


def test_the_computation_is_a_table_that_adds_up(play: Play, sign_in: SignIn) -> None:
    world = play("receive")
    for who, amount in (("bo", 33_33), ("camille", 66_67), ("sacha", 100_00)):
        one = declare(
            actor=world.users[who], budget=world.budget, worked_on=world.today, kind="design", minutes=60,
            amount=amount, description="Work", form_key=f"f-{who}", now=world.now,
        )  # fmt: skip
        bring_to("validated", one, reviewer=world.users["denis"], now=world.now)
    distribution = close_period(actor=world.users["claire"], period_id=world.period.pk, now=world.now)
    sweep(world.now)
    text = text_of(sign_in(world.users["denis"]).get(f"/en/distributions/{distribution.pk}/"))
    assert "Bo Nguyen €33.33 1 h none €15.83" in text
    assert "Camille Faure €66.67 1 h + €0.01 €31.67" in text
    assert "Sacha Le Goff €100.00 1 h none €47.50" in text
    assert "Total €200.00 3 h €0.01 €95.00" in text
    assert "31.6683" in text
    assert Distribution.objects.get().digest in text
    french = text_of(sign_in(world.users["denis"]).get(f"/fr/distributions/{distribution.pk}/"))
    assert "31,6683" in french


def test_the_trace_is_a_file_of_ids_that_anyone_can_verify(play: Play, sign_in: SignIn) -> None:
    world = play("close")
    answer = sign_in(world.users["camille"]).get(f"/en/distributions/{world.distribution.pk}/trace.json")
    assert answer.headers["Content-Type"] == "application/json"
    assert answer.headers["Content-Disposition"] == f'attachment; filename="{world.distribution.pk}-trace.json"'
    trace = json.loads(answer.content)
    assert verify(trace)
    assert trace["result_sha256"] == world.distribution.digest
    for user in world.users.values():
        assert user.name not in answer.content.decode()
        assert user.email not in answer.content.decode()
    assert sign_in(world.users["ana"]).get(answer.request["PATH_INFO"]).status_code == 404


def test_another_person_approves_what_was_read_and_the_ledger_owes(play: Play, sign_in: SignIn) -> None:
    world = play("close")
    path = f"/en/distributions/{world.distribution.pk}/approve/"
    browser = sign_in(world.users["denis"])
    page = text_of(browser.get(path))
    assert "Approve €95.00 for 2 people" in page
    assert "Nothing leaves the bank now." in page
    before = entry_count()
    for _time in range(2):
        answer = browser.post(path, {"digest": world.distribution.digest})
        assert (answer.status_code, answer.headers["Location"]) == (302, f"/en/distributions/{world.distribution.pk}/")
    assert entry_count() == before + 1
    assert balance(kind="budget", owner=world.budget.pk, currency="EUR") == 0
    assert "Denis Caron," in text_of(browser.get(answer.headers["Location"]))
    assert browser.get(path).status_code == 302


@pytest.mark.parametrize("digest", ["", "0" * 64])
def test_a_computation_that_was_not_read_is_not_approved(play: Play, sign_in: SignIn, digest: str) -> None:
    world = play("close")
    answer = sign_in(world.users["denis"]).post(
        f"/en/distributions/{world.distribution.pk}/approve/", {"digest": digest}
    )
    assert answer.status_code == 409
    assert "This is not the computation you read" in text_of(answer)
    world.distribution.refresh_from_db()
    assert world.distribution.state == "published"


@pytest.mark.parametrize(
    ("who", "status", "sentence"),
    [
        ("claire", 403, "You closed this period: another person must approve its distribution."),
        ("sacha", 403, "Your roles do not allow this."),
        ("bo", 403, "Your roles do not allow this."),
        ("ana", 404, ""),
    ],
)
def test_nobody_else_approves(play: Play, sign_in: SignIn, who: str, status: int, sentence: str) -> None:
    world = play("close")
    before = entry_count()
    browser = sign_in(world.users[who])
    path = f"/en/distributions/{world.distribution.pk}/approve/"
    assert browser.get(path).status_code == status
    answer = browser.post(path, {"digest": world.distribution.digest})
    assert answer.status_code == status
    assert sentence in text_of(answer)
    assert entry_count() == before
    if status == 403:
        page = browser.get(f"/en/distributions/{world.distribution.pk}/")
        assert "/approve/" not in page.content.decode()


def test_the_second_treasurer_to_approve_is_told_who_was_first(play: Play, sign_in: SignIn) -> None:
    world = play("work")
    distribution = close_period(actor=world.users["sacha"], period_id=world.period.pk, now=world.now)
    sweep(world.now)
    digest = Distribution.objects.get().digest
    path = f"/en/distributions/{distribution.pk}/approve/"
    assert sign_in(world.users["denis"]).post(path, {"digest": digest}).status_code == 302
    answer = sign_in(world.users["claire"]).post(path, {"digest": digest})
    assert answer.status_code == 409
    assert "Denis Caron has already approved this distribution." in text_of(answer)


def test_approving_asks_for_the_password_when_it_is_old(play: Play, sign_in: SignIn) -> None:
    world = play("close")
    browser = sign_in(world.users["denis"])
    grow_old(browser)
    path = f"/en/distributions/{world.distribution.pk}/approve/"
    for answer in (browser.get(path), browser.post(path, {"digest": world.distribution.digest})):
        assert answer.status_code == 302
        assert "/accounts/2fa/reauthenticate/" in answer.headers["Location"]
    world.distribution.refresh_from_db()
    assert world.distribution.state == "published"


def test_closing_early_says_what_it_costs(play: Play, sign_in: SignIn) -> None:
    world = play("work")
    text = text_of(sign_in(world.users["claire"]).get(f"/en/periods/{world.period.pk}/"))
    assert "Closed now, it ends today: work done up to today can no longer be declared for it" in text
    yesterday = world.today - timedelta(days=1)
    Period.objects.filter(pk=world.period.pk).update(starts_on=yesterday - timedelta(days=9), ends_before=yesterday)
    over = text_of(sign_in(world.users["claire"]).get(f"/en/periods/{world.period.pk}/"))
    assert "The last day of the period has passed." in over


def test_a_period_that_has_not_begun_cannot_be_closed(play: Play, sign_in: SignIn) -> None:
    world = play("close")
    following = Period.objects.get(state="open")
    browser = sign_in(world.users["claire"])
    page = browser.get(f"/en/periods/{following.pk}/")
    assert "there is nothing to close yet" in text_of(page)
    assert "Close the period" not in text_of(page)
    answer = browser.post(f"/en/periods/{following.pk}/close/", {"name": world.budget.full_name})
    assert answer.status_code == 409
    assert "This period has not begun" in text_of(answer)
    following.refresh_from_db()
    assert following.state == "open"
