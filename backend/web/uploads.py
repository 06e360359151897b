"""Files between the upload and its confirmation: weighed on arrival, previewed, kept 30 minutes."""

import base64
import json
import re
import secrets
import zlib
from datetime import datetime
from typing import Any

from django.conf import settings
from django.core.cache import cache
from django.core.files.uploadhandler import FileUploadHandler, StopUpload
from django.db import transaction
from django.db.models import Exists, Max, OuterRef
from django.http import HttpRequest
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from backend.banking.formats.csv_layout import Layout
from backend.banking.layouts import Choices, import_chosen
from backend.banking.models import BankLine
from backend.banking.resembling import resembled
from backend.banking.services import figures
from backend.core import crypto
from backend.core.errors import Invalid
from backend.core.idempotency import fingerprint, once
from backend.identity.models import User

KEPT_SECONDS = 30 * 60
SHOWN = 12  # operations of each statement that the preview shows
MARGIN = 64 * 1024  # what the other fields and the boundaries of the form may weigh


class SizeLimit(FileUploadHandler):
    """Stops keeping a file as soon as it is known to be over the limit; the rest is read and thrown away.

    The connection is not cut, so that the reader gets a sentence instead of a broken page.
    """

    def __init__(self, request: HttpRequest, limit: int | None = None) -> None:
        """Keep the request, on which a refusal is noted as `upload_refused`; the limit is that of statements."""
        super().__init__(request)
        self.limit = limit or settings.STATEMENT_MAX_BYTES
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
        if max(self.seen, self.declared - MARGIN) > self.limit:
            self.request.upload_refused = True  # type: ignore[union-attr]
            raise StopUpload(connection_reset=False)
        return raw_data

    def file_complete(self, file_size: int) -> None:
        """Leave the file to the handlers behind."""


_TOKEN = re.compile(r"[A-Za-z0-9_-]{32}", re.ASCII)


class Stash:
    """Uploaded files that wait for their confirmation, each readable by its own person only."""

    @staticmethod
    def _key(actor: User, token: str) -> str:
        # What is no token of ours finds nothing: neither a long key, nor the choices read as if they were the file.
        return f"statement:{actor.pk}:{token if _TOKEN.fullmatch(token) else ''}"

    @classmethod
    def keep(cls, actor: User, data: bytes) -> str:
        """Keep a file and give the token that finds it again."""
        token = secrets.token_urlsafe(24)
        cls._set(cls._key(actor, token), base64.b64encode(zlib.compress(data)).decode())
        return token

    @classmethod
    def choose(cls, actor: User, token: str, choices: Choices) -> None:
        """Keep what the person chose for a file that waits."""
        layout = choices.layout.to_json() if choices.layout else None
        kept = {"layout": layout, "accounts": dict(choices.accounts), "save_as": choices.save_as}
        cls._set(cls._key(actor, token) + ":choices", json.dumps(kept))

    @classmethod
    def choices(cls, actor: User, token: str) -> Choices:
        """What the person chose for a file; nothing yet when there is nothing."""
        key = cls._key(actor, token) + ":choices"
        kept = cache.get(key)
        if kept is None:
            return Choices()
        found = json.loads(crypto.decrypt(kept, bound_to=key))
        layout = Layout.from_json(found["layout"]) if found["layout"] else None
        return Choices(layout=layout, accounts=found["accounts"], save_as=found["save_as"])

    @staticmethod
    def _set(key: str, text: str) -> None:
        # Statements name payers and their accounts: they wait encrypted, like every IBAN.
        cache.set(key, crypto.encrypt(text, bound_to=key), KEPT_SECONDS)

    @classmethod
    def read(cls, actor: User, token: str) -> bytes | None:
        """The file of a token, or None when it is not there any more."""
        kept = cache.get(cls._key(actor, token))
        if kept is None:
            return None
        return zlib.decompress(base64.b64decode(crypto.decrypt(kept, bound_to=cls._key(actor, token))))

    @classmethod
    def forget(cls, actor: User, token: str) -> None:
        """Remove a file and what was chosen for it."""
        cache.delete_many([cls._key(actor, token), cls._key(actor, token) + ":choices"])


def preview_import(*, actor: User, data: bytes, choices: Choices) -> list[dict[str, Any]]:
    """What importing a file would do, statement by statement. The import is run and undone: nothing is written.

    Returns: for each statement its figures, its new and known lines, and `twins`: how many of the new lines have the
        amount and nearly the day of one of another file, as the same operation has: a person compares them.
    Raises: what `import_chosen` raises, but for the gap, which is shown.
    """
    with transaction.atomic():
        last = BankLine.objects.aggregate(last=Max("pk"))["last"] or 0
        plain = Choices(layout=choices.layout, accounts=choices.accounts)
        found = import_chosen(actor=actor, data=data, choices=plain, accept_gap=True, now=timezone.now())
        twins = [_twins(one.parsed.account, last) if one.added and last else 0 for one in found]
        transaction.set_rollback(True)
    return [
        {
            "statement": one.parsed, "figures": figures(one.parsed), "added": one.added, "known": one.known,
            "twins": same, "lines": one.parsed.lines[:SHOWN], "more": max(0, len(one.parsed.lines) - SHOWN),
        }
        for one, same in zip(found, twins, strict=True)
    ]  # fmt: skip


def _twins(iban: str, last: int) -> int:
    """How many new lines of an account (their keys above `last`) look like an older one of another file."""
    fresh = BankLine.objects.filter(pk__gt=last, account__iban=iban).select_related("statement")
    older = BankLine.objects.filter(pk__lte=last, account=OuterRef("account"), amount=OuterRef("amount"))
    return sum(resembled(one) is not None for one in fresh.filter(Exists(older)).order_by("pk")[:500])


def confirm_import(*, actor: User, stash: str, accept_gap: bool, now: datetime) -> dict[str, int]:
    """Import the file of a preview, once: a second press of the button gets the first answer.

    Returns: {"added": …, "known": …} lines.
    Raises: Invalid `preview_expired`; what `import_chosen` raises.
    """
    data = Stash.read(actor, stash)
    choices = Stash.choices(actor, stash)

    def act() -> tuple[int, Any]:
        if data is None:
            raise preview_expired()
        kept = import_chosen(actor=actor, data=data, choices=choices, accept_gap=accept_gap, now=now)
        return 200, {"added": sum(one.added for one in kept), "known": sum(one.known for one in kept)}

    _status, done, _replayed = once(
        scope=f"page:{actor.pk}", key=f"statement:{stash}", request=fingerprint("bank/import"), now=now, act=act
    )
    Stash.forget(actor, stash)
    return {"added": int(done["added"]), "known": int(done["known"])}


def preview_expired() -> Invalid:
    """The refusal of a step whose file is not kept any more."""
    return Invalid("preview_expired", _("The preview has expired: choose the file again."), param="file")
