"""What is recorded for somebody else: typed by a steward or treasurer, confirmed or contested by whom it is for."""

import re
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.db import DatabaseError, IntegrityError, transaction
from django.test import Client

from backend.contributions import recording as of_work
from backend.contributions.models import Contribution, Review
from backend.contributions.services import review
from backend.core.errors import Conflict, DomainError, Forbidden, Invalid, NotFound
from backend.core.ids import new_id
from backend.events.models import Event
from backend.identity.inviting import Named
from backend.identity.models import Organisation, Recording, Role, User
from backend.identity.recordings import CODE_LIFE, Told, code_of, recording_of
from backend.identity.services import grant_role
from backend.ledger.services import entry_count
from backend.notifications.models import OutgoingMail
from backend.notifications.services import compose_due
from backend.operations import demo
from backend.pledges.models import Pledge
from backend.pledges.recording import known_organisations, record_pledge
from tests.work import bring_to

Play = Callable[..., Any]
SignIn = Callable[..., Any]


def told(world: Any, **changes: Any) -> Told:
    """A call of today."""
    return Told(**{"channel": "call", "told_on": world.today, "note": "rang at noon", **changes})


def pledged(world: Any, by: str = "sacha", **changes: Any) -> Pledge:
    """A pledge that somebody recorded for Ana's organisation, which has pledged before."""
    facts: dict[str, Any] = {
        "actor": world.users[by], "budget": world.budget, "amount": 70_00, "currency": "EUR", "told": told(world),
        "form_key": "r", "now": world.now, "organisation_id": world.organisation.pk,
    }  # fmt: skip
    return record_pledge(**{**facts, **changes})


def worked(world: Any, by: str = "sacha", **changes: Any) -> Contribution:
    """Work that somebody recorded for Bo."""
    facts = {
        "worked_on": world.today.replace(day=1), "kind": "support", "description": "Accueil du public", "minutes": 120,
        "amount": 40_00, **changes.pop("facts", {}),
    }  # fmt: skip
    call: dict[str, Any] = {
        "actor": world.users[by], "budget": world.budget, "facts": facts, "told": told(world), "form_key": "w",
        "now": world.now, "contributor_id": world.users["bo"].pk,
    }  # fmt: skip
    return of_work.record_contribution(**{**call, **changes})


def recording(thing: Any) -> Recording:
    """How a pledge or contribution was recorded."""
    return Recording.objects.get(subject=thing.pk)


def address(thing: Any) -> str:
    """Where the person answers."""
    return f"/en/confirm/{code_of(recording(thing))}/"


# --- recording --------------------------------------------------------------------------------------------------------


def test_a_recorded_pledge_is_a_pledge_that_its_organisation_is_asked_to_confirm(play: Play) -> None:
    world = play("make_promise")
    made = pledged(world)
    assert pledged(world) == made  # a second press
    row = recording(made)
    assert (made.state, made.amount, made.made_by, made.organisation) == (
        "active", 70_00, world.users["sacha"], world.organisation,
    )  # fmt: skip
    assert (row.recorded_by, row.asked, row.on_behalf_of) == (
        world.users["sacha"], world.users["ana"], world.organisation.pk,
    )  # fmt: skip
    assert (row.address_hint, len(row.address_index)) == ("a…@example.org", 64)
    assert code_of(row).replace("-", "") not in str(row.__dict__)
    assert entry_count() == 0
    told_once = Event.objects.get(kind="pledge.recorded")
    assert (told_once.actor, told_once.on_behalf) == (world.users["sacha"], world.organisation.pk)
    compose_due(world.now)
    letter = OutgoingMail.objects.get(event__kind="confirmation.asked")
    assert letter.recipient == "ana@example.org"
    assert f"/fr/confirm/{code_of(row)}/" in letter.body
    assert "70,00" in letter.body


def test_a_new_organisation_is_informal_and_managed_by_its_contact(play: Play) -> None:
    world = play("make_house")
    made = pledged(world, organisation_id="", name="Les Amis du Four", contact=Named("Lou", "lou@example.org"))
    assert pledged(world, organisation_id="", name="Les Amis du Four", contact=Named("Lou", "lou@example.org")) == made
    group = Organisation.objects.get(name="Les Amis du Four")
    lou = User.objects.get(email="lou@example.org")
    assert (group.kind, made.organisation) == ("informal", group)
    assert Role.objects.get(scope=group.pk).user == lou
    assert recording(made).asked == lou


def test_work_is_recorded_for_people_of_the_budget_and_for_somebody_new(play: Play) -> None:
    world = play("make_house")
    made = worked(world)
    assert (made.contributor, made.recorded_by, made.state) == (world.users["bo"], world.users["sacha"], "declared")
    assert Event.objects.get(kind="contribution.recorded").on_behalf == world.users["bo"].pk
    assert not Event.objects.filter(kind="contribution.declared").exists()
    compose_due(world.now)
    assert "(2 h, 40,00" in OutgoingMail.objects.get(event__kind="confirmation.asked").body
    other = worked(world, contributor_id="", somebody=Named("Lou", "lou@example.org"), form_key="w2")
    lou = User.objects.get(email="lou@example.org")
    assert other.contributor == lou
    assert Role.objects.get(user=lou).kind == "contributor"
    assert {one.name for one in of_work.known_people(world.users["sacha"], [world.budget])} == {
        "Bo Nguyen", "Camille Faure", "Lou",
    }  # fmt: skip


@pytest.mark.parametrize(
    ("act", "changes", "kind", "code"),
    [
        (pledged, {"by": "bo"}, Forbidden, "not_allowed"),
        (pledged, {"by": "ana"}, Forbidden, "not_allowed"),
        (pledged, {"organisation_id": "org_x"}, Invalid, "organisation_unknown"),
        (pledged, {"organisation_id": "", "name": " "}, Invalid, "name_missing"),
        (pledged, {"organisation_id": "", "name": "X", "contact": Named("S", "sacha@example.org")}, Invalid,
         "recorded_for_oneself"),
        (pledged, {"organisation_id": "", "name": "X", "contact": Named("S", "nobody")}, Invalid, "email_invalid"),
        (pledged, {"by": "claire", "amount": 0}, Invalid, "amount_out_of_range"),
        (worked, {"by": "bo"}, Forbidden, "not_allowed"),
        (worked, {"contributor_id": "usr_x"}, Invalid, "person_unknown"),
        (worked, {"contributor_id": "", "somebody": None}, Invalid, "name_missing"),
        (worked, {"contributor_id": "", "somebody": Named("S", "sacha@example.org")}, Invalid, "recorded_for_oneself"),
        (worked, {"facts": {"minutes": 0, "amount": 0}}, Invalid, "nothing_declared"),
    ],
)  # fmt: skip
def test_what_may_not_be_recorded_changes_nothing(
    play: Play, act: Any, changes: dict[str, Any], kind: type[DomainError], code: str
) -> None:
    world = play("make_house")
    before = (User.objects.count(), Role.objects.count(), Organisation.objects.count(), Event.objects.count())
    with pytest.raises(kind) as refusal:
        act(world, **changes)
    assert refusal.value.code == code
    assert not Pledge.objects.exists()
    assert not Contribution.objects.exists()
    assert not Recording.objects.exists()
    assert (User.objects.count(), Role.objects.count(), Organisation.objects.count(), Event.objects.count()) == before


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"channel": "pigeon"}, "channel_unknown"),
        ({"confirm_by": "nod"}, "confirmation_unknown"),
        ({"note": "x" * 501}, "note_length"),
    ],
)
def test_how_it_was_said_is_needed(play: Play, changes: dict[str, Any], code: str) -> None:
    world = play("make_promise")
    for wrong in (changes, {"told_on": world.today + timedelta(days=1)}):
        with pytest.raises(Invalid) as refusal:
            pledged(world, told=told(world, **wrong))
        assert refusal.value.code == (code if wrong is changes else "day_in_the_future")
    assert not Recording.objects.exists()


def test_a_steward_knows_the_organisations_of_the_commons_and_a_treasurer_all_but_their_own(play: Play) -> None:
    world = play("make_house")
    sacha, claire = world.users["sacha"], world.users["claire"]
    assert known_organisations(sacha, world.budget) == []
    assert known_organisations(claire, world.budget) == [world.organisation]
    grant_role(user=claire, kind="organisation_member", scope=world.organisation.pk, granted_by=None, now=world.now)
    assert known_organisations(claire, world.budget) == []
    pledged(world, by="denis")
    assert known_organisations(sacha, world.budget) == [world.organisation]


# --- who recorded does not review -------------------------------------------------------------------------------------


def test_nobody_reviews_what_they_recorded(play: Play) -> None:
    world = play("make_house")
    made = worked(world)
    sacha = world.users["sacha"]
    with pytest.raises(Forbidden) as refusal:
        review(actor=sacha, contribution_id=made.pk, verdict="approve", now=world.now)
    assert refusal.value.code == "own_recording"
    with pytest.raises(IntegrityError) as by_the_database, transaction.atomic():
        Review.objects.create(
            id=new_id("rev"), contribution=made, contributor=made.contributor, reviewer=sacha, verdict="approve",
            created_at=world.now,
        )  # fmt: skip
    assert "recorded the contribution" in str(by_the_database.value)
    assert not Review.objects.exists()
    for changed in ({"recorded_by": None}, {"recorded_by": world.users["claire"]}):
        with pytest.raises(IntegrityError), transaction.atomic():
            Contribution.objects.filter(pk=made.pk).update(**changed)
    grant_role(user=world.users["camille"], kind="steward", scope=world.budget.pk, granted_by=None, now=world.now)
    demo.give_factor(world.users["camille"])
    said = review(actor=world.users["camille"], contribution_id=made.pk, verdict="approve", now=world.now)
    assert said.verdict == "approve"


def test_the_recorder_s_queue_says_whose_turn_it_is(play: Play, sign_in: SignIn) -> None:
    world = play("make_house")
    made = worked(world)
    browser = sign_in(world.users["sacha"])
    queue = browser.get("/en/reviews/").content.decode()
    assert "you recorded it: another steward" in queue
    assert "Recorded by Sacha Le Goff after a call on" in queue
    one = browser.get(f"/en/reviews/{made.pk}/").content.decode()
    assert "another steward reviews it" in one
    assert 'value="approve"' not in one


# --- answers ----------------------------------------------------------------------------------------------------------


def test_the_link_confirms_once_without_an_account(play: Play) -> None:
    world = play("make_promise")
    made = pledged(world)
    anybody = Client()
    page = anybody.get(address(made))
    assert page.status_code == 200
    assert page.headers["Cache-Control"].startswith("max-age=0, no-cache, no-store")
    assert recording(made).confirmed_at is None  # reading changes nothing
    assert anybody.post(address(made), {"answer": "confirm"}).status_code == 302
    row = recording(made)
    assert (row.confirmed_how, row.contested_at) == ("link", None)
    assert "You confirmed this" in anybody.get(address(made)).content.decode()
    assert anybody.post(address(made), {"answer": "confirm"}).status_code == 409
    assert anybody.post(address(made), {"answer": "contest", "reason": "no"}).status_code == 409
    made.refresh_from_db()
    assert made.state == "active"
    told_once = Event.objects.get(kind="recording.confirmed")
    assert (told_once.actor, told_once.on_behalf) == (None, world.organisation.pk)
    compose_due(world.now)
    assert OutgoingMail.objects.get(event=told_once).recipient == "sacha@example.org"


def test_a_contested_pledge_is_cancelled_while_nothing_was_received(play: Play) -> None:
    world = play("make_promise")
    made = pledged(world)
    anybody = Client()
    assert anybody.post(address(made), {"answer": "contest", "reason": " "}).status_code == 422
    assert recording(made).contested_at is None
    assert anybody.post(address(made), {"answer": "contest", "reason": "Never said so"}).status_code == 302
    made.refresh_from_db()
    assert (made.state, recording(made).contested_reason) == ("cancelled", "Never said so")
    told_once = Event.objects.get(kind="recording.contested")
    assert (told_once.why, told_once.data["undone"]) == ("Never said so", True)
    paid = pledged(world, form_key="paid")
    Pledge.objects.filter(pk=paid.pk).update(received=70_00, state="fulfilled")
    answer = anybody.post(address(paid), {"answer": "contest", "reason": "Never said so"}, follow=True)
    assert "a treasurer will write to you" in answer.content.decode()
    paid.refresh_from_db()
    assert paid.state == "fulfilled"
    compose_due(world.now)
    last = Event.objects.filter(kind="recording.contested").order_by("-pk")[0]
    assert {mail.recipient for mail in OutgoingMail.objects.filter(event=last)} == {
        "sacha@example.org", "claire@example.org", "denis@example.org",
    }  # fmt: skip


@pytest.mark.parametrize(("state", "after"), [("declared", "withdrawn"), ("validated", "withdrawn")])
def test_contested_work_is_withdrawn(play: Play, state: str, after: str) -> None:
    world = play("make_house")
    made = worked(world)
    bring_to(state, made, reviewer=world.users["denis"], now=world.now)
    assert Client().post(address(made), {"answer": "contest", "reason": "Not me"}).status_code == 302
    made.refresh_from_db()
    assert made.state == after


def test_contested_work_that_was_shared_stays(play: Play) -> None:
    world = play("make_house")
    made = worked(world)
    bring_to("included", made, reviewer=world.users["denis"], now=world.now)
    assert of_work.contest_contribution(recording_id=recording(made).pk, reason="Not me", now=world.now) is False
    made.refresh_from_db()
    assert made.state == "included"


def test_a_code_is_refused_when_wrong_or_old_and_the_recorder_does_not_use_it(play: Play, sign_in: SignIn) -> None:
    world = play("make_promise")
    made = pledged(world)
    row = recording(made)
    assert recording_of(code_of(row).lower().replace("-", " "), now=world.now) == row
    for code, now in (("0" * 20, world.now), (code_of(row), world.now + CODE_LIFE + timedelta(seconds=1))):
        with pytest.raises(NotFound):
            recording_of(code, now=now)
    assert Client().get("/en/confirm/00000000000000000000/").status_code == 404
    recorder = sign_in(world.users["sacha"])
    assert recorder.get(address(made)).status_code == 403
    assert recorder.post(address(made), {"answer": "confirm"}).status_code == 403
    assert recording(made).confirmed_at is None


def test_an_answer_stays_in_the_database(play: Play) -> None:
    world = play("make_promise")
    made = pledged(world)
    Client().post(address(made), {"answer": "confirm"})
    rows = Recording.objects.filter(pk=recording(made).pk)
    for change in ({"confirmed_how": "letter", "letter_on": world.today}, {"confirmed_at": None, "confirmed_how": ""}):
        with pytest.raises(IntegrityError), transaction.atomic():
            rows.update(**change)
    with pytest.raises(DatabaseError), transaction.atomic():
        rows.update(recorded_by=world.users["claire"])


# --- pages ------------------------------------------------------------------------------------------------------------


def test_a_pledge_is_recorded_on_a_page_and_marked_where_it_shows(play: Play, sign_in: SignIn) -> None:
    world = play("make_promise")
    browser = sign_in(world.users["sacha"])
    page = browser.get("/en/commons/cartolibre/record-pledge/")
    key = re.search(r'name="form_key" value="([^"]+)"', page.content.decode())
    assert key is not None
    form = {
        "organisation": world.organisation.pk, "budget": world.budget.pk, "amount": "70", "channel": "call",
        "told_on": world.today.isoformat(), "confirm_by": "mail", "form_key": key[1],
    }  # fmt: skip
    wrong = browser.post("/en/commons/cartolibre/record-pledge/", {**form, "amount": "much", "organisation": ""})
    assert wrong.status_code == 422
    assert not Recording.objects.exists()
    answer = browser.post("/en/commons/cartolibre/record-pledge/", form)
    row = Recording.objects.get()
    assert answer.headers["Location"] == f"/en/recordings/{row.pk}/"
    assert browser.post("/en/commons/cartolibre/record-pledge/", form).status_code == 302
    assert Recording.objects.count() == 1
    manager = sign_in(world.users["ana"])
    for path in (f"/en/organisations/{world.organisation.pk}/", f"/en/pledges/{row.subject}/"):
        shown = manager.get(path).content.decode()
        assert "Recorded by Sacha Le Goff after a call on" in shown
        assert "awaiting confirmation" in shown


def test_work_is_recorded_on_a_page(play: Play, sign_in: SignIn) -> None:
    world = play("make_house")
    browser = sign_in(world.users["claire"])
    form = {
        "contributor": "", "name": "Lou Petit", "email": "lou@example.org", "language": "fr", "budget": world.budget.pk,
        "worked_on": world.today.replace(day=1).isoformat(), "description": "Accueil", "kind": "support",
        "minutes": "1h30", "amount": "40", "channel": "paper", "told_on": world.today.isoformat(),
        "confirm_by": "letter", "form_key": "k",
    }  # fmt: skip
    wrong = browser.post("/en/commons/cartolibre/record-work/", {**form, "email": "", "confirm_by": "mail"})
    assert wrong.status_code == 422
    assert not Contribution.objects.exists()
    answer = browser.post("/en/commons/cartolibre/record-work/", form)
    assert answer.status_code == 302, answer.content.decode()
    made = Contribution.objects.get()
    assert (made.minutes, made.amount, made.contributor.name) == (90, 40_00, "Lou Petit")
    assert "Work recorded for Lou Petit" in browser.get(answer.headers["Location"]).content.decode()
    assert "Lou Petit" in browser.get("/en/recordings/").content.decode()


def test_others_do_not_record(play: Play, sign_in: SignIn) -> None:
    world = play("make_house")
    for key in ("ana", "bo"):
        browser = sign_in(world.users[key])
        for path in ("/en/commons/cartolibre/record-pledge/", "/en/commons/cartolibre/record-work/", "/en/recordings/"):
            assert browser.get(path).status_code == 403, (key, path)
    assert Client().get("/en/recordings/").status_code == 302


def test_a_confirmation_confirms_nothing_by_being_read(play: Play) -> None:
    world = play("make_promise")
    made = pledged(world)
    for _again in range(3):
        Client().get(address(made))
        Client().head(address(made))
    assert recording(made).confirmed_at is None


def test_a_removed_manager_leaves_nobody_to_confirm(play: Play) -> None:
    world = play("make_promise")
    Role.objects.filter(scope=world.organisation.pk).delete()
    with pytest.raises(Conflict) as refusal:
        pledged(world)
    assert refusal.value.code == "organisation_without_manager"
    assert Pledge.objects.count() == 1
