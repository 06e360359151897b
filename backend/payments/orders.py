"""Makes of an operation's row the order that the provider is sent: the same words each time, so that its key holds."""

from collections.abc import Callable
from datetime import date, datetime
from typing import Any, Literal, cast

from backend.payments.models import Operation
from backend.payments.providers.base import (
    CheckoutOrder,
    ExpireOrder,
    ForgetOrder,
    Method,
    Order,
    RefundOrder,
    Rhythm,
    SubscriptionOrder,
)
from backend.pledges.models import Pledge


def order_of(row: Operation) -> Order:
    """The order that an operation's row asks for; its key is the idempotency key of every repetition."""
    return _ORDERS[row.kind](row.key, row.request)


def _checkout(key: str, asked: dict[str, Any]) -> Order:
    leader = Pledge.objects.select_related("donor", "made_by").filter(group=asked["group"]).order_by("pk")[0]
    back = str(asked["back"])
    mark = "&" if "?" in back else "?"
    return CheckoutOrder(
        key=key, checkout=asked["checkout"], group=asked["group"],
        parts=tuple((str(text), int(amount)) for text, amount in asked["parts"]), currency=asked["currency"],
        rhythm=cast(Rhythm, asked["rhythm"]), method=cast(Method, asked["method"]),
        language=cast(Literal["fr", "en"], asked["language"]), success_url=f"{back}{mark}back=paid",
        cancel_url=f"{back}{mark}back=left", expires_at=datetime.fromisoformat(asked["expires_at"]),
        email=_address(leader), ends_on=date.fromisoformat(asked["ends_on"]) if asked["ends_on"] else None,
    )  # fmt: skip


def _address(leader: Pledge) -> str:
    """The address that the provider's page is filled in with; empty once its owner was forgotten."""
    if leader.donor is not None:
        return leader.donor.email
    return leader.made_by.email if leader.made_by is not None and leader.made_by.is_active else ""


def _expire(key: str, asked: dict[str, Any]) -> Order:
    return ExpireOrder(key=key, session=asked["session"])


def _refund(key: str, asked: dict[str, Any]) -> Order:
    return RefundOrder(
        key=key, refund=asked["refund"], charge=asked["charge"], amount=asked["amount"], currency=asked["currency"]
    )


def _forget(key: str, asked: dict[str, Any]) -> Order:
    return ForgetOrder(key=key, customer=asked["customer"])


def _subscription(what: Literal["pause", "resume", "cancel"]) -> Callable[[str, dict[str, Any]], Order]:
    return lambda key, asked: SubscriptionOrder(key=key, what=what, subscription=asked["subscription"])


_ORDERS: dict[str, Callable[[str, dict[str, Any]], Order]] = {
    "checkout": _checkout,
    "expire": _expire,
    "refund": _refund,
    "pause": _subscription("pause"),
    "resume": _subscription("resume"),
    "cancel": _subscription("cancel"),
    "forget": _forget,
}
