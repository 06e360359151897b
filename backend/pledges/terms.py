"""On which terms a pledge is made: how often, from when to when, under which name, with which paper."""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import date, timedelta

from django.utils.formats import date_format
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from backend.core.errors import Invalid
from backend.identity.roles import required_reason
from backend.pledges.calendar import MONTHS
from backend.pledges.models import Pledge

FARTHEST = timedelta(days=366)  # a first instalment later than that is a wish, not a promise
LONGEST = timedelta(days=366 * 30)
REASON_LENGTH = 280
LENGTHS = {"pseudonym": 80, "purchase_order": 60}  # those of the columns


@dataclass(frozen=True)
class Terms:
    """What a pledge says beside its payer, budget and amount. `starts_on` None: the day it is made."""

    rhythm: str = "once"
    starts_on: date | None = None
    ends_on: date | None = None
    visibility: str = "visible"
    pseudonym: str = ""
    purchase_order: str = ""
    paper: str = "call"

    def checked(self, *, today: date) -> "Terms":
        """The same terms, tidied.

        Raises: Invalid `rhythm_unknown`, `starts_out_of_range`, `ends_out_of_range`, `visibility_unknown`,
            `pseudonym_missing`, `paper_unknown`, `text_too_long`.
        """
        tidy = replace(
            self, pseudonym=" ".join(self.pseudonym.split()), purchase_order=" ".join(self.purchase_order.split())
        )
        if tidy.rhythm not in MONTHS:
            raise Invalid("rhythm_unknown", one_of(MONTHS), param="rhythm")
        if tidy.starts_on is not None and not today <= tidy.starts_on <= today + FARTHEST:
            raise Invalid(
                "starts_out_of_range", _("The first instalment falls between today and one year ahead."),
                param="starts_on",
            )  # fmt: skip
        require_end(tidy.ends_on, rhythm=tidy.rhythm, starts_on=tidy.starts_on or today, today=today)
        require_shown(tidy.visibility, tidy.pseudonym)
        if tidy.paper not in dict(Pledge.PAPERS):
            raise Invalid("paper_unknown", one_of(dict(Pledge.PAPERS)), param="paper")
        require_short("purchase_order", tidy.purchase_order)
        return tidy

    def made(self, pledge: Pledge, *, amount: int) -> bool:
        """Whether a pledge was made on these terms with this amount; one that was changed since is not compared."""
        known = (
            pledge.amount, pledge.rhythm, pledge.ends_on, pledge.visibility, pledge.pseudonym, pledge.purchase_order,
            pledge.paper,
        )  # fmt: skip
        sent = (
            amount, self.rhythm, self.ends_on, self.visibility, self.pseudonym, self.purchase_order, self.paper,
        )  # fmt: skip
        return known == sent and self.starts_on in (None, pledge.starts_on)


ONCE = Terms()


def one_of(values: Iterable[str]) -> str:
    """The sentence that names what a field may hold, as programs write it."""
    return gettext("Write one of: %(values)s.") % {"values": ", ".join(values)}


def _day(day: date) -> str:
    return date_format(day, "SHORT_DATE_FORMAT")


def require_end(ends_on: date | None, *, rhythm: str, starts_on: date, today: date) -> None:
    """Refuse a last day before the first one or before today, and one of a pledge that is paid once.

    Raises: Invalid `ends_out_of_range`.
    """
    if ends_on is None:
        return
    if rhythm == "once":
        raise Invalid("ends_out_of_range", _("A pledge paid once has no end: leave it empty."), param="ends_on")
    if not max(today, starts_on) <= ends_on <= today + LONGEST:
        raise Invalid(
            "ends_out_of_range",
            _("Choose a last day from %(first)s to %(last)s: not before the first instalment, nor in the past.")
            % {"first": _day(max(today, starts_on)), "last": _day(today + LONGEST)},
            param="ends_on",
        )


def require_shown(visibility: str, pseudonym: str) -> None:
    """Refuse a way of being shown that does not exist, and another name that is missing or not asked for.

    Raises: Invalid `visibility_unknown`, `pseudonym_missing`, `pseudonym_not_wanted`, `text_too_long`.
    """
    if visibility not in dict(Pledge.VISIBILITIES):
        raise Invalid("visibility_unknown", one_of(dict(Pledge.VISIBILITIES)), param="visibility")
    if visibility == "pseudonymous" and not pseudonym:
        raise Invalid("pseudonym_missing", _("Write the name to show instead."), param="pseudonym")
    if visibility != "pseudonymous" and pseudonym:
        raise Invalid(
            "pseudonym_not_wanted", _("Another name is for “under another name”: choose that, or leave it empty."),
            param="pseudonym",
        )  # fmt: skip
    require_short("pseudonym", pseudonym)


def require_short(field: str, text: str) -> None:
    """Refuse a text longer than its column; raises Invalid `text_too_long`."""
    most = LENGTHS[field]
    if len(text) > most:
        raise Invalid("text_too_long", _("Write at most %(most)s characters here.") % {"most": most}, param=field)


def short_reason(text: str) -> str:
    """A reason as these rows keep it; raises Invalid `reason_missing` when there is none, or it is too long."""
    why = required_reason(text)
    if len(why) > REASON_LENGTH:
        raise Invalid("reason_missing", _("Say why, in one sentence."), param="reason")
    return why
