"""The fake provider's one door: every change is applied under a lock, then written to a log that rebuilds it."""

import json
import os
import secrets
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from backend.payments.providers.fake import flow, money
from backend.payments.providers.fake.books import KEY_LIFE, Books, Wrong, print_of, public
from backend.payments.providers.fake.objects import Thing

Answer = tuple[int, Thing]


class Engine:
    """The provider without its HTTP: acts by name, requests by path, a clock that can be moved."""

    def __init__(self, folder: Path, *, page: str) -> None:
        """Rebuild from the log in `folder`, begun when there is none. Args: page: the address of its pages."""
        self.lock = threading.RLock()
        self.ahead = 0  # seconds its clock is ahead of the machine's
        self.fixed: int | None = None  # or the moment at which it stands
        folder.mkdir(parents=True, exist_ok=True)
        self.path = folder / "log.jsonl"
        lines = self.path.read_bytes().split(b"\n") if self.path.exists() else []
        if lines and lines[-1]:  # cut in the middle of a line: nobody was answered about it
            self.path.write_bytes(b"\n".join(lines[:-1]) + b"\n" if len(lines) > 1 else b"")
        entries = [json.loads(line) for line in lines[:-1] if line]
        self.books = Books(salt=entries[0]["salt"] if entries else secrets.token_hex(8), page=page)
        self.path.touch(mode=0o600)  # it holds the addresses of who pays
        self.log = self.path.open("ab")
        if not entries:
            self._write({"salt": self.books.salt})
        for entry in entries[1:]:
            self.ahead, self.fixed = entry.get("ahead", self.ahead), entry.get("fixed", self.fixed)
            self._apply(entry)

    def now(self) -> int:
        """The moment on its clock, in seconds since 1970."""
        return self.fixed if self.fixed is not None else int(time.time()) + self.ahead

    def stop(self) -> None:
        """Close the log."""
        with self.lock:
            self.log.close()

    def act(self, name: str, **words: Any) -> Thing:
        """Something that happens at the provider without its API: a payer, a bank, the time. See `ACTS`.

        Returns: the object it was about. Raises: Wrong when it cannot happen.
        """
        with self.lock:
            answer = self._do({"do": name, "with": words})
        return answer[1]

    def ask(self, method: str, path: str, params: Thing, *, key: str = "", broken: str = "") -> Answer:
        """A request of the API that changes something, with its idempotency key.

        Args: broken: `before` or `after`, to answer 500 without or with the effect; it is stored under the key.
        """
        with self.lock:
            at = self.now()
            known = self.books.keys.get(key) if key else None
            if known is not None and at - known["at"] < KEY_LIFE:
                if known["print"] != print_of({"path": path, **params}):
                    raise Wrong(
                        "Keys for idempotent requests can only be used with the parameters they were first used with.",
                        kind="idempotency_error",
                    )
                return known["status"], known["body"]
            return self._do({"do": method, "path": path, "with": params, "key": key, "broken": broken})

    def tick(self) -> None:
        """Do all that has fallen due."""
        with self.lock:
            while flow.fall_due(self.books, self.now()):
                # Written after it was done: replayed, it does the same one thing.
                self._write({"do": "due", "at": self.now()})

    def move_clock(self, *, to: int | None = None, by: int = 0, real: bool = False) -> None:
        """Put the clock at a moment where it then stands, or so many seconds further, or back to the machine's when
        `real`; what falls due happens."""
        with self.lock:
            if real:
                self.fixed, self.ahead = None, 0
            elif to is not None:
                self.fixed = to
            elif self.fixed is not None:
                self.fixed += by
            else:
                self.ahead += by
            self._write({"do": "clock", "at": self.now(), "ahead": self.ahead, "fixed": self.fixed})
            self.tick()

    # --- inside -------------------------------------------------------------------------------------------------

    def _do(self, entry: Thing) -> Answer:
        entry["at"] = self.now()
        answer = self._apply(entry)
        self._write(entry)
        return answer

    def _write(self, entry: Thing) -> None:
        self.log.write(json.dumps(entry, separators=(",", ":")).encode() + b"\n")
        self.log.flush()
        os.fsync(self.log.fileno())

    def _apply(self, entry: Thing) -> Answer:
        books, at, what = self.books, entry["at"], entry["do"]
        if what == "clock":
            return 200, {}
        if what == "due":
            flow.fall_due(books, at)
            return 200, {}
        if what not in ("POST", "DELETE"):
            return 200, public(_act(books, at, what, dict(entry["with"])))
        if entry.get("broken") == "before":
            answer: Answer = (500, {"error": {"type": "api_error", "message": "Something went wrong."}})
        else:
            answer = 200, public(_request(books, at, what, entry["path"], entry["with"]))
            if entry.get("broken") == "after":
                answer = (500, {"error": {"type": "api_error", "message": "Something went wrong."}})
        if entry.get("key"):
            books.keys[entry["key"]] = {
                "at": at,
                "print": print_of({"path": entry["path"], **entry["with"]}),
                "status": answer[0],
                "body": answer[1],
            }
        return answer


def _request(books: Books, at: int, method: str, path: str, params: Thing) -> Thing:
    parts = path.strip("/").split("/")[1:]
    if (method, parts) == ("POST", ["checkout", "sessions"]):
        return flow.open_session(books, at, params)
    if (method, parts) == ("POST", ["refunds"]):
        return money.give_back(books, at, params)
    if (method, parts) == ("POST", ["billing_portal", "sessions"]):
        return _portal(books, at, params)
    for asked, folder, last, kind, change in CHANGES:
        if method == asked and "/".join(parts).startswith(f"{folder}/") and parts[len(folder.split("/")) + 1 :] == last:
            thing = books.get(parts[len(folder.split("/"))], kind)
            return change(books, at, thing, params)
    raise Wrong(f"Unrecognized request URL ({method}: {path}).", status=404)


# Method, folder, what follows the id, the kind of object, what is done to it.
CHANGES: list[tuple[str, str, list[str], str, Callable[[Books, int, Thing, Thing], Thing]]] = [
    (
        "POST",
        "checkout/sessions",
        ["expire"],
        "checkout.session",
        lambda b, at, one, _: flow.expire_session(b, at, one),
    ),
    ("POST", "invoices", ["void"], "invoice", lambda b, at, one, _: flow.void_invoice(b, at, one)),
    ("POST", "subscriptions", [], "subscription", flow.change_subscription),
    ("DELETE", "customers", [], "customer", lambda b, at, one, _: flow.delete_customer(b, at, one)),
    ("DELETE", "subscriptions", [], "subscription", lambda b, at, one, _: flow.cancel_subscription(b, at, one)),
]


def _portal(books: Books, at: int, params: Thing) -> Thing:
    payer = books.get(str(params.get("customer", "")), "customer")
    new = books.new("bps")
    return books.add(
        {
            "id": new,
            "object": "billing_portal.session",
            "created": at,
            "customer": payer["id"],
            "livemode": False,
            "locale": params.get("locale"),
            "return_url": params.get("return_url"),
            "url": f"{books.page}/portal/{new}",
        }
    )


def _settings(books: Books, _at: int, **words: Any) -> Thing:
    """`rates`, `settles` and `debit_days`: see `Books`."""
    for name, value in words.items():
        setattr(books, name, value)
    return {}


def _will(_books: Books, _at: int, payer: Thing, *, will: str) -> Thing:
    payer["_will"] = will
    return payer


def _test_event(books: Books, at: int) -> Thing:
    return books.tell("customer.created", {"id": books.new("cus"), "object": "customer"}, at)


# What a payer, a bank or the time does: its name, and the kind of the object whose id is `of` (None: no object).
ACTS: dict[str, tuple[str | None, Callable[..., Thing]]] = {
    "settings": (None, _settings),
    "pay": ("checkout.session", flow.pay),
    "will": ("customer", _will),
    "collect": ("invoice", flow.collect),
    "end_debit": ("charge", flow.end_debit),
    "end_mandate": ("mandate", flow.end_mandate),
    "cancel": ("subscription", flow.cancel_subscription),
    "reverse": ("charge", money.reverse),
    "refund": ("charge", lambda books, at, one, **words: money.give_back(books, at, {"charge": one["id"], **words})),
    "fail_refund": ("refund", money.fail_refund),
    "dispute": ("charge", money.open_dispute),
    "withdraw": ("dispute", money.withdraw),
    "close_dispute": ("dispute", money.close_dispute),
    "payout": (None, money.pay_out),
    "fail_payout": ("payout", money.fail_payout),
    "fee": (None, money.take_fee),
    "adjust": (None, money.adjust),
    "test_event": (None, _test_event),
}


def _act(books: Books, at: int, what: str, words: Thing) -> Thing:
    if what not in ACTS:
        raise Wrong(f"Nothing is called {what} here.")
    kind, act = ACTS[what]
    if kind is None:
        return act(books, at, **words)
    return act(books, at, books.get(words.pop("of"), kind), **words)
