"""What is written to those whom a statement round asks: what is known of their work, and where to answer."""

from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from backend.contributions.round_models import RoundAnswer
from backend.contributions.rounds import Known, known_of
from backend.core.dates import date_format
from backend.core.money import format_money
from backend.events.models import Event
from backend.notifications.letters import Letter, link

SHOWN = 20


def round_asked(event: Event) -> Letter:
    """The list of what is known, its sums, and the page of the two answers; nothing once they answered or it closed."""
    answer = RoundAnswer.objects.select_related("round__budget__commons", "person").get(pk=event.subject)
    row = answer.round
    known = known_of(row, [answer.person])[answer.person_id]
    reminder = event.kind == "round.reminded"

    def write() -> tuple[str, str]:
        values = {
            "budget": row.budget.full_name,
            "first": date_format(row.first_day, "DATE_FORMAT"),
            "last": date_format(row.last_day, "DATE_FORMAT"),
            "until": date_format(row.answer_by, "DATE_FORMAT"),
            "link": link(f"rounds/answers/{answer.pk}/"),
        }
        ask = _(
            "%(budget)s gathers the work done from %(first)s to %(last)s. Below is what is known of yours. Say whether "
            "it is complete, or whether something is missing, before %(until)s: %(link)s"
        )
        end = _("Answering moves no money.")
        subject = (
            _("Reminder: is your work for %(budget)s all told?")
            if reminder
            else _("Is your work for %(budget)s all told?")
        )
        return subject % values, "\n\n".join([ask % values, _told(known, row.budget.currency), end])

    waits = answer.state == "" and row.closed_at is None
    return ([answer.person] if waits else []), write


def _told(known: Known, currency: str) -> str:
    """What was told, line by line, then the sums."""
    if not known.told and not known.drafts:
        return _("Nothing is known of your work in these days.")
    lines = []
    for one in known.told[:SHOWN]:
        values = {"day": date_format(one.worked_on, "DATE_FORMAT"), "what": one.description[:80]}
        values["state"] = one.state_name
        lines.append(_("- %(day)s: %(what)s (%(state)s)") % values)
    if len(known.told) > SHOWN:
        lines.append(_("- and %(count)s more") % {"count": len(known.told) - SHOWN})
    hours, minutes = divmod(known.minutes, 60)
    sums = {
        "count": len(known.told), "validated": known.validated, "hours": hours, "minutes": minutes,
        "amount": format_money(known.amount, currency),
    }  # fmt: skip
    said_so = ngettext(
        "In all: %(count)s contribution, of which %(validated)s validated; %(hours)s h %(minutes)02d; %(amount)s.",
        "In all: %(count)s contributions, of which %(validated)s validated; %(hours)s h %(minutes)02d; %(amount)s.",
        len(known.told),
    )
    lines.append(said_so % sums if known.told else _("You have declared nothing yet in these days."))
    if known.drafts:
        count = len(known.drafts)
        said = ngettext(
            "%(count)s draft is not declared: nobody but you sees it.",
            "%(count)s drafts are not declared: nobody but you sees them.",
            count,
        )
        lines.append(said % {"count": count})
    return "\n".join(lines)


ROUND_RECIPES = {"round.asked": round_asked, "round.reminded": round_asked}
