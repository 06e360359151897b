"""What peers say of somebody's work, by mail to its contributor; what awaits peers comes in their digest instead."""

from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from backend.commons.services import tree_of
from backend.contributions.models import Contribution, Objection, Question
from backend.events.models import Event
from backend.identity.models import User
from backend.identity.permissions import who_may
from backend.notifications.letters import Letter, link


def _told(event: Event) -> Contribution:
    return Contribution.objects.select_related("contributor", "budget__parent", "period__charter").get(pk=event.subject)


def _values(contribution: Contribution, event: Event) -> dict[str, str]:
    return {
        "what": contribution.description[:80],
        "name": event.actor.name if event.actor else "",
        "reason": event.why,
        "link": link(f"contributions/{contribution.pk}/"),
    }


def contribution_decided(event: Event) -> Letter:
    """Validated by people or by consent, or rejected: by a review, or because an objection to it was upheld."""
    contribution = _told(event)
    upheld = contribution.objections.filter(state="upheld", ended_at=event.created_at).select_related("objector")
    objectors = [one.objector for one in upheld] if event.kind == "contribution.rejected" else []

    def write() -> tuple[str, str]:
        values = _values(contribution, event)
        if event.kind == "contribution.rejected":
            subject = _("Contribution rejected: %(what)s") % values
            if objectors:
                said = _("The objection to it was upheld. Reason given: %(reason)s\n\nNo money moved.\n\n%(link)s")
                return subject, said % values
            return subject, _("Reason given: %(reason)s\n\n%(link)s") % values
        subject = _("Contribution validated: %(what)s") % values
        shared = _("It takes part in the sharing when the period is closed. No money has moved.\n\n%(link)s") % values
        if event.actor is None:
            shared = _("Nobody objected to it in the time that the charter gives.") + f" {shared}"
        return subject, shared

    return [contribution.contributor, *objectors], write


def contribution_questioned(event: Event) -> Letter:
    """The contributor reads the question, and that their work waits for the answer."""
    contribution = _told(event)
    asked = Question.objects.filter(
        contribution=contribution, asker_id=event.actor_id, created_at=event.created_at
    ).first()

    def write() -> tuple[str, str]:
        values = {**_values(contribution, event), "text": asked.text if asked else ""}
        return (
            _("A question about your work: %(what)s") % values,
            _("%(name)s asks:\n\n%(text)s\n\nYour contribution waits for your answer. To answer: %(link)s") % values,
        )

    waits = asked is not None and asked.closed_at is None
    return ([contribution.contributor] if waits else []), write


def contribution_objected(event: Event) -> Letter:
    """The contributor reads the reason, and how an objection ends."""
    contribution = _told(event)
    raised = Objection.objects.filter(
        contribution=contribution, objector_id=event.actor_id, created_at=event.created_at
    ).first()
    involved = {contribution.contributor_id, contribution.recorded_by_id, event.actor_id}
    stewards = who_may("contribution.decide", scopes=tree_of(contribution.budget))
    names = ", ".join(one.name for one in stewards if one.pk not in involved)

    def write() -> tuple[str, str]:
        values = {**_values(contribution, event), "text": raised.reason if raised else ""}
        needed = contribution.period.charter.settled_by
        decided = ngettext(
            "The charter asks for %(count)s.", "The charter asks for %(count)s who say the same.", needed
        )
        decided = decided % {"count": needed} + (" " + _("They can be: %(names)s.") % {"names": names} if names else "")
        return (
            _("An objection to your work: %(what)s") % values,
            _(
                "%(name)s objects:\n\n%(text)s\n\nYour contribution is held until this ends. You may change it (the "
                "review begins again) or withdraw it; %(name)s may lift the objection, speak with them; else stewards "
                "who are not involved decide."
            )
            % values
            + f" {decided} "
            + _("No money moved.\n\n%(link)s") % values,
        )

    waits = raised is not None and raised.state == "open"
    return ([contribution.contributor] if waits else []), write


def objection_ended(event: Event) -> Letter:
    """An objection was lifted or set aside: its author knows what they lifted, both read what stewards decided."""
    contribution = _told(event)
    lifted = event.kind == "contribution.objection_lifted"
    people: list[User] = [contribution.contributor]
    if not lifted:
        over = contribution.objections.filter(state="overruled", ended_at=event.created_at)
        people += [one.objector for one in over.select_related("objector")]

    def write() -> tuple[str, str]:
        values = _values(contribution, event)
        if lifted:
            return (
                _("The objection is lifted: %(what)s") % values,
                _("%(name)s takes the objection to your work back. No money moved.\n\n%(link)s") % values,
            )
        return (
            _("The objection is set aside: %(what)s") % values,
            _("%(name)s decided, as a steward who is not involved: %(reason)s\n\nNo money moved.\n\n%(link)s") % values,
        )

    return people, write


PEER_RECIPES = {
    "contribution.validated": contribution_decided,
    "contribution.rejected": contribution_decided,
    "contribution.questioned": contribution_questioned,
    "contribution.objected": contribution_objected,
    "contribution.objection_lifted": objection_ended,
    "contribution.objection_overruled": objection_ended,
}
