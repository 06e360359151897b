"""Statement files between the upload and its confirmation: weighed on arrival, previewed, kept 30 minutes."""

import base64
import secrets
import zlib
from datetime import datetime
from typing import Any

from django.conf import settings
from django.core.cache import cache
from django.core.files.uploadhandler import FileUploadHandler, StopUpload
from django.db import transaction
from django.http import HttpRequest
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from backend.banking.services import figures, import_statement
from backend.core import crypto
from backend.core.errors import Invalid
from backend.core.idempotency import fingerprint, once
from backend.identity.models import User

KEPT_SECONDS = 30 * 60
MARGIN = 64 * 1024  # what the other fields and the boundaries of the form may weigh


class SizeLimit(FileUploadHandler):
    """Stops keeping a file as soon as it is known to be over the limit; the rest is read and thrown away.

    The connection is not cut, so that the reader gets a sentence instead of a broken page.
    """

    def __init__(self, request: HttpRequest) -> None:
        """Keep the request, on which a refusal is noted as `upload_refused`."""
        super().__init__(request)
        self.seen = 0
        self.declared = 0

    def handle_raw_input(
        self, input_data: Any, META: Any, content_length: int, boundary: Any, encoding: str | None = None
    ) -> None:
        """Note the announced weight."""
        self.declared = content_length

    def receive_data_chunk(self, raw_data: bytes, start: int) -> bytes:
        """Pass the chunk on, or stop."""
        self.seen += len(raw_data)
        if max(self.seen, self.declared - MARGIN) > settings.STATEMENT_MAX_BYTES:
            self.request.upload_refused = True  # type: ignore[union-attr]
            raise StopUpload(connection_reset=False)
        return raw_data

    def file_complete(self, file_size: int) -> None:
        """Leave the file to the handlers behind."""


class Stash:
    """Uploaded files that wait for their confirmation, each readable by its own person only."""

    @staticmethod
    def _key(actor: User, token: str) -> str:
        return f"statement:{actor.pk}:{token}"

    @classmethod
    def keep(cls, actor: User, data: bytes) -> str:
        """Keep a file and give the token that finds it again."""
        token = secrets.token_urlsafe(24)
        packed = base64.b64encode(zlib.compress(data)).decode()
        # Statements name payers and their accounts: they wait encrypted, like every IBAN.
        cache.set(cls._key(actor, token), crypto.encrypt(packed, bound_to=cls._key(actor, token)), KEPT_SECONDS)
        return token

    @classmethod
    def read(cls, actor: User, token: str) -> bytes | None:
        """The file of a token, or None when it is not there any more."""
        kept = cache.get(cls._key(actor, token))
        if kept is None:
            return None
        return zlib.decompress(base64.b64decode(crypto.decrypt(kept, bound_to=cls._key(actor, token))))

    @classmethod
    def forget(cls, actor: User, token: str) -> None:
        """Remove a file."""
        cache.delete(cls._key(actor, token))


def preview_import(*, actor: User, data: bytes) -> list[dict[str, Any]]:
    """What importing a file would do, statement by statement. The import is run and undone: nothing is written.

    Raises: what `import_statement` raises, but for the gap, which is shown.
    """
    with transaction.atomic():
        found = import_statement(actor=actor, data=data, accept_gap=True, now=timezone.now())
        transaction.set_rollback(True)
    return [
        {"statement": one.parsed, "figures": figures(one.parsed), "added": one.added, "known": one.known}
        for one in found
    ]


def confirm_import(*, actor: User, stash: str, accept_gap: bool, now: datetime) -> dict[str, int]:
    """Import the file of a preview, once: a second press of the button gets the first answer.

    Returns: {"added": …, "known": …} lines.
    Raises: Invalid `preview_expired`; what `import_statement` raises.
    """
    data = Stash.read(actor, stash)

    def act() -> tuple[int, Any]:
        if data is None:
            raise Invalid("preview_expired", _("The preview has expired: choose the file again."), param="file")
        kept = import_statement(actor=actor, data=data, accept_gap=accept_gap, now=now)
        return 200, {"added": sum(one.added for one in kept), "known": sum(one.known for one in kept)}

    _status, done, _replayed = once(
        scope=f"page:{actor.pk}", key=f"statement:{stash}", request=fingerprint("bank/import"), now=now, act=act
    )
    Stash.forget(actor, stash)
    return {"added": int(done["added"]), "known": int(done["known"])}
