"""What is said against a distribution, by mail to those who can answer it."""

from django.utils.translation import gettext as _

from backend.commons.services import tree_of
from backend.distributions.models import DistributionObjection
from backend.events.models import Event
from backend.identity.models import User
from backend.identity.services import people_with
from backend.notifications.letters import Letter, link


def _raised(event: Event) -> DistributionObjection:
    rows = DistributionObjection.objects.select_related(
        "objector", "distribution__prepared_by", "distribution__period__budget__commons"
    )
    return rows.get(pk=event.data["objection"])


def _answering(row: DistributionObjection) -> dict[str, User]:
    """Who closed the period, and the stewards of its budget."""
    stewards = people_with("steward", tree_of(row.distribution.period.budget))
    return {one.pk: one for one in [row.distribution.prepared_by, *stewards]}


def _values(row: DistributionObjection, event: Event) -> dict[str, str]:
    return {
        "budget": row.distribution.period.budget.full_name,
        "name": event.actor.name if event.actor else "",
        "reason": row.reason,
        "why": event.why,
        "link": link(f"distributions/{row.distribution_id}/"),
    }


def distribution_objected(event: Event) -> Letter:
    """Who closed the period and the stewards read the reason, and how an objection ends."""
    row = _raised(event)
    people = _answering(row)
    people.pop(row.objector_id, None)

    def write() -> tuple[str, str]:
        values = _values(row, event)
        return (
            _("An objection to the sharing of %(budget)s") % values,
            _(
                "%(name)s objects:\n\n%(reason)s\n\nNobody can approve the sharing before this has ended: %(name)s may "
                "lift the objection, a meeting may agree on other amounts, or stewards who are not involved decide. No "
                "money moved.\n\n%(link)s"
            )
            % values,
        )

    return (list(people.values()) if row.state == "open" else []), write


def objection_ended(event: Event) -> Letter:
    """Its author, who closed the period and the treasurers who may approve read how an objection ended."""
    row = _raised(event)
    people = {one.pk: one for one in [row.objector, row.distribution.prepared_by, *people_with("treasurer", [])]}
    people.pop(event.actor_id or "", None)

    def write() -> tuple[str, str]:
        values = _values(row, event)
        subject = _("The objection to the sharing of %(budget)s has ended") % values
        if event.kind == "distribution.objection_lifted":
            return subject, _("%(name)s takes the objection back. No money moved.\n\n%(link)s") % values
        said = _(
            "It is set aside. %(name)s decided, as a steward who is not involved: %(why)s\n\nNo money moved.\n\n%(link)s"
        )
        return subject, said % values

    return list(people.values()), write


def objection_upheld(event: Event) -> Letter:
    """Its author, who closed the period and the stewards read that other amounts must be agreed on."""
    row = _raised(event)
    people = {**_answering(row), row.objector_id: row.objector}
    people.pop(event.actor_id or "", None)

    def write() -> tuple[str, str]:
        values = _values(row, event)
        return (
            _("The objection to the sharing of %(budget)s is upheld") % values,
            _(
                "%(name)s decided, as a steward who is not involved: %(why)s\n\nA meeting must agree on other amounts, "
                "which a steward or a treasurer enters and those concerned accept. No money moved.\n\n%(link)s"
            )
            % values,
        )

    return list(people.values()), write


CLOSING_RECIPES = {
    "distribution.objected": distribution_objected,
    "distribution.objection_lifted": objection_ended,
    "distribution.objection_overruled": objection_ended,
    "distribution.objection_upheld": objection_upheld,
}
