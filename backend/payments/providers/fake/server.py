"""The fake provider as a server on this machine's loopback: API, pages, and a control door for tests."""

import hmac
import json
import socket
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from backend.payments.providers.fake import api, pages
from backend.payments.providers.fake.books import Wrong
from backend.payments.providers.fake.deliveries import Sender
from backend.payments.providers.fake.engine import Engine
from backend.payments.providers.fake.faults import Fault, Faults
from backend.payments.providers.fake.objects import Thing

LONGEST = 1_000_000  # bytes of a request
HERE = {"127.0.0.1", "localhost", "::1"}
SOON = 60  # seconds that a debit takes when it was signed on the page


class Server:
    """Runs in a thread. Its folder holds the log: started again on it, it knows what it accepted."""

    def __init__(
        self, folder: Path, *, key: str, port: int = 0, page: str = "", control: bool = False, notify: str = "",
        secret: str = "",
    ) -> None:  # fmt: skip
        """Args: key: the API key it wants. port: 0 for a free one. page: how browsers reach it, if not by its number.
        control: whether `/control/` answers, with the same key. notify: the address its events are posted to, signed
        with `secret`; empty to post none."""
        self.faults = Faults()
        self.key, self.control = key, control
        self._http = _Http(("127.0.0.1", port), _Handler)
        self._http.house = self
        self.address = page or f"http://127.0.0.1:{self._http.server_address[1]}"
        self.engine = Engine(folder, page=self.address)
        self._sender = Sender(self.engine, folder, address=notify, secret=secret) if notify else None
        self._thread = threading.Thread(
            target=self._http.serve_forever, args=(0.05,), name="fake-provider", daemon=True
        )

    def start(self) -> None:
        """Answer from now on."""
        self._thread.start()
        if self._sender is not None:
            self._sender.start()

    def leave(self) -> None:
        """Answer no more; what happens meanwhile is still written to the log."""
        if self._sender is not None:
            self._sender.stop()
        self._http.shutdown()
        self._http.server_close()

    def stop(self) -> None:
        """Answer no more, and close the log."""
        self.leave()
        self.engine.stop()


class _Http(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False
    request_queue_size = 64
    house: Server

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that went away is not worth a line."""


class _Handler(BaseHTTPRequestHandler):
    server: _Http
    server_version = "FakeProvider"
    timeout = 30

    def log_message(self, format: str, *args: Any) -> None:
        """Nothing on the terminal: the log is a file."""

    def do_GET(self) -> None:
        """Pages and reads."""
        self._treat("GET")

    def do_POST(self) -> None:
        """What changes something."""
        self._treat("POST")

    def do_DELETE(self) -> None:
        """The end of a subscription, or of a payer."""
        self._treat("DELETE")

    # --- inside -------------------------------------------------------------------------------------------------

    def _treat(self, method: str) -> None:
        house, where = self.server.house, urlsplit(self.path)
        if urlsplit(f"//{self.headers.get('Host') or ''}").hostname not in HERE:  # a page of elsewhere named us
            self._json(421, {"error": {"type": "invalid_request_error", "message": "Not the address of this server."}})
            return
        said = self.headers.get("Content-Length") or "0"
        length = int(said) if said.isascii() and said.isdigit() else LONGEST + 1
        if length > LONGEST:
            self._json(413, {"error": {"type": "invalid_request_error", "message": "Too long."}})
            return
        body = self.rfile.read(length).decode(errors="replace")
        try:
            if where.path.startswith("/v1/"):
                self._api(house, method, where.path, body or where.query)
            elif where.path.startswith("/control/") and house.control:
                self._control(house, where.path.removeprefix("/control/"), body)
            else:
                self._page(house, method, where.path, body)
        except Wrong as wrong:
            self._json(wrong.status, wrong.body)

    def _entitled(self, house: Server) -> bool:
        given = self.headers.get("Authorization") or ""
        return hmac.compare_digest(given.encode(), f"Bearer {house.key}".encode())

    def _api(self, house: Server, method: str, path: str, text: str) -> None:
        fault = house.faults.next_for(f"{method} {path}")
        kind = fault.kind if fault is not None else ""
        if kind == "drop":
            self._hang_up()
            return
        if not self._entitled(house):
            self._json(401, {"error": {"type": "invalid_request_error", "message": "Invalid API Key provided."}})
            return
        if fault is not None and kind in ("503", "429", "409"):
            self._json(
                int(kind),
                {
                    "error": {
                        "type": "idempotency_error" if kind == "409" else "api_error",
                        "message": "Try again later.",
                    }
                },
                {"Retry-After": str(int(fault.seconds))} if fault.seconds else {},
            )
            return
        params = api.nested(text)
        house.engine.tick()
        if method == "GET":
            with house.engine.lock:
                status, answer = 200, api.read(house.engine.books, path, params, house.engine.now())
            if kind == "500":
                status, answer = 500, {"error": {"type": "api_error", "message": "Something went wrong."}}
        else:
            broken = ("after" if fault is not None and fault.effect else "before") if kind == "500" else ""
            key = self.headers.get("Idempotency-Key") or ""
            status, answer = house.engine.ask(method, path, params, key=key, broken=broken)
        if kind == "cut":
            self._hang_up()
            return
        if kind == "late" and fault is not None:
            time.sleep(fault.seconds)
        self._json(status, answer)

    def _control(self, house: Server, what: str, body: str) -> None:
        if not self._entitled(house):
            self._json(401, {"error": {"message": "Not with this key."}})
            return
        words: Thing = json.loads(body or "{}")
        if what == "clock":
            house.engine.move_clock(**words)
            self._json(200, {"now": house.engine.now()})
        elif what == "faults":
            for one in words["faults"]:
                house.faults.add(Fault(**one))
            self._json(200, {})
        else:
            self._json(200, house.engine.act(what, **words))

    def _page(self, house: Server, method: str, path: str, body: str) -> None:
        house.engine.tick()
        folder, _, one = path.strip("/").partition("/")
        engine = house.engine
        kind = {"pay": "checkout.session", "portal": "billing_portal.session"}.get(folder)
        if kind is None:
            self._html(404, "<!doctype html><title>404</title><p>There is nothing here.")
            return
        session = engine.books.get(one, kind)
        will = str(api.nested(body).get("will", "")) if method == "POST" else ""
        if folder == "portal":
            if will:
                engine.act("will", of=session["customer"], will=will)
            self._html(200, pages.portal(session, changed=bool(will)))
        elif will == "leave":
            self._go(session["cancel_url"])
        elif will and session["status"] == "open":
            engine.act("pay", of=one, will=will, seconds=SOON)  # who tries it does not wait for days
            if session["status"] == "open":
                self._html(200, pages.checkout(session, refused=True))
            else:
                self._go(session["success_url"].replace("{CHECKOUT_SESSION_ID}", one))
        else:
            self._html(200, pages.checkout(session))

    def _hang_up(self) -> None:
        self.close_connection = True
        self.connection.shutdown(socket.SHUT_RDWR)

    def _go(self, address: str) -> None:
        self.send_response(303)
        self.send_header("Location", address)
        self.end_headers()

    def _html(self, status: int, text: str) -> None:
        self._send(status, "text/html; charset=utf-8", text.encode(), {})

    def _json(self, status: int, thing: Thing, headers: dict[str, str] | None = None) -> None:
        self._send(status, "application/json", json.dumps(thing).encode(), headers or {})

    def _send(self, status: int, kind: str, body: bytes, headers: dict[str, str]) -> None:
        self.send_response(status)
        for name, value in {"Content-Type": kind, "Content-Length": str(len(body)), **headers}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)
