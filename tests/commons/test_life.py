"""The life of a commons: proposed, opened or refused by another, hidden, archived; budgets suspended; pots' people."""

from datetime import date, timedelta
from typing import Any

import pytest
from django.db import IntegrityError, transaction
from django.utils import timezone, translation

from backend.commons.life import (
    amend_commons,
    approve_commons,
    hide_commons,
    propose_commons,
    reads_hidden,
    refuse_commons,
    reopen_budget,
    show_commons,
    suspend_budget,
    withdraw_commons,
)
from backend.commons.models import Budget, Commons, Period
from backend.commons.proposed import digest_of
from backend.commons.services import root_budget
from backend.commons.stewards import grant_in_pot, remove_from_pot
from backend.core.errors import Conflict, DomainError, Forbidden, Invalid, NotFound
from backend.events.models import Event
from backend.identity.inviting import Named
from backend.identity.models import Role, User
from backend.identity.permissions import may
from backend.identity.services import grant_role
from backend.notifications.models import OutgoingMail
from backend.notifications.services import compose_due
from backend.operations import demo
from backend.operations.commons_end import archive_commons, hindrances
from backend.pledges.services import cancel_pledge, make_pledge
from tests.concurrency import at_once

NOW = timezone.now()
FACTS: dict[str, Any] = {
    "name": "Semis", "summary": "Des semences libres.", "why": "Six jardins s’en servent.", "website": "", "now": NOW,
}  # fmt: skip
TERMS: dict[str, Any] = {
    "currency": "EUR", "first_day": date(2026, 11, 1), "last_day": date(2026, 12, 31), "approvals": 1, "now": NOW,
}  # fmt: skip


def terms_of(commons: Commons) -> dict[str, Any]:
    """What opens this commons as it is written now."""
    return {**TERMS, "commons_id": commons.pk, "digest": digest_of(commons)}


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
    """The act is refused with this code and nothing changes."""

    def state() -> list[Any]:
        return [
            list(Commons.objects.order_by("pk").values()), list(Budget.objects.order_by("pk").values()),
            list(Role.objects.order_by("pk").values()), Period.objects.count(), Event.objects.count(),
            User.objects.count(),
        ]  # fmt: skip

    before = state()
    with pytest.raises(kind) as refusal:
        act(**values)
    assert refusal.value.code == code
    assert state() == before


class TestProposing:
    def test_anyone_proposes_and_another_opens_it(self, world: Any) -> None:
        bo, claire = world.users["bo"], world.users["claire"]
        proposed = propose_commons(actor=bo, **FACTS)
        assert (proposed.state, proposed.budgets.count(), Commons.listed().count()) == ("proposed", 0, 1)
        opened = approve_commons(actor=claire, **terms_of(proposed))
        assert (opened.state, opened.slug, opened.decided_by_id) == ("open", "semis", claire.pk)
        pot = root_budget(opened)
        period = Period.objects.get(budget=pot)
        assert (pot.name, pot.currency, pot.state, pot.charters.count()) == ("Semis", "EUR", "open", 1)
        assert (period.starts_on, period.ends_before) == (date(2026, 11, 1), date(2027, 1, 1))
        role = Role.objects.get(kind="steward", scope=pot.pk)
        assert (role.user_id, role.granted_by_id) == (bo.pk, claire.pk)
        compose_due(NOW)
        told = OutgoingMail.objects.filter(recipient="bo@example.org").values_list("subject", flat=True)
        assert len(told) == 2  # the role, and that it is open

    def test_another_steward_can_be_named_without_an_account(self, world: Any) -> None:
        named = propose_commons(actor=world.users["bo"], steward=Named("Zoé", "zoe@example.org"), **FACTS)
        assert not User.objects.filter(email="zoe@example.org").exists()
        opened = approve_commons(actor=world.users["claire"], **terms_of(named))
        holder = Role.objects.get(kind="steward", scope=root_budget(opened).pk).user
        assert (holder.email, holder.has_usable_password()) == ("zoe@example.org", False)

    @pytest.mark.parametrize(
        ("values", "code"),
        [
            ({"name": "Cartolibre"}, "name_taken"), ({"name": "!"}, "name_taken"), ({"summary": ""}, "summary_missing"),
            ({"why": ""}, "why_missing"), ({"website": "javascript:alert(1)"}, "website_invalid"),
            ({"steward": Named("Zoé", "zoe")}, "email_invalid"),
            ({"steward": Named("", "zoe@example.org")}, "name_missing"),
        ],
    )  # fmt: skip
    def test_what_was_typed_is_read(self, world: Any, values: dict[str, Any], code: str) -> None:
        refused(Invalid, code, propose_commons, actor=world.users["bo"], **{**FACTS, **values})

    def test_five_a_day(self, world: Any) -> None:
        bo = world.users["bo"]
        for number in range(5):
            propose_commons(actor=bo, **{**FACTS, "name": f"Semis {number}"})
        refused(Conflict, "too_many_proposals", propose_commons, actor=bo, **FACTS)
        propose_commons(actor=world.users["ana"], **FACTS)
        propose_commons(actor=bo, **{**FACTS, "now": NOW + timedelta(days=1, seconds=1)})

    def test_its_author_writes_it_again_or_takes_it_back(self, world: Any) -> None:
        bo = world.users["bo"]
        made = propose_commons(actor=bo, **FACTS)
        refused(NotFound, "commons_not_found", amend_commons, actor=world.users["ana"], commons_id=made.pk, **FACTS)
        assert amend_commons(actor=bo, commons_id=made.pk, **{**FACTS, "summary": "Autre."}).summary == "Autre."
        assert withdraw_commons(actor=bo, commons_id=made.pk, now=NOW).state == "withdrawn"
        for act in (approve_commons, refuse_commons):
            values = terms_of(made) if act is approve_commons else {"reason": "non", "now": NOW, "commons_id": made.pk}
            refused(Conflict, "commons_decided", act, actor=world.users["claire"], **values)


class TestDeciding:
    @pytest.mark.parametrize(
        ("values", "what"),
        [
            ({"name": "Semailles"}, "the name"), ({"summary": "Autre."}, "the summary"),
            ({"why": "Autre."}, "why it needs a common pot"), ({"website": "https://example.org/"}, "the website"),
            ({"licence": "CC0-1.0"}, "the licence"),
            ({"steward": Named("Zoé", "zoe@example.org")}, "who would take care of it"),
        ],
    )  # fmt: skip
    def test_only_what_was_read_is_opened(self, world: Any, values: dict[str, Any], what: str) -> None:
        bo, claire = world.users["bo"], world.users["claire"]
        made = propose_commons(actor=bo, **FACTS)
        read = terms_of(made)
        amend_commons(actor=bo, commons_id=made.pk, **{**FACTS, **values})
        refused(Conflict, "commons_changed", approve_commons, actor=claire, **read)
        with translation.override("en"), pytest.raises(Conflict, match=f": {what} changed"):
            approve_commons(actor=claire, **read)
        refused(Conflict, "commons_changed", approve_commons, actor=claire, **{**read, "digest": ""})
        made.refresh_from_db()
        assert approve_commons(actor=claire, **terms_of(made)).state == "open"

    @pytest.mark.parametrize("who", ["bo", "camille"])
    def test_nobody_takes_care_of_it_with_a_closed_account(self, world: Any, who: str) -> None:
        camille = world.users["camille"]
        made = propose_commons(actor=world.users["bo"], steward=Named(camille.name, camille.email), **FACTS)
        User.objects.filter(pk=world.users[who].pk).update(is_active=False)
        refused(
            Conflict, "commons_without_person", approve_commons, actor=world.users["claire"], **terms_of(made)
        )  # fmt: skip

    def test_never_one_s_own(self, world: Any) -> None:
        claire = world.users["claire"]
        made = propose_commons(actor=claire, **FACTS)
        refused(Forbidden, "own_commons", approve_commons, actor=claire, **terms_of(made))
        refused(Forbidden, "own_commons", refuse_commons, actor=claire, commons_id=made.pk, reason="x", now=NOW)
        with pytest.raises(IntegrityError, match="commons_decided_by_another"), transaction.atomic():
            Commons.objects.filter(pk=made.pk).update(state="open", decided_by=claire, decided_at=NOW)
        # nor the one who would take care of it
        claire_cares = Named(claire.name, claire.email)
        other = propose_commons(actor=world.users["bo"], steward=claire_cares, **{**FACTS, "name": "Graines"})
        refused(Forbidden, "own_commons", approve_commons, actor=claire, **terms_of(other))

    @pytest.mark.parametrize("name", ["sacha", "bo", "ana"])
    def test_others_decide_nothing(self, world: Any, name: str) -> None:
        made = propose_commons(actor=world.users["camille"], **FACTS)
        actor = world.users[name]
        refused(Forbidden, "not_allowed", approve_commons, actor=actor, **terms_of(made))
        refused(Forbidden, "not_allowed", refuse_commons, actor=actor, commons_id=made.pk, reason="x", now=NOW)

    def test_an_administrator_cares_for_no_pot(self, world: Any) -> None:
        made = propose_commons(actor=world.users["odile"], **FACTS)
        refused(
            Invalid, "administrator_as_treasurer", approve_commons, actor=world.users["claire"], **terms_of(made),
        )  # fmt: skip

    @pytest.mark.parametrize(
        ("values", "code"),
        [
            ({"last_day": date(2026, 10, 31)}, "period_length"), ({"approvals": 0}, "approvals_out_of_range"),
            ({"currency": "CHF"}, "currency_without_account"),
        ],
    )  # fmt: skip
    def test_what_was_typed_is_read(self, world: Any, values: dict[str, Any], code: str) -> None:
        made = propose_commons(actor=world.users["bo"], **FACTS)
        refused(Invalid, code, approve_commons, actor=world.users["claire"], **{**terms_of(made), **values})

    def test_a_refusal_is_told_and_the_name_stays_free(self, world: Any) -> None:
        made = propose_commons(actor=world.users["bo"], **FACTS)
        facts: dict[str, Any] = {"actor": world.users["odile"], "commons_id": made.pk, "now": NOW}
        refused(Invalid, "reason_missing", refuse_commons, reason=" ", **facts)
        assert refuse_commons(reason="Pas de licence libre", **facts).state == "refused"
        compose_due(NOW)
        assert "Pas de licence libre" in OutgoingMail.objects.get(recipient="bo@example.org").body
        assert propose_commons(actor=world.users["bo"], **FACTS).state == "proposed"


class TestHiding:
    def test_the_public_loses_it_its_people_keep_it(self, world: Any) -> None:
        facts: dict[str, Any] = {"commons_id": world.commons.pk, "reason": "Plainte", "now": NOW}
        hide = {**facts, "appeal_to": "appel@example.org"}
        refused(Forbidden, "not_allowed", hide_commons, actor=world.users["sacha"], **hide)
        refused(Invalid, "email_invalid", hide_commons, actor=world.users["claire"], **{**hide, "appeal_to": "x"})
        refused(Invalid, "reason_missing", hide_commons, actor=world.users["claire"], **{**hide, "reason": ""})
        refused(Conflict, "commons_not_hidden", show_commons, actor=world.users["claire"], **facts)
        hidden = hide_commons(actor=world.users["claire"], **hide)
        assert (hidden.state, hidden.appeal_to, Commons.listed().count()) == ("hidden", "appel@example.org", 0)
        assert [reads_hidden(world.users[name], hidden) for name in ("sacha", "bo", "claire", "odile", "ana")] == [
            True, True, True, True, False,
        ]  # fmt: skip
        refused(Conflict, "commons_not_open", hide_commons, actor=world.users["claire"], **hide)
        assert show_commons(actor=world.users["denis"], **facts).state == "open"
        assert list(Event.objects.filter(subject=hidden.pk).order_by("id").values_list("kind", flat=True)) == [
            "commons.created", "commons.hidden", "commons.shown",
        ]  # fmt: skip


class TestArchiving:
    def test_nothing_waits_any_more(self, play: Any) -> None:
        world = play("make_promise")
        facts = {"actor": world.users["claire"], "commons_id": world.commons.pk, "reason": "Fini", "now": NOW}
        assert len(hindrances(world.commons)) == 1
        refused(Conflict, "commons_not_empty", archive_commons, **facts)
        cancel_pledge(actor=world.users["ana"], pledge_id=world.pledge.pk, now=NOW)
        refused(Forbidden, "not_allowed", archive_commons, **{**facts, "actor": world.users["sacha"]})
        assert archive_commons(**facts).state == "archived"
        assert Budget.objects.get(pk=world.budget.pk).state == "archived"
        assert (Commons.listed().count(), Commons.readable().count()) == (0, 1)
        with pytest.raises(Conflict):
            make_pledge(
                actor=world.users["ana"], budget=Budget.objects.get(pk=world.budget.pk),
                organisation=world.organisation, amount=100, currency="EUR", form_key="later", now=NOW,
            )  # fmt: skip

    def test_money_and_work_hold_it_open(self, play: Any) -> None:
        world = play("work")
        assert len(hindrances(world.commons)) == 2  # money, work
        refused(
            Conflict, "commons_not_empty", archive_commons, actor=world.users["claire"], commons_id=world.commons.pk,
            reason="Fini", now=NOW,
        )  # fmt: skip


class TestSuspending:
    def test_no_pledge_meanwhile(self, world: Any) -> None:
        facts: dict[str, Any] = {"budget_id": world.budget.pk, "reason": "Le temps d’une réunion", "now": NOW}
        for name in ("bo", "ana", "odile"):
            refused(Forbidden, "not_allowed", suspend_budget, actor=world.users[name], **facts)
        refused(Conflict, "budget_not_suspended", reopen_budget, actor=world.users["sacha"], **facts)
        refused(Invalid, "reason_missing", suspend_budget, actor=world.users["sacha"], **{**facts, "reason": ""})
        assert suspend_budget(actor=world.users["sacha"], **facts).state == "suspended"
        refused(Conflict, "budget_not_open", suspend_budget, actor=world.users["claire"], **facts)
        world.budget.refresh_from_db()
        with pytest.raises(Conflict):
            demo.make_promise(world)
        assert reopen_budget(actor=world.users["claire"], **facts).state == "open"
        fact = Event.objects.get(kind="budget.suspended")
        assert (fact.before, fact.after, fact.why) == (
            {"state": "open"}, {"state": "suspended"}, "Le temps d’une réunion",
        )  # fmt: skip


class TestPeopleOfAPot:
    def test_stewards_name_people_in_their_own_pot_only(self, world: Any) -> None:
        facts: dict[str, Any] = {
            "who": Named("Zoé", "zoe@example.org"), "kind": "contributor", "reason": "Elle traduit", "now": NOW,
        }  # fmt: skip
        mine = {**facts, "budget_id": world.budget.pk}
        proposed = propose_commons(actor=world.users["camille"], **FACTS)
        other = approve_commons(actor=world.users["claire"], **terms_of(proposed))
        for name in ("claire", "odile", "bo"):
            refused(Forbidden, "not_allowed", grant_in_pot, actor=world.users[name], **mine)
        foreign = {**facts, "budget_id": root_budget(other).pk}
        refused(Forbidden, "not_allowed", grant_in_pot, actor=world.users["sacha"], **foreign)
        person = grant_in_pot(actor=world.users["sacha"], **mine)
        assert may(person, "contribution.declare", scopes=[world.budget.pk])
        refused(Conflict, "role_held", grant_in_pot, actor=world.users["sacha"], **mine)
        taken = {"person_id": person.pk, "kind": "contributor", "budget_id": world.budget.pk, "reason": "x", "now": NOW}
        refused(Forbidden, "not_allowed", remove_from_pot, actor=world.users["odile"], **taken)
        remove_from_pot(actor=world.users["sacha"], **taken)
        assert not may(person, "contribution.declare", scopes=[world.budget.pk])

    def test_the_last_steward_is_replaced_by_two_people(self, world: Any) -> None:
        sacha, odile = world.users["sacha"], world.users["odile"]
        taken = {"person_id": sacha.pk, "kind": "steward", "budget_id": world.budget.pk, "reason": "x", "now": NOW}
        refused(Conflict, "last_steward", remove_from_pot, actor=sacha, **taken)
        given: dict[str, Any] = {
            "who": Named("Zoé", "zoe@example.org"), "kind": "steward", "budget_id": world.budget.pk, "reason": "x",
            "now": NOW,
        }  # fmt: skip
        refused(Forbidden, "not_allowed", grant_in_pot, actor=odile, **given)  # there is one already
        refused(Forbidden, "not_allowed", grant_in_pot, actor=world.users["claire"], **given)
        remove_from_pot(actor=odile, **taken)
        refused(Conflict, "steward_takes_two", grant_in_pot, actor=odile, **given)
        # nor an administrator whom the first one names for it
        puppet = self.administrator(world, "paul")
        refused(Conflict, "steward_takes_two", grant_in_pot, actor=puppet, **given)
        contributor = {**given, "kind": "contributor"}
        refused(Forbidden, "not_allowed", grant_in_pot, actor=world.users["claire"], **contributor)
        assert grant_in_pot(actor=world.users["claire"], **given).email == "zoe@example.org"
        again = {**given, "who": Named("Yann", "yann@example.org")}
        refused(Forbidden, "not_allowed", grant_in_pot, actor=world.users["claire"], **again)

    def administrator(self, world: Any, name: str) -> User:
        """One more administrator, from a minute after the present on."""
        person = User.objects.create_user(f"{name}@example.org", demo.PASSWORD, name=name.title(), language="fr")
        later = NOW + timedelta(minutes=1)
        grant_role(user=person, kind="administrator", scope=world.host.pk, granted_by=None, now=later)
        demo.give_factor(person)
        return person

    def test_another_administrator_names_the_new_steward(self, world: Any) -> None:
        paul, later = self.administrator(world, "paul"), NOW + timedelta(minutes=2)
        facts: dict[str, Any] = {"kind": "steward", "budget_id": world.budget.pk, "reason": "x", "now": later}
        remove_from_pot(actor=world.users["odile"], person_id=world.users["sacha"].pk, **facts)
        zoe = Named("Zoé", "zoe@example.org")
        refused(Conflict, "steward_takes_two", grant_in_pot, actor=world.users["odile"], who=zoe, **facts)
        assert grant_in_pot(actor=paul, who=zoe, **facts).email == "zoe@example.org"


def test_two_people_decide_a_commons_once(committed: str, play: Any) -> None:
    world = play("make_house")
    made = propose_commons(actor=world.users["bo"], **FACTS)
    acts = [
        lambda: approve_commons(actor=world.users["claire"], **terms_of(made)),
        lambda: refuse_commons(actor=world.users["denis"], commons_id=made.pk, reason="non", now=NOW),
    ]
    answers = at_once(lambda number: acts[number](), times=2)
    assert sum(isinstance(answer, Commons) for answer in answers) == 1
    assert "commons_decided" in answers
    commons = Commons.objects.get(pk=made.pk)
    assert commons.budgets.count() == (commons.state == "open")
