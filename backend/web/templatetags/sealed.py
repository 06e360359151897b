"""The last head of the log, for the pages that people keep as receipts."""

from typing import Any

from django import template

from backend.ledger.services import last_seal

register = template.Library()


@register.inclusion_tag("parts/sealed.html")
def last_head() -> dict[str, Any]:
    """One line with block, size and first figures of the last head; nothing while nothing is sealed."""
    last = last_seal()
    return {"last": last if last.position else None, "short": last.head[:16]}
