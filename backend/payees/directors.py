"""Who directs the host, and what they may be paid in a month: beyond, its disinterested management is in question.

French tax doctrine tolerates three quarters of the gross monthly minimum wage, for whatever a director is paid, also
for another task. The host keeps the figure up to date; the service warns and never blocks.
"""

from collections.abc import Iterable
from datetime import date, datetime

from django.db import transaction
from django.utils.translation import gettext_lazy as _

from backend.core.errors import Conflict, Invalid, NotFound
from backend.core.ids import new_id
from backend.core.money import require_amount
from backend.events.services import record
from backend.identity.models import User
from backend.identity.permissions import require
from backend.identity.services import the_host
from backend.payees.models import Director, DirectorLimit

# Until the host sets its own: 3/4 of the gross monthly minimum wage as it stood on that day.
FIRST_LIMIT = 1_325_19
FIRST_DAY = date(2024, 8, 1)


@transaction.atomic
def mark_director(*, actor: User, email: str, starts_on: date, now: datetime) -> Director:
    """Note that somebody with an account directs the host from a day on. Moves no money.

    Raises: Forbidden; Invalid `director_unknown`; Conflict `director_already`.
    """
    require(actor, "director.mark")
    person = User.objects.select_for_update().filter(email=email.strip().lower(), is_active=True).first()
    if person is None:
        raise Invalid(
            "director_unknown",
            _("Nobody has an account here under this address: the person must have one, with this main address."),
            param="email",
        )
    known = Director.objects.filter(user=person)
    if known.filter(ends_before=None).exists() or known.filter(ends_before__gt=starts_on).exists():
        raise Conflict(
            "director_already", _("This person is a director at that time already: end that first."), param="email"
        )
    made = Director.objects.create(id=new_id("dir"), user=person, starts_on=starts_on, marked_by=actor, marked_at=now)
    record(
        "director.marked", actor=actor, subject=made.pk, now=now, scopes=[the_host().pk, person.pk],
        after={"person": person.pk, "from": starts_on.isoformat()},
    )  # fmt: skip
    return made


@transaction.atomic
def end_director(*, actor: User, director_id: str, ends_before: date, now: datetime) -> Director:
    """Note the first day on which somebody directs the host no more; the same again changes nothing.

    Raises: Forbidden; NotFound `director_not_found`; Conflict `director_ended`; Invalid `director_ends_too_soon`.
    """
    require(actor, "director.mark")
    row = Director.objects.select_for_update(of=("self",)).filter(pk=director_id).first()
    if row is None:
        raise NotFound("director_not_found", _("There is no such director."))
    if row.ends_before == ends_before:
        return row
    if row.ends_before is not None:
        raise Conflict("director_ended", _("The end of this time as director was noted already."))
    if ends_before <= row.starts_on:
        raise Invalid("director_ends_too_soon", _("The end comes after the first day."), param="ends_before")
    row.ends_before, row.ended_by = ends_before, actor
    row.save(update_fields=["ends_before", "ended_by"])
    record(
        "director.ended", actor=actor, subject=row.pk, now=now, scopes=[the_host().pk, row.user_id],
        before={"until": None}, after={"until": ends_before.isoformat()},
    )  # fmt: skip
    return row


@transaction.atomic
def set_limit(*, actor: User, starts_on: date, amount: int, source: str, now: datetime) -> DirectorLimit:
    """Set what a director may be paid in a month, from a day on. Moves no money and stops none.

    Args: amount: cents of euro. source: where the figure comes from.
    Raises: Forbidden; Invalid `amount_out_of_range`, `reason_missing`; Conflict `limit_set_already`.
    """
    require(actor, "director.mark")
    require_amount(amount)
    if not source.strip():
        raise Invalid("reason_missing", _("Say where the figure comes from."), param="source")
    if DirectorLimit.objects.filter(starts_on=starts_on).exists():
        raise Conflict(
            "limit_set_already", _("A limit begins on that day already: choose another day."), param="starts_on"
        )
    made = DirectorLimit.objects.create(
        id=new_id("dlm"), starts_on=starts_on, amount=amount, source=source.strip()[:200], set_by=actor, set_at=now
    )
    record(
        "director.limit_set", actor=actor, subject=made.pk, now=now, scopes=[the_host().pk],
        after={"amount": amount, "from": starts_on.isoformat()}, why=made.source,
    )  # fmt: skip
    return made


def limit_on(day: date) -> tuple[int, date, str]:
    """The limit of a day in cents, the day since when it holds, and its source; empty for the one of the start."""
    row = DirectorLimit.objects.filter(starts_on__lte=day).order_by("-starts_on").first()
    return (row.amount, row.starts_on, row.source) if row else (FIRST_LIMIT, FIRST_DAY, "")


def directors_in(first: date, end: date, people: Iterable[str] | None = None) -> list[Director]:
    """Who directed the host on one day at least from `first` to before `end`, by name; of these people, or of all."""
    rows = Director.objects.filter(starts_on__lt=end).exclude(ends_before__lte=first).select_related("user")
    if people is not None:
        rows = rows.filter(user__in=set(people))
    return list(rows.order_by("user__name", "starts_on"))
