"""What the events of an arbitration say by mail, and to whom."""

from django.utils.translation import gettext as _

from backend.core.money import format_money
from backend.distributions.models import Arbitration
from backend.events.models import Event
from backend.identity.services import people_with
from backend.notifications.letters import Letter, link


def arbitration_proposed(event: Event) -> Letter:
    """Those whose amount would change are asked to confirm it."""
    arbitration = Arbitration.objects.select_related("entered_by", "distribution__period__budget").get(pk=event.subject)
    lines = list(arbitration.lines.filter(answer="").select_related("person", "budget").order_by("pk"))
    currency = arbitration.distribution.currency
    people = list({line.person_id: line.person for line in lines}.values())

    def write() -> tuple[str, str]:
        values = {
            "name": arbitration.entered_by.name,
            "budget": arbitration.distribution.period.budget.full_name,
            "reason": arbitration.reason,
            "link": link(f"arbitrations/{arbitration.pk}/"),
            "changes": "\n".join(
                _("%(name)s (%(budget)s): %(before)s before, %(agreed)s agreed")
                % {
                    "name": line.person.name, "budget": line.budget.name,
                    "before": format_money(line.before, currency), "agreed": format_money(line.agreed, currency),
                }
                for line in lines
            ),
        }  # fmt: skip
        return (
            _("To confirm: your amount in the sharing of %(budget)s") % values,
            _(
                "%(name)s entered amounts agreed at a meeting, and yours changes. The reason given: %(reason)s\n\n"
                "%(changes)s\n\nYour "
                "amount changes only if each person concerned confirms; one refusal is enough to keep the computed "
                "amounts. No money has moved.\n\n%(link)s"
            )
            % values,
        )

    return (people if arbitration.state == "waiting" else []), write


def arbitration_ended(event: Event) -> Letter:
    """The author and the treasurers are told what became of it; the person who acted knows."""
    key = event.data.get("arbitration", event.subject)
    arbitration = Arbitration.objects.select_related("entered_by", "distribution__period__budget").get(pk=key)
    refusal = arbitration.lines.filter(answer="refused").select_related("person").first()
    accepted = event.kind == "distribution.arbitrated"
    told = {one.pk: one for one in [arbitration.entered_by, *(people_with("treasurer", []) if accepted else [])]}

    def write() -> tuple[str, str]:
        values = {
            "budget": arbitration.distribution.period.budget.full_name,
            "name": refusal.person.name if refusal else "",
            "reason": refusal.answer_reason if refusal else "",
            "link": link(f"distributions/{arbitration.distribution_id}/"),
        }
        if accepted:
            return (
                _("The sharing of %(budget)s follows what the meeting agreed") % values,
                _(
                    "Each person concerned confirmed: the agreed amounts replace the computed ones. Nothing is booked "
                    "before a treasurer who did not enter them approves.\n\n%(link)s"
                )
                % values,
            )
        return (
            _("The agreed amounts of %(budget)s are refused") % values,
            _("%(name)s refused: %(reason)s\n\nThe computed amounts hold. No money moved.\n\n%(link)s") % values,
        )

    return list(told.values()), write
