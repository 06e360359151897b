"""Roles of the host: who gives and takes them, what is never done, and that a removal counts at once."""

from datetime import timedelta
from typing import Any

import pytest
from allauth.account.models import EmailAddress
from django.utils import timezone

from backend.core.errors import Conflict, DomainError, Forbidden, Invalid, NotFound
from backend.events.models import Event
from backend.identity.inviting import Named, invite_person
from backend.identity.models import Role, User
from backend.identity.permissions import may, require
from backend.identity.roles import able_treasurers, grant_host_role, remove_host_role
from backend.identity.services import grant_role
from backend.notifications.models import OutgoingMail
from backend.notifications.services import compose_due
from backend.operations import demo
from tests.concurrency import at_once

NOW = timezone.now()
ZOE = Named("Zoé Petit", "zoe@example.org", "fr")


@pytest.fixture
def world(play: Any) -> Any:
    """The house, with Odile as its administrator."""
    world = play("make_house")
    odile = User.objects.create_user("odile@example.org", demo.PASSWORD, name="Odile Blanc", language="fr")
    grant_role(user=odile, kind="administrator", scope=world.host.pk, granted_by=None, now=NOW)
    demo.give_factor(odile)
    world.users["odile"] = odile
    return world


def refused(kind: type[DomainError], code: str, act: Any, /, **values: Any) -> None:
    """The act is refused with this code, and no role, no person and no fact is added."""
    before = (list(Role.objects.order_by("pk").values()), User.objects.count(), Event.objects.count())
    with pytest.raises(kind) as refusal:
        act(**values)
    assert refusal.value.code == code
    assert (list(Role.objects.order_by("pk").values()), User.objects.count(), Event.objects.count()) == before


class TestGiving:
    def test_an_administrator_names_an_auditor_without_an_account(self, world: Any) -> None:
        person = grant_host_role(
            actor=world.users["odile"], who=ZOE, kind="auditor", reason="Elle relit les comptes", now=NOW
        )
        role = Role.objects.get(user=person)
        assert (role.kind, role.scope, role.granted_by_id) == ("auditor", world.host.pk, world.users["odile"].pk)
        fact = Event.objects.get(subject=person.pk)
        assert (fact.kind, fact.why, fact.after) == (
            "role.granted", "Elle relit les comptes", {"role": "auditor", "scope": world.host.pk},
        )  # fmt: skip
        compose_due(NOW)
        letter = OutgoingMail.objects.get(recipient="zoe@example.org")
        assert "/fr/invitations/" in letter.body
        assert "Elle relit les comptes" in letter.body

    @pytest.mark.parametrize("name", ["claire", "sacha", "bo", "ana"])
    def test_nobody_else_does(self, world: Any, name: str) -> None:
        refused(
            Forbidden, "not_allowed", grant_host_role, actor=world.users[name], who=ZOE, kind="auditor", reason="oui",
            now=NOW,
        )  # fmt: skip

    def test_nobody_gives_themselves_a_role(self, world: Any) -> None:
        odile = world.users["odile"]
        me = Named(odile.name, "ODILE@example.org ")
        # Somebody else confirmed the address before: it is the same person.
        refused(
            Forbidden, "role_to_oneself", grant_host_role, actor=odile, who=me, kind="auditor", reason="oui", now=NOW
        )

    def test_a_treasurer_takes_two_people(self, world: Any) -> None:
        odile = world.users["odile"]
        refused(
            Conflict, "treasurer_takes_two", grant_host_role, actor=odile, who=ZOE, kind="treasurer", reason="oui",
            now=NOW,
        )  # fmt: skip
        refused(
            Conflict, "treasurer_takes_two", invite_person, actor=odile, who=ZOE, kind="treasurer",
            scope=world.host.pk, now=NOW,
        )  # fmt: skip

    def test_an_administrator_never_touches_money(self, world: Any) -> None:
        claire = world.users["claire"]
        refused(
            Invalid, "administrator_as_treasurer", grant_host_role, actor=world.users["odile"],
            who=Named(claire.name, claire.email), kind="administrator", reason="oui", now=NOW,
        )  # fmt: skip

    @pytest.mark.parametrize(
        ("values", "code"),
        [
            ({"reason": "  "}, "reason_missing"),
            ({"reason": "x" * 501}, "reason_missing"),
            ({"kind": "steward"}, "role_unknown"),
            ({"who": Named("Zoé", "zoe")}, "email_invalid"),
        ],
    )
    def test_what_was_typed_is_read(self, world: Any, values: dict[str, Any], code: str) -> None:
        facts = {"actor": world.users["odile"], "who": ZOE, "kind": "auditor", "reason": "oui", "now": NOW}
        refused(Invalid, code, grant_host_role, **{**facts, **values})

    def test_a_role_is_held_once(self, world: Any) -> None:
        facts = {"actor": world.users["odile"], "who": ZOE, "kind": "auditor", "reason": "oui", "now": NOW}
        grant_host_role(**facts)
        refused(Conflict, "role_held", grant_host_role, **facts)


class TestTaking:
    def test_a_removed_treasurer_acts_no_more(self, world: Any) -> None:
        denis = world.users["denis"]
        assert may(denis, "batch.approve")
        remove_host_role(
            actor=world.users["odile"], person_id=denis.pk, kind="treasurer", reason="Il quitte le bureau", now=NOW
        )
        with pytest.raises(Forbidden):
            require(denis, "batch.approve")
        fact = Event.objects.get(kind="role.withdrawn")
        assert (fact.why, fact.before) == ("Il quitte le bureau", {"role": "treasurer", "scope": world.host.pk})
        compose_due(NOW)
        assert "Il quitte le bureau" in OutgoingMail.objects.get(recipient="denis@example.org").body

    def test_no_factor_at_all_opens_the_first_run_again(self, world: Any) -> None:
        """Treasurers who chose their password are treasurers: an administrator alone names no other one."""
        for name in ("claire", "denis"):
            world.users[name].authenticator_set.all().delete()
        EmailAddress.objects.update(verified=True)
        refused(
            Conflict, "treasurer_takes_two", invite_person, actor=world.users["odile"], who=ZOE, kind="treasurer",
            scope=world.host.pk, now=NOW,
        )  # fmt: skip

    def test_the_last_treasurer_who_can_act_stays(self, world: Any) -> None:
        claire, denis = world.users["claire"], world.users["denis"]
        denis.authenticator_set.all().delete()
        assert able_treasurers() == [claire]
        refused(
            Conflict, "last_treasurer", remove_host_role, actor=world.users["odile"], person_id=claire.pk,
            kind="treasurer", reason="oui", now=NOW,
        )  # fmt: skip
        # The one who cannot act can go.
        remove_host_role(actor=claire, person_id=denis.pk, kind="treasurer", reason="oui", now=NOW)
        assert list(Role.objects.filter(kind="treasurer").values_list("user", flat=True)) == [claire.pk]

    def test_the_last_administrator_stays(self, world: Any) -> None:
        odile = world.users["odile"]
        refused(
            Conflict, "last_administrator", remove_host_role, actor=odile, person_id=odile.pk, kind="administrator",
            reason="oui", now=NOW,
        )  # fmt: skip

    def test_a_treasurer_does_not_remove_an_administrator(self, world: Any) -> None:
        refused(
            Forbidden, "not_allowed", remove_host_role, actor=world.users["claire"],
            person_id=world.users["odile"].pk, kind="administrator", reason="oui", now=NOW,
        )  # fmt: skip

    def test_a_role_that_nobody_holds(self, world: Any) -> None:
        refused(
            NotFound, "role_not_found", remove_host_role, actor=world.users["odile"], person_id=world.users["bo"].pk,
            kind="auditor", reason="oui", now=NOW,
        )  # fmt: skip


def test_two_people_do_not_take_both_treasurers_away(committed: str, play: Any) -> None:
    world = play("make_house")
    claire, denis = world.users["claire"], world.users["denis"]

    def take(actor: User, person: User) -> Any:
        return lambda: remove_host_role(
            actor=actor, person_id=person.pk, kind="treasurer", reason="oui", now=NOW + timedelta(minutes=1)
        )

    acts = [take(claire, denis), take(denis, claire)]
    answers = at_once(lambda number: acts[number](), times=2)
    assert sum(isinstance(answer, User) for answer in answers) == 1
    assert {answer for answer in answers if isinstance(answer, str)} <= {"last_treasurer", "not_allowed"}
    assert Role.objects.filter(kind="treasurer").count() == 1
