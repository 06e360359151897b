"""What people are told by mail when two accounts of theirs become one: both addresses, at each step."""

from django.utils.timezone import localtime
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from backend.core.dates import date_format
from backend.events.models import Event
from backend.identity.merges import merge_token
from backend.identity.models import PersonMerge
from backend.identity.services import host_zone, the_host
from backend.notifications.letters import Addressee, Giver, Letter, link


def merge_asked(event: Event) -> Letter:
    """Whoever asked is told so, in the same words whether the address has an account or not."""
    row = _row(event.subject)

    def write() -> tuple[str, str]:
        return (
            _("You asked to make two accounts one"),
            _(
                "You said that the account of %(address)s at %(host)s is yours too. If there is one, a link went to "
                "that address: open it before %(until)s, signed in with that account. Nothing changes before.\n\nIf "
                "you did not ask for this, somebody is in your account: take it back, and change your password."
                "\n\n%(link)s"
            )
            % {**_values(row), "link": link("account/other/")},
        )

    return ([row.kept] if row.state == "awaited" else []), write


def merge_to_confirm(event: Event) -> Letter:
    """The other account gets the link; it works for whoever is signed in with it, and for nobody else."""
    row = _row(event.data["merge"])

    def write() -> tuple[str, str]:
        values = {**_values(row), "name": row.kept.name, "link": link(f"account/merge/{merge_token(row)}/")}
        return (
            _("Is this other account yours too?"),
            _(
                "%(name)s (%(kept)s) says that both accounts at %(host)s are theirs. If that is you, sign in with "
                "this account (%(address)s) and open this link before %(until)s; it says what goes over and what "
                "stays:\n\n%(link)s\n\nThis account is then closed. If it is not you, do nothing: nothing changes. If "
                "it happens again, tell the host."
            )
            % values,
        )

    return (_at_the_address(row) if row.state == "awaited" else []), write


def merge_withdrawn(event: Event) -> Letter:
    """Both are told that the link no longer works."""
    row = _row(event.subject)

    def write() -> tuple[str, str]:
        return (
            _("Two accounts stay two"),
            _(
                "The request to make the accounts %(kept)s and %(address)s at %(host)s one was taken back. The link no "
                "longer works, and nothing changed."
            )
            % _values(row),
        )

    return [row.kept, *_at_the_address(row)], write


def merged(event: Event) -> Letter:
    """Both are told what became of the account that ended."""
    row = _row(event.data["merge"])

    def write() -> tuple[str, str]:
        work = len(event.data["work"])
        values = {
            **_values(row),
            "work": ngettext("%(count)s contribution", "%(count)s contributions", work) % {"count": work},
            "link": link("account/other/"),
        }
        return (
            _("Two accounts are now one"),
            _(
                "The account %(address)s at %(host)s is closed: it is now part of %(kept)s. Work under way that went "
                "over: %(work)s. What was shared out and paid stays booked under the account that ended. No money "
                "moved.\n\nRoles and memberships did not go over: those who gave them decide. If this was not you, "
                "write to the host at once.\n\n%(link)s"
            )
            % values,
        )

    return [row.kept, *_at_the_address(row)], write


def _row(merge_id: str) -> PersonMerge:
    return PersonMerge.objects.select_related("kept", "other").get(pk=merge_id)


def _at_the_address(row: PersonMerge) -> list[Addressee]:
    """The other account at the address that was typed, which it keeps no more once it is closed; none: nobody."""
    if row.other is None or not row.address:
        return []
    return [Giver(row.address, row.other.language, row.other.name)]


def _values(row: PersonMerge) -> dict[str, str]:
    until = date_format(localtime(row.ends_at, host_zone()), "DATETIME_FORMAT")
    return {"kept": row.kept.email, "address": row.address, "host": the_host().name, "until": until}


MERGE_RECIPES = {
    "person.merge_asked": merge_asked,
    "person.merge_to_confirm": merge_to_confirm,
    "person.merge_withdrawn": merge_withdrawn,
    "person.merged": merged,
}
