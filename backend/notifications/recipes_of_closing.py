"""What is said against a distribution, and what is given back of it, by mail to those whom it concerns."""

from django.utils.formats import date_format
from django.utils.translation import gettext as _

from backend.commons.models import Period
from backend.commons.services import tree_of
from backend.core.money import format_money
from backend.distributions.models import DistributionObjection, Share
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
    return {one.pk: one for one in [row.distribution.prepared_by, *stewards] if one is not None}


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
    people = {
        one.pk: one
        for one in [row.objector, row.distribution.prepared_by, *people_with("treasurer", [])]
        if one is not None
    }
    people.pop(event.actor_id or "", None)

    def write() -> tuple[str, str]:
        values = _values(row, event)
        subject = _("The objection to the sharing of %(budget)s has ended") % values
        if event.kind == "distribution.objection_lifted":
            return subject, _("%(name)s takes the objection back. No money moved.\n\n%(link)s") % values
        said = _(
            "It is set aside. %(name)s decided, as a steward who is not involved: %(why)s\n\n"
            "No money moved.\n\n%(link)s"
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


def closing_failed(event: Event) -> Letter:
    """The stewards, the treasurers and those who keep the service read that a period did not close by itself."""
    period = Period.objects.select_related("budget__commons", "budget__parent").get(pk=event.subject)
    told = [
        *people_with("steward", tree_of(period.budget)), *people_with("treasurer", []),
        *people_with("administrator", []),
    ]  # fmt: skip

    def write() -> tuple[str, str]:
        values = {
            "budget": period.budget.full_name,
            "first": date_format(period.starts_on, "DATE_FORMAT"),
            "link": link(f"periods/{period.pk}/close/"),
        }
        return (
            _("A period of %(budget)s could not close by itself") % values,
            _(
                "The period that begins on %(first)s should have closed as its charter says, and an error kept it from "
                "it. No money moved, and no other pot is concerned. It is tried again each minute; a steward or a "
                "treasurer may close it by hand. Who keeps the service finds the cause in its log.\n\n%(link)s"
            )
            % values,
        )

    people = {one.pk: one for one in told} if period.state == "open" else {}
    return list(people.values()), write


def share_given_back(event: Event) -> Letter:
    """The stewards read that money is in the pot again; its giver has a trace of what they did."""
    row = Share.objects.select_related("contributor", "distribution__period__budget__commons").get(
        pk=event.data["share"]
    )
    budget = row.distribution.period.budget
    people = {one.pk: one for one in [row.contributor, *people_with("steward", tree_of(budget))]}

    def write() -> tuple[str, str]:
        values = {
            "name": row.contributor.name,
            "amount": format_money(event.data["amount"], event.data["currency"]),
            "budget": budget.full_name,
            "link": link(f"shares/{row.pk}/"),
        }
        return (
            _("%(amount)s given back to %(budget)s") % values,
            _(
                "%(name)s gave back %(amount)s of a share. The money is in the pot again, for the next distributions; "
                "nothing left the bank. This is final.\n\n%(link)s"
            )
            % values,
        )

    return list(people.values()), write


CLOSING_RECIPES = {
    "period.closing_failed": closing_failed,
    "distribution.share_waived": share_given_back,
    "distribution.objected": distribution_objected,
    "distribution.objection_lifted": objection_ended,
    "distribution.objection_overruled": objection_ended,
    "distribution.objection_upheld": objection_upheld,
}
