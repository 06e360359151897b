"""What the tests of providers ask for."""

from datetime import UTC, datetime, timedelta
from typing import Any

from backend.payments.providers import the_provider
from backend.payments.providers.base import (
    CheckoutOrder,
    Provider,
)


def order(key: str, **changes: Any) -> CheckoutOrder:
    """A page for two parts of 10.00 and 5.00."""
    values: dict[str, Any] = {
        "key": key, "checkout": "chk_1", "group": "grp_1", "parts": (("Soup", 1000), ("Bread", 500)),
        "currency": "EUR", "rhythm": "once", "method": "card", "language": "fr",
        "success_url": "https://tronc.example.org/back", "cancel_url": "https://tronc.example.org/left",
        "expires_at": datetime.now(UTC) + timedelta(hours=2),
    }  # fmt: skip
    return CheckoutOrder(**(values | changes))


def fake() -> Provider:
    """The fake provider of this test."""
    made = the_provider()
    assert made is not None
    return made
