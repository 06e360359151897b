"""The daily mail: once a day at most, of what awaits, in each reader's language, none where nothing does."""

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from django.test import Client

from backend.contributions.adjustments import decide_adjustment
from backend.contributions.models import Contribution
from backend.contributions.own import amend, draft
from backend.contributions.peers import (
    accept_due,
    answer_question,
    ask_question,
    decide_objection,
    lift_objection,
    object_to,
)
from backend.contributions.services import declare, review
from backend.identity.models import Role, User
from backend.identity.services import grant_role
from backend.notifications.digests import digest_due, digests_waiting, set_digest
from backend.notifications.models import Digest, OutgoingMail
from backend.notifications.services import compose_due
from backend.operations import demo
from tests.concurrency import at_once
from tests.contributions.test_adjustments import proposed, second_steward
from tests.contributions.test_contributions import under
from tests.web.test_public import text_of

Play = Callable[..., Any]
SignIn = Callable[..., Client]
PARIS = ZoneInfo("Europe/Paris")
NINE = datetime(2026, 3, 10, 9, tzinfo=PARIS)
HOUR, DAY = timedelta(hours=1), timedelta(days=1)


@pytest.fixture
def world(play: Play) -> Any:
    """The pot with its people, all of whom read English, at nine in the morning; everybody was looked at."""
    world = play("receive", now=NINE)
    User.objects.update(language="en")
    world.users = {key: User.objects.get(pk=user.pk) for key, user in world.users.items()}
    digest_due(NINE)
    OutgoingMail.objects.all().delete()
    return world


def declared(world: Any, who: str, *, now: datetime, what: str = "") -> Contribution:
    """A contribution that awaits its review."""
    return declare(
        actor=world.users[who], budget=world.budget, worked_on=world.today, kind="development", minutes=60,
        amount=30_00, description=what or f"Work of {who}", form_key=f"{who}-{now}-{what}", now=now,
    )  # fmt: skip


def digests() -> dict[str, str]:
    """Addressee → text of the daily mails."""
    mails = OutgoingMail.objects.filter(event=None)
    assert len({mail.recipient for mail in mails}) == mails.count()
    return {mail.recipient.split("@")[0]: mail.body for mail in mails}


def by_consent(world: Any, days: int) -> None:
    """Put the running period under a charter by consent."""
    under(world, review={"mode": "consent", "days": days})


def test_what_was_declared_comes_the_next_morning_and_to_peers_alone(world: Any) -> None:
    declared(world, "bo", now=NINE + HOUR)
    assert digest_due(NINE + 2 * HOUR) == 0  # looked at already today
    assert digest_due(NINE.replace(hour=6) + DAY) == 0  # too early
    assert digest_due(NINE + DAY) == 3
    found = digests()
    assert set(found) == {"sacha", "camille"}
    assert "To review:\n- Bo Nguyen, Cartolibre: Work of bo. http" in found["sacha"]
    assert "Newly declared:\n- Bo Nguyen, Cartolibre: Work of bo." in found["camille"]
    assert found["sacha"].startswith("Hello Sacha Le Goff,")
    assert "/en/account/mail/" in found["sacha"]
    assert digest_due(NINE + DAY + HOUR) == 0


def test_nothing_is_written_when_nothing_waits(world: Any) -> None:
    one = declared(world, "bo", now=NINE + HOUR)
    review(actor=world.users["sacha"], contribution_id=one.pk, verdict="approve", now=NINE + 2 * HOUR)
    assert digest_due(NINE + DAY) == 3
    assert digests() == {}


def test_what_still_waits_is_said_again_to_who_reviews_and_not_to_others(world: Any) -> None:
    declared(world, "bo", now=NINE + HOUR)
    digest_due(NINE + DAY)
    OutgoingMail.objects.all().delete()
    digest_due(NINE + 2 * DAY)
    assert set(digests()) == {"sacha"}


def test_the_reader_s_language(world: Any) -> None:
    declared(world, "bo", now=NINE + HOUR)
    User.objects.filter(pk=world.users["sacha"].pk).update(language="fr")
    digest_due(NINE + DAY)
    assert "/fr/contributions/" in digests()["sacha"]
    assert "/en/contributions/" in digests()["camille"]


def test_amended_and_answered(world: Any) -> None:
    one, two = (declared(world, "bo", now=NINE + HOUR, what=what) for what in ("first", "second"))
    asked = ask_question(actor=world.users["camille"], contribution_id=two.pk, text="How?", now=NINE + HOUR)
    digest_due(NINE + DAY)
    OutgoingMail.objects.all().delete()
    amend(actor=world.users["bo"], contribution_id=one.pk, changes={"minutes": 30}, now=NINE + DAY + HOUR)
    answer_question(actor=world.users["bo"], question_id=asked.pk, text="So.", now=NINE + DAY + HOUR)
    digest_due(NINE + 2 * DAY)
    told = digests()["camille"]
    assert "Amended since your last mail:\n- Bo Nguyen, Cartolibre: first." in told
    assert "Your question was answered:\n- Bo Nguyen, Cartolibre: second." in told
    assert told.count("first") == told.count("second") == 1


def test_an_objection_awaits_the_uninvolved_stewards(world: Any) -> None:
    second = User.objects.create_user("nour@example.org", name="Nour", language="en")
    demo.give_factor(second)
    grant_role(user=second, kind="steward", scope=world.budget.pk, granted_by=None, now=NINE)
    one = declared(world, "bo", now=NINE + HOUR)
    raised = object_to(actor=world.users["sacha"], contribution_id=one.pk, reason="Twice.", now=NINE + 2 * HOUR)
    digest_due(NINE + DAY)
    assert "Objections that await your decision:\n- Bo Nguyen" in digests()["nour"]
    assert "Objections" not in digests()["sacha"]  # its author
    assert "Objections" not in digests()["camille"]  # no steward
    OutgoingMail.objects.all().delete()
    lift_objection(actor=world.users["sacha"], objection_id=raised.pk, now=NINE + DAY + HOUR)
    digest_due(NINE + 2 * DAY)
    assert not any("Objections" in body for body in digests().values())


def test_clocks_that_run_out_within_a_day(world: Any) -> None:
    by_consent(world, days=3)
    declared(world, "bo", now=NINE + 2 * HOUR)
    for days, said in ((1, False), (2, False), (3, True)):
        OutgoingMail.objects.all().delete()
        digest_due(NINE + days * DAY)
        assert any("Accepted within a day, unless somebody objects:" in body for body in digests().values()) is said
        assert not any("To review" in body for body in digests().values())  # a clock validates here
    assert "March 13, 2026" in digests()["camille"]


def test_drafts_and_one_s_own_work_are_never_told(world: Any) -> None:
    declared(world, "sacha", now=NINE + HOUR)
    facts = {"worked_on": world.today, "description": "a commit"}
    draft(
        contributor=world.users["bo"], budget=world.budget, facts=facts, source="frg_x", form_key="d", now=NINE + HOUR
    )
    digest_due(NINE + DAY)
    assert not any("a commit" in body for body in digests().values())
    assert set(digests()) == {"bo", "camille"}


def test_who_switched_it_off_is_left_in_peace(world: Any, sign_in: SignIn) -> None:
    declared(world, "bo", now=NINE + HOUR)
    assert set_digest(actor=world.users["camille"], wanted=False, now=NINE)
    assert not set_digest(actor=world.users["camille"], wanted=False, now=NINE)
    assert digest_due(NINE + DAY) == 2
    assert set(digests()) == {"sacha"}
    assert set_digest(actor=world.users["camille"], wanted=True, now=NINE + DAY)
    assert digests_waiting(NINE + 2 * DAY).filter(pk=world.users["camille"].pk).exists()


def test_a_steward_whose_role_sleeps_reviews_nothing(world: Any) -> None:
    asleep = User.objects.create_user("sleeper@example.org", name="Sleeper", language="en")
    Role.objects.create(user=asleep, kind="steward", scope=world.budget.pk, created_at=NINE)
    declared(world, "bo", now=NINE + HOUR)
    digest_due(NINE + DAY)
    assert "sleeper" not in digests()


def test_two_sweeps_at_once_write_one_mail(committed: str, play: Play) -> None:
    world = play("receive", now=NINE)
    declared(world, "bo", now=NINE + HOUR)
    OutgoingMail.objects.all().delete()
    at_once(lambda _number: digest_due(NINE + DAY), times=5)
    assert sorted(digests()) == ["camille", "sacha"]
    assert Digest.objects.filter(looked_at=NINE + DAY).count() == 3


def test_a_long_list_is_cut_and_says_how_long_it_is(world: Any) -> None:
    for number in range(23):
        declared(world, "bo", now=NINE + HOUR, what=f"work {number}")
    digest_due(NINE + DAY)
    assert "- and 3 more: http" in digests()["sacha"]
    assert OutgoingMail.objects.get(recipient="sacha@example.org").subject == "What awaits you today: 23"


def told_by(kind: str) -> dict[str, str]:
    """Addressee → text of the mails of a kind of event."""
    mails = OutgoingMail.objects.filter(event__kind=kind)
    return {mail.recipient.split("@")[0]: mail.body for mail in mails}


def test_the_contributor_reads_what_peers_say_at_once(world: Any) -> None:
    one = declared(world, "bo", now=NINE)
    ask_question(actor=world.users["camille"], contribution_id=one.pk, text="With whom?", now=NINE)
    raised = object_to(actor=world.users["camille"], contribution_id=one.pk, reason="It was mine.", now=NINE)
    compose_due(NINE)
    assert "With whom?" in told_by("contribution.questioned")["bo"]
    assert "It was mine." in told_by("contribution.objected")["bo"]
    lift_objection(actor=world.users["camille"], objection_id=raised.pk, now=NINE + HOUR)
    compose_due(NINE + HOUR)
    assert set(told_by("contribution.objection_lifted")) == {"bo"}


@pytest.mark.parametrize("upholds", [True, False])
def test_both_read_what_was_decided_of_an_objection(world: Any, *, upholds: bool) -> None:
    one = declared(world, "bo", now=NINE)
    raised = object_to(actor=world.users["camille"], contribution_id=one.pk, reason="It was mine.", now=NINE)
    decide_objection(
        actor=world.users["sacha"], objection_id=raised.pk, upholds=upholds, reason="Seen the log.", now=NINE + HOUR
    )
    compose_due(NINE + HOUR)
    told = told_by("contribution.rejected" if upholds else "contribution.objection_overruled")
    assert set(told) == {"bo", "camille"}
    assert all("Seen the log." in body for body in told.values())


def test_validated_by_consent_says_so(world: Any) -> None:
    by_consent(world, days=1)
    declared(world, "bo", now=NINE)
    assert accept_due(NINE + DAY) == 1
    compose_due(NINE + DAY)
    assert "Nobody objected to it in the time" in told_by("contribution.validated")["bo"]


def test_a_correction_awaits_those_who_did_not_propose_it(play: Play) -> None:
    world = play("approve_distribution", now=NINE)
    second_steward(world)
    User.objects.update(language="en")
    adjustment = proposed(world)
    compose_due(NINE)
    assert "€10.00 too much was given for it: Counted twice." in told_by("adjustment.proposed")["bo"]
    OutgoingMail.objects.all().delete()
    digest_due(NINE + DAY)
    assert "Corrections that await your decision:\n- Bo Nguyen" in digests()["nour"]
    assert "sacha" not in digests()
    decide_adjustment(
        actor=world.users["nour"], adjustment_id=adjustment.pk, agrees=False, reason="It was not.", now=NINE + DAY
    )
    compose_due(NINE + DAY)
    assert set(told_by("adjustment.refused")) == {"bo", "sacha"}


def test_the_page_switches_it_off_and_on(play: Play, sign_in: SignIn) -> None:
    world = play("make_house")
    browser = sign_in(world.users["bo"])
    assert "checked" in browser.get("/en/account/mail/").content.decode()
    answer = browser.post("/en/account/mail/", {}, follow=True)
    assert "Your account is up to date." in text_of(answer)
    assert "checked" not in answer.content.decode()
    assert Digest.objects.get(user=world.users["bo"]).wanted is False
    assert "Nothing was changed." in text_of(browser.post("/en/account/mail/", {}, follow=True))
    browser.post("/en/account/mail/", {"digest": "on"})
    assert Digest.objects.get(user=world.users["bo"]).wanted is True
