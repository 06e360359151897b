"""The settings of the payment provider: what cannot be right is refused before anything is served."""

import re
from collections.abc import Sequence
from urllib.parse import urlsplit

from backend.core.peers import is_loopback

NAMES = ("stripe", "fake")
KEY = re.compile(r"(?:sk|rk)_(?:live|test)_[A-Za-z0-9_]+")
SECRET = re.compile(r"whsec_[A-Za-z0-9_+/=-]+")


def hindrance(*, name: str, key: str, secrets: Sequence[str], fake: str, base_url: str, failures: int) -> str | None:
    """Why these settings are refused, in one sentence, or None.

    Args: name: TRONC_PROVIDER. key: TRONC_STRIPE_KEY. secrets: of the webhook, each by itself. fake: the address of the
        demonstration's provider. base_url: TRONC_BASE_URL. failures: TRONC_DUNNING_FAILURES.
    """
    if not name:
        return None
    fake_here = name == "fake"
    said = {
        f"TRONC_PROVIDER is “{name[:40]}”: write stripe, or leave it empty.": name in NAMES,
        "TRONC_DUNNING_FAILURES is a whole number from 1 to 100.": 1 <= failures <= 100,
        "TRONC_STRIPE_KEY is no secret or restricted key: it begins with sk_ or rk_, then live_ or test_.": bool(
            KEY.fullmatch(key)
        ),
        "TRONC_STRIPE_WEBHOOK_SECRETS is missing, or no list of signing secrets: each begins with whsec_, blanks in "
        "between. Without one no event of the provider can be verified.": bool(secrets)
        and all(SECRET.fullmatch(one) for one in secrets),
        "TRONC_PROVIDER is fake and TRONC_FAKE_PROVIDER is not of this machine.": not fake_here or _here(fake),
        "TRONC_PROVIDER is fake and TRONC_BASE_URL is not of this machine.": not fake_here or _here(base_url),
        "TRONC_PROVIDER is fake and TRONC_STRIPE_KEY is a live key: unset one of them.": not fake_here
        or "_live_" not in key,
    }
    return next((sentence for sentence, right in said.items() if not right), None)


def _here(address: str) -> bool:
    return is_loopback(urlsplit(address).hostname or "")
