"""Public texts that are withdrawn with a reason and where to object, and given back; the rows themselves stay."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db import IntegrityError, transaction
from django.db.models import Model
from django.utils.translation import gettext_lazy as _

from backend.commons.life import address
from backend.commons.models import Commons, Moderation
from backend.contributions.models import Contribution
from backend.core.crypto import equality_index
from backend.core.errors import Conflict, NotFound
from backend.core.ids import new_id
from backend.events.services import record
from backend.identity.models import Organisation, User
from backend.identity.permissions import require
from backend.identity.roles import required_reason

LATEST = 100  # rows of each kind on the page of the texts of a commons


@dataclass(frozen=True)
class Kind:
    """A kind of thing with public texts: where it is, and its texts."""

    model: type[Model]
    fields: tuple[str, ...]


# the beginning of the id → what can be withdrawn of it
KINDS = {
    "com": Kind(Commons, ("name", "summary", "website")),
    "ctr": Kind(Contribution, ("description",)),
    "usr": Kind(User, ("public_name",)),
    "org": Kind(Organisation, ("name",)),
}


def public_text(subject: str, field: str) -> tuple[Any, str]:
    """The thing and its text; raises NotFound `text_not_found` when there is none, or when it is empty."""
    kind = KINDS.get(subject.partition("_")[0])
    row = kind.model._default_manager.filter(pk=subject).first() if kind and field in kind.fields else None
    text = str(getattr(row, field)) if row is not None else ""
    if not text:
        raise NotFound("text_not_found", _("There is no such public text."))
    return row, text


def owner_of(subject: str) -> str:
    """Whose text it is, by name: of a contribution, its contributor and its budget; empty when it is gone."""
    kind = KINDS.get(subject.partition("_")[0])
    row: Any = kind.model._default_manager.filter(pk=subject).first() if kind else None
    if isinstance(row, Contribution):
        return f"{row.contributor.name}, {row.budget.full_name}"
    return str(row.name) if row is not None else ""


@transaction.atomic
def withdraw_text(*, actor: User, subject: str, field: str, reason: str, appeal_to: str, now: datetime) -> Moderation:
    """Put a reason and where to object in place of a public text; its author is told by mail. Moves no money.

    Args: subject: id of a commons, contribution, person or organisation. field: one of its texts in KINDS.
    Raises: Forbidden; NotFound `text_not_found`; Invalid `reason_missing`, `email_invalid`; Conflict `text_withdrawn`.
    """
    require(actor, "text.moderate")
    _row, text = public_text(subject, field)
    why, where = required_reason(reason), address(appeal_to, param="appeal_to")
    try:
        with transaction.atomic():
            made = Moderation.objects.create(
                id=new_id("mod"), subject=subject, field=field, reason=why, appeal_to=where, moderated_by=actor,
                moderated_at=now,
            )  # fmt: skip
    except IntegrityError:
        raise Conflict("text_withdrawn", _("This text is withdrawn already.")) from None
    record(
        "text.withdrawn", actor=actor, subject=made.pk, now=now, scopes=[subject], why=why, field=field,
        before={"text": equality_index(text)}, after={"text": ""},
    )  # fmt: skip
    return made


@transaction.atomic
def give_back(*, actor: User, moderation_id: str, now: datetime) -> Moderation:
    """Show a withdrawn text again; its author is told by mail. A second click changes nothing.

    Raises: Forbidden; NotFound `moderation_not_found`.
    """
    require(actor, "text.moderate")
    row = Moderation.objects.select_for_update(no_key=True).filter(pk=moderation_id).first()
    if row is None:
        raise NotFound("moderation_not_found", _("There is no such withdrawn text."))
    if row.lifted_at is None:
        row.lifted_at, row.lifted_by = now, actor
        row.save(update_fields=["lifted_at", "lifted_by"])
        record("text.restored", actor=actor, subject=row.pk, now=now, scopes=[row.subject], field=row.field)
    return row


def texts_of(commons: Commons) -> list[tuple[str, str, str, str]]:
    """(subject, field, what it is, text) of what the page of a commons shows: its own texts, then the latest work."""
    found = [(commons.pk, field, "", str(getattr(commons, field))) for field in KINDS["com"].fields]
    rows = Contribution.objects.filter(budget__commons=commons, state__in=["validated", "included", "settled"])
    for row in rows.select_related("contributor").order_by("-worked_on", "-pk")[:LATEST]:
        found.append((row.pk, "description", row.contributor.name, row.description))
    people = User.objects.filter(pk__in=rows.values("contributor")).exclude(public_name="").order_by("name")
    found += [(person.pk, "public_name", person.name, person.public_name) for person in people[:LATEST]]
    funding = Organisation.objects.filter(pledges__budget__commons=commons).distinct().order_by("name")
    found += [(one.pk, "name", "", one.name) for one in funding[:LATEST]]
    return [line for line in found if line[3]]
