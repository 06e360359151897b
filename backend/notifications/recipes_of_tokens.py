"""What the mails about API tokens say."""

from django.utils.translation import gettext as _

from backend.core.dates import date_format
from backend.events.models import Event
from backend.identity.models import ApiToken
from backend.identity.services import host_zone
from backend.notifications.letters import Letter
from backend.notifications.letters import link as _link


def token_ending(event: Event) -> Letter:
    """To its owner, a week before a token ends; nothing any more once it is revoked."""
    token = ApiToken.objects.select_related("user").get(pk=event.subject)

    def write() -> tuple[str, str]:
        values = {
            "name": token.name,
            "day": date_format(token.expires_at.astimezone(host_zone()), "DATE_FORMAT"),
            "link": _link("tokens/"),
        }
        return (
            _("Your API token “%(name)s” ends on %(day)s") % values,
            _(
                "The tools that use it stop working that day. Make another token, give it to them, then revoke this "
                "one.\n\n%(link)s"
            )
            % values,
        )

    return ([token.user] if token.revoked_at is None else []), write
