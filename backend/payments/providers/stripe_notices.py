"""Events of Stripe: verified on their raw bytes, then read for one thing only, what to look at again."""

import json
import re
from datetime import UTC, datetime
from typing import Any

import stripe

from backend.payments.providers.base import About, BadNotice, NoticeFacts

WINDOW = 300  # seconds an event may be old, or ahead of our clock
LONGEST_ID = 128
LONGEST_TYPE = 80
LAST_MOMENT = 2**32  # seconds since 1970: the year 2106
HEADER = re.compile(r"t=[0-9]{1,12}(?:,v[0-9]+=[0-9a-f]{1,128})+")
NAME = re.compile(r"[A-Za-z0-9_.-]+")
# The type of an event begins so -> what to read; the longest beginning wins, and what is not here is not used.
ABOUT: dict[str, About] = {
    "charge.": "payment",
    "charge.dispute.": "dispute",
    "charge.refund.": "refund",
    "refund.": "refund",
    "payment_intent.": "payment",
    "checkout.session.": "checkout",
    "customer.subscription.": "subscription",
    "invoice.": "invoice",
    "invoice_payment.": "invoice",
    "payout.": "payout",
    "mandate.": "mandate",
}
# Nothing of ours hangs on these, though they begin alike.
UNUSED = frozenset({"invoice.upcoming", "invoice.deleted", "payout.reconciliation_completed", "charge.expired"})


def sign(body: bytes, secret: str, *, at: int) -> str:
    """The signature header of an event. Args: at: when it is sent, seconds since 1970."""
    return str(stripe.WebhookSignature.generate_signature_header(body.decode(), secret, at))


def open_event(
    body: bytes, signature: str, *, secrets: list[str], live: bool, account: str, now: datetime
) -> NoticeFacts:
    """Verify an event and say what it is about.

    Args: secrets: any of them may have signed it. live: the only mode accepted. account: when given, an event that
    names another is refused. Raises: BadNotice with the reason.
    """
    text = _signed_text(body, signature, secrets, now)
    try:
        event = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise BadNotice("not JSON") from error
    if not isinstance(event, dict) or event.get("object") != "event":
        raise BadNotice("not an event")
    identifier, kind, sent = event.get("id"), event.get("type"), event.get("created")
    if not _short(identifier) or not _short(kind) or len(str(kind)) > LONGEST_TYPE or not _moment(sent):
        raise BadNotice("an event without its id, type or moment")
    if event.get("livemode") is not live:
        raise BadNotice("of the other mode")
    if account and event.get("account") not in (None, account):
        raise BadNotice("of another account")
    about, object_id = _about(str(kind), event.get("data"))
    return NoticeFacts(str(identifier), str(kind), datetime.fromtimestamp(int(sent or 0), UTC), about, object_id)


def _signed_text(body: bytes, signature: str, secrets: list[str], now: datetime) -> str:
    if not HEADER.fullmatch(signature):  # one moment, written one way: what is measured below is what was signed
        raise BadNotice("no readable signature")
    try:
        text = body.decode()
    except UnicodeDecodeError as error:
        raise BadNotice("not UTF-8") from error
    at = int(signature[2:].partition(",")[0])
    if abs(int(now.timestamp()) - at) > WINDOW:
        raise BadNotice("too old, or from the future")
    for secret in secrets:
        try:
            stripe.WebhookSignature.verify_header(text, signature, secret)
        except stripe.SignatureVerificationError:
            continue
        return text
    raise BadNotice("not signed by the provider")


def _short(value: Any) -> bool:
    return isinstance(value, str) and len(value) <= LONGEST_ID and bool(NAME.fullmatch(value))


def _moment(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and 0 <= value < LAST_MOMENT


def _about(kind: str, data: Any) -> tuple[About, str]:
    """What an event is about, in the shapes of before and after March 2025: the same ids are in both."""
    thing = data.get("object") if isinstance(data, dict) else None
    beginning = max((name for name in ABOUT if kind.startswith(name)), key=len, default="")
    if not beginning or kind in UNUSED or not isinstance(thing, dict):
        return "nothing", ""
    about = ABOUT[beginning]
    identifier = thing.get("id")
    if kind.startswith("invoice_payment."):
        identifier = thing.get("invoice")
    elif kind == "charge.refund.updated" or about == "refund":
        # In the oldest shape a refund's events carry the charge.
        about = "payment" if thing.get("object") == "charge" else "refund"
    elif about == "dispute" and thing.get("object") == "charge":
        about = "payment"
    return (about, str(identifier)) if _short(identifier) else ("nothing", "")
