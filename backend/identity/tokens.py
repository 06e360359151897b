"""Writes about API tokens: made, used, warned of their end, revoked."""

import hashlib
import re
import secrets
import zlib
from collections.abc import Sequence
from datetime import datetime, timedelta

from django.conf import settings
from django.db import transaction
from django.db.models import QuerySet
from django.utils.translation import gettext_lazy as _

from backend.core.errors import Conflict, Invalid, NotFound
from backend.core.ids import base32, new_id
from backend.core.reads import Read
from backend.core.sweep import sweep_rows
from backend.events.services import record
from backend.identity.models import ApiToken, Organisation, User

LIVE, TEST = "tronc_live_", "tronc_test_"
PREFIXES = (LIVE, TEST)
LIVES = (30, 90, 180, 365)  # days
TOKENS_PER_PERSON = 20
WARNED = timedelta(days=7)  # before the end
_SHAPE = re.compile(r"(tronc_live_|tronc_test_)([0-9A-HJKMNP-TV-Z]{40})([0-9A-HJKMNP-TV-Z]{6})", re.ASCII)


def own_prefix() -> str:
    """The beginning of the tokens of this instance: a demonstration's never look like those of a real one."""
    return TEST if settings.DEMO or settings.LOOPBACK_HTTP else LIVE


def create_token(
    *, user: User, name: str, scopes: Sequence[str], now: datetime, only: str = "", days: int = 365
) -> tuple[ApiToken, str]:
    """Make an API token for oneself.

    Args: scopes: names among ApiToken.SCOPES. only: the id of the commons or organisation it is held to; empty for all
        that its owner sees. days: its life, one of LIVES.
    Returns: the row and the text, which is shown once and never stored.
    Raises: Invalid `name_missing`, `scope_unknown`, `token_only_unknown`, `token_life_unknown`; Conflict
        `too_many_tokens`.
    """
    if not name.strip():
        raise Invalid("name_missing", _("Give the token a name, to recognise it later."), param="name")
    if not scopes or not set(scopes) <= set(dict(ApiToken.SCOPES)):
        raise Invalid("scope_unknown", _("Choose what the token may do."), param="scopes")
    if only and not _may_be_held_to(user, only):
        raise Invalid("token_only_unknown", _("Choose one of your commons or organisations."), param="only")
    if days not in LIVES:
        raise Invalid("token_life_unknown", _("Choose how long the token lives: a year at most."), param="days")
    body = base32(secrets.randbits(200), 40)
    text = f"{own_prefix()}{body}{_checksum(body)}"
    with transaction.atomic():
        # Two forms sent together are counted one after the other.
        User.objects.select_for_update(of=("self",), no_key=True).get(pk=user.pk)
        if ApiToken.objects.filter(user=user, revoked_at=None, expires_at__gt=now).count() >= TOKENS_PER_PERSON:
            raise Conflict("too_many_tokens", _("You have many tokens already: revoke one first."))
        token = ApiToken.objects.create(
            id=new_id("tok"),
            user=user,
            name=name.strip()[:80],
            digest=_digest(text),
            hint=f"{text[:15]}…{text[-4:]}",
            scopes=sorted(set(scopes)),
            only=only,
            created_at=now,
            expires_at=now + timedelta(days=days),
        )
        record(
            "token.created", actor=user, subject=token.pk, now=now, scopes=[user.pk],
            after={"scopes": token.scopes, "only": only, "days": days},
        )  # fmt: skip
    return token, text


def _may_be_held_to(user: User, only: str) -> bool:
    """Whether a token may be held to this id: commons are public, an organisation must be one the person sees."""
    if only.startswith("org_"):
        return Organisation.visible_to(user).filter(pk=only).exists()
    return re.fullmatch(r"com_[0-9A-Z]{36}", only, re.ASCII) is not None


def revoke_token(*, actor: User, token_id: str, now: datetime) -> ApiToken:
    """Revoke one's own token, at once; raises NotFound for a token that is not one's own."""
    with transaction.atomic():
        token = ApiToken.visible_to(actor).select_for_update().filter(pk=token_id).first()
        if token is None:
            raise NotFound("token_not_found", _("There is no such token."))
        if token.revoked_at is None:
            token.revoked_at = now
            token.save(update_fields=["revoked_at"])
            record("token.revoked", actor=actor, subject=token.pk, now=now, scopes=[actor.pk])
    return token


def of_another_environment(text: str) -> bool:
    """Whether this is a whole token, but of a demonstration while this instance is a real one, or the other way round.

    Nothing of the database is read.
    """
    shape = _SHAPE.fullmatch(text)
    return shape is not None and _checksum(shape[2]) == shape[3] and shape[1] != own_prefix()


_live = Read(
    "digest",
    "now",
    rows=lambda digest, now: ApiToken.objects.select_related("user").filter(
        digest=digest, revoked_at=None, expires_at__gt=now, user__is_active=True
    ),
)


def token_owner(text: str, *, now: datetime) -> ApiToken | None:
    """The live token of this text with its user, or None (unknown, revoked, expired, or its owner is disabled).

    A text whose checksum is wrong never reaches the database. The minute of the last use is kept, not from where.
    """
    shape = _SHAPE.fullmatch(text)
    if shape is None or shape[1] != own_prefix() or _checksum(shape[2]) != shape[3]:
        return None
    token = next(iter(_live(digest=_digest(text), now=now)), None)
    if token is not None:
        minute = now.replace(second=0, microsecond=0)
        if token.last_used_at is None or token.last_used_at < minute:
            ApiToken.objects.filter(pk=token.pk).update(last_used_at=minute)
    return token


def tokens_to_warn(now: datetime) -> "QuerySet[ApiToken]":
    """The tokens that end within a week and whose owner was not told; a life of a month or more leaves the time."""
    return ApiToken.objects.filter(
        warned_at=None, revoked_at=None, expires_at__gt=now, expires_at__lte=now + WARNED, user__is_active=True
    )


def warn_of_end(now: datetime) -> int:
    """Tell the owners of the tokens that end within a week, once each; returns how many."""

    def warn(token: ApiToken) -> None:
        token.warned_at = now
        token.save(update_fields=["warned_at"])
        record("token.ending", actor=None, subject=token.pk, now=now, scopes=[token.user_id])

    return sweep_rows(tokens_to_warn(now), warn)


def _checksum(body: str) -> str:
    """Six characters that tell a real token from noise and mistypings, for scanners and before any read."""
    return base32(zlib.crc32(body.encode()), 7)[-6:]


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()
