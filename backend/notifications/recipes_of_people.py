"""What roles, proposals, the life of a commons and withdrawn texts say by mail, and to whom."""

from collections.abc import Callable, Iterable

from django.utils.translation import gettext as _

from backend.commons.models import Budget, Commons
from backend.events.models import Event
from backend.identity.inviting import INVITATION_LIFE, accepted, invitation_token
from backend.identity.models import Proposal, Role, User
from backend.identity.services import people_with, the_host
from backend.notifications.letters import Letter, link
from backend.notifications.recipes_of_texts import text_restored, text_withdrawn

NOBODY: Letter = ([], lambda: ("", ""))


def _others(people: Iterable[User], *but: User | None) -> list[User]:
    """Each person once, without those who know already."""
    known = {person.pk for person in but if person is not None}
    return list({person.pk: person for person in people if person.pk not in known}.values())


def _runners() -> list[User]:
    """Who runs the host: treasurers and administrators."""
    return [*people_with("treasurer", []), *people_with("administrator", [])]


def _where(event: Event) -> str:
    """The name of the budget or of the host where a role is held."""
    budget = Budget.objects.select_related("commons").filter(pk=event.scopes[0]).first()
    return budget.full_name if budget else the_host().name


def _role_name(event: Event) -> str:
    return str(dict(Role.KINDS).get(event.data["role"], event.data["role"]))


def role_granted(event: Event) -> Letter:
    """The person reads who gave them what, why, and how to begin; those who gave roles to themselves are not told."""
    person = User.objects.get(pk=event.subject)
    held = Role.objects.filter(user=person, kind=event.data["role"], scope=event.scopes[0]).exists()
    if not event.data.get("told") or not held:
        return NOBODY

    def write() -> tuple[str, str]:
        values = {
            "giver": event.actor.name if event.actor else the_host().name,
            "role": _role_name(event),
            "where": _where(event),
            "reason": event.why,
            "days": INVITATION_LIFE.days,
            "link": link("welcome/"),
        }
        if accepted(person):
            last = _("Sign in to see what you may do:\n\n%(link)s")
        else:
            values["link"] = link(f"invitations/{invitation_token(person, now=event.created_at)}/")
            last = _(
                "To choose your password, open this link within %(days)s days. It is for you alone and also confirms "
                "your address:\n\n%(link)s\n\nIf you do not know what this is about, do nothing."
            )
        said = _("%(giver)s gives you the role of %(role)s, for %(where)s. The reason given: %(reason)s")
        return _("You have a role: %(role)s, %(where)s") % values, f"{said % values}\n\n{last % values}"

    return [person], write


def role_withdrawn(event: Event) -> Letter:
    """The person reads who took the role away, and why."""
    if not event.data.get("told"):
        return NOBODY
    person = User.objects.get(pk=event.subject)

    def write() -> tuple[str, str]:
        values = {
            "taker": event.actor.name if event.actor else the_host().name,
            "role": _role_name(event),
            "where": _where(event),
            "reason": event.why,
        }
        return (
            _("A role has ended: %(role)s, %(where)s") % values,
            _(
                "%(taker)s ended your role of %(role)s for %(where)s. The reason given: %(reason)s\n\nWhat you did "
                "stays, and what is owed to you stays owed."
            )
            % values,
        )

    return [person], write


# --- proposals --------------------------------------------------------------------------------------------------------


def proposal_made(event: Event) -> Letter:
    """All who run the host and its auditors are told, late too: those who may decide are asked to while it is open."""
    proposal = Proposal.objects.select_related("proposed_by").get(pk=event.subject)

    def write() -> tuple[str, str]:
        values = _of(proposal)
        if proposal.state != "proposed":
            return (
                _("Proposed: %(what)s") % values,
                _(
                    "%(name)s proposed it. The reason given: %(reason)s\n\nIt awaits no decision any more: the page "
                    "says what became of it.\n\n%(link)s"
                )
                % values,
            )
        return (
            _("To decide: %(what)s") % values,
            _(
                "%(name)s proposes it. The reason given: %(reason)s\n\nNothing changes and no money moves before "
                "another person accepts.\n\n%(link)s"
            )
            % values,
        )

    people = _others([*_runners(), *people_with("auditor", [])], proposal.proposed_by)
    return [person for person in people if person.pk != proposal.subject], write


def proposal_decided(event: Event) -> Letter:
    """Who proposed it, all who run the host and its auditors read what became of it, whatever it was."""
    proposal = Proposal.objects.select_related("proposed_by", "decided_by").get(pk=event.subject)
    told = [proposal.proposed_by, *_runners(), *people_with("auditor", [])]
    waits = event.kind == "proposal.accepted" and proposal.kind == "host.bank_account"

    def write() -> tuple[str, str]:
        values = {**_of(proposal), "decider": event.actor.name if event.actor else the_host().name, "why": event.why}
        if waits:
            return (
                _("In 72 hours: %(what)s") % values,
                _(
                    "%(decider)s accepted what %(name)s proposed. The account holds in 72 hours: until then, any "
                    "treasurer, auditor or administrator can stop it. If this surprises you, stop it now and ask.\n\n"
                    "%(link)s"
                )
                % values,
            )
        if event.kind == "proposal.accepted":
            return (
                _("Accepted: %(what)s") % values,
                _("%(decider)s accepted it. It holds from now on; no money moved.\n\n%(link)s") % values,
            )
        return (
            _("Not done: %(what)s") % values,
            _("%(decider)s refused it: %(why)s\n\nNothing was changed.\n\n%(link)s") % values,
        )

    # Who was named has a letter of their own, with the way in.
    return [person for person in _others(told, event.actor) if person.pk != proposal.subject], write


def _of(proposal: Proposal) -> dict[str, str]:
    """What is proposed, in words; never an IBAN in full."""
    values = {"account": proposal.payload.get("iban", ""), "person": ""}
    if proposal.kind == "role.treasurer":
        values["person"] = User.objects.get(pk=proposal.subject).name
    what = {
        "role.treasurer": _("%(person)s as treasurer"),
        "host.settings": _("other settings of the host"),
        "host.bank_account": _("a bank account of the host, %(account)s"),
        "host.payouts": _("limits of the payouts of a bank account"),
    }[proposal.kind]
    return {
        "what": what % values,
        "name": proposal.proposed_by.name,
        "reason": proposal.reason,
        "link": link(f"proposals/{proposal.pk}/"),
    }


def account_holds(event: Event) -> Letter:
    """Treasurers, administrators and auditors are told that another bank account holds from now on."""
    if not event.scopes:
        return NOBODY  # the first account of a host, before any money moved

    def write() -> tuple[str, str]:
        return (
            _("A bank account of the host holds from now on"),
            _("Its 72 hours are over: pledges are paid to it from now on.\n\n%(link)s") % {"link": link("host/")},
        )

    return _others([*_runners(), *people_with("auditor", [])]), write


# --- the life of a commons --------------------------------------------------------------------------------------------


def commons_proposed(event: Event) -> Letter:
    """Those who may open it are asked to."""
    commons = Commons.objects.select_related("proposed_by").get(pk=event.subject)
    if commons.state != "proposed" or commons.proposed_by is None:
        return NOBODY
    proposer = commons.proposed_by

    def write() -> tuple[str, str]:
        values = {"commons": commons.name, "name": proposer.name, "link": link(f"proposed/{commons.pk}/")}
        return (
            _("To decide: the commons %(commons)s") % values,
            _("%(name)s proposes it. Nobody else sees it before one of you opens it.\n\n%(link)s") % values,
        )

    return _others(_runners(), proposer), write


def commons_decided(event: Event) -> Letter:
    """Who proposed it reads what became of it."""
    commons = Commons.objects.select_related("proposed_by").get(pk=event.subject)
    if commons.proposed_by is None:
        return NOBODY

    def write() -> tuple[str, str]:
        values = {"commons": commons.name, "reason": event.why, "link": link(f"proposed/{commons.pk}/")}
        if event.kind == "commons.approved":
            values["link"] = link(f"commons/{commons.slug}/")
            return (
                _("%(commons)s is open") % values,
                _("Its page is public and organisations can pledge to it.\n\n%(link)s") % values,
            )
        return (
            _("%(commons)s is not opened") % values,
            _("The reason given: %(reason)s\n\nYou can propose it again, with what was missing.\n\n%(link)s") % values,
        )

    return [commons.proposed_by], write


def commons_moved(event: Event) -> Letter:
    """Its stewards, and who proposed it, are told that it is hidden, shown again or archived."""
    commons = Commons.objects.select_related("proposed_by").get(pk=event.subject)
    told = people_with_in("steward", event.scopes)
    if commons.proposed_by is not None:
        told.append(commons.proposed_by)

    def write() -> tuple[str, str]:
        values = {
            "commons": commons.name, "reason": event.why, "address": commons.appeal_to,
            "link": link(f"commons/{commons.slug}/"),
        }  # fmt: skip
        subject, body = {
            "commons.hidden": (
                _("%(commons)s is withdrawn from the public"),
                _(
                    "The reason given: %(reason)s\n\nTo object: %(address)s\n\nYou still read it; no money moved."
                    "\n\n%(link)s"
                ),
            ),
            "commons.shown": (
                _("%(commons)s is shown to the public again"), _("The reason given: %(reason)s\n\n%(link)s"),
            ),
            "commons.archived": (
                _("%(commons)s is archived"),
                _("The reason given: %(reason)s\n\nEveryone still reads it; it takes nothing new.\n\n%(link)s"),
            ),
        }[event.kind]  # fmt: skip
        return subject % values, body % values

    return _others(told, event.actor), write


def budget_switched(event: Event) -> Letter:
    """The stewards of the budget are told that it takes pledges no more, or again."""
    budget = Budget.objects.select_related("commons").get(pk=event.subject)

    def write() -> tuple[str, str]:
        values = {"budget": budget.full_name, "reason": event.why, "link": link(f"budgets/{budget.pk}/")}
        if event.kind == "budget.suspended":
            return (
                _("%(budget)s is suspended") % values,
                _(
                    "It takes no new pledge. Work is still declared, and what arrives is booked. The reason given: "
                    "%(reason)s\n\n%(link)s"
                )
                % values,
            )
        return (
            _("%(budget)s takes pledges again") % values,
            _("The reason given: %(reason)s\n\n%(link)s") % values,
        )

    return _others(people_with_in("steward", event.scopes), event.actor), write


def people_with_in(kind: str, scopes: Iterable[str]) -> list[User]:
    """The active people who hold a role in one of these very scopes, by name."""
    held = Role.objects.filter(kind=kind, scope__in=list(scopes)).values("user")
    return list(User.objects.filter(pk__in=held, is_active=True).order_by("name"))


PEOPLE_RECIPES: dict[str, Callable[[Event], Letter]] = {
    "role.granted": role_granted,
    "role.withdrawn": role_withdrawn,
    "proposal.made": proposal_made,
    "proposal.accepted": proposal_decided,
    "proposal.refused": proposal_decided,
    "proposal.stopped": proposal_decided,
    "bank_account.added": account_holds,
    "bank_account.changed": account_holds,
    "commons.proposed": commons_proposed,
    "commons.approved": commons_decided,
    "commons.refused": commons_decided,
    "commons.hidden": commons_moved,
    "commons.shown": commons_moved,
    "commons.archived": commons_moved,
    "budget.suspended": budget_switched,
    "budget.reopened": budget_switched,
    "text.withdrawn": text_withdrawn,
    "text.restored": text_restored,
}
