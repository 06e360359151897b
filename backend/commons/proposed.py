"""What a proposed commons says, as one string that changes with it: whoever decides is bound to what they read."""

import hashlib
from collections.abc import Iterator

from django.utils.translation import gettext_lazy as _
from django.utils.translation import ngettext

from backend.commons.models import Commons
from backend.core.errors import Conflict

LABELS = {
    "name": _("the name"),
    "summary": _("the summary"),
    "why": _("why it needs a common pot"),
    "website": _("the website"),
    "licence": _("the licence"),
    "steward": _("who would take care of it"),
}


def digest_of(commons: Commons) -> str:
    """SHA-256 of each thing that a proposal says (64 hexadecimal figures each, in the order of `LABELS`, with dots)."""
    return ".".join(hashlib.sha256(text.encode()).hexdigest() for text in _texts(commons))


def changed_since(commons: Commons, digest: str) -> list[str]:
    """What a proposal says otherwise than when `digest` was taken of it, as labels; all of it for no such digest."""
    before, now = digest.split("."), digest_of(commons).split(".")
    if len(before) != len(now):
        return [str(label) for label in LABELS.values()]
    return [str(label) for label, old, new in zip(LABELS.values(), before, now, strict=True) if old != new]


def require_as_read(commons: Commons, digest: str) -> None:
    """Refuse to open something else than what was read. Raises: Conflict `commons_changed`."""
    changed = changed_since(commons, digest)
    if changed:
        raise Conflict(
            "commons_changed",
            ngettext(
                "The proposal was written again since you read it: %(what)s changed. Read it again, then decide. "
                "Nothing was opened.",
                "The proposal was written again since you read it; these changed: %(what)s. Read it again, then "
                "decide. Nothing was opened.",
                len(changed),
            )
            % {"what": ", ".join(changed)},
        )


def _texts(commons: Commons) -> Iterator[str]:
    yield from (commons.name, commons.summary, commons.why, commons.website, commons.licence)
    yield f"{commons.steward_name}\n{commons.steward_email or commons.proposed_by_id}"
