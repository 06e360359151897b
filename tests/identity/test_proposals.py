"""What takes two people: naming a treasurer. The same person never proposes and decides, in PostgreSQL too."""

from datetime import timedelta
from typing import Any

import pytest
from allauth.mfa.models import Authenticator
from django.db import IntegrityError, transaction
from django.utils import timezone

from backend.core.errors import Conflict, DomainError, Forbidden, Invalid, NotFound
from backend.events.models import Event
from backend.events.services import record
from backend.identity.inviting import Named
from backend.identity.models import Proposal, Role, User
from backend.identity.proposals import decide_treasurer, hindrance, propose_treasurer, withdraw
from backend.identity.services import grant_role, withdraw_role
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


@pytest.fixture
def proposal(world: Any) -> Proposal:
    """Odile proposes Zoé as treasurer."""
    return propose_treasurer(actor=world.users["odile"], who=ZOE, reason="Elle arrive au bureau", now=NOW)


def decide(actor: User, proposal: Proposal, **values: Any) -> Proposal:
    """Accept what is proposed, unless the values say otherwise."""
    facts = {"accept": True, "digest": proposal.digest, "now": NOW + timedelta(minutes=1), **values}
    return decide_treasurer(actor=actor, proposal_id=proposal.pk, **facts)


def refused(kind: type[DomainError], code: str, act: Any, *args: Any, **values: Any) -> None:
    """The act is refused with this code and nothing changes."""
    before = (list(Proposal.objects.values()), Role.objects.count(), Event.objects.count())
    with pytest.raises(kind) as refusal:
        act(*args, **values)
    assert refusal.value.code == code
    assert (list(Proposal.objects.values()), Role.objects.count(), Event.objects.count()) == before


def test_two_administrators_make_no_treasurer_while_one_can_act(world: Any, proposal: Proposal) -> None:
    """An administrator makes administrators alone: two of them are not two people where money is."""
    paul = User.objects.create_user("paul@example.org", demo.PASSWORD, name="Paul Noir", language="fr")
    grant_role(user=paul, kind="administrator", scope=world.host.pk, granted_by=world.users["odile"], now=NOW)
    demo.give_factor(paul)
    refused(Conflict, "treasurer_wanted", decide, paul, proposal)
    found = hindrance(paul, proposal)
    assert found is not None
    assert found.code == "treasurer_wanted"
    treasurers = [world.users["claire"], world.users["denis"]]
    Authenticator.objects.filter(user__in=treasurers).delete()
    refused(Conflict, "treasurer_wanted", decide, paul, proposal)  # a factor taken off opens nothing
    for person in treasurers:
        withdraw_role(user=person, kind="treasurer", scope=world.host.pk, actor=paul, now=NOW)
    assert decide(paul, proposal).state == "accepted"  # nobody else is left who could


class TestProposing:
    def test_nothing_changes_before_a_second_person(self, world: Any, proposal: Proposal) -> None:
        zoe = User.objects.get(email="zoe@example.org")
        assert (proposal.state, proposal.subject, proposal.iban_sealed) == ("proposed", zoe.pk, "")
        assert not Role.objects.filter(user=zoe).exists()
        fact = Event.objects.get(subject=proposal.pk)
        assert (fact.kind, fact.why, fact.data) == (
            "proposal.made", "Elle arrive au bureau", {"kind_of": "role.treasurer"},
        )  # fmt: skip
        compose_due(NOW)
        assert set(OutgoingMail.objects.values_list("recipient", flat=True)) == {
            "claire@example.org", "denis@example.org",
        }  # fmt: skip

    @pytest.mark.parametrize("name", ["sacha", "bo", "ana"])
    def test_others_propose_nothing(self, world: Any, name: str) -> None:
        refused(Forbidden, "not_allowed", propose_treasurer, actor=world.users[name], who=ZOE, reason="oui", now=NOW)

    def test_nobody_proposes_themselves(self, world: Any) -> None:
        claire = world.users["claire"]
        me = Named(claire.name, claire.email)
        refused(Forbidden, "role_to_oneself", propose_treasurer, actor=claire, who=me, reason="oui", now=NOW)

    def test_an_administrator_is_not_proposed(self, world: Any) -> None:
        odile = world.users["odile"]
        refused(
            Invalid, "administrator_as_treasurer", propose_treasurer, actor=world.users["claire"],
            who=Named(odile.name, odile.email), reason="oui", now=NOW,
        )  # fmt: skip

    def test_the_same_person_is_proposed_once(self, world: Any, proposal: Proposal) -> None:
        refused(
            Conflict, "proposal_open", propose_treasurer, actor=world.users["claire"], who=ZOE, reason="oui", now=NOW
        )

    def test_who_holds_the_role_is_not_proposed(self, world: Any) -> None:
        denis = world.users["denis"]
        refused(
            Conflict, "role_held", propose_treasurer, actor=world.users["claire"],
            who=Named(denis.name, denis.email), reason="oui", now=NOW,
        )  # fmt: skip


class TestTelling:
    """Written late or not: every treasurer and auditor reads what was proposed and what became of it."""

    @pytest.fixture
    def everyone(self, world: Any) -> set[str]:
        """The addresses of all who run the host: an auditor is there too."""
        ines = User.objects.create_user("ines@example.org", demo.PASSWORD, name="Inès Roy", language="fr")
        grant_role(user=ines, kind="auditor", scope=world.host.pk, granted_by=None, now=NOW)
        return {f"{name}@example.org" for name in ("claire", "denis", "ines", "odile")}

    def told(self, kind: str) -> set[str]:
        """Who was written to about a fact of this kind."""
        compose_due(NOW)
        return set(OutgoingMail.objects.filter(event__kind=kind).values_list("recipient", flat=True))

    @pytest.mark.parametrize("accept", [True, False])
    def test_all_but_who_did_it_are_told(
        self, world: Any, everyone: set[str], proposal: Proposal, accept: bool
    ) -> None:
        decide(world.users["claire"], proposal, accept=accept, reason="vu")
        assert self.told("proposal.made") == everyone - {"odile@example.org"}
        late = OutgoingMail.objects.get(event__kind="proposal.made", recipient="denis@example.org")
        assert "Elle arrive au bureau" in late.body
        assert f"/proposals/{proposal.pk}/" in late.body
        assert self.told(f"proposal.{'accepted' if accept else 'refused'}") == everyone - {"claire@example.org"}

    def test_before_a_decision_too(self, world: Any, everyone: set[str], proposal: Proposal) -> None:
        assert self.told("proposal.made") == everyone - {"odile@example.org"}

    def test_who_took_it_back_is_the_only_one_not_told(
        self, world: Any, everyone: set[str], proposal: Proposal
    ) -> None:
        withdraw(actor=world.users["odile"], proposal_id=proposal.pk, now=NOW)
        assert self.told("proposal.made") == everyone - {"odile@example.org"}


class TestByHand:
    """Whoever read the link of an account may hold it: that account is no second person where money is."""

    def shown(self, world: Any, person: User) -> None:
        """Odile was shown the link of this person, by a release that still did so for treasurers."""
        record("invitation.shown", actor=world.users["odile"], subject=person.pk, now=NOW)

    def test_who_came_by_a_link_shown_is_not_named(self, world: Any, proposal: Proposal) -> None:
        zoe = User.objects.get(email="zoe@example.org")
        self.shown(world, zoe)
        refused(Conflict, "came_by_hand", decide, world.users["claire"], proposal)
        withdraw(actor=world.users["odile"], proposal_id=proposal.pk, now=NOW)
        refused(Conflict, "came_by_hand", propose_treasurer, actor=world.users["claire"], who=ZOE, reason="x", now=NOW)
        assert not Role.objects.filter(user=zoe).exists()

    def test_a_treasurer_who_did_is_not_the_treasurer_among_the_two(self, world: Any, proposal: Proposal) -> None:
        claire, denis = world.users["claire"], world.users["denis"]
        self.shown(world, claire)
        refused(Conflict, "treasurer_wanted", decide, claire, proposal)
        assert decide(claire, proposal, accept=False, reason="non").state == "refused"
        mine = propose_treasurer(actor=claire, who=ZOE, reason="oui", now=NOW)
        refused(Conflict, "treasurer_wanted", decide, world.users["odile"], mine)
        assert decide(denis, mine).state == "accepted"


class TestDeciding:
    def test_another_accepts_and_the_person_is_told(self, world: Any, proposal: Proposal) -> None:
        done = decide(world.users["claire"], proposal)
        zoe = User.objects.get(email="zoe@example.org")
        assert (done.state, done.decided_by_id, done.applied_at) == (
            "accepted", world.users["claire"].pk, NOW + timedelta(minutes=1),
        )  # fmt: skip
        assert Role.objects.filter(user=zoe, kind="treasurer", scope=world.host.pk).count() == 1
        compose_due(NOW)
        assert "/fr/invitations/" in OutgoingMail.objects.get(recipient="zoe@example.org").body

    def test_the_proposer_does_not_decide(self, world: Any, proposal: Proposal) -> None:
        refused(Forbidden, "own_proposal", decide, world.users["odile"], proposal)
        refused(Forbidden, "own_proposal", decide, world.users["odile"], proposal, accept=False, reason="non")
        found = hindrance(world.users["odile"], proposal)
        assert found is not None
        assert found.code == "own_proposal"
        assert hindrance(world.users["denis"], proposal) is None

    def test_the_person_does_not_decide(self, world: Any) -> None:
        # Sacha is a steward, then given the right to decide by another way: it is still about Sacha.
        sacha = world.users["sacha"]
        proposal = propose_treasurer(
            actor=world.users["odile"], who=Named(sacha.name, sacha.email), reason="oui", now=NOW
        )
        Role.objects.filter(user=sacha).delete()
        withdraw_role(user=world.users["denis"], kind="treasurer", scope=world.host.pk, actor=None, now=NOW)
        grant_role(user=sacha, kind="treasurer", scope=world.host.pk, granted_by=None, now=NOW)
        refused(Forbidden, "proposal_about_you", decide, sacha, proposal)

    @pytest.mark.parametrize("name", ["sacha", "bo", "ana"])
    def test_others_decide_nothing(self, world: Any, proposal: Proposal, name: str) -> None:
        refused(Forbidden, "not_allowed", decide, world.users[name], proposal)

    def test_a_refusal_says_why(self, world: Any, proposal: Proposal) -> None:
        refused(Invalid, "reason_missing", decide, world.users["claire"], proposal, accept=False)
        done = decide(world.users["claire"], proposal, accept=False, reason="Elle ne le souhaite pas")
        assert (done.state, done.decision_reason, done.applied_at) == ("refused", "Elle ne le souhaite pas", None)
        assert not Role.objects.filter(user=proposal.subject).exists()
        compose_due(NOW)
        assert "Elle ne le souhaite pas" in OutgoingMail.objects.get(recipient="odile@example.org").body

    def test_a_decision_is_final(self, world: Any, proposal: Proposal) -> None:
        decide(world.users["claire"], proposal)
        refused(Conflict, "proposal_decided", decide, world.users["denis"], proposal, accept=False, reason="non")
        refused(Conflict, "proposal_decided", withdraw, actor=world.users["odile"], proposal_id=proposal.pk, now=NOW)

    def test_the_digest_is_that_of_what_was_read(self, world: Any, proposal: Proposal) -> None:
        refused(Conflict, "proposal_changed", decide, world.users["claire"], proposal, digest="0" * 64)

    def test_a_proposer_who_lost_their_role_convinces_nobody(self, world: Any, proposal: Proposal) -> None:
        withdraw_role(user=world.users["odile"], kind="administrator", scope=world.host.pk, actor=None, now=NOW)
        refused(Conflict, "proposer_without_right", decide, world.users["claire"], proposal)
        assert decide(world.users["claire"], proposal, accept=False, reason="non").state == "refused"

    def test_what_is_not_there(self, world: Any, proposal: Proposal) -> None:
        proposal.pk = "prp_none"
        refused(NotFound, "proposal_not_found", decide, world.users["claire"], proposal)


class TestTakingBack:
    def test_the_proposer_takes_it_back_and_may_propose_again(self, world: Any, proposal: Proposal) -> None:
        refused(Forbidden, "not_proposer", withdraw, actor=world.users["claire"], proposal_id=proposal.pk, now=NOW)
        assert withdraw(actor=world.users["odile"], proposal_id=proposal.pk, now=NOW).state == "withdrawn"
        refused(Conflict, "proposal_decided", decide, world.users["claire"], proposal)
        again = propose_treasurer(actor=world.users["odile"], who=ZOE, reason="oui", now=NOW)
        assert again.state == "proposed"


class TestPostgreSQL:
    """The database refuses by itself, whoever writes."""

    @pytest.mark.parametrize(
        ("values", "constraint"),
        [
            ({"state": "accepted", "decided_by": "odile"}, "proposal_takes_two"),
            ({"state": "accepted", "decided_by": "zoe"}, "treasurer_named_by_others"),
            ({"state": "accepted"}, "proposal_decided_by_somebody"),
            ({"applied_at": NOW}, "proposal_applied_once_accepted"),
            ({"reason": "autre chose"}, "proposal_is_final"),
            ({"payload": {"x": 1}}, "proposal_is_final"),
        ],
    )
    def test_updates(self, world: Any, proposal: Proposal, values: dict[str, Any], constraint: str) -> None:
        people = {**world.users, "zoe": User.objects.get(email="zoe@example.org")}
        found = {key: people[value] if key == "decided_by" else value for key, value in values.items()}
        with pytest.raises(IntegrityError, match=constraint), transaction.atomic():
            Proposal.objects.filter(pk=proposal.pk).update(decided_at=NOW, **found)
        proposal.refresh_from_db()
        assert proposal.state == "proposed"

    def test_a_decision_stays(self, world: Any, proposal: Proposal) -> None:
        decide(world.users["claire"], proposal)
        for values in ({"state": "proposed", "decided_by": None}, {"decision_reason": "autre"}):
            with pytest.raises(IntegrityError), transaction.atomic():
                Proposal.objects.filter(pk=proposal.pk).update(**values)
        assert Proposal.objects.get(pk=proposal.pk).state == "accepted"


def test_two_people_decide_once(committed: str, play: Any) -> None:
    world = play("make_house")
    proposal = propose_treasurer(actor=world.users["claire"], who=ZOE, reason="oui", now=NOW)
    odile = User.objects.create_user("odile@example.org", demo.PASSWORD, name="Odile Blanc", language="fr")
    grant_role(user=odile, kind="administrator", scope=world.host.pk, granted_by=None, now=NOW)
    demo.give_factor(odile)

    def act(actor: User, accept: bool) -> Any:
        return lambda: decide(actor, proposal, accept=accept, reason="oui ou non")

    acts = [act(world.users["denis"], True), act(odile, False)]
    answers = at_once(lambda number: acts[number](), times=2)
    assert sum(isinstance(answer, Proposal) for answer in answers) == 1
    assert "proposal_decided" in answers
    state = Proposal.objects.get(pk=proposal.pk).state
    assert Role.objects.filter(user=proposal.subject).exists() == (state == "accepted")
