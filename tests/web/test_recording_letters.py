"""What is recorded for somebody who confirms by letter, has no e-mail address, or is taken back by who recorded it."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.db import IntegrityError, transaction
from django.test import Client

from backend.contributions import recording as of_work
from backend.contributions.models import Contribution
from backend.contributions.own import declare_draft
from backend.contributions.recording import give_contributor_address, known_people
from backend.core.errors import Conflict, DomainError, Forbidden, Invalid
from backend.distributions.services import close_period
from backend.events.models import Event
from backend.identity.addresses import take_address
from backend.identity.inviting import Named, person_named
from backend.identity.models import Organisation, Recording, Role, User
from backend.identity.recordings import code_of
from backend.ledger.services import entry_count
from backend.notifications.models import OutgoingMail
from backend.notifications.outbox import OutboxBackend
from backend.notifications.services import compose_due
from backend.pledges import recording as of_pledges
from backend.pledges.models import Pledge
from tests.contributions.peers import CONSENT, under
from tests.contributions.test_own import drafted
from tests.web.test_recordings import address, pledged, recording, told, worked
from tests.work import bring_to

Play = Callable[..., Any]
SignIn = Callable[..., Any]
LOU = Named("Lou Petit", "")


# --- the letter -------------------------------------------------------------------------------------------------------


def test_a_letter_is_printed_with_its_code_and_typed_in_when_it_comes_back(play: Play, sign_in: SignIn) -> None:
    world = play("make_promise")
    made = pledged(world, told=told(world, channel="paper", confirm_by="letter"))
    row = recording(made)
    assert (row.address_hint, row.address_index) == ("", "")
    assert not Event.objects.filter(kind="confirmation.asked").exists()
    browser = sign_in(world.users["sacha"])
    letter = browser.get(f"/en/recordings/{row.pk}/letter/").content.decode()
    assert code_of(row) in letter
    assert "/en/confirm/" in letter
    anybody = Client()
    answer = anybody.post("/en/confirm/", {"code": code_of(row).lower()})
    assert answer.headers["Location"] == f"/en/confirm/{code_of(row).replace('-', '')}/"
    assert anybody.post("/en/confirm/", {"code": "0000"}).status_code == 422
    page = f"/en/recordings/{row.pk}/"
    assert "types the signed letter in" in browser.get(page).content.decode()
    assert 'name="letter_on"' not in browser.get(page).content.decode()
    assert browser.post(page, {"letter_on": world.today.isoformat()}).status_code == 403
    refusals = Event.objects.filter(kind="act.refused", actor=world.users["sacha"])
    assert [event.data["code"] for event in refusals] == ["own_recording"]
    browser = sign_in(world.users["claire"])
    for day in ("", "2999-01-01", (world.today + timedelta(days=1)).isoformat()):
        assert browser.post(page, {"letter_on": day}).status_code == 422, day
    answer = browser.post(page, {"letter_on": (row.told_on - timedelta(days=1)).isoformat()})
    assert (answer.status_code, "cannot be older" in answer.content.decode()) == (422, True)
    row.refresh_from_db()
    assert (row.confirmed_at, row.letter_on) == (None, None)
    assert browser.post(page, {"letter_on": world.today.isoformat()}).status_code == 302
    row.refresh_from_db()
    assert (row.confirmed_how, row.letter_on) == ("letter", world.today)
    assert Event.objects.get(kind="recording.confirmed").actor == world.users["claire"]
    assert "confirmed by a letter signed on" in browser.get(page).content.decode()
    assert browser.post(page, {"letter_on": world.today.isoformat()}).status_code == 409


def test_who_was_asked_by_mail_is_not_answered_for_with_a_letter(play: Play, sign_in: SignIn) -> None:
    world = play("make_promise")
    for made in (pledged(world), worked(world)):
        page = f"/en/recordings/{recording(made).pk}/"
        for key, status in (("sacha", 403), ("claire", 409)):
            browser = sign_in(world.users[key])
            assert browser.post(page, {"letter_on": world.today.isoformat()}).status_code == status
            assert 'name="letter_on"' not in browser.get(page).content.decode()
        assert recording(made).confirmed_at is None


def test_the_code_of_a_mail_is_never_shown_to_who_recorded(play: Play, sign_in: SignIn) -> None:
    world = play("make_promise")
    row = recording(pledged(world))
    browser = sign_in(world.users["sacha"])
    assert browser.get(f"/en/recordings/{row.pk}/letter/").status_code == 404
    assert code_of(row) not in browser.get(f"/en/recordings/{row.pk}/").content.decode()
    assert browser.post(f"/en/recordings/{row.pk}/again/").status_code == 302  # within a minute of the first: none
    assert Event.objects.filter(kind="confirmation.asked").count() == 1
    for key, status in (("claire", 200), ("bo", 404), ("ana", 404)):
        assert sign_in(world.users[key]).get(f"/en/recordings/{row.pk}/").status_code == status, key


# --- people without an address ----------------------------------------------------------------------------------------


def by_letter(world: Any, **changes: Any) -> Contribution:
    """Work recorded for Lou, who has no e-mail address."""
    facts = {"contributor_id": "", "somebody": LOU, "told": told(world, confirm_by="letter"), "form_key": "lou"}
    return worked(world, **{**facts, **changes})


def test_work_is_recorded_for_a_name_alone_and_no_mail_is_ever_written_to_it(play: Play, sign_in: SignIn) -> None:
    world = play("make_house")
    made = by_letter(world)
    assert by_letter(world) == made  # a second press makes nobody twice
    lou = User.objects.get(name="Lou Petit")
    assert (lou.email, lou.has_address, lou.has_usable_password()) == (
        f"{lou.pk}@no-address.invalid".lower(),
        False,
        False,
    )
    assert lou.address_shown == "Lou Petit, no address"
    assert (recording(made).asked, Role.objects.get(user=lou).kind) == (lou, "contributor")
    page = sign_in(world.users["sacha"]).get(f"/en/recordings/{recording(made).pk}/").content.decode()
    assert "Lou Petit, no address" in page
    assert lou.email not in page
    of_work.retract_contribution(
        actor=world.users["sacha"], recording_id=recording(made).pk, reason="Wrong day", now=world.now
    )
    compose_due(world.now)
    assert not OutgoingMail.objects.filter(recipient__endswith="no-address.invalid").exists()
    Client().post("/en/accounts/password/reset/", {"email": lou.email})
    assert not OutgoingMail.objects.filter(recipient__endswith="no-address.invalid").exists()
    with pytest.raises(Invalid):
        person_named(Named("X", "x@no-address.invalid"))


def test_the_outbox_drops_what_is_for_an_address_that_is_none(play: Play) -> None:
    from django.core.mail import EmailMessage

    play("make_house")
    before = OutgoingMail.objects.count()
    OutboxBackend().send_messages([EmailMessage("s", "b", to=["usr_1@no-address.invalid", "bo@example.org"])])
    assert [row.recipient for row in OutgoingMail.objects.order_by("pk")][before:] == ["bo@example.org"]


def test_an_informal_organisation_has_a_contact_without_an_address(play: Play) -> None:
    world = play("make_house")
    facts: dict[str, Any] = {
        "organisation_id": "", "name": "Les Amis du Four", "contact": LOU, "told": told(world, confirm_by="letter"),
    }  # fmt: skip
    made = pledged(world, **facts)
    assert pledged(world, **facts) == made
    group = Organisation.objects.get(name="Les Amis du Four")
    lou = Role.objects.get(scope=group.pk).user
    assert (lou.name, lou.has_address, recording(made).asked) == ("Lou Petit", False, lou)
    given = of_pledges.give_contact_address(
        actor=world.users["sacha"], recording_id=recording(made).pk, email="Lou@Example.org", now=world.now
    )
    assert (given, given.email, given.has_address) == (lou, "lou@example.org", True)


@pytest.mark.parametrize("act", [by_letter, pledged])
def test_without_an_address_nobody_confirms_by_mail(play: Play, act: Any) -> None:
    world = play("make_house")
    before = (User.objects.count(), Organisation.objects.count(), Event.objects.count())
    changes: dict[str, Any] = {"told": told(world)}
    if act is pledged:
        changes |= {"organisation_id": "", "name": "Amis", "contact": LOU}
    with pytest.raises(Invalid) as refusal:
        act(world, **changes)
    assert refusal.value.code == "email_invalid"
    assert (User.objects.count(), Organisation.objects.count(), Event.objects.count()) == before
    made = by_letter(world)
    with pytest.raises(Invalid) as again:
        worked(world, contributor_id=made.contributor_id, form_key="again")
    assert again.value.code == "asked_without_address"
    assert Contribution.objects.count() == 1


def test_an_address_given_later_is_theirs_or_that_of_their_account(play: Play, sign_in: SignIn) -> None:
    world = play("make_house")
    made, bo, sacha = by_letter(world), world.users["bo"], world.users["sacha"]
    lou, row = made.contributor, recording(made)
    browser, page = sign_in(sacha), f"/en/recordings/{row.pk}/"
    assert browser.post(page, {"act": "address", "email": "nobody"}).status_code == 422
    assert browser.post(page, {"act": "address", "email": sacha.email}).status_code == 422
    lou.refresh_from_db()
    assert not lou.has_address
    assert not Event.objects.filter(kind="person.address_given").exists()
    assert browser.post(page, {"act": "address", "email": bo.email}).status_code == 302
    made.refresh_from_db()
    row.refresh_from_db()
    lou.refresh_from_db()
    assert (made.contributor, row.asked, row.on_behalf_of, lou.is_active) == (bo, bo, bo.pk, False)
    assert not Role.objects.filter(user=lou).exists()
    told_once = Event.objects.get(kind="person.address_given")
    assert (told_once.before, told_once.after) == ({"person": lou.pk}, {"person": bo.pk})
    assert bo.email not in str(told_once.__dict__)
    with pytest.raises(Conflict) as known:
        take_address(actor=sacha, person=bo, email="other@example.org", scopes=[], now=world.now)
    assert known.value.code == "address_known"


def test_work_that_was_shared_by_consent_stays_with_who_it_was_shared_for(play: Play) -> None:
    world = play("receive")
    under(world, **CONSENT)
    made, later = by_letter(world), world.now + timedelta(days=8)
    close_period(actor=world.users["claire"], period_id=world.period.pk, now=later)
    made.refresh_from_db()
    assert (made.state, made.reviews.count()) == ("included", 0)
    with pytest.raises(Conflict) as refusal:
        give_contributor_address(
            actor=world.users["sacha"], recording_id=recording(made).pk, email=world.users["bo"].email, now=later
        )
    assert refusal.value.code == "address_while_paid"
    assert not made.contributor.has_address


def test_nobody_learns_of_somebody_s_drafts_by_the_list_of_people(play: Play) -> None:
    world = play("make_house")
    Role.objects.filter(user=world.users["bo"]).delete()
    under(world, declare="everyone")
    made = drafted(world)
    assert world.users["bo"] not in known_people(world.users["sacha"], [world.budget])
    declare_draft(actor=world.users["bo"], contribution_id=made.pk, now=world.now)
    assert world.users["bo"] in known_people(world.users["sacha"], [world.budget])


# --- taken back -------------------------------------------------------------------------------------------------------


def test_a_recorded_pledge_is_taken_back_by_who_recorded_it(play: Play, sign_in: SignIn) -> None:
    world = play("make_promise")
    made = pledged(world)
    row = recording(made)
    for person in (world.users["claire"],):
        assert sign_in(person).post(f"/en/recordings/{row.pk}/", {"act": "retract", "reason": "x"}).status_code == 403
    browser = sign_in(world.users["sacha"])
    assert browser.post(f"/en/recordings/{row.pk}/", {"act": "retract", "reason": " "}).status_code == 422
    made.refresh_from_db()
    assert made.state == "active"
    answer = browser.post(f"/en/recordings/{row.pk}/", {"act": "retract", "reason": "Wrong sheet"}, follow=True)
    shown = answer.content.decode()
    assert "taken back" in shown
    assert "Wrong sheet" in shown
    assert "Take this pledge back" not in shown
    made.refresh_from_db()
    row.refresh_from_db()
    assert (made.state, row.retracted_reason, entry_count()) == ("cancelled", "Wrong sheet", 0)
    told_once = Event.objects.get(kind="recording.retracted")
    assert (told_once.actor, told_once.why, told_once.on_behalf) == (
        world.users["sacha"], "Wrong sheet", world.organisation.pk,
    )  # fmt: skip
    compose_due(world.now)
    assert OutgoingMail.objects.get(event=told_once).recipient == "ana@example.org"
    assert not OutgoingMail.objects.filter(event__kind="confirmation.asked").exists()
    anybody = Client()
    assert "This was taken back" in anybody.get(address(made)).content.decode()
    assert anybody.post(address(made), {"answer": "confirm"}).status_code == 409
    with pytest.raises(Conflict):
        of_pledges.retract_pledge(actor=world.users["sacha"], recording_id=row.pk, reason="x", now=world.now)
    for change in (
        {"retracted_at": None, "retracted_reason": ""},
        {"confirmed_at": world.now, "confirmed_how": "link"},
    ):
        with pytest.raises(IntegrityError), transaction.atomic():
            Recording.objects.filter(pk=row.pk).update(**change)


@pytest.mark.parametrize(
    ("changes", "kind", "code"),
    [
        ({"received": 70_00, "state": "fulfilled"}, Conflict, "pledge_received"),
        ({"received": 1}, Conflict, "pledge_received"),
    ],
)
def test_a_pledge_that_was_paid_is_not_taken_back(
    play: Play, changes: dict[str, Any], kind: type[DomainError], code: str
) -> None:
    world = play("make_promise")
    made = pledged(world)
    Pledge.objects.filter(pk=made.pk).update(**changes)
    with pytest.raises(kind) as refusal:
        of_pledges.retract_pledge(
            actor=world.users["sacha"], recording_id=recording(made).pk, reason="x", now=world.now
        )
    assert refusal.value.code == code
    assert recording(made).retracted_at is None
    assert not Event.objects.filter(kind="recording.retracted").exists()


@pytest.mark.parametrize(("state", "goes"), [("declared", True), ("validated", True), ("included", False)])
def test_recorded_work_is_taken_back_before_a_distribution_has_it(play: Play, state: str, goes: bool) -> None:
    world = play("make_house")
    made = worked(world)
    bring_to(state, made, reviewer=world.users["denis"], now=world.now)
    facts: dict[str, Any] = {"recording_id": recording(made).pk, "reason": "Wrong person", "now": world.now}
    with pytest.raises(Forbidden) as other:
        of_work.retract_contribution(actor=world.users["claire"], **facts)
    assert other.value.code == "recorded_by_another"
    if goes:
        of_work.retract_contribution(actor=world.users["sacha"], **facts)
    else:
        with pytest.raises(Conflict) as refusal:
            of_work.retract_contribution(actor=world.users["sacha"], **facts)
        assert refusal.value.code == "contribution_shared"
    made.refresh_from_db()
    assert made.state == ("withdrawn" if goes else state)
    assert (recording(made).retracted_at is not None) == goes
