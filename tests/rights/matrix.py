"""Reads matrix.toml, tries its cells, and says which are wrong; the tests and the tests of the tests share it."""

import os
import random
import re
import tomllib
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

from django.db import connection, transaction
from django.http import HttpResponse
from django.test import Client
from django.urls import URLPattern, URLResolver, reverse
from django.utils import translation

from tests.rights.world import PERSONAS, House

FILE = Path(__file__).resolve().parent / "matrix.toml"
WHOLE = bool(os.environ.get("TRONC_WHOLE"))  # every cell of the pages: `./run prove grids`
SEED = os.environ.get("TRONC_SEED", "1")  # another one draws another slice
GROUPS = {
    "everybody": set(PERSONAS),
    "signed": set(PERSONAS) - {"anonymous"},
    "members": {"member", "manager"},
}
ENDS = {"anonymous", "outsider", "treasurer", "administrator"}
WHICH = ("own", "foreign", "other", "-")
VERBS = ("GET", "POST", "PUT", "PATCH", "DELETE")
OUTCOMES = {"ok", "404", "403", "401", "405", "410", "signin", "stepup", "elsewhere"}
STEPS_UP = re.compile(r"/(2fa/)?reauthenticate/")
# What a refused request, or one that only reads, may write: sessions, limits, and the account of the refusal itself.
KEPT = {"django_session", "core_cache", "usersessions_usersession", "events_untold"}
TOLD = ("'act.refused'", "'books.exported'", "'audit.exported'", "'document.downloaded'", "'paper.read'")
WRITES = re.compile(r"^\s*(?:INSERT INTO|UPDATE|DELETE FROM)\s+\"?(\w+)", re.IGNORECASE)


class Cell(NamedTuple):
    """One question of the matrix, and its answer."""

    route: str
    verb: str
    of: str
    which: str
    persona: str
    expected: str

    def __str__(self) -> str:
        """In words, for the list of wrong cells."""
        thing = "" if self.which == "-" else f" of {self.which} {self.of}"
        return f"{self.persona}: {self.verb} {self.route}{thing}"


@dataclass(frozen=True)
class Row:
    """What one route answers: by verb, by whose object, by persona."""

    route: str
    of: str
    answers: Mapping[str, Mapping[str, Mapping[str, str]]]  # verb → which → persona → outcome
    # com, org → of which things a token held to the first commons, or organisation, still finds
    reach: Mapping[str, frozenset[str]]
    # the verbs that ask for a factor of the last five minutes
    fresh: frozenset[str] = frozenset()
    # whether a form of another site may be sent here: it changes nothing of anybody's
    open: bool = False

    def cells(self) -> Iterator[Cell]:
        """Each cell in its order."""
        for verb, by_which in self.answers.items():
            for which, by_persona in by_which.items():
                for persona, expected in by_persona.items():
                    yield Cell(self.route, verb, self.of, which, persona, expected)

    def telling(self) -> Iterator[Cell]:
        """The cells that say something: where all with an account are let in alike, the weakest and the strongest."""
        for cell in self.cells():
            answers = self.answers[cell.verb][cell.which]
            alike = all(answers[persona] == "ok" for persona in GROUPS["signed"])
            if not alike or cell.persona in ENDS:
                yield cell

    def tried(self) -> list[Cell]:
        """The cells that a run tries, those of all others too when `./run prove grids` asks: see SEED.

        Drawn by lot, of each verb and whose object: one persona of each answer; and one verb that is not taken.
        """
        telling, unlisted = list(self.telling()), list(self.unlisted())
        if WHOLE:
            return [*telling, *unlisted]
        dice = random.Random(f"{SEED} {self.route}")  # noqa: S311  the dice must be the same again
        for cells in (telling, unlisted):
            dice.shuffle(cells)
        drawn = {(cell.verb, cell.which, cell.expected): cell for cell in telling}
        return [*drawn.values(), *unlisted[:1]]

    def unlisted(self) -> Iterator[Cell]:
        """The verbs that the route does not take, asked by somebody whom it lets in otherwise."""
        let_in = next((cell for cell in self.cells() if cell.expected == "ok"), None)
        for verb in VERBS:
            if let_in is not None and verb not in self.answers:
                yield let_in._replace(verb=verb, expected="405")


def table(section: str) -> dict[str, Row]:
    """The rows of a section of matrix.toml (`pages` or `api`), by route; raises ValueError on what it does not mean."""
    return read_rows(tomllib.loads(FILE.read_text("utf-8"))[section], default="401" if section == "api" else "signin")


def read_rows(rows: Mapping[str, Any], *, default: str) -> dict[str, Row]:
    """The rows as written: see the head of matrix.toml. default: what somebody without account is answered."""
    found = {}
    for route, said in rows.items():
        verbs: dict[str, dict[str, dict[str, str]]] = {}
        for names, by_which in said.items():
            if names in {"of", "rest", "com", "org", "fresh", "open"}:
                continue
            for verb in names.split("-"):
                if verb not in VERBS or not set(by_which) <= set(WHICH):
                    raise ValueError(f"{route}: {names} {list(by_which)}")
                verbs[verb] = {
                    which: _personas(text, rest=said.get("rest", "404"), anonymous=default, where=route)
                    for which, text in by_which.items()
                }
        if not verbs:
            raise ValueError(f"{route}: no verb")
        reach = {kind: frozenset(said.get(kind, "").split()) for kind in ("com", "org")}
        if not set().union(*reach.values()) <= {which for by_which in verbs.values() for which in by_which}:
            raise ValueError(f"{route}: {reach}")
        found[route] = Row(
            route, said.get("of", "-"), verbs, reach, frozenset(said.get("fresh", "").split()), said.get("open", False)
        )
    return found


def _personas(text: str, *, rest: str, anonymous: str, where: str) -> dict[str, str]:
    """Persona → outcome, from “ok treasurer auditor; 403 steward”."""
    answers = {"anonymous": anonymous} | {one: rest for one in PERSONAS if one != "anonymous"}
    for part in filter(None, (part.strip() for part in text.split(";"))):
        outcome, *names = part.split()
        if outcome not in OUTCOMES or not set(names) <= set(PERSONAS) | set(GROUPS):
            raise ValueError(f"{where}: {part}")
        for name in names:
            answers |= dict.fromkeys(GROUPS.get(name, {name}), outcome)
    return {persona: answers[persona] for persona in PERSONAS}


def routes(patterns: Collection[URLPattern | URLResolver], prefix: str = "") -> Iterator[str]:
    """The routes of a list of addresses: their names, or the address itself when they have none; each once."""
    seen = set()
    for pattern in patterns:
        place = prefix + str(pattern.pattern)
        if isinstance(pattern, URLResolver):
            names = list(routes(pattern.url_patterns, place))
        else:
            names = [pattern.name or re.sub(r"^(fr|en)/", "", place) or "/"]
        for name in names:
            if name not in seen:
                seen.add(name)
                yield name


def outcome(answer: HttpResponse) -> str:
    """An answer in the words of the matrix; a status that no cell may have is given as it is.

    Told that what they sent cannot be used (409, 412, 415, 422, 428), somebody was let in.
    """
    status, where = answer.status_code, answer.headers.get("Location", "")
    if status in {301, 302, 303} and where.startswith(("/en/accounts/login/", "/fr/accounts/login/")):
        return "signin"
    if status in {301, 302, 303} and STEPS_UP.search(where):
        return "stepup"
    if status in {200, 201, 202, 204, 302, 303, 409, 412, 415, 422, 428}:
        return "ok"
    return str(status)


def address_of(cell: Cell, house: House, names: Mapping[str, Any] | None = None) -> str:
    """The address of a page."""
    known = house.names(cell.of, cell.which, cell.persona) if names is None else names
    if "/" in cell.route or "." in cell.route:
        return "/" + re.sub(r"<(?:\w+:)?(\w+)>", lambda name: str(known[name[1]]), cell.route.removeprefix("/"))
    with translation.override("en"):
        return reverse(cell.route, kwargs=dict(known))


def ask(cell: Cell, house: House, address: str, body: Any = None, browser: Client | None = None) -> HttpResponse:
    """Ask for a page with the browser of a persona, or with another one."""
    browser = browser or house.browser(cell.persona)
    return getattr(browser, cell.verb.lower())(address, body or {}, HTTP_ACCEPT="text/html")  # type: ignore[no-any-return]


Asker = Callable[[Cell, House], HttpResponse]


def wrong(cell: Cell, house: House, asker: Asker, browser: Client | None = None) -> str:
    """What is wrong with a cell, tried for real and undone; empty when it is right.

    A refused request, and one that reads, must also have written nothing but what KEPT says and the refusal's event.
    """
    browser = browser or house.browser(cell.persona)
    cookies = dict(browser.cookies)
    writes = Writes()
    with transaction.atomic(), connection.execute_wrapper(writes):
        answer = asker(cell, house)
        if answer.streaming:
            for _part in answer:  # a file is closed when it was read to its end
                pass
        transaction.set_rollback(True)
    browser.cookies.clear()
    browser.cookies.update(cookies)
    found = outcome(answer)
    if found != cell.expected:
        return f"{cell}: {found} instead of {cell.expected}"
    if cell.expected == "ok" and cell.verb == "POST":
        return ""
    return f"{cell}: {found}, but wrote in {', '.join(sorted(writes.tables))}" if writes.tables else ""


COUNTED = 'UPDATE "contributions_repository" SET "unsigned" = '


class Writes:
    """Notes the tables that are written in, and must not be by a request that is refused or that reads."""

    def __init__(self) -> None:
        """Nothing yet."""
        self.tables: set[str] = set()

    def __call__(self, execute: Any, sql: str, params: Any, many: bool, context: Any) -> Any:
        """Look at a statement and pass it on."""
        match = WRITES.match(sql)
        if match and match[1] not in KEPT:
            # A refusal is written down, and so is who took a paper, a file of the books or of the audit away.
            told = match[1] == "events_event" and any(kind in str(params) for kind in TOLD)
            use = match[1] == "identity_apitoken" and "last_used_at" in sql
            # A refused signature is counted on its repository, for the steward: this and nothing else of it.
            counted = sql.startswith(COUNTED) and sql.count(" = ") == 3
            if not told and not use and not counted:
                self.tables.add(match[1])
        return execute(sql, params, many, context)
