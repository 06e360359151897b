"""Payment providers: guests of the house. The ledger is ours, and goes on without them."""

from collections.abc import Callable

from django.conf import settings
from django.utils.translation import gettext as _

from backend.payments.providers.base import Provider


def _stripe() -> Provider:
    from backend.payments.providers.stripe import StripeProvider

    return StripeProvider(
        name="stripe",
        shown="Stripe",
        key=settings.STRIPE_KEY,
        secrets=settings.STRIPE_WEBHOOK_SECRETS,
        account=settings.STRIPE_ACCOUNT,
    )


def _fake() -> Provider:
    from backend.payments.providers.stripe import StripeProvider

    return StripeProvider(
        name="fake",
        shown=_("Demonstration provider"),
        key=settings.STRIPE_KEY,
        secrets=settings.STRIPE_WEBHOOK_SECRETS,
        account=settings.STRIPE_ACCOUNT,
        base=settings.FAKE_PROVIDER,
    )


# Built at each use: the name for people is in the reader's language, and nothing is loaded where there is none.
PROVIDERS: dict[str, Callable[[], Provider]] = {"stripe": _stripe, "fake": _fake}


def the_provider() -> Provider | None:
    """The provider of this host; None when it has none, and then every other way of paying works."""
    return PROVIDERS[settings.PROVIDER]() if settings.PROVIDER else None
