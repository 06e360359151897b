"""A browser without scripts: cookies, forms as they stand in the page, redirects."""

import secrets
import time
from dataclasses import dataclass, field
from html.parser import HTMLParser
from http.cookiejar import CookieJar
from typing import Any
from urllib.error import HTTPError
from urllib.parse import urlencode, urljoin
from urllib.request import HTTPCookieProcessor, Request, build_opener

from backend.operations import demo


@dataclass
class Form:
    """One form of a page: where it goes, what it would send."""

    action: str
    method: str
    values: dict[str, str] = field(default_factory=dict)
    multipart: bool = False


class _Forms(HTMLParser):
    """Collects the forms of a page with the values their fields hold."""

    def __init__(self) -> None:
        """Nothing seen yet."""
        super().__init__()
        self.forms: list[Form] = []
        self._select = ""
        self._area = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Forms, inputs, selects, text areas."""
        found = {name: value or "" for name, value in attrs}
        if tag == "form":
            multipart = found.get("enctype") == "multipart/form-data"
            self.forms.append(Form(found.get("action", ""), found.get("method", "get").lower(), {}, multipart))
        elif self.forms and tag in {"input", "button"} and "name" in found:
            kind = found.get("type", "text")
            if kind in {"radio", "checkbox"} and "checked" not in dict(attrs):
                return
            if tag == "button" or kind in {"file", "submit"}:
                return
            self.forms[-1].values[found["name"]] = found.get("value", "on" if kind == "checkbox" else "")
        elif self.forms and tag == "select":
            self._select = found.get("name", "")
        elif self.forms and tag == "option" and self._select:
            if "selected" in dict(attrs) or self._select not in self.forms[-1].values:
                self.forms[-1].values[self._select] = found.get("value", "")
        elif self.forms and tag == "textarea":
            self._area = found.get("name", "")
            self.forms[-1].values[self._area] = ""

    def handle_endtag(self, tag: str) -> None:
        """Leave a select or a text area."""
        if tag == "select":
            self._select = ""
        elif tag == "textarea":
            self._area = ""

    def handle_data(self, data: str) -> None:
        """The text inside a text area."""
        if self._area:
            self.forms[-1].values[self._area] += data


class Browser:
    """One person's browser on a running instance."""

    def __init__(self, address: str, language: str = "fr") -> None:
        """Start without cookies."""
        self.address = address
        self.language = language
        self.cookies = CookieJar()
        self._opener = build_opener(HTTPCookieProcessor(self.cookies))
        self.url = self.html = ""
        self.status = 0
        self.body = b""

    def _open(self, request: Request) -> "Browser":
        try:
            answer: Any = self._opener.open(request, timeout=60)
        except HTTPError as refused:
            answer = refused
        with answer:
            self.status, self.url, self.body = answer.status, answer.url, answer.read()
        self.html = self.body.decode("utf-8", "replace")
        return self

    def get(self, path: str) -> "Browser":
        """Open a page of the reader's language, or an address."""
        where = path if path.startswith("http") else f"{self.address}/{self.language}/{path}"
        return self._open(Request(where, headers={"Accept": "text/html"}))

    @property
    def forms(self) -> list[Form]:
        """The forms of the page."""
        reader = _Forms()
        reader.feed(self.html)
        return reader.forms

    def form_with(self, *names: str) -> Form:
        """The form of the page that sends all these fields by POST."""
        for form in self.forms:
            if form.method == "post" and set(names) <= set(form.values):
                return form
        raise AssertionError(f"no form with {names} on {self.url} ({self.status}):\n{self.html[:3000]}")

    def submit(self, *names: str, file: tuple[str, bytes] | None = None, **values: str) -> "Browser":
        """Fill and send the form that has these fields and values, as a person would.

        Args: names: fields it must have besides. file: (field, content). values: what to type.
        """
        # A file goes to the form that takes one: the frame of the page may hold others.
        taking = [form for form in self.forms if form.multipart] if file else []
        form = taking[0] if taking else self.form_with("csrfmiddlewaretoken", *names)
        sent = {**form.values, **values}
        where = urljoin(self.url, form.action)
        headers = {"Referer": self.url, "Origin": self.address, "Accept": "text/html"}
        if file is None:
            return self._open(Request(where, data=urlencode(sent).encode(), headers=headers))
        mark = secrets.token_hex(16)
        parts = [
            f'--{mark}\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n{value}\r\n'.encode()
            for name, value in sent.items()
        ]
        head = f'--{mark}\r\nContent-Disposition: form-data; name="{file[0]}"; filename="statement.xml"\r\n'
        parts.append(head.encode() + b"Content-Type: application/xml\r\n\r\n" + file[1] + b"\r\n")
        parts.append(f"--{mark}--\r\n".encode())
        headers["Content-Type"] = f"multipart/form-data; boundary={mark}"
        return self._open(Request(where, data=b"".join(parts), headers=headers))

    def forget_session(self) -> None:
        """Lose all cookies but the one by which a known browser is recognised."""
        for cookie in list(self.cookies):
            if not cookie.name.endswith("tronc_device"):
                self.cookies.clear(cookie.domain, cookie.path, cookie.name)

    def sign_in(self, email: str, password: str) -> "Browser":
        """Sign in through the pages, with the demonstration's second factor where there is one; accept the notices."""
        self.get("accounts/login/").submit("login", "password", login=email, password=password)
        if "/2fa/authenticate/" in self.url:
            self.submit("code", code=demo.code_for(time.time()))
        assert "login" not in self.url, self.html
        assert "/2fa/" not in self.url, self.html
        if any(form.action.endswith("/notices/accept/") for form in self.forms):
            self.submit("next")
        return self
