"""A real SMTP server on the loopback interface that keeps what it receives and answers as a test tells it to."""

import socketserver
import ssl
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID


@dataclass
class Sink:
    """What the server received, and its script: a verb, or the whole line of a command, → the answer to give."""

    port: int = 0
    script: dict[str, str] = field(default_factory=dict)
    offers: list[str] = field(default_factory=list)
    pause: dict[str, float] = field(default_factory=dict)  # verb → seconds of silence before the answer
    context: ssl.SSLContext | None = None
    commands: list[str] = field(default_factory=list)
    letters: list[str] = field(default_factory=list)

    def answer(self, line: str, otherwise: str) -> str:
        """The scripted answer to a command, else the usual one."""
        time.sleep(self.pause.get(line.split(" ", maxsplit=1)[0].upper(), 0))
        return self.script.get(line, self.script.get(line.split(" ", maxsplit=1)[0].upper(), otherwise))


class _Conversation(socketserver.StreamRequestHandler):
    """One connection."""

    def handle(self) -> None:
        """Greet, then answer each command until the client leaves."""
        sink: Sink = self.server.sink  # type: ignore[attr-defined]
        time.sleep(sink.pause.get("CONNECT", 0))
        self._say(sink.script.get("CONNECT", "220 sink ready"))
        try:
            while raw := self.rfile.readline():
                line = raw.decode("utf-8", "replace").rstrip("\r\n")
                sink.commands.append(line)
                if not self._act(sink, line, line.split(" ")[0].upper()):
                    return
        except (ConnectionError, ssl.SSLError, ValueError):
            return

    def _act(self, sink: Sink, line: str, verb: str) -> bool:
        """Answer one command; False when the conversation is over."""
        if verb == "EHLO":
            for offer in ["sink", *sink.offers]:
                self._say(f"250-{offer}")
            self._say(sink.answer(line, "250 8BITMIME"))
        elif verb == "STARTTLS" and sink.context is not None:
            self._say("220 go ahead")
            self.request = sink.context.wrap_socket(self.request, server_side=True)
            self.rfile, self.wfile = self.request.makefile("rb"), self.request.makefile("wb")
        elif verb == "DATA":
            self._say(sink.answer(line, "354 end with a dot"))
            if sink.script.get("DATA", "354").startswith("354"):
                body = []
                while (part := self.rfile.readline()) not in {b".\r\n", b""}:
                    body.append(part.decode("utf-8", "replace"))
                verdict = sink.answer("DOT", "250 kept")
                if verdict.startswith("250"):
                    sink.letters.append("".join(body))
                self._say(verdict)
        else:
            self._say(sink.answer(line, "221 bye" if verb == "QUIT" else "250 ok"))
        return verb != "QUIT"

    def _say(self, line: str) -> None:
        self.wfile.write(f"{line}\r\n".encode())
        self.wfile.flush()


class _Server(socketserver.ThreadingTCPServer):
    allow_reuse_address = True
    daemon_threads = True

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that hangs up in the middle is no error of the server."""


@contextmanager
def smtp_server(**facts: Any) -> Iterator[Sink]:
    """A server for the time of a block."""
    with _Server(("127.0.0.1", 0), _Conversation) as server:
        sink = Sink(port=server.server_address[1], **facts)
        server.sink = sink  # type: ignore[attr-defined]
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
        thread.start()
        try:
            yield sink
        finally:
            server.shutdown()
            thread.join()


def self_signed(folder: Path) -> ssl.SSLContext:
    """The side of a server whose certificate nobody has signed."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "localhost")])
    now = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .sign(key, hashes.SHA256())
    )
    form = (serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    (folder / "key.pem").write_bytes(key.private_bytes(*form))
    (folder / "certificate.pem").write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(folder / "certificate.pem", folder / "key.pem")
    return context
