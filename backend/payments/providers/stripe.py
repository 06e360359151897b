"""Stripe: what is asked of it, and how what goes wrong on the way is told apart. Its objects are read next door."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator
from datetime import date, datetime
from functools import lru_cache
from typing import Any, TypeVar

import requests
import stripe
from urllib3.exceptions import ConnectTimeoutError, NewConnectionError

from backend.payments.providers.amounts import NotPayable, from_provider, to_provider
from backend.payments.providers.base import (
    About,
    CheckoutOrder,
    Done,
    ExpireOrder,
    Facts,
    ForgetOrder,
    MovementFacts,
    NoAnswer,
    NoticeFacts,
    Order,
    ProviderError,
    RefundOrder,
    Refused,
    SubscriptionOrder,
)
from backend.payments.providers.stripe_facts import movement_facts, subscription_has
from backend.payments.providers.stripe_notices import open_event
from backend.payments.providers.stripe_reading import Reader, Thing

API_VERSION = "2026-10-28.endive"  # of every request; events may come in another, of which only ids are read
TIMEOUT = 10  # seconds for an answer
EVERY = {"once": None, "monthly": ("month", 1), "quarterly": ("month", 3), "yearly": ("year", 1)}
T = TypeVar("T")


@lru_cache(maxsize=8)
def client_for(key: str, base: str, timeout: int) -> stripe.StripeClient:
    """A client that never repeats a request by itself and asks in one version of the API.

    Args: base: empty for Stripe itself; else where a server like it is, reached without any proxy. timeout: seconds.
    """
    stripe.enable_telemetry = False
    session = None
    if base:
        session = requests.Session()
        session.trust_env = False
    http = stripe.RequestsClient(timeout=timeout, session=session)
    options: dict[str, Any] = {"base_addresses": {"api": base}} if base else {}
    return stripe.StripeClient(key, stripe_version=API_VERSION, max_network_retries=0, http_client=http, **options)


class StripeProvider:
    """`Provider` on Stripe's API, or on a server that speaks it."""

    def __init__(
        self, *, name: str, shown: str, key: str, secrets: list[str], account: str = "", base: str = ""
    ) -> None:
        """Args: key: of the API, whose name says test or live. secrets: of the events, several while one is changed.
        account: events of any other are refused. base: see `client_for`."""
        self.name = name
        self.shown = shown
        self.live = key.startswith(("sk_live_", "rk_live_"))
        self._key, self._secrets, self._account, self._base = key, secrets, account, base

    @property
    def _client(self) -> stripe.StripeClient:
        return client_for(self._key, self._base, TIMEOUT)

    # --- asking -------------------------------------------------------------------------------------------------

    def perform(self, order: Order) -> Done:
        """See `Provider`."""
        return answered(lambda: self._perform(order))

    def _perform(self, order: Order) -> Done:
        options: Any = {"idempotency_key": order.key}
        api = self._client.v1
        if isinstance(order, CheckoutOrder):
            session = api.checkout.sessions.create(_session(order), options)
            return Done(session.id, session.url or "")
        if isinstance(order, ExpireOrder):
            return Done(api.checkout.sessions.expire(order.session, None, options).id)
        if isinstance(order, RefundOrder):
            params: Any = {
                "charge": order.charge,
                "amount": to_provider(order.amount, order.currency),
                "metadata": {"refund": order.refund, "key": order.key},
            }
            return Done(api.refunds.create(params, options).id)
        if isinstance(order, ForgetOrder):
            # Whoever is gone already is reported as missing: that is what was wanted.
            if not self._gone(order.customer):
                api.customers.delete(order.customer, None, options)
            return Done(order.customer)
        if order.what == "cancel":
            return Done(api.subscriptions.cancel(order.subscription, None, options).id)
        pausing: Any = {"pause_collection": {"behavior": "void"} if order.what == "pause" else ""}
        changed = api.subscriptions.update(order.subscription, pausing, options)
        if order.what == "pause":
            self._void_what_is_open(order)
        return Done(changed.id)

    def _gone(self, customer: str) -> bool:
        """Whether a payer was deleted, or was never there."""
        try:
            return bool(self._client.v1.customers.retrieve(customer).to_dict().get("deleted"))
        except stripe.InvalidRequestError as error:
            if error.code != "resource_missing":
                raise
            return True

    def _void_what_is_open(self, order: SubscriptionOrder) -> None:
        """A paused subscription makes no new debit, but an open invoice would be tried again: it is given up."""
        api = self._client.v1
        for invoice in self._still_tried(order.subscription):
            options: Any = {"idempotency_key": f"{order.key}:{invoice}"}
            try:
                api.invoices.void_invoice(invoice, None, options)
            except stripe.InvalidRequestError:
                if api.invoices.retrieve(invoice).status == "open":
                    raise

    def _still_tried(self, subscription: str) -> list[str]:
        """The open invoices whose money is not on its way: on its way, it cannot be stopped."""
        api = self._client.v1
        asked: Any = {"subscription": subscription, "status": "open", "expand": ["data.payments"], "limit": 100}
        found = []
        for invoice in api.invoices.list(asked).auto_paging_iter():
            paid_by = invoice.to_dict()["payments"]["data"]
            intents = [row["payment"]["payment_intent"] for row in paid_by if row["status"] == "open"]
            if not any(api.payment_intents.retrieve(one).status == "processing" for one in intents):
                found.append(str(invoice.id))
        return found

    def look_up(self, order: Order, *, since: datetime) -> Done | None:
        """See `Provider`."""
        return answered(lambda: self._look_up(order, since))

    def _look_up(self, order: Order, since: datetime) -> Done | None:
        api = self._client.v1
        if isinstance(order, CheckoutOrder):
            # Clocks differ: a few minutes earlier do no harm, the key decides.
            asked: Any = {"created": {"gte": int(since.timestamp()) - 900}, "limit": 100}
            return _by_key(api.checkout.sessions.list(asked).auto_paging_iter(), order.key)
        if isinstance(order, ExpireOrder):
            closed = api.checkout.sessions.retrieve(order.session)
            return Done(closed.id) if closed.status == "expired" else None
        if isinstance(order, RefundOrder):
            return _by_key(api.refunds.list({"charge": order.charge, "limit": 100}).auto_paging_iter(), order.key)
        if isinstance(order, ForgetOrder):
            return Done(order.customer) if self._gone(order.customer) else None
        found = api.subscriptions.retrieve(order.subscription).to_dict()
        done = subscription_has(found, order.what) and not (order.what == "pause" and self._still_tried(found["id"]))
        return Done(found["id"]) if done else None

    # --- reading ------------------------------------------------------------------------------------------------

    def read(self, about: About, object_id: str) -> Facts:
        """See `Provider`."""
        return answered(lambda: Reader(self._client).read(about, object_id))

    def movements(self, since: datetime, until: datetime) -> Iterator[MovementFacts]:
        """See `Provider`."""

        def listed() -> list[MovementFacts]:
            asked: Any = {
                "created": {"gte": _ceiling(since), "lt": _ceiling(until)},
                "expand": ["data.source"],
                "limit": 100,
            }
            rows = self._client.v1.balance_transactions.list(asked).auto_paging_iter()
            return [movement_facts(row.to_dict()) for row in rows]

        return iter(reversed(answered(listed)))

    def balance(self, currency: str) -> int:
        """See `Provider`."""

        def total() -> int:
            told = self._client.v1.balance.retrieve().to_dict()
            rows = [*told["available"], *told["pending"]]
            return sum(row["amount"] for row in rows if row["currency"] == currency.lower())

        return from_provider(answered(total), currency)

    def portal(self, customer: str, *, return_url: str, language: str) -> str:
        """See `Provider`."""
        asked: Any = {"customer": customer, "return_url": return_url, "locale": language}
        return answered(lambda: self._client.v1.billing_portal.sessions.create(asked).url)

    # --- being told ---------------------------------------------------------------------------------------------

    def open_notice(self, body: bytes, signature: str, *, now: datetime) -> NoticeFacts:
        """See `Provider`."""
        return open_event(body, signature, secrets=self._secrets, live=self.live, account=self._account, now=now)


def _by_key(things: Iterable[Any], key: str) -> Done | None:
    """The first of some objects into which this key was written, and its page if it has one."""
    for one in things:
        told = one.to_dict()
        if (told["metadata"] or {}).get("key") == key:
            return Done(told["id"], told.get("url") or "")
    return None


def answered(ask: Callable[[], T]) -> T:
    """Ask, and say what became of it. Raises: Refused, NoAnswer; ProviderError when an answer makes no sense."""
    try:
        return ask()
    except NotPayable as error:
        raise Refused("amount_not_payable", str(error)) from error
    except stripe.RateLimitError as error:
        raise NoAnswer("asked to wait", wait=_wait(error), sent=False) from error
    except (stripe.AuthenticationError, stripe.PermissionError) as error:
        # Nothing was done, and asking again helps once the key is set right.
        raise NoAnswer("the key was refused", wait=60, sent=False) from error
    except stripe.APIConnectionError as error:
        raise NoAnswer("no answer", sent=not _never_left(error)) from error
    except stripe.IdempotencyError as error:
        # Another request with this key was accepted or is being treated: what it did must be looked up.
        raise NoAnswer("this key was used before", wait=_wait(error)) from error
    except stripe.StripeError as error:
        status = error.http_status or 0
        if status >= 500 or status in (0, 409):
            raise NoAnswer(f"answered {status}", wait=_wait(error)) from error
        raise Refused(error.code or "refused", error.user_message or "refused") from error
    except (KeyError, TypeError, ValueError, json.JSONDecodeError) as error:
        raise ProviderError(f"an answer without what it should hold: {error!r}") from error


def _wait(error: stripe.StripeError) -> int:
    asked = {name.lower(): value for name, value in (error.headers or {}).items()}.get("retry-after", "")
    return min(int(asked), 86_400) if asked.isdigit() else 0


def _never_left(error: BaseException) -> bool:
    """Whether the connection itself could not be made, so that nothing can have reached the provider."""
    seen: list[Any] = [error]
    while seen:
        one = seen.pop()
        if isinstance(one, (NewConnectionError, ConnectTimeoutError, requests.exceptions.ConnectTimeout)):
            return True
        inner = [*getattr(one, "args", ()), getattr(one, "reason", None), one.__cause__, one.__context__]
        seen += [next_one for next_one in inner if isinstance(next_one, BaseException) and next_one is not one]
    return False


def _ceiling(moment: datetime) -> int:
    """The provider counts whole seconds: the first one that is not before a moment."""
    whole = int(moment.timestamp())
    return whole if moment.microsecond == 0 else whole + 1


def _session(order: CheckoutOrder) -> Any:
    marks = {"checkout": order.checkout, "group": order.group, "key": order.key}
    every = EVERY[order.rhythm]
    lines = []
    for words, amount in order.parts:
        price: Thing = {
            "currency": order.currency.lower(),
            "unit_amount": to_provider(amount, order.currency),
            "product_data": {"name": words[:250]},
        }
        if every is not None:
            price["recurring"] = {"interval": every[0], "interval_count": every[1]}
        lines.append({"price_data": price, "quantity": 1})
    inner = {"metadata": {"checkout": order.checkout, "group": order.group, **_last(order.ends_on)}}
    asked: Thing = {
        "mode": "payment" if every is None else "subscription",
        "line_items": lines,
        "payment_method_types": [order.method],
        "locale": order.language,
        "success_url": order.success_url,
        "cancel_url": order.cancel_url,
        "expires_at": int(order.expires_at.timestamp()),
        "client_reference_id": order.checkout,
        "metadata": marks,
        "payment_intent_data" if every is None else "subscription_data": inner,
    }
    if order.email:
        asked["customer_email"] = order.email
    return asked


def _last(ends_on: date | None) -> dict[str, str]:
    # A checkout page cannot give a subscription its end: whoever reads it there sees it, and we ask for the end.
    return {"ends_on": ends_on.isoformat()} if ends_on else {}
