"""Organisations: details, members, limits, merges."""

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from django.db import IntegrityError, connection, transaction

from backend.core.errors import Conflict, DomainError, Forbidden, Invalid, NotFound
from backend.events.models import Event
from backend.identity.duplicates import completed, duplicates, folded, passing_over
from backend.identity.inviting import Named
from backend.identity.models import Offer, Organisation, Role, SpendingLimit, User
from backend.identity.offers import answer_offer
from backend.identity.organisations import (
    Address,
    Details,
    address_of,
    change_member,
    edit_organisation,
    invite_member,
    leave,
    remove_member,
    seal_address,
    set_limits,
    take_offer_back,
)
from backend.identity.permissions import may
from backend.identity.services import create_organisation, grant_role
from backend.notifications.models import OutgoingMail
from backend.notifications.services import compose_due
from backend.pledges.limits import Left, limits_left
from backend.pledges.merging import merge_organisations, moves_of
from backend.pledges.models import Pledge
from backend.pledges.services import cancel_pledge, make_pledge
from tests.concurrency import at_once

Play = Callable[..., Any]
DETAILS = Details(
    name="La Fabrique du Port", kind="association", siren="732829320", siret="732 829 320 00074", vat_status="liable",
    vat_number="FR 44 732829320", email="Contact@Fabrique.example",
    address=Address("12 quai des Brumes\n Bâtiment  B ", "44000", "Nantes", "fr"),
)  # fmt: skip


def edit(world: Any, **changes: Any) -> Organisation:
    """Ana's edit of her organisation, with some values changed."""
    details = Details(**{**DETAILS.__dict__, **changes})
    return edit_organisation(
        actor=world.users["ana"], organisation_id=world.organisation.pk, details=details, now=world.now
    )


def member(world: Any, key: str, kind: str = "organisation_member") -> User:
    """A person of the demonstration, made a member of Ana's organisation."""
    grant_role(user=world.users[key], kind=kind, scope=world.organisation.pk, granted_by=None, now=world.now)
    person: User = world.users[key]
    return person


def limit(world: Any, person: User, **amounts: int | None) -> None:
    """Ana sets the limits of somebody in euros, in cents."""
    set_limits(
        actor=world.users["ana"], organisation_id=world.organisation.pk, user_id=person.pk, currency="EUR",
        per_pledge=amounts.get("per_pledge"), per_year=amounts.get("per_year"), now=world.now,
    )  # fmt: skip


def pledge(world: Any, person: User, amount: int, **changes: Any) -> Pledge:
    """A pledge of somebody for Ana's organisation."""
    facts = {"organisation": world.organisation, "form_key": f"{person.pk}-{amount}", "now": world.now, **changes}
    return make_pledge(actor=person, budget=world.budget, amount=amount, currency="EUR", **facts)


# --- details ----------------------------------------------------------------------------------------------------------


def test_details_are_kept_with_a_sealed_address(play: Play) -> None:
    world = play("make_house")
    made = edit(world)
    made.refresh_from_db()
    assert (made.siren, made.siret, made.vat_number) == ("732829320", "73282932000074", "FR44732829320")
    assert made.email == "contact@fabrique.example"
    assert address_of(made) == Address("12 quai des Brumes\nBâtiment B", "44000", "Nantes", "FR")
    assert "Brumes" not in made.address_sealed
    told = Event.objects.get(kind="organisation.edited")
    assert (told.actor_id, told.on_behalf, told.before["siren"]) == (world.users["ana"].pk, made.pk, "")
    assert "Brumes" not in str(told.after)
    assert "fabrique.example" not in str(told.after)
    edit(world)
    assert Event.objects.filter(kind="organisation.edited").count() == 1  # the same again is no act
    edit(world, address=Address())
    made.refresh_from_db()
    assert (made.address_sealed, address_of(made)) == ("", Address())


@pytest.mark.parametrize(
    ("changes", "code", "param"),
    [
        ({"name": "  "}, "name_missing", "name"),
        ({"name": "x" * 141}, "name_missing", "name"),
        ({"kind": "club"}, "kind_unknown", "kind"),
        ({"siren": "732829321"}, "siren_invalid", "siren"),
        ({"siret": "73282932000075"}, "siret_invalid", "siret"),
        ({"siret": "40483304800022"}, "siret_of_another", "siret"),
        ({"vat_status": "maybe"}, "vat_status_unknown", "vat_status"),
        ({"vat_number": "FR44732829321"}, "vat_number_invalid", "vat_number"),
        ({"vat_status": "franchise"}, "vat_number_without_vat", "vat_number"),
        ({"email": "nobody"}, "email_invalid", "email"),
        ({"address": Address("12 quai", "", "Nantes", "FR")}, "address_incomplete", "postal_code"),
        ({"address": Address("12 quai", "44000", "Nantes", "FRA")}, "address_incomplete", "country"),
        ({"address": Address("12 quai\0", "44000", "Nantes", "FR")}, "address_incomplete", "lines"),
    ],
)
def test_wrong_details_are_refused_and_change_nothing(play: Play, changes: Any, code: str, param: str) -> None:
    world = play("make_house")
    with pytest.raises(Invalid) as refusal:
        edit(world, **changes)
    assert (refusal.value.code, refusal.value.param) == (code, param)
    world.organisation.refresh_from_db()
    assert (world.organisation.siren, world.organisation.email) == ("", "")
    assert not Event.objects.filter(kind="organisation.edited").exists()


def test_a_siret_alone_gives_the_siren_and_la_poste_is_an_exception(play: Play) -> None:
    world = play("make_house")
    assert edit(world, siren="", siret="35600000009075", vat_status="unknown", vat_number="").siren == "356000000"
    assert edit(world, siren="", siret="", vat_status="not_liable", vat_number="").siren == ""


def test_only_a_manager_edits_and_a_foreign_organisation_is_not_found(play: Play) -> None:
    world = play("make_house")
    member(world, "camille")
    for key, expected in (("camille", Forbidden), ("claire", Forbidden), ("bo", NotFound)):
        with pytest.raises(expected):
            edit_organisation(
                actor=world.users[key], organisation_id=world.organisation.pk, details=DETAILS, now=world.now
            )
    world.organisation.refresh_from_db()
    assert world.organisation.siren == ""


def test_postgresql_keeps_the_details_in_order(play: Play) -> None:
    world = play("make_house")
    rows = Organisation.objects.filter(pk=world.organisation.pk)
    for wrong in (
        {"siren": "732829320", "siret": "40483304800022"}, {"vat_status": "franchise", "vat_number": "FR44732829320"},
        {"vat_status": "maybe"}, {"merged_into": world.organisation.pk},
    ):  # fmt: skip
        with pytest.raises(IntegrityError), transaction.atomic():
            rows.update(**wrong)


# --- members ----------------------------------------------------------------------------------------------------------


def invite(world: Any, email: str, kind: str = "organisation_member", **changes: Any) -> User:
    """Ana's invitation."""
    facts = {"actor": world.users["ana"], "organisation_id": world.organisation.pk, "now": world.now, **changes}
    return invite_member(who=Named("Lou Petit", email, "en"), kind=kind, **facts)


def test_an_invitation_looks_alike_with_or_without_an_account(play: Play) -> None:
    world = play("make_house")
    new = invite(world, "lou@example.org")
    known = invite(world, "BO@example.org", "organisation_manager")
    assert known == world.users["bo"]
    assert [set(event.data) for event in Event.objects.filter(kind="member.invited")] == [{"role"}, {"role"}]
    assert Event.objects.filter(kind="role.granted", scopes__contains=[world.organisation.pk]).count() == 1  # Ana's own
    compose_due(world.now)
    letters = {mail.recipient: mail.body for mail in OutgoingMail.objects.filter(event__kind="member.invited")}
    assert set(letters) == {"lou@example.org", "bo@example.org"}
    assert "/invitations/" in letters["lou@example.org"]
    assert "/invitations/" not in letters["bo@example.org"]
    assert not Role.objects.filter(user__in=[new, known], scope=world.organisation.pk).exists()
    assert not may(new, "pledge.make", scopes=[world.organisation.pk])
    assert not may(known, "pledge.make", scopes=[world.organisation.pk])
    invite(world, "lou@example.org")  # within a minute: one mail
    assert Event.objects.filter(kind="member.invited", subject=new.pk).count() == 1
    invite(world, "lou@example.org", now=world.now + timedelta(minutes=1))
    assert Event.objects.filter(kind="member.invited", subject=new.pk).count() == 2


def test_a_membership_begins_once_the_person_says_yes(play: Play) -> None:
    world = play("make_house")
    bo, camille, here = world.users["bo"], world.users["camille"], [world.organisation.pk]
    for person in (bo, camille):
        invite(world, person.email, "organisation_manager")
    row = Offer.objects.get(user=bo)
    with pytest.raises(NotFound) as foreign:
        answer_offer(actor=camille, offer_id=row.pk, accept=True, now=world.now)
    assert foreign.value.code == "offer_not_found"
    answer_offer(actor=bo, offer_id=row.pk, accept=True, now=world.now)
    assert may(bo, "organisation.edit", scopes=here)
    answer_offer(actor=camille, offer_id=Offer.objects.get(user=camille).pk, accept=False, now=world.now)
    assert not may(camille, "pledge.make", scopes=here)
    assert not Offer.objects.exists()
    told = Event.objects.filter(kind__in=["member.joined", "member.declined"]).order_by("id")
    assert [(event.kind, event.actor_id, event.scopes) for event in told] == [
        ("member.joined", bo.pk, here), ("member.declined", camille.pk, here),
    ]  # fmt: skip
    with pytest.raises(Conflict) as twice:
        invite(world, bo.email)
    assert twice.value.code == "member_already"
    invite(world, camille.email, now=world.now + timedelta(minutes=1))
    again = Offer.objects.get(user=camille)
    with pytest.raises(NotFound):  # bo manages it, sacha does not
        take_offer_back(
            actor=world.users["sacha"], organisation_id=world.organisation.pk, offer_id=again.pk, now=world.now
        )
    take_offer_back(actor=bo, organisation_id=world.organisation.pk, offer_id=again.pk, now=world.now)
    with pytest.raises(NotFound):
        answer_offer(actor=camille, offer_id=again.pk, accept=True, now=world.now)


def test_only_managers_invite_and_fifty_times_a_day(play: Play) -> None:
    world = play("make_house")
    member(world, "camille")
    for key, expected in (("camille", Forbidden), ("claire", Forbidden), ("bo", NotFound)):
        with pytest.raises(expected):
            invite(world, "lou@example.org", actor=world.users[key])
    assert not User.objects.filter(email="lou@example.org").exists()
    with pytest.raises(Invalid) as odd:
        invite(world, "lou@example.org", kind="treasurer")
    assert odd.value.code == "member_role_unknown"
    for number in range(50):
        invite(world, f"m{number}@example.org")
    with pytest.raises(Conflict) as many:
        invite(world, "one-more@example.org")
    assert many.value.code == "too_many_invitations"
    assert not User.objects.filter(email="one-more@example.org").exists()
    invite(world, "one-more@example.org", now=world.now + timedelta(days=1))


def test_the_last_manager_stays(play: Play) -> None:
    world = play("make_house")
    ana, here = world.users["ana"], {"organisation_id": world.organisation.pk, "now": world.now}
    invite(world, "lou@example.org", "organisation_manager")  # has not come yet: does not count
    for act in (
        lambda: leave(actor=ana, **here),
        lambda: remove_member(actor=ana, user_id=ana.pk, **here),
        lambda: change_member(actor=ana, user_id=ana.pk, kind="organisation_member", **here),
    ):
        with pytest.raises(Conflict) as refusal:
            act()
        assert refusal.value.code == "last_manager"
    assert may(ana, "organisation.edit", scopes=[world.organisation.pk])
    bo = member(world, "bo")
    change_member(actor=ana, user_id=bo.pk, kind="organisation_manager", **here)
    leave(actor=ana, **here)
    assert not may(ana, "pledge.make", scopes=[world.organisation.pk])
    told = {event.kind: (event.before, event.after) for event in Event.objects.filter(kind__startswith="member.")}
    assert told["member.changed"] == ({"role": "organisation_member"}, {"role": "organisation_manager"})
    assert told["member.left"] == ({"role": "organisation_manager"}, None)


def test_two_managers_who_leave_together_leave_one(play: Play, committed: str) -> None:
    world = play("make_house")
    people = [world.users["ana"], member(world, "bo", "organisation_manager")]
    ends = at_once(
        lambda number: leave(actor=people[number], organisation_id=world.organisation.pk, now=world.now), times=2
    )
    assert sorted(map(str, ends)) == ["None", "last_manager"]
    assert Role.objects.filter(kind="organisation_manager", scope=world.organisation.pk).count() == 1


def test_who_is_removed_acts_no_more(play: Play) -> None:
    world = play("make_house")
    bo = member(world, "bo")
    limit(world, bo, per_pledge=10_00)
    remove_member(actor=world.users["ana"], organisation_id=world.organisation.pk, user_id=bo.pk, now=world.now)
    assert not SpendingLimit.objects.exists()
    with pytest.raises(Forbidden):
        pledge(world, bo, 5_00)
    assert not Pledge.objects.exists()
    with pytest.raises(NotFound):
        remove_member(actor=world.users["ana"], organisation_id=world.organisation.pk, user_id=bo.pk, now=world.now)


# --- limits -----------------------------------------------------------------------------------------------------------


def test_a_limit_names_what_is_left(play: Play) -> None:
    world = play("make_house")
    bo = member(world, "bo")
    limit(world, bo, per_pledge=80_00, per_year=100_00)
    pledge(world, bo, 80_00)
    with pytest.raises(Conflict) as year:
        pledge(world, bo, 20_01)
    assert (year.value.code, year.value.param) == ("above_spending_limit", "amount")
    assert "€100.00" in str(year.value)
    assert "€20.00" in str(year.value)
    pledge(world, bo, 20_00)
    assert limits_left(bo, world.organisation, now=world.now) == [
        Left("pledge", 80_00, 80_00, "EUR"), Left("year", 100_00, 0, "EUR"),
    ]  # fmt: skip
    with pytest.raises(Conflict) as one:
        pledge(world, bo, 80_01)
    assert "€80.00 at a time" in str(one.value)
    assert pledge(world, bo, 80_00).amount == 80_00  # the form sent again gives the first one back
    assert Pledge.objects.count() == 2
    pledge(world, world.users["ana"], 500_00)  # nobody else is bound by it


def test_the_year_is_the_host_s_and_cancelled_pledges_are_given_back(play: Play) -> None:
    world = play("make_house")
    bo = member(world, "bo")
    limit(world, bo, per_year=100_00)
    eve = datetime(2025, 12, 31, 23, 59, tzinfo=ZoneInfo("Europe/Paris"))
    before = pledge(world, bo, 100_00, now=eve, form_key="eve")
    with pytest.raises(Conflict):
        pledge(world, bo, 1, now=eve, form_key="too much")
    pledge(world, bo, 99_00, now=eve + timedelta(minutes=1), form_key="next year")
    cancel_pledge(actor=bo, pledge_id=before.pk, now=eve)
    pledge(world, bo, 2_00, now=eve, form_key="given back")


def test_limits_change_and_go(play: Play) -> None:
    world = play("make_house")
    bo = member(world, "bo")
    limit(world, bo, per_pledge=0)
    with pytest.raises(Conflict):
        pledge(world, bo, 1)
    limit(world, bo, per_year=10_00)
    assert list(SpendingLimit.objects.values_list("per", "amount")) == [("year", 10_00)]
    limit(world, bo, per_year=10_00)
    limit(world, bo)
    assert not SpendingLimit.objects.exists()
    told = Event.objects.filter(kind="limit.set").order_by("pk").values_list("before", "after")
    assert list(told) == [({}, {"pledge": 0}), ({"pledge": 0}, {"year": 10_00}), ({"year": 10_00}, {})]
    for wrong in (-1, 10**13):
        with pytest.raises(Invalid):
            limit(world, bo, per_year=wrong)
    with pytest.raises(NotFound):
        limit(world, world.users["camille"], per_year=1)
    with pytest.raises(Forbidden):
        set_limits(
            actor=bo, organisation_id=world.organisation.pk, user_id=bo.pk, currency="EUR", per_pledge=None,
            per_year=None, now=world.now,
        )  # fmt: skip


def test_ten_pledges_at_once_stay_within_the_limit(play: Play, committed: str) -> None:
    world = play("make_house")
    bo = member(world, "bo")
    limit(world, bo, per_year=30_00)
    ends = at_once(lambda number: pledge(world, bo, 10_00, form_key=f"k{number}").pk)
    assert ends.count("above_spending_limit") == 7
    assert Pledge.objects.filter(made_by=bo).count() == 3


# --- merges -----------------------------------------------------------------------------------------------------------


def merge(world: Any, keep: Organisation, other: Organisation, **changes: Any) -> Organisation:
    """Claire's merge."""
    facts = {"actor": world.users["claire"], "reason": "Same association, typed twice", "now": world.now, **changes}
    return merge_organisations(keep_id=keep.pk, other_id=other.pk, **facts)


def test_duplicates_are_found_by_siren_and_by_name(play: Play) -> None:
    world = play("make_house")
    ana = world.users["ana"]
    assert duplicates() == []
    twin = create_organisation(name="LA FABRIQUE-DU-PÔRT", kind="informal", manager=ana, now=world.now)
    one, two = (
        create_organisation(name=name, kind="company", siren="732829320", manager=ana, now=world.now)
        for name in ("Un", "Deux")
    )
    assert folded("L’Œuvre  d’Été !") == "lœuvredete"
    assert [[row.pk for row in group] for group in duplicates()] == [[one.pk, two.pk], [world.organisation.pk, twin.pk]]
    merge(world, world.organisation, twin)
    assert [[row.pk for row in group] for group in duplicates()] == [[one.pk, two.pk]]


def test_a_merge_moves_pledges_members_and_limits(play: Play) -> None:
    world = play("make_promise")
    ana, bo, camille = (world.users[key] for key in ("ana", "bo", "camille"))
    keep = create_organisation(name="La Fabrique", kind="association", manager=camille, now=world.now)
    member(world, "bo")
    member(world, "camille", "organisation_member")
    limit(world, bo, per_year=10_00)
    limit(world, camille, per_year=1_00)
    moves = moves_of(world.organisation)
    assert (moves.pledges, moves.members, moves.limits) == (1, 3, 2)
    merge(world, keep, world.organisation)
    world.organisation.refresh_from_db()
    world.pledge.refresh_from_db()
    assert (world.organisation.merged_into, world.pledge.organisation) == (keep, keep)
    assert {(role.user_id, role.kind) for role in Role.objects.filter(scope=keep.pk)} == {
        (ana.pk, "organisation_member"), (bo.pk, "organisation_member"), (camille.pk, "organisation_manager"),
    }  # fmt: skip
    assert not Role.objects.filter(scope=world.organisation.pk).exists()
    assert [(row.user_id, row.organisation_id) for row in SpendingLimit.objects.all()] == [(bo.pk, keep.pk)]
    told = Event.objects.get(kind="organisation.merged")
    assert (told.subject, told.why) == (keep.pk, "Same association, typed twice")
    assert told.data["moved"] == {"pledges": 1, "roles": 2, "limits": 1}
    compose_due(world.now)
    letters = OutgoingMail.objects.filter(event=told)
    assert {mail.recipient for mail in letters} == {person.email for person in (ana, bo, camille)}
    body = letters.get(recipient=camille.email).body
    assert all(person.name in body for person in (ana, bo, camille))
    assert sorted(told.data["people"]) == sorted(
        [
            [ana.pk, "organisation_manager", "organisation_member"],
            [bo.pk, "organisation_member", "organisation_member"],
            [camille.pk, "organisation_member", "organisation_manager"],
        ]
    )
    with pytest.raises(Conflict) as late:
        merge(world, keep, world.organisation)
    assert late.value.code == "organisation_merged"


def test_a_look_alike_gives_no_manager(play: Play) -> None:
    world = play("make_house")
    bo, camille = world.users["bo"], world.users["camille"]
    member(world, "camille", "organisation_member")
    twin = create_organisation(name="La fabrique du port", kind="informal", manager=bo, now=world.now)
    grant_role(user=camille, kind="organisation_manager", scope=twin.pk, granted_by=bo, now=world.now)
    passing = {(one.person.pk, one.before, one.after) for one in passing_over(world.organisation, twin)}
    assert passing == {
        (bo.pk, "organisation_manager", "organisation_member"),
        (camille.pk, "organisation_manager", "organisation_member"),
    }
    merge(world, world.organisation, twin)
    held = Role.objects.filter(scope=world.organisation.pk)
    assert {(role.user_id, role.kind) for role in held} == {
        (world.users["ana"].pk, "organisation_manager"), (bo.pk, "organisation_member"),
        (camille.pk, "organisation_member"),
    }  # fmt: skip
    assert not may(bo, "organisation.invite", scopes=[world.organisation.pk])


def test_a_merge_completes_what_the_one_that_stays_lacks(play: Play) -> None:
    world = play("make_promise")
    keep = create_organisation(name="La Fabrique", kind="association", manager=world.users["camille"], now=world.now)
    Organisation.objects.filter(pk=keep.pk).update(email="papiers@example.org", siren="", siret="")
    Organisation.objects.filter(pk=world.organisation.pk).update(
        siren="732829320", siret="73282932000074", vat_status="liable", vat_number="FR44732829320",
        email="autre@example.org",
    )  # fmt: skip
    keep.refresh_from_db()
    world.organisation.refresh_from_db()
    home = Address("1 rue du Port", "29200", "Brest", "FR")
    Organisation.objects.filter(pk=world.organisation.pk).update(address_sealed=seal_address(world.organisation, home))
    world.organisation.refresh_from_db()
    assert completed(keep, world.organisation) == {
        "siren": "732829320", "siret": "73282932000074", "vat_status": "liable", "vat_number": "FR44732829320",
        "address": "1 rue du Port\n29200 Brest, FR",
    }  # fmt: skip
    merge(world, keep, world.organisation)
    keep.refresh_from_db()
    assert (keep.siren, keep.siret, keep.vat_status, keep.vat_number, keep.email) == (
        "732829320", "73282932000074", "liable", "FR44732829320", "papiers@example.org",
    )  # fmt: skip
    assert address_of(keep) == home
    told = Event.objects.get(kind="organisation.merged")
    assert told.data["filled"] == ["address", "siren", "siret", "vat_number", "vat_status"]
    assert "Port" not in str(told.data)


def test_a_siret_of_another_siren_is_left(play: Play) -> None:
    world = play("make_house")
    keep = Organisation(siren="552100554")
    other = Organisation(siren="732829320", siret="73282932000074", vat_status="not_liable")
    assert completed(keep, other) == {"vat_status": "not_liable"}
    assert world.organisation.merged_into is None


def test_a_pledge_for_an_organisation_merged_meanwhile_is_refused(play: Play) -> None:
    world = play("make_house")
    keep = create_organisation(name="La Fabrique", kind="association", manager=world.users["bo"], now=world.now)
    merge(world, keep, world.organisation)
    with pytest.raises(Forbidden):
        pledge(world, world.users["ana"], 1_00)
    grant_role(
        user=world.users["ana"], kind="organisation_member", scope=world.organisation.pk, granted_by=None, now=world.now
    )
    with pytest.raises(Conflict) as refusal:
        pledge(world, world.users["ana"], 1_00)
    assert refusal.value.code == "organisation_merged"
    assert not Pledge.objects.exists()


def test_a_merge_is_a_treasurer_s_with_a_reason(play: Play) -> None:
    world = play("make_promise")
    keep = create_organisation(name="La Fabrique", kind="association", manager=world.users["ana"], now=world.now)
    cases: list[tuple[dict[str, Any], type[DomainError], str]] = [
        ({"actor": world.users["ana"]}, Forbidden, "not_allowed"),
        ({"actor": world.users["sacha"]}, Forbidden, "not_allowed"),
        ({"reason": " "}, Invalid, "reason_missing"),
    ]
    for changes, kind, code in cases:
        with pytest.raises(kind) as refusal:
            merge(world, keep, world.organisation, **changes)
        assert refusal.value.code == code
    with pytest.raises(Invalid) as itself:
        merge(world, keep, keep)
    assert itself.value.code == "merged_with_itself"
    with pytest.raises(NotFound):
        merge(world, keep, Organisation(pk="org_x"))
    world.pledge.refresh_from_db()
    assert world.pledge.organisation == world.organisation
    assert not Event.objects.filter(kind="organisation.merged").exists()


def test_the_application_cannot_rewrite_a_recording(play: Play) -> None:
    play("make_house")
    with connection.cursor() as cursor:
        for column, held in (("recorded_by_id", False), ("subject", False), ("confirmed_at", True)):
            cursor.execute("SELECT has_column_privilege('tronc_app', 'identity_recording', %s, 'UPDATE')", [column])
            assert cursor.fetchone() == (held,), column
        cursor.execute("SELECT has_table_privilege('tronc_app', 'identity_recording', 'DELETE')")
        assert cursor.fetchone() == (False,)
