"""Shows the state of a row as a tag: always a word, the colour only repeats it."""

from typing import Any

from django import template
from django.utils.html import format_html
from django.utils.safestring import SafeString

register = template.Library()

TONES = {
    "ok": {
        "accepted", "validated", "settled", "paid", "booked", "matched", "fulfilled", "yes", "credited", "cleared",
        "refunded", "done", "won", "explained",
    },
    "wait": {
        "waiting", "deposited", "claimed",
        "declared", "questioned", "published", "frozen", "prepared", "approved", "sent", "owed", "batched", "new",
        "proposed", "closing", "suspended",
        "suspect", "suggested", "unknown", "opening", "processing", "ready", "asked", "past_due", "paused", "opened",
        "warning", "reported",
    },
    "no": {"rejected", "refused", "lost", "returned", "no", "failed", "stuck"},
}  # fmt: skip


def tone(state: str) -> str:
    """The class of a state: ok, wait, no, or nothing."""
    return next((name for name, states in TONES.items() if state in states), "")


def name_of(row: Any) -> Any:
    """The word for the state of a row: its own where it has one, else that of its choices."""
    return getattr(row, "state_name", None) or row.get_state_display()


@register.filter
def state_tag(row: Any) -> SafeString:
    """The tag of a row that has a `state` with named choices."""
    return format_html('<span class="tag {}">{}</span>', tone(row.state), name_of(row))
