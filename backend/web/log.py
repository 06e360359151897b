"""The public log of the books: its page, its feed; the addresses for machines are in log_files."""

import base64
import hashlib
from collections.abc import Iterable
from datetime import datetime
from typing import Any

from django.conf import settings
from django.contrib.syndication.views import Feed
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import render
from django.urls import path, reverse
from django.utils.feedgenerator import Atom1Feed
from django.utils.html import format_html
from django.utils.translation import gettext as _
from django.views.decorators.cache import cache_control
from django.views.decorators.http import require_safe

from backend.identity.permissions import may
from backend.ledger.services import keys, last_block, latest_heads
from backend.web import log_files

LISTED = 25
FED = 50


@require_safe
def log(request: HttpRequest) -> HttpResponse:
    """What the log is, its last head, how to check it, its keys, and its heads, the newest first."""
    before = request.GET.get("before")
    if before is not None and not (before.isascii() and before.isdigit() and len(before) < 16):
        raise Http404
    last, block = latest_heads(limit=1), last_block()
    rows = latest_heads(before=int(before) if before else None, limit=LISTED + 1)
    return render(
        request,
        "log/log.html",
        {
            "base": f"{settings.BASE_URL}/log",
            "last": _shown(last[0]) if last else None,
            "signer": block.key_id if block else "",
            "heads": [_shown(row) for row in rows[:LISTED]],
            "older": rows[LISTED - 1]["block"] if len(rows) > LISTED else None,
            "before": before,
            "keys": _known_keys(),
            "reads_books": request.user.is_authenticated and may(request.user, "ledger.read"),
        },
    )


def _shown(row: dict[str, Any]) -> dict[str, Any]:
    return row | {"at": datetime.fromisoformat(row["sealed_at"]), "short": row["root"][:16]}


def _known_keys() -> list[dict[str, Any]]:
    """The keys, the one in force first, with the SHA-256 of their DER form: what openssl gives of the PEM file."""
    found = []
    for key in keys():
        der = base64.b64decode("".join(key["pem"].splitlines()[1:-1]))
        found.append(
            key | {"fingerprint": hashlib.sha256(der).hexdigest(), "made_at": datetime.fromisoformat(key["since"])}
        )
    return found[::-1]


@require_safe
def in_ones_language(request: HttpRequest) -> HttpResponse:
    """Lead the address printed on receipts, which has no language, to the page in the reader's language."""
    query = request.META.get("QUERY_STRING", "")
    target = reverse("log") + (f"?{query}" if query else "")
    return HttpResponseRedirect(target, headers={"Vary": "Accept-Language, Cookie"})


class Heads(Feed):  # type: ignore[type-arg]  # generic in the stubs alone
    """The last heads, one entry each: whoever follows the feed holds copies that the service cannot take back."""

    feed_type = Atom1Feed

    def title(self) -> str:
        """The name of the feed."""
        return _("Signed heads of the books")

    def subtitle(self) -> str:
        """What it is for."""
        return _("Each entry holds one signed head. Keep them: books that do not agree with one of them were altered.")

    def link(self) -> str:
        """The page."""
        return f"{settings.BASE_URL}/log/"

    def feed_url(self) -> str:
        """Itself."""
        return f"{settings.BASE_URL}/log/feed.atom"

    def items(self) -> Iterable[dict[str, Any]]:
        """The newest first."""
        return latest_heads(limit=FED)

    def item_title(self, item: dict[str, Any]) -> str:
        """Block and size."""
        return _("Block %(block)s: %(size)s entries") % item

    def item_description(self, item: dict[str, Any]) -> str:
        """The note as it was signed."""
        return str(format_html("<pre>{}</pre>", item["note"]))

    def item_link(self, item: dict[str, Any]) -> str:
        """The head among the others."""
        return f"{settings.BASE_URL}/log/?before={item['block'] + 1}"

    def item_guid(self, item: dict[str, Any]) -> str:
        """An address that names this head for ever."""
        return f"{settings.BASE_URL}/log/#block-{item['block']}"

    def item_pubdate(self, item: dict[str, Any]) -> datetime:
        """When it was signed."""
        return datetime.fromisoformat(item["sealed_at"])

    item_updateddate = item_pubdate


urlpatterns = [path("log/", log, name="log")]
bare = [
    path("log/", in_ones_language),
    path("log/feed.atom", cache_control(public=True, max_age=30)(require_safe(Heads())), name="log_feed"),
    *log_files.urlpatterns,
]
