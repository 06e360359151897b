"""One instance of Tronc as the commands ask it: https, no redirection, problems told in sentences."""

import json
import socket
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from http.client import HTTPException
from ipaddress import ip_address
from typing import Any
from urllib.parse import urlencode, urlsplit

from tronc_client import __version__
from tronc_client.said import NO_ANSWER, NOT_ALLOWED, REFUSED, Failure, _, clean, language

SECONDS = 30  # for an answer to begin, and between two of its pieces
MOST = 16 * 1024 * 1024  # bytes of an answer
TURNS = 3
LONGEST_WAIT = 10


def address_of(text: str) -> str:
    """The address of an instance as it is kept: https://host, http for this machine alone."""
    typed = text.strip().rstrip("/")
    if "://" not in typed:
        typed = f"https://{typed}"
    try:
        parts = urlsplit(typed)
        port = parts.port
    except ValueError:
        raise Failure(_("This is not the address of an instance: write https://tronc.example.org.")) from None
    host = parts.hostname or ""
    if parts.scheme not in {"http", "https"} or not host or "@" in parts.netloc or parts.query or parts.fragment:
        raise Failure(_("This is not the address of an instance: write https://tronc.example.org."))
    if parts.scheme == "http" and not _here(host):
        raise Failure(_("Only https keeps your token secret: http is for this machine alone."))
    shown = f"[{host}]" if ":" in host else host
    return f"{parts.scheme}://{shown}{f':{port}' if port else ''}{parts.path}"


def _here(host: str) -> bool:
    """Whether a host is this machine."""
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


class _Stay(urllib.request.HTTPRedirectHandler):
    """Follows no redirection: the token is for the host that the person named, and for no other."""

    def redirect_request(self, *_arguments: Any, **_names: Any) -> None:
        """Leave it as the answer it is."""
        return


class NoAnswer(Failure):
    """Nothing came back, or nothing that says whether the act was done."""

    def __init__(self, text: str) -> None:
        """With the code of its sort."""
        super().__init__(text, NO_ANSWER)


class Problem(Failure):
    """A refusal of the instance: its code, its status and its faults, told in sentences."""

    def __init__(self, status: int, body: dict[str, Any]) -> None:
        """Tell it: the title, what happened, and each place that is at fault."""
        self.status, self.body = status, body
        self.faults = [one for one in body.get("errors") or [] if isinstance(one, dict)]
        lines = [clean(body.get("title") or _("The instance refused.")), clean(body.get("detail") or "")]
        lines += [
            f"  {clean(str(one.get('pointer') or one.get('parameter') or one.get('header') or ''))}:"
            f" {clean(str(one.get('detail') or ''))}"
            for one in self.faults[:20]
        ]
        if body.get("request_id") and status >= 500:
            lines.append(_("Request: %s") % clean(str(body["request_id"])))
        super().__init__("\n".join(line for line in lines if line), NOT_ALLOWED if status in {401, 403} else REFUSED)


class Instance:
    """The instance at an address, asked with a token."""

    def __init__(self, address: str, token: str) -> None:
        """Look at the address again: the file may have been changed."""
        self.address, self._token, self._tag = address_of(address), token, ""
        # What asks this machine does not go through a proxy.
        proxies = [urllib.request.ProxyHandler({})] if _here(urlsplit(self.address).hostname or "") else []
        self._opener = urllib.request.build_opener(_Stay, *proxies)

    def get(self, path: str, **parameters: Any) -> Any:
        """Read; raises Problem, NoAnswer."""
        query = urlencode({name: value for name, value in parameters.items() if value not in (None, "")})
        return self._often("GET", f"{path}?{query}" if query else path, None, "")

    def rows(self, path: str, most: int | None = None, **parameters: Any) -> Iterator[dict[str, Any]]:
        """The rows of a list, page after page; most: how many at most."""
        cursor, left = "", most
        while left is None or left > 0:
            size = 100 if left is None else min(100, left)
            body = self.get(path, limit=size, cursor=cursor, **parameters)
            yield from body["data"]
            left = None if left is None else left - len(body["data"])
            cursor = body["next_cursor"] if body["has_more"] else ""
            if not cursor:
                return

    def post(self, path: str, body: dict[str, Any], *, key: str) -> Any:
        """Act, with a key that makes a repetition harmless; raises Problem, NoAnswer."""
        return self._often("POST", path, json.dumps(body, ensure_ascii=False).encode(), key)

    def read(self, path: str) -> tuple[dict[str, Any], str]:
        """Read one thing, with the mark of its version; raises Problem, NoAnswer."""
        found = self._often("GET", path, None, "")
        return found, self._tag

    def change(self, path: str, body: dict[str, Any], *, tag: str) -> Any:
        """Change a thing, if it is still as it was read; raises Problem, NoAnswer."""
        return self._often("PATCH", path, json.dumps(body, ensure_ascii=False).encode(), "", tag)

    def delete(self, path: str, *, tag: str) -> None:
        """Delete a thing, if it is still as it was read; raises Problem, NoAnswer."""
        self._often("DELETE", path, None, "", tag)

    def _often(self, method: str, path: str, data: bytes | None, key: str, tag: str = "") -> Any:
        """Ask, and ask again when nothing came back: a read changes nothing, an act has its key."""
        for turn in range(1, TURNS + 1):
            wait = 0.5 * turn
            try:
                return self._once(method, path, data, key, tag)
            except NoAnswer:
                # What has a tag and no key is asked once: done already, it would be refused as changed meanwhile.
                if turn == TURNS or tag:
                    raise
            except Problem as refusal:
                passing = refusal.status in {429, 503} or refusal.body.get("code") == "idempotency_key_in_flight"
                if not passing or turn == TURNS:
                    raise
                wait = min(LONGEST_WAIT, refusal.body.get("retry_after") or wait)
            time.sleep(wait)
        raise AssertionError("the last turn returns or raises")

    def _once(self, method: str, path: str, data: bytes | None, key: str, tag: str) -> Any:
        headers = {
            "Authorization": f"Bearer {self._token}",
            "Accept": "application/json",
            "Accept-Language": language(),
            "User-Agent": f"tronc-client/{__version__}",
        }
        if data is not None:
            headers |= {"Content-Type": "application/json"}
        headers |= {"Idempotency-Key": key} if key else {}
        headers |= {"If-Match": tag} if tag else {}
        request = urllib.request.Request(f"{self.address}/v1/{path}", data, headers, method=method)  # noqa: S310
        try:
            with self._opener.open(request, timeout=SECONDS) as answer:
                status, found = answer.status, answer.read(MOST + 1)
                self._tag = answer.headers.get("ETag", "")
        except urllib.error.HTTPError as refusal:
            with refusal:
                raise self._refusal(refusal) from None
        except (urllib.error.URLError, HTTPException, socket.timeout, OSError) as failure:  # noqa: UP041
            reason = clean(str(getattr(failure, "reason", "") or failure or type(failure).__name__))
            raise NoAnswer(_("%s does not answer: %s.") % (self.address, reason)) from None
        if status == 204:
            return {}
        body = _json(found)
        if len(found) > MOST or not isinstance(body, dict):
            raise NoAnswer(_("%s answered %s with something that is not of Tronc.") % (self.address, status))
        return body

    def _refusal(self, refusal: urllib.error.HTTPError) -> Failure:
        if 300 <= refusal.code < 400:
            where = clean(refusal.headers.get("Location", "?"))
            return Failure(
                _("%s sends elsewhere, to %s. Nothing was sent there: if you trust it, log in to that address.")
                % (self.address, where),
                REFUSED,
            )
        try:
            body = _json(refusal.read(MOST))
        except (HTTPException, OSError):
            body = None
        if not isinstance(body, dict) or "code" not in body:
            text = _("%s answered %s with something that is not of Tronc.") % (self.address, refusal.code)
            return NoAnswer(text) if refusal.code >= 500 else Failure(text, REFUSED)
        wait = refusal.headers.get("Retry-After", "")
        problem = Problem(refusal.code, {**body, "retry_after": int(wait) if wait.isdecimal() else None})
        if refusal.code >= 500 and refusal.code != 503:
            return NoAnswer(str(problem))
        return problem


def _json(found: bytes) -> Any:
    try:
        return json.loads(found)
    except (ValueError, RecursionError):
        return None
