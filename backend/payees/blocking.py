"""“This was not me”: a link in the mail about a changed account stops what would be paid on it, without signing in."""

from datetime import UTC, datetime, timedelta

from django.core import signing
from django.db import transaction
from django.utils.translation import gettext_lazy as _

from backend.core.errors import NotFound
from backend.events.services import record
from backend.payees.models import Payee

LIFE = timedelta(days=30)
_SALT = "payees.block"


def block_token(payee_id: str, *, now: datetime) -> str:
    """The secret part of the link that is mailed to the person alone."""
    return signing.dumps([payee_id, int(now.timestamp())], salt=_SALT)


def payee_to_block(token: str, *, now: datetime) -> Payee:
    """The payee that a link may block. Raises: NotFound `block_link_over` when it is forged, or older than LIFE."""
    try:
        payee_id, at = signing.loads(token, salt=_SALT)
        made = datetime.fromtimestamp(at, tz=UTC)
    except (signing.BadSignature, ValueError, TypeError):
        raise _over() from None
    payee = Payee.objects.select_related("user").filter(pk=payee_id).first()
    if payee is None or payee.closed_at is not None or now - made > LIFE:
        raise _over()
    return payee


@transaction.atomic
def block_payee(*, token: str, now: datetime) -> Payee:
    """Stop all payments to a payee until its person gives its account again. Moves no money; twice changes nothing.

    Whoever holds the link may: it went to the addresses of the person. Raises: NotFound `block_link_over`.
    """
    found = payee_to_block(token, now=now)
    payee = Payee.objects.select_for_update(of=("self",)).get(pk=found.pk)
    if payee.blocked_at is not None:
        return payee
    payee.blocked_at = now
    payee.save(update_fields=["blocked_at"])
    record(
        "payee.blocked", actor=None, subject=payee.pk, now=now, scopes=[payee.user_id], on_behalf=payee.user_id,
        before={"blocked": False}, after={"blocked": True},
    )  # fmt: skip
    return payee


def _over() -> NotFound:
    return NotFound(
        "block_link_over",
        _("This link is not valid, or too old. Sign in and look at your payees; tell a treasurer if one is not yours."),
    )
