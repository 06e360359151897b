"""TRONC_DEMO: where anyone may sign in as anyone, hence on this machine alone and never beside live keys."""

from collections.abc import Mapping
from pathlib import Path
from urllib.parse import urlsplit

from backend.core.peers import is_loopback

PAYMENT_KEYS = ("STRIPE_SECRET_KEY", "TRONC_STRIPE_SECRET_KEY", "TRONC_STRIPE_KEY")
LIVE = ("sk_live_", "rk_live_")


def hindrance(environ: Mapping[str, str], base_url: str) -> str | None:
    """Why the demonstration mode is refused here, in one sentence, or None.

    Args: environ: the environment variables, each of which may be given as NAME_FILE. base_url: TRONC_BASE_URL.
    """
    for name in PAYMENT_KEYS:
        path = environ.get(f"{name}_FILE")
        try:
            value = Path(path).read_text(encoding="utf-8").strip() if path else environ.get(name, "")
        except (OSError, UnicodeDecodeError):
            return f"TRONC_DEMO is set and the file of {name} cannot be read: unset one of them."
        if value.strip().lower().startswith(LIVE):
            return f"TRONC_DEMO is set and {name} is a live key: unset one of them, they never go together."
    host = urlsplit(base_url).hostname or ""
    if not is_loopback(host):
        return (
            f"TRONC_DEMO is set and TRONC_BASE_URL names {host or 'no host'}: with it anyone signs in as anyone, "
            "so it is for this machine alone. Unset TRONC_DEMO, or use a base address on localhost."
        )
    return None
