"""What is written about corrections of what was given too much: to the contributor, and to who proposed them."""

from django.utils.translation import gettext as _

from backend.contributions.adjustment_models import Adjustment
from backend.core.money import format_money
from backend.events.models import Event
from backend.notifications.letters import Letter, link


def adjustment_told(event: Event) -> Letter:
    """Proposed, agreed or refused: whoever did it knows."""
    rows = Adjustment.objects.select_related("contribution__budget", "contributor", "proposed_by", "decided_by")
    row = rows.get(pk=event.subject)
    people = {one.pk: one for one in (row.contributor, row.proposed_by) if one.pk != event.actor_id}

    def write() -> tuple[str, str]:
        hours, minutes = divmod(row.minutes, 60)
        values = {
            "name": row.contributor.name,
            "what": row.contribution.description[:80],
            "much": format_money(row.amount, row.contribution.currency) if row.amount else f"{hours} h {minutes:02d}",
            "actor": event.actor.name if event.actor else "",
            "reason": event.why,
            "link": link(f"adjustments/{row.pk}/"),
        }
        if event.kind == "adjustment.proposed":
            return (
                _("A correction of your work is proposed: %(what)s") % values,
                _(
                    "%(actor)s says that %(much)s too much was given for it: %(reason)s\n\nA steward who is not "
                    "involved decides. Nothing is asked back, and no money moved.\n\n%(link)s"
                )
                % values,
            )
        if event.kind == "adjustment.refused":
            return (
                _("The correction is refused: %(what)s") % values,
                _("%(actor)s refused it: %(reason)s\n\nNo money moved.\n\n%(link)s") % values,
            )
        return (
            _("The correction is agreed: %(what)s") % values,
            _(
                "%(actor)s agreed: %(much)s are kept back from the next work of %(name)s for the same budget, never "
                "below zero. Nothing is asked back, and no money moved.\n\n%(link)s"
            )
            % values,
        )

    return list(people.values()), write


ADJUSTMENT_RECIPES = {
    "adjustment.proposed": adjustment_told,
    "adjustment.agreed": adjustment_told,
    "adjustment.refused": adjustment_told,
}
