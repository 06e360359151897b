"""Asking that another account be one with one's own, and taking that back; the other account confirms by a link."""

from datetime import UTC, datetime

from allauth.account.models import EmailAddress
from django.core import signing
from django.db import transaction
from django.utils.translation import gettext_lazy as _

from backend.core.errors import Conflict, Invalid, NotFound
from backend.core.ids import new_id
from backend.events.services import record
from backend.identity.merge_models import MERGE_LIFE
from backend.identity.models import PersonMerge, User
from backend.identity.naming import valid_address
from backend.identity.permissions import require

_SALT = "tronc.merge"


@transaction.atomic
def ask_merge(*, actor: User, address: str, now: datetime) -> PersonMerge:
    """Say that the account of another address is one's own too. Nothing changes before that account confirms it.

    An address that has no account here is answered alike: nothing tells who asks which addresses have one.
    Raises: Forbidden; Invalid `email_invalid`, `merge_with_oneself`; Conflict `merge_awaited`.
    """
    require(actor, "person.merge")
    clean = valid_address(address, param="address")
    User.objects.select_for_update(no_key=True).get(pk=actor.pk)  # two forms sent together are one request
    if clean == actor.email or EmailAddress.objects.filter(user=actor, email__iexact=clean).exists():
        raise Invalid(
            "merge_with_oneself",
            _("This address is in this account already: type the address of the other account."),
            param="address",
        )
    _expire(actor, now)
    if PersonMerge.objects.filter(kept=actor, state="awaited").exists():
        raise Conflict("merge_awaited", _("One request of yours waits already: take it back first."), param="address")
    row = PersonMerge.objects.create(
        id=new_id("mrg"), kept=actor, other=_whose(clean), address=clean, asked_at=now
    )  # fmt: skip
    record("person.merge_asked", actor=actor, subject=row.pk, now=now, scopes=[actor.pk])
    if row.other is not None:  # an event of its own, which whoever asked does not read
        asked = row.other.pk
        record("person.merge_to_confirm", actor=None, subject=asked, now=now, scopes=[asked], merge=row.pk)
    return row


@transaction.atomic
def withdraw_merge(*, actor: User, merge_id: str, now: datetime) -> PersonMerge:
    """Take back what one asked, before it is confirmed. Raises: NotFound `merge_not_found`; Conflict `merge_over`."""
    row = PersonMerge.visible_to(actor).select_for_update(of=("self",)).filter(pk=merge_id).first()
    if row is None:
        raise not_found()
    if not row.awaits(now):
        raise over()
    end(row, "withdrawn", now)
    record("person.merge_withdrawn", actor=actor, subject=row.pk, now=now, scopes=[actor.pk])
    return row


def awaited_merge(actor: User, *, now: datetime) -> PersonMerge | None:
    """What one asked and is not answered yet."""
    row = PersonMerge.visible_to(actor).filter(state="awaited").first()
    return row if row is not None and row.awaits(now) else None


def merge_token(row: PersonMerge) -> str:
    """The secret part of the link that is sent to the other account, and to nobody else."""
    return signing.dumps([row.pk, int(row.asked_at.astimezone(UTC).timestamp())], salt=_SALT)


def merge_of(token: str, *, now: datetime) -> PersonMerge:
    """The request that a link is for. Raises: NotFound `merge_not_found` when it is forged, answered or too old."""
    try:
        merge_id, _asked = signing.loads(token, salt=_SALT)
    except (signing.BadSignature, ValueError, TypeError):
        raise not_found() from None
    row = PersonMerge.objects.select_related("kept", "other").filter(pk=merge_id).first()
    if row is None or not row.awaits(now):
        raise not_found()
    return row


def end(row: PersonMerge, state: str, now: datetime) -> None:
    """End a request; the address of somebody else is not kept longer than it serves."""
    row.state, row.ended_at = state, now
    row.save(update_fields=["state", "ended_at"])


def _whose(address: str) -> User | None:
    """Whose account this is: the one that confirmed the address, else the one that was made for it, by a recording for
    instance; signing in to that one confirms it."""
    proven = EmailAddress.objects.filter(email__iexact=address, verified=True).select_related("user").first()
    found = proven.user if proven is not None else User.objects.filter(email=address).first()
    return found if found is not None and found.is_active else None


def _expire(actor: User, now: datetime) -> None:
    late = PersonMerge.objects.filter(kept=actor, state="awaited", asked_at__lte=now - MERGE_LIFE)
    late.update(state="expired", ended_at=now)


def not_found() -> NotFound:
    """The refusal of a link or request that leads nowhere for whoever follows it."""
    return NotFound(
        "merge_not_found",
        _(
            "This link no longer works, or it is not for the account that you are signed in with: it works for seven "
            "days, once, and for the account of the address it was sent to."
        ),
    )


def over() -> Conflict:
    """The refusal of a request that has ended."""
    return Conflict("merge_over", _("This request was answered, taken back or is older than seven days."))
