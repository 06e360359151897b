"""What is written to a person who signs in from a browser that their account never met."""

from django.utils.translation import gettext as _

from backend.core.dates import date_format
from backend.events.models import Event
from backend.identity.models import KnownDevice
from backend.identity.services import host_zone
from backend.notifications.letters import Letter, link


def device_new(event: Event) -> Letter:
    """The letter about a new browser, to its person; to nobody when what is known of the browser is gone."""
    device = KnownDevice.objects.select_related("user").filter(pk=event.data["device"]).first()

    def write() -> tuple[str, str]:
        values = {
            "device": device.words if device else "",
            "moment": date_format(event.created_at.astimezone(host_zone()), "DATETIME_FORMAT"),
            "sessions": link("account/sessions/"),
            "password": link("accounts/password/reset/"),
        }
        return (
            _("New sign-in: %(device)s") % values,
            _(
                "Somebody signed in to your account on %(moment)s from a browser it had not met: %(device)s.\n\n"
                "If it was you, there is nothing to do.\n\n"
                "If it was not you: end that session at once, then choose a new password, which ends all the others, "
                "and tell a treasurer or the administrator.\n\n"
                "Your sessions: %(sessions)s\nA new password: %(password)s"
            )
            % values,
        )

    return ([device.user] if device and device.user.is_active else []), write
