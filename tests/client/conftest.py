"""Runs the command line as people do: another process, a home of its own, a real server or one that misbehaves."""

import http.client
import os
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from tests.api.conftest import call

__all__ = ["call"]
CLIENT = Path(__file__).resolve().parents[2] / "api_docs" / "client"


class Shell:
    """A home folder in which `tronc` is run."""

    def __init__(self, home: Path) -> None:
        """Everything it keeps goes below this folder."""
        self.home = home
        self.environment = {
            "PATH": os.environ["PATH"], "HOME": str(home), "PYTHONPATH": str(CLIENT), "LANG": "en_GB.UTF-8",
            "XDG_CONFIG_HOME": str(home / "config"), "XDG_STATE_HOME": str(home / "state"), "TZ": "Europe/Paris",
            "GIT_CONFIG_NOSYSTEM": "1", "PYTHONWARNINGS": "error",
        }  # fmt: skip
        self.config = home / "config" / "tronc" / "config.json"
        self.secret = "no token yet"

    def tronc(self, *words: str, said: str = "", code: int = 0, **environment: str) -> subprocess.CompletedProcess[str]:
        """Run it and check its exit code; never may it print a token or break."""
        done = subprocess.run(
            [sys.executable, "-m", "tronc_client", *words], input=said, capture_output=True, text=True, timeout=90,
            env={**self.environment, **environment}, check=False,
        )  # fmt: skip
        told = done.stdout + done.stderr
        assert "Traceback" not in told, told
        assert done.returncode == code, (done.returncode, told)
        assert self.secret not in told
        return done

    def login(self, address: str, token: str) -> None:
        """Log in."""
        self.secret = token
        self.tronc("login", address, "--token-stdin", said=f"{token}\n")

    def waiting(self) -> list[Path]:
        """What waits for an answer."""
        return list((self.home / "state" / "tronc" / "waiting").glob("*"))


class Live:
    """A real server with the played demonstration, up to the money received."""

    def __init__(self, world: Any, call: Any, address: str) -> None:
        """Keep what the tests ask for."""
        self.world, self.call, self.address = world, call, address

    def token(self, *scopes: str) -> str:
        """A token of Bo, who contributes; with what the command line needs unless told."""
        wanted = list(scopes) or ["contributions:read", "contributions:write"]
        return str(self.call(self.world.users["bo"], wanted).token)


@pytest.fixture
def live(committed: str, play: Any, call: Any, processes: Any) -> Live:
    """Start it."""
    return Live(play("receive"), call, processes.web(workers=1))


@pytest.fixture
def shell(tmp_path: Path) -> Shell:
    """A fresh home."""
    return Shell(tmp_path)


class Between:
    """A server between the command and a real one: it can lose answers, or give its own."""

    def __init__(self, behind: str = "") -> None:
        """behind: the address of the real one."""
        self.behind, self.lose, self.before = behind, 0, 0
        self.gives: Callable[[str], tuple[int, dict[str, str], bytes]] | None = None
        self.asked: list[tuple[str, str, str]] = []
        between = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                between.answer(self)

            do_POST = do_PATCH = do_DELETE = do_GET

            def log_message(self, *_arguments: Any) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_address[1]}"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def answer(self, handler: BaseHTTPRequestHandler) -> None:
        """Ask the real server, then give its answer or lose it; `before`: lose the question instead."""
        size = int(handler.headers.get("Content-Length") or 0)
        data = handler.rfile.read(size)
        self.asked.append((handler.command, handler.path, handler.headers.get("Idempotency-Key", "")))
        if self.gives:
            status, headers, body = self.gives(handler.path)
        else:
            if handler.command != "GET" and self.before > 0:
                self.before -= 1
                handler.close_connection = True
                return
            real = http.client.HTTPConnection(urlsplit(self.behind).netloc, timeout=60)
            kept = {name: value for name, value in handler.headers.items() if name.lower() != "host"}
            real.request(handler.command, handler.path, data, {**kept, "Host": urlsplit(self.behind).netloc})
            found = real.getresponse()
            headers = {name: found.headers[name] for name in ("Content-Type", "ETag") if name in found.headers}
            status, body = found.status, found.read()
            real.close()
            if handler.command != "GET" and self.lose > 0:
                self.lose -= 1
                handler.close_connection = True
                return
        handler.send_response(status)
        for name, value in {**headers, "Content-Length": str(len(body))}.items():
            handler.send_header(name, value)
        handler.end_headers()
        handler.wfile.write(body)


@pytest.fixture
def between() -> Iterator[Callable[..., Between]]:
    """`between(address)` before a real server; `between()` alone."""
    made: list[Between] = []

    def make(behind: str = "") -> Between:
        made.append(Between(behind))
        return made[-1]

    yield make
    for one in made:
        one.server.shutdown()
        one.server.server_close()


class Commits:
    """A repository with commits of somebody."""

    def __init__(self, folder: Path) -> None:
        """Make it."""
        self.folder = folder
        folder.mkdir()
        self.git("init", "-q", "-b", "main")
        self.git("config", "user.email", "bo@example.org")
        self.git("config", "user.name", "Bo")
        self.git("remote", "add", "origin", "https://bo:secret@forge.example.org/atlas/carto.git")

    def git(self, *words: str, said: str | None = None, **environment: str) -> str:
        """Run git there."""
        done = subprocess.run(
            ["git", "-C", str(self.folder), *words], input=said, capture_output=True, text=True, check=True,
            env={**os.environ, "HOME": str(self.folder), "GIT_CONFIG_NOSYSTEM": "1", **environment},
        )  # fmt: skip
        return done.stdout.strip()

    def commit(self, message: str, *, author: str = "Bo <bo@example.org>", on: str = "") -> str:
        """Commit this message, as it is; gives the name of the commit."""
        when = {"GIT_AUTHOR_DATE": f"{on}T12:00:00+0100"} if on else {}
        self.git(
            "commit", "-q", "--allow-empty", "--cleanup=verbatim", f"--author={author}", "-F", "-", said=message, **when
        )
        return self.git("rev-parse", "HEAD")


@pytest.fixture
def commits(tmp_path: Path) -> Commits:
    """A fresh repository."""
    return Commits(tmp_path / "repository")
