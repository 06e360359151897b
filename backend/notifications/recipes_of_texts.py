"""What the authors of a public text are told when it is withdrawn, or given back."""

from django.utils.translation import gettext as _

from backend.commons.models import Budget, Commons, Moderation
from backend.contributions.models import Contribution
from backend.events.models import Event
from backend.identity.models import Role, User
from backend.identity.services import people_with
from backend.notifications.letters import Letter


def _authors(subject: str) -> list[User]:
    """Who wrote the texts of a thing: its contributor, itself, its managers, its stewards."""
    if subject.startswith("ctr_"):
        return [row.contributor for row in Contribution.objects.select_related("contributor").filter(pk=subject)]
    if subject.startswith("usr_"):
        return list(User.objects.filter(pk=subject))
    if subject.startswith("org_"):
        return people_with("organisation_manager", [subject])
    commons = Commons.objects.filter(pk=subject)
    budgets = Budget.objects.filter(commons__in=commons).values("pk")
    held = Role.objects.filter(kind="steward", scope__in=budgets).values("user")
    return list(User.objects.filter(pk__in=held, is_active=True).order_by("name"))


def text_withdrawn(event: Event) -> Letter:
    """The author reads why, and where to object; the text itself is not repeated."""
    row = Moderation.objects.get(pk=event.subject)

    def write() -> tuple[str, str]:
        values = {"what": row.get_field_display(), "reason": row.reason, "address": row.appeal_to}
        return (
            _("A text of yours is withdrawn from the public pages: %(what)s") % values,
            _(
                "The reason given: %(reason)s\n\nTo object, write to %(address)s. The text itself is kept; no amount "
                "and no right of yours changes."
            )
            % values,
        )

    return (_authors(row.subject) if row.lifted_at is None else []), write


def text_restored(event: Event) -> Letter:
    """The author reads that the text is public again."""
    row = Moderation.objects.get(pk=event.subject)

    def write() -> tuple[str, str]:
        values = {"what": row.get_field_display()}
        return (
            _("A text of yours is public again: %(what)s") % values,
            _("It was withdrawn from the public pages, and is shown again."),
        )

    return _authors(row.subject), write
