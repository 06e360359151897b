"""Erasure: nothing names the person any more but the archive of the accounts, and the books do not move by a byte."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from allauth.account.models import EmailAddress
from allauth.mfa.models import Authenticator
from django.db import DatabaseError, transaction
from django.test import Client

from backend.commons.life import approve_commons, propose_commons
from backend.commons.models import Commons, Moderation
from backend.commons.proposed import digest_of
from backend.commons.services import open_envelope
from backend.contributions.models import Contribution, Review
from backend.contributions.services import declare, withdraw
from backend.core import crypto
from backend.core.errors import Conflict, DomainError, Forbidden, Invalid, NotFound
from backend.core.models import PersonKey
from backend.events.models import Event
from backend.events.services import record
from backend.identity.inviting import Named
from backend.identity.models import ApiToken, KnownDevice, Organisation, Proposal, Recording, Role, User
from backend.identity.services import create_organisation, grant_role
from backend.identity.tokens import create_token, token_owner
from backend.ledger.services import balances
from backend.notifications.models import OutgoingMail
from backend.notifications.services import compose_due
from backend.operations import demo, selfcheck
from backend.payees.models import Payee
from backend.payees.services import booked_names, set_account
from backend.payouts.models import Payout
from backend.pledges.services import make_pledge
from backend.privacy.erasure import (
    SECOND_THOUGHTS,
    ask_erasure,
    erase_again,
    erase_due,
    record_erasure,
    withdraw_erasure,
)
from backend.privacy.export import gathered
from backend.privacy.hindrances import hindrances
from backend.privacy.models import Erasure
from tests.concurrency import at_once
from tests.privacy.erasing import ARCHIVE, books, erase, settled, tables_with

Play = Callable[..., Any]
NOW = datetime(2026, 11, 22, 10, 0, tzinfo=UTC)
LATER = NOW + SECOND_THOUGHTS


def reviewed(world: Any, reason: str) -> User:
    """Bo was paid; of other work, withdrawn since, a review says this. Gives Bo, once the books are sealed."""
    bo, later = settled(world), NOW + timedelta(days=1)
    row = declare(
        actor=bo, budget=world.budget, worked_on=world.today + timedelta(days=1), kind="development", minutes=30,
        amount=0, description="Work of Bo Nguyen", form_key="other", now=later,
    )  # fmt: skip
    Review.objects.create(
        id="rvw_1", contribution=row, contributor=bo, reviewer=world.users["ana"], verdict="approve", reason=reason,
        created_at=later,
    )  # fmt: skip
    withdraw(actor=bo, contribution_id=row.pk, now=later)
    person: User = bo
    return person


def codes(user: User) -> list[str]:
    """What hinders the erasure of a person."""
    return [hindrance.code for hindrance in hindrances(user)]


def refused(code: str, act: Callable[[], Any]) -> None:
    """An act is refused with a code, and no erasure is asked."""
    before = Erasure.objects.count(), Event.objects.filter(kind__startswith="erasure.").count()
    with pytest.raises(DomainError) as refusal:
        act()
    assert refusal.value.code == code
    assert (Erasure.objects.count(), Event.objects.filter(kind__startswith="erasure.").count()) == before


def test_nothing_names_an_erased_person_but_the_archive_and_the_books_do_not_move(
    play: Play, committed: str, sign_in: Any
) -> None:
    world = play("settle", now=NOW)
    bo, denis = reviewed(world, "Well done Bo Nguyen"), world.users["denis"]
    compose_due(NOW)
    User.objects.filter(pk=bo.pk).update(public_name="Bo des Communs")
    bo.refresh_from_db()
    EmailAddress.objects.create(user=bo, email="bo.private@example.net", verified=True, primary=False)
    Contribution.objects.filter(contributor=bo).update(description="Work of Bo Nguyen, bo@example.org, on the export")
    Organisation.objects.update(email="bo@example.org")
    Commons.objects.update(steward_email="bo@example.org", steward_name="Bo Nguyen")
    demo.give_factor(bo)
    browser = sign_in(bo)
    assert browser.get("/en/work/").status_code == 200
    token, text = create_token(user=bo, name="editor", scopes=["contributions:write"], now=NOW)
    amounts = list(Payout.objects.order_by("pk").values_list("amount", "state", "end_to_end_id"))
    owed = balances(kind="payee")
    before = books(denis, NOW)
    for word in ("Bo Nguyen", "bo@example.org", "bo.private@example.net", "Bo des Communs"):
        assert tables_with(word), word

    assert erase(bo, NOW).done_at == LATER

    bo.refresh_from_db()
    assert bo.name.endswith(bo.pk[-4:])
    assert (bo.public_name, bo.is_active, bo.last_login) == ("", False, None)
    assert bo.email.endswith("@erased.invalid")
    for word in ("Bo Nguyen", "bo@example.org", "bo.private@example.net", "Bo des Communs", "bo.private"):
        assert tables_with(word) <= ARCHIVE, word
    assert tables_with(demo.IBANS["bo"]) == set()
    assert tables_with("M02606") == set()
    payee = Payee.objects.get(user=bo)
    assert (payee.name, payee.iban_sealed, payee.iban_index, payee.iban_hint) == (bo.name, "", "", "")
    assert set(Payout.objects.filter(payee=payee).values_list("name", "iban_hint")) == {(bo.name, "")}
    assert Review.objects.get(pk="rvw_1").reason == f"Well done {bo.name}"
    assert "Work of" in Contribution.objects.get(contributor=bo, state="settled").description
    for rows in (Role, ApiToken, Authenticator, EmailAddress, KnownDevice):
        assert not rows._default_manager.filter(user=bo).exists(), rows
    assert token_owner(text, now=LATER) is None
    assert token.pk
    assert browser.get("/en/work/").status_code == 302  # signed out
    assert Client().post(
        "/en/accounts/login/", {"login": "bo@example.org", "password": demo.PASSWORD}
    ).status_code == 200  # fmt: skip
    key = PersonKey.objects.get(owner=bo.pk)
    assert (key.key_sealed, key.destroyed_at) == ("", LATER)
    with pytest.raises(crypto.KeyDestroyed):
        crypto.seal_for(bo.pk, "again", bound_to=payee.pk)

    # What was booked, published, exported and paid is what it was, and the accounts still know the name.
    assert books(denis, NOW) == before
    assert list(Payout.objects.order_by("pk").values_list("amount", "state", "end_to_end_id")) == amounts
    assert balances(kind="payee") == owed
    assert [name for _since, name in booked_names([payee.pk])[payee.pk]] == ["Bo Nguyen"]
    assert selfcheck.check() == []
    assert Client().get(f"/en/commons/{world.commons.slug}/").status_code == 200
    said = Event.objects.filter(subject=bo.pk, kind__startswith="erasure.").order_by("created_at", "id")
    assert list(said.values_list("kind", flat=True)) == ["erasure.asked", "erasure.done"]
    # Those who stay are untouched.
    assert EmailAddress.objects.filter(email="camille@example.org").exists()
    assert gathered(world.users["camille"])["payee"][0]["iban"] == demo.IBANS["camille"]


def test_former_names_and_addresses_go_whatever_their_case(play: Play) -> None:
    world = play("settle", now=NOW)
    bo, ana = reviewed(world, "hugo zorglub did it"), world.users["ana"]
    bo.name, bo.public_name, bo.email = "Hugo Zorglub", "Hugo", "hugo@example.org"
    bo.save()
    bo.name, bo.public_name, bo.email = "Bo Nguyen", "Bo des Communs", "bo@example.org"
    bo.save()
    private = EmailAddress.objects.create(user=bo, email="Zorglub@example.net", verified=True, primary=False)
    private.delete()
    EmailAddress.objects.create(user=bo, email="ana@example.org", verified=False, primary=False).delete()
    Contribution.objects.filter(contributor=bo).update(
        description="HUGO ZORGLUB, bo nguyen and HUGO wrote from BO@EXAMPLE.ORG and zorglub@Example.net"
    )
    Recording.objects.create(
        id="rec_1", subject="ctr_other", recorded_by=ana, on_behalf_of=bo.pk, asked=bo, channel="call",
        told_on=NOW.date(), note="Hugo zorglub rang", code_digest="0" * 64, created_at=NOW, contested_at=NOW,
        contested_reason="I am Bo NGUYEN",
    )  # fmt: skip
    for number, recipient in enumerate(["hugo@example.org", "Zorglub@example.net", "ana@example.org"]):
        OutgoingMail.objects.create(id=f"eml_{number}", recipient=recipient, subject="s", body="b", due_at=NOW)
    for word in ("hugo", "zorglub", "bo nguyen"):
        assert tables_with(word), word
    assert [row["text"] for row in gathered(bo)["former"]] == [
        "Bo Nguyen", "Bo", "bo@example.org", "Hugo Zorglub", "Hugo", "hugo@example.org", "zorglub@example.net",
    ]  # fmt: skip

    erase(bo, NOW)

    bo.refresh_from_db()
    for word in ("hugo", "zorglub", "bo nguyen", "bo@example"):
        assert tables_with(word) <= ARCHIVE, word
    assert Contribution.objects.get(contributor=bo, state="settled").description == " ".join(
        [f"{bo.name},", bo.name, "and", bo.name, "wrote", "from", bo.name, "and", bo.name]
    )
    assert Review.objects.get(pk="rvw_1").reason == f"{bo.name} did it"
    kept = Recording.objects.get(pk="rec_1")
    assert (kept.note, kept.contested_reason) == (f"{bo.name} rang", f"I am {bo.name}")
    assert OutgoingMail.objects.filter(pk="eml_2").exists()  # an address never confirmed is of whom it is now


def test_an_ordinary_word_that_is_also_a_name_stays(play: Play) -> None:
    world = play("settle", now=NOW)
    bo = settled(world)
    User.objects.filter(pk=bo.pk).update(public_name="Claire")
    Contribution.objects.filter(contributor=bo).update(description="Une phrase claire, dit Claire, ou CLAIRE")
    bo.refresh_from_db()
    erase(bo, NOW)
    bo.refresh_from_db()
    said = Contribution.objects.get(contributor=bo, state="settled").description
    assert said == f"Une phrase claire, dit {bo.name}, ou {bo.name}"


def test_proposed_commons_and_addresses_to_object_to(play: Play, settings: Any) -> None:
    settings.LEGAL_CONTACT = "legal@example.org"
    world = play("settle", now=NOW)
    bo, ana, claire = settled(world), world.users["ana"], world.users["claire"]
    facts: dict[str, Any] = {"summary": "Of Bo Nguyen", "why": "For bo nguyen", "website": "https://bo.example.org/"}
    mine = propose_commons(actor=bo, name="Semis de Bo Nguyen", now=NOW, **facts)
    other = propose_commons(
        actor=ana, name="Graines", summary="S", why="W", steward=Named("Bo Nguyen", "bo@example.org"), now=NOW
    )
    texts: dict[str, Any] = {"moderated_by": claire, "moderated_at": NOW, "reason": "r", "appeal_to": "BO@example.org"}
    Moderation.objects.create(id="mod_1", subject=world.commons.pk, field="name", **texts)
    Moderation.objects.create(
        id="mod_2", subject=world.commons.pk, field="name", lifted_by=claire, lifted_at=NOW, **texts
    )
    Commons.objects.filter(pk=world.commons.pk).update(appeal_to="bo@example.org")
    ada = User.objects.create_user("ada@example.org", demo.PASSWORD, name="Ada Martin", language="en")
    grant_role(user=ada, kind="administrator", scope=world.host.pk, granted_by=None, now=NOW)
    demo.give_factor(ada)
    with pytest.raises(DatabaseError), transaction.atomic():  # nobody is being erased
        Moderation.objects.filter(pk="mod_1").update(appeal_to="other@example.org")
    record_erasure(actor=ada, email="bo@example.org", reason="Letter of Bo Nguyen, bo@example.org", now=NOW)
    with pytest.raises(DatabaseError), transaction.atomic():
        Moderation.objects.filter(pk="mod_2").update(appeal_to="other@example.org", lifted_by=ada)

    erase_due(LATER)

    assert not User.objects.get(pk=bo.pk).is_active
    for word in ("bo nguyen", "bo@example", "bo.example"):
        assert tables_with(word) <= ARCHIVE, word
    mine.refresh_from_db()
    other.refresh_from_db()
    assert (mine.state, mine.summary, mine.why, mine.website) == ("withdrawn", "", "", "")
    assert Event.objects.filter(kind="commons.withdrawn", subject=mine.pk, actor=None).count() == 1
    assert (other.state, other.steward_email) == ("proposed", "")
    assert set(Moderation.objects.values_list("appeal_to", flat=True)) == {"legal@example.org"}
    assert Commons.objects.get(pk=world.commons.pk).appeal_to == "legal@example.org"
    terms: dict[str, Any] = {
        "digest": digest_of(other), "currency": "EUR", "first_day": NOW.date(), "last_day": NOW.date(), "approvals": 1,
    }  # fmt: skip
    with pytest.raises(Conflict) as refusal:
        approve_commons(actor=claire, commons_id=other.pk, now=LATER, **terms)
    assert refusal.value.code == "commons_without_person"
    with pytest.raises(DatabaseError), transaction.atomic():
        Moderation.objects.filter(pk="mod_1").update(appeal_to="bo@example.org")


def test_a_second_erasure_changes_nothing_more(play: Play) -> None:
    world = play("settle", now=NOW)
    bo = settled(world)
    Proposal.objects.create(
        id="prp_1", kind="role.treasurer", subject=bo.pk, digest="0" * 64, reason="They would do it well",
        proposed_by=world.users["claire"], proposed_at=NOW,
    )  # fmt: skip
    done = erase(bo, NOW)
    bo.refresh_from_db()
    email = bo.email
    assert Proposal.objects.get().state == "withdrawn"  # nobody can accept an erased person any more
    assert erase_due(LATER + timedelta(days=9)) == 0
    assert erase_again([(bo.pk, LATER)], now=LATER) == 0
    bo.refresh_from_db()
    assert bo.email == email
    with pytest.raises(Conflict) as refusal:
        withdraw_erasure(actor=bo, erasure_id=done.pk, now=LATER)
    assert refusal.value.code == "erasure_over"


def test_mail_written_to_others_keeps_no_name(play: Play) -> None:
    world = play("settle", now=NOW)
    bo = settled(world)
    compose_due(NOW)
    OutgoingMail.objects.create(
        id="eml_digest", recipient="sacha@example.org", subject="What awaits you today: 1",
        body="To review:\n- Bo Nguyen, Cartolibre: export.", due_at=NOW,
    )  # fmt: skip
    told = OutgoingMail.objects.filter(recipient="sacha@example.org", body__contains="Bo Nguyen")
    assert told.exists()
    keys = list(told.values_list("pk", flat=True))
    assert OutgoingMail.objects.filter(recipient="bo@example.org").exists()
    erase(bo, NOW)
    bo.refresh_from_db()
    assert all(bo.name in body for body in OutgoingMail.objects.filter(pk__in=keys).values_list("body", flat=True))
    assert not OutgoingMail.objects.filter(recipient="bo@example.org").exists()
    contribution = Contribution.objects.get(contributor=bo)
    record("contribution.validated", actor=world.users["sacha"], subject=contribution.pk, now=LATER)
    compose_due(LATER)
    assert not OutgoingMail.objects.filter(recipient=bo.email).exists()  # nor does anything new leave to nobody


def test_a_name_that_others_bear_stays_in_their_mail(play: Play) -> None:
    world = play("settle", now=NOW)
    bo = settled(world)
    for key in ("bo", "camille"):
        set_account(actor=world.users[key], name="Coop des Communs", iban=demo.IBANS[key], now=NOW)
    OutgoingMail.objects.create(
        id="eml_1",
        recipient="camille@example.org",
        subject="Paid to Coop des Communs",
        body="For Bo Nguyen",
        due_at=NOW,
    )
    erase(bo, NOW)
    bo.refresh_from_db()
    kept = OutgoingMail.objects.get(pk="eml_1")
    assert (kept.subject, kept.body) == ("Paid to Coop des Communs", f"For {bo.name}")
    assert Payee.objects.get(user=bo).name == bo.name


def test_one_may_change_ones_mind_for_seven_days(play: Play) -> None:
    world = play("settle", now=NOW)
    bo = settled(world)
    erasure = ask_erasure(user=bo, typed=" BO@example.org ", now=NOW)
    assert (erasure.cause, erasure.due_at, erasure.asked_by_id) == ("asked", NOW + timedelta(days=7), bo.pk)
    assert ask_erasure(user=bo, typed="", now=NOW).pk == erasure.pk
    with pytest.raises(NotFound):
        withdraw_erasure(actor=world.users["camille"], erasure_id=erasure.pk, now=NOW)
    assert withdraw_erasure(actor=bo, erasure_id=erasure.pk, now=NOW).withdrawn_at == NOW
    assert withdraw_erasure(actor=bo, erasure_id=erasure.pk, now=LATER).withdrawn_at == NOW
    assert erase_due(LATER) == 0
    bo.refresh_from_db()
    assert (bo.email, bo.is_active) == ("bo@example.org", True)
    assert Event.objects.filter(kind="erasure.withdrawn").count() == 1
    compose_due(NOW)
    subjects = set(OutgoingMail.objects.filter(recipient=bo.email).values_list("subject", flat=True))
    from django.utils import translation
    from django.utils.translation import gettext

    with translation.override(bo.language):
        assert {gettext("Your account will be erased"), gettext("Your account is kept")} <= subjects


def test_another_address_confirms_nothing(play: Play) -> None:
    bo = play("settle", now=NOW).users["bo"]
    refused("erasure_not_confirmed", lambda: ask_erasure(user=bo, typed="bo@example.com", now=NOW))


@pytest.mark.parametrize("step", ["close", "approve_distribution", "pay"])
def test_who_is_owed_money_waits_for_it(play: Play, step: str) -> None:
    world = play(step, now=NOW)
    bo = world.users["bo"]
    assert codes(bo)[0] == "erasure_money_owed"
    refused("erasure_money_owed", lambda: ask_erasure(user=bo, typed=bo.email, now=NOW))
    bo.refresh_from_db()
    assert (bo.name, bo.is_active) == ("Bo Nguyen", True)


def test_work_that_waits_hinders(play: Play) -> None:
    bo = play("work", now=NOW).users["bo"]
    assert codes(bo) == ["erasure_work_waits"]
    refused("erasure_work_waits", lambda: ask_erasure(user=bo, typed=bo.email, now=NOW))


def test_the_only_one_in_a_role_names_another_first(play: Play) -> None:
    world = play("make_promise", now=NOW)
    users = world.users
    assert codes(users["claire"]) == []  # denis is a treasurer too
    Role.objects.filter(user=users["denis"]).delete()
    assert codes(users["claire"]) == ["erasure_only_treasurer"]
    assert codes(users["sacha"]) == ["erasure_only_steward"]
    assert codes(users["ana"]) == ["erasure_only_manager"]  # its pledge is awaited
    grant_role(user=users["denis"], kind="organisation_manager", scope=world.organisation.pk, granted_by=None, now=NOW)
    assert codes(users["ana"]) == []
    alone = create_organisation(name="Seule", kind="informal", manager=users["camille"], now=NOW)
    assert codes(users["camille"]) == []  # nobody else is in it, nothing is awaited
    grant_role(user=users["bo"], kind="organisation_member", scope=alone.pk, granted_by=None, now=NOW)
    assert codes(users["camille"]) == ["erasure_only_manager"]
    grant_role(user=users["denis"], kind="administrator", scope=world.host.pk, granted_by=None, now=NOW)
    assert codes(users["denis"]) == ["erasure_only_administrator"]
    grant_role(user=users["bo"], kind="steward", scope=world.budget.pk, granted_by=None, now=NOW)
    assert codes(users["sacha"]) == []


def test_the_steward_of_an_envelope_may_go_when_somebody_cares_for_the_pot(play: Play) -> None:
    world = play("make_house", now=NOW)
    camille = world.users["camille"]
    envelope = open_envelope(actor=world.users["sacha"], parent=world.budget, name="Docs", now=NOW, own_rules=False)
    grant_role(user=camille, kind="steward", scope=envelope.pk, granted_by=None, now=NOW)
    assert codes(camille) == []


def test_what_comes_up_during_the_seven_days_hinders_until_it_is_settled(play: Play) -> None:
    world = play("settle", now=NOW)
    bo = settled(world)
    erasure = ask_erasure(user=bo, typed=bo.email, now=NOW)
    work = declare(
        actor=bo, budget=world.budget, worked_on=world.today + timedelta(days=1), kind="development", minutes=10,
        amount=5_00, description="A last one", evidence=[], form_key="last", now=NOW + timedelta(days=1),
    )  # fmt: skip
    assert erase_due(LATER) == 1
    erasure.refresh_from_db()
    assert (erasure.hindered_by, erasure.done_at) == ("erasure_work_waits", None)
    assert erasure.due_at == LATER + timedelta(days=1)
    erase_due(LATER + timedelta(days=1))
    assert Event.objects.filter(kind="erasure.hindered").count() == 1  # told once, tried each day
    bo.refresh_from_db()
    assert bo.name == "Bo Nguyen"
    Contribution.objects.filter(pk=work.pk).update(state="withdrawn")
    erase_due(LATER + timedelta(days=2))
    erasure.refresh_from_db()
    assert (erasure.done_at, erasure.hindered_by) == (LATER + timedelta(days=2), "")


def test_a_request_by_letter_is_recorded_by_an_administrator(play: Play) -> None:
    world = play("settle", now=NOW)
    bo = settled(world)
    ada = User.objects.create_user("ada@example.org", demo.PASSWORD, name="Ada Martin", language="en")
    letter = {"email": "Bo@example.org", "reason": "Letter of 3 May, identity checked by phone", "now": NOW}
    grant_role(user=ada, kind="administrator", scope=world.host.pk, granted_by=None, now=NOW)
    with pytest.raises(Forbidden) as sleeping:
        record_erasure(actor=ada, **letter)
    assert sleeping.value.code == "second_factor_missing"
    demo.give_factor(ada)
    for key in ("claire", "sacha", "camille"):
        with pytest.raises(Forbidden):
            record_erasure(actor=world.users[key], **letter)
    refused("reason_missing", lambda: record_erasure(actor=ada, **{**letter, "reason": "  "}))
    refused("person_not_found", lambda: record_erasure(actor=ada, **{**letter, "email": "nobody@example.org"}))
    erasure = record_erasure(actor=ada, **letter)
    assert record_erasure(actor=ada, **letter).pk == erasure.pk
    assert (erasure.cause, erasure.asked_by_id, erasure.hindered_by) == ("letter", ada.pk, "")
    compose_due(NOW)
    assert OutgoingMail.objects.filter(recipient=bo.email, event__kind="erasure.asked").count() == 1
    assert Erasure.visible_to(ada).count() == 1
    assert Erasure.visible_to(world.users["camille"]).count() == 0
    erase_due(LATER)
    bo.refresh_from_db()
    assert not bo.is_active
    refused("person_not_found", lambda: record_erasure(actor=ada, email=bo.email, reason="again", now=LATER))


def test_a_letter_from_somebody_who_is_owed_money_waits(play: Play) -> None:
    world = play("approve_distribution", now=NOW)
    ada = User.objects.create_user("ada@example.org", demo.PASSWORD, name="Ada Martin", language="en")
    grant_role(user=ada, kind="administrator", scope=world.host.pk, granted_by=None, now=NOW)
    demo.give_factor(ada)
    erasure = record_erasure(actor=ada, email="bo@example.org", reason="Letter of 3 May", now=NOW)
    assert erasure.hindered_by == "erasure_money_owed"
    erase_due(LATER)
    bo = User.objects.get(pk=world.users["bo"].pk)
    assert (bo.name, bo.email) == ("Bo Nguyen", "bo@example.org")
    assert Payee.objects.get(user=bo).iban_sealed
    demo.pay(world)
    demo.settle(world)
    erase_due(LATER + timedelta(days=1))
    bo.refresh_from_db()
    assert not bo.is_active


def test_restored_books_erase_again_whom_they_owe_nothing(play: Play) -> None:
    world = play("approve_distribution", now=NOW)
    users = world.users
    ana = users["ana"]
    grant_role(user=users["denis"], kind="organisation_manager", scope=world.organisation.pk, granted_by=None, now=NOW)
    gone = [(ana.pk, NOW), (users["bo"].pk, NOW), ("usr_unknown", NOW)]
    assert erase_again(gone, now=LATER) == 2
    ana.refresh_from_db()
    users["bo"].refresh_from_db()
    assert (ana.is_active, users["bo"].is_active) == (False, True)  # the restored books still owe him
    assert Erasure.objects.get(user=users["bo"]).hindered_by == "erasure_money_owed"
    assert erase_again(gone, now=LATER) == 1
    demo.pay(world)
    demo.settle(world)
    erase_due(LATER + timedelta(days=2))
    users["bo"].refresh_from_db()
    assert not users["bo"].is_active


def test_ten_clicks_ask_once_and_ten_sweeps_erase_once(play: Play, committed: str) -> None:
    world = play("settle", now=NOW)
    bo = settled(world)
    asked = at_once(lambda number: ask_erasure(user=bo, typed=bo.email, now=NOW).pk)
    assert len(set(asked)) == 1
    assert Event.objects.filter(kind="erasure.asked").count() == 1
    assert sum(at_once(lambda number: erase_due(LATER))) == 1
    assert Event.objects.filter(kind="erasure.done").count() == 1
    assert selfcheck.check() == []


def test_an_erasure_hinders_no_pledge_that_was_made_for_an_organisation(play: Play) -> None:
    world = play("make_house", now=NOW)
    ana, denis = world.users["ana"], world.users["denis"]
    grant_role(user=denis, kind="organisation_manager", scope=world.organisation.pk, granted_by=None, now=NOW)
    pledge = make_pledge(
        actor=ana, budget=world.budget, organisation=world.organisation, amount=50_00, currency="EUR", form_key="one",
        now=NOW,
    )  # fmt: skip
    assert erase(ana, NOW).done_at == LATER
    pledge.refresh_from_db()
    assert (pledge.state, pledge.amount, pledge.made_by_id) == ("active", 50_00, ana.pk)
    with pytest.raises(Invalid):
        ask_erasure(user=denis, typed="", now=NOW)
