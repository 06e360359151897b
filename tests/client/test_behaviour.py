"""The command line alone: what it refuses to do, what it reads, and how long that takes."""

import ast
import json
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from backend.contributions.forges.trailers import trailers
from backend.core.durations import parse_duration
from backend.core.errors import Invalid
from tests.client.conftest import CLIENT, Between, Commits, Shell

sys.path.insert(0, str(CLIENT))

from tronc_client import commands, git, main, places, reading, said
from tronc_client.french import FRENCH
from tronc_client.net import address_of

TOKEN = "tronc_test_" + "0" * 46
ME = {
    "id": "usr_1", "name": "Bo", "token": {"scopes": ["contributions:read", "contributions:write"]}, "roles": [],
    "budgets": [
        {"id": "bud_1", "name": "Cartolibre", "currency": "EUR",
         "commons": {"id": "com_1", "slug": "cartolibre", "name": "Cartolibre"}},
    ],
}  # fmt: skip


def as_json(status: int, body: Any, **headers: str) -> tuple[int, dict[str, str], bytes]:
    """An answer of a server."""
    return status, {"Content-Type": "application/json", **headers}, json.dumps(body).encode()


def test_a_token_goes_to_no_other_host(shell: Shell, between: Any) -> None:
    real, other = between(), between()
    real.gives = lambda _path: as_json(200, ME)
    other.gives = lambda _path: as_json(200, ME)
    shell.login(real.url, TOKEN)
    for where in (f"{other.url}/v1/me", "https://evil.example/v1/me", "/v1/elsewhere"):
        real.gives = lambda _path, where=where: as_json(307, {}, Location=where)
        assert "sends elsewhere" in shell.tronc("list", code=1).stderr
    assert other.asked == []
    assert len(real.asked) == 4


@pytest.mark.parametrize(
    ("typed", "kept"),
    [
        ("tronc.example.org", "https://tronc.example.org"),
        ("https://tronc.example.org/", "https://tronc.example.org"),
        ("http://localhost:8000", "http://localhost:8000"),
        ("http://[::1]:8000/", "http://[::1]:8000"),
        ("http://127.0.0.1:8000", "http://127.0.0.1:8000"),
        ("http://tronc.example.org", None),
        ("http://localhost.example.org", None),
        ("https://user:secret@tronc.example.org", None),
        ("https://tronc.example.org?token=x", None),
        ("ftp://tronc.example.org", None),
        ("https://tronc.example.org:port", None),
        ("", None),
    ],
)
def test_addresses_are_of_https_or_of_this_machine(typed: str, kept: str | None) -> None:
    if kept is None:
        with pytest.raises(said.Failure):
            address_of(typed)
    else:
        assert address_of(typed) == kept


def test_a_file_that_was_changed_does_not_send_the_token_in_clear(shell: Shell, between: Any) -> None:
    server: Between = between()
    server.gives = lambda _path: as_json(200, ME)
    shell.login(server.url, TOKEN)
    shell.config.write_text(json.dumps({"address": "http://tronc.example.org", "token": TOKEN}))
    assert "Only https" in shell.tronc("list", code=2).stderr
    shell.config.write_text("{")
    assert "tronc login" in shell.tronc("list", code=3).stderr


def test_what_is_not_a_tronc_is_told_and_does_nothing_to_the_terminal(shell: Shell, between: Any) -> None:
    server: Between = between()
    server.gives = lambda _path: as_json(200, ME)
    shell.login(server.url, TOKEN)
    evil = "a\x1b]0;owned\x07b\x9b31m\u202egnp"
    row = {
        "id": "ctr_1", "worked_on": "2026-11-20", "minutes": 5, "amount": {"value": 0, "currency": "EUR"},
        "kind": "x", "state": "new", "description": evil,
    }  # fmt: skip
    server.gives = lambda _path: as_json(200, {"data": [row], "has_more": False, "next_cursor": None})
    for words in (("list",), ("list", "--json")):
        shown = shell.tronc(*words).stdout
        assert not [mark for mark in shown if not mark.isprintable() and mark not in "\n\u00a0"], shown
    assert json.loads(shell.tronc("list", "--json").stdout)[0]["description"] == evil
    problem = {"code": "x", "title": evil, "detail": f"with {TOKEN}", "errors": [{"pointer": "/a", "detail": evil}]}
    server.gives = lambda _path: as_json(422, problem)
    told = shell.tronc("list", code=1).stderr
    assert "\x1b" not in told
    assert "tronc_test_…" in told
    for status, body, code in [
        (200, b"<html>", 5), (200, b"[]", 5), (502, b"<html>", 5), (404, b"<html>", 1), (200, b"{}", 5),
        (200, b"[" * 100_000, 5), (500, b'{"code":"internal_error","title":"t"}', 5),
    ]:  # fmt: skip
        server.gives = lambda _path, status=status, body=body: (status, {"Content-Type": "text/html"}, body)
        shell.tronc("list", code=code)


def test_a_busy_server_is_asked_again_and_a_closed_one_told(shell: Shell, between: Any) -> None:
    server: Between = between()
    server.gives = lambda _path: as_json(200, ME)
    shell.login(server.url, TOKEN)
    turns = iter(
        [
            as_json(503, {"code": "service_unavailable", "title": "t"}),
            as_json(429, {"code": "x"}, **{"Retry-After": "1"}),
        ]
    )
    page = as_json(200, {"data": [], "has_more": False, "next_cursor": None})
    server.gives = lambda _path: next(turns, page)
    assert shell.tronc("list").stdout == "Nothing yet.\n"
    server.server.shutdown()
    server.server.server_close()
    began = time.monotonic()
    assert "does not answer" in shell.tronc("list", code=5).stderr
    assert time.monotonic() - began < 20


def test_durations_are_those_of_the_server() -> None:
    for text in [
        "90",
        "1h30",
        "1:30",
        "1 h 30",
        "2 h",
        "2h",
        "90 min",
        "1H5",
        "0:05",
        "1h60",
        "1:5",
        "x",
        "-1",
        "1h30m",
    ]:
        try:
            wanted: int | None = parse_duration(text)
        except Invalid:
            wanted = None
        if wanted is None:
            with pytest.raises(said.Failure):
                reading.minutes(text)
        else:
            assert reading.minutes(text) == wanted, text


def test_amounts_are_read_to_the_last_unit() -> None:
    for text, currency, value in [
        ("45", "EUR", 4500),
        ("45,5", "EUR", 4550),
        ("0.05", "CHF", 5),
        ("7", "XPF", 7),
        ("1,234", "TND", 1234),
    ]:
        assert reading.cents(text, currency) == value
    for text, currency in [("1,5", "XPF"), ("1.234", "EUR"), ("", "EUR"), ("-1", "EUR"), ("1e3", "EUR"), ("٤", "EUR")]:
        with pytest.raises(said.Failure):
            reading.cents(text, currency)


def test_budgets_are_found_by_what_people_call_them() -> None:
    def one(pk: str, name: str, commons: str = "Atlas Libre", slug: str = "atlas-libre") -> dict[str, Any]:
        return {"id": pk, "name": name, "commons": {"id": "c", "slug": slug, "name": commons}}

    rows = [one("b1", "Atlas Libre"), one("b2", "Docs"), one("b3", "Docs", "Semences", "semences")]
    for name, pk in [
        ("b2", "b2"), ("atlas-libre", "b1"), ("ATLAS LIBRE", "b1"), ("atlas-libre/docs", "b2"), ("semences", "b3"),
    ]:  # fmt: skip
        assert places.find_budget(rows, name)["id"] == pk
    for name in ("docs", "nothing", ""):
        with pytest.raises(said.Failure):
            places.find_budget(rows, name)
    with pytest.raises(said.Failure) as nowhere:
        places.find_budget([], "docs")
    assert nowhere.value.code == said.NOT_ALLOWED


def test_status_tells_of_the_budgets_where_there_is_work_and_why_there_is_nothing(shell: Shell, between: Any) -> None:
    server: Between = between()
    budgets = [
        {"id": f"bud_{number}", "name": f"Pot {number}", "currency": "EUR",
         "commons": {"id": "com_1", "slug": "pots", "name": "Pots"}}
        for number in range(6)
    ]  # fmt: skip

    def euros(value: int) -> dict[str, Any]:
        return {"value": value, "currency": "EUR"}

    def estimate(available: int, asked: int, share: int) -> dict[str, Any]:
        return {
            "period": {"starts_on": "2026-10-01"}, "available": euros(available), "asked": euros(asked),
            "share": euros(share), "of_this": euros(0), "held_back": euros(0), "minutes_held": 0, "minutes": 0,
            "amount": euros(0), "label": "An estimate.",
        }  # fmt: skip

    figures = [(100, 50, 50), (0, 50, 0), (100, 0, 0), (100, 50, 0), (100, 50, 0), (100, 0, 0)]
    states = ["declared", "declared", "declared", "declared", "withdrawn", None]

    def gives(path: str) -> Any:
        if path.startswith("/v1/me"):
            return as_json(200, {**ME, "budgets": budgets})
        if "/estimate" in path:
            return as_json(200, estimate(*figures[int(path.partition("bud_")[2][0])]))
        state = states[int(path.partition("bud_")[2][0])]
        rows = [{"state": state, "minutes": 60}] if state else []
        return as_json(200, {"data": rows, "has_more": False, "next_cursor": None})

    server.gives = gives
    shell.login(server.url, TOKEN)
    told = shell.tronc("status").stdout
    assert told.count("An estimate.") == 1
    assert told.count("Pots › Pot") == 5
    assert [line.strip() for line in told.splitlines() if "Nothing" in line] == [
        "Nothing: no money is there to share yet.", "Nothing: you ask for nothing, your work is volunteering.",
        "Nothing: by its charter, what is there goes to others first.",
        "Nothing: none of your work takes part in the sharing.",
        "Nothing of yours in 1 other budget: “tronc status --all” shows it.",
    ]  # fmt: skip
    whole = shell.tronc("status", "--all").stdout
    assert whole.count("Pots › Pot") == 6
    assert "other budget" not in whole
    states[:] = [None] * 6
    assert shell.tronc("status").stdout == ("Nothing of yours in 6 other budgets: “tronc status --all” shows them.\n")


# --- messages of commits ----------------------------------------------------------------------------------------------


def test_a_budget_beyond_those_listed_is_found_by_its_id(shell: Shell, between: Any) -> None:
    server: Between = between()
    far = "bud_" + "0" * 36
    one = {**ME["budgets"][0], "id": far, "name": "Zoo"}  # type: ignore[index]
    told: dict[str, Any] = {**ME, "more_budgets": True}
    page = {"data": [], "has_more": False, "next_cursor": None}

    def gives(path: str) -> Any:
        bodies = {"/v1/me": told, f"/v1/budgets/{far}": one}
        return as_json(200, bodies.get(path.partition("?")[0], page))

    server.gives = gives
    shell.login(server.url, TOKEN)
    assert shell.tronc("list", "--budget", far).stdout == "Nothing yet.\n"
    assert f"/v1/budgets/{far}" in str(server.asked)
    assert f"budget={far}" in str(server.asked)
    told["more_budgets"] = False
    assert "You have no budget called" in shell.tronc("list", "--budget", far, code=2).stderr


def test_lines_of_a_message_are_found_wherever_they_stand() -> None:
    for message, found in [
        ("x\n\nContribution: 1h30", ["1h30"]),
        ("x\r\n\r\n  CONTRIBUTION : 90 review  \r\nCo-authored-by: A", ["90 review"]),
        ("Contribution: 1\nContribution: 2\n" * 30, ["1", "2"] * 10),
        ("```\nContribution: 1\n```\nContribution: 2", ["2"]),
        ("~~~\nContribution: 1", []),
        ("<!-- a\nContribution: 1\n-->\nContribution: 2", ["2"]),
        ("<!-- Contribution: 1 --> \nContribution: 2", ["2"]),
        ("<!-- never closed\nContribution: 1", []),
        ("My contribution: 3h\nContributions: 3h\nContribution 3h", []),
        ("Contribution: " + "9" * 300, []),
        ("", []),
    ]:
        assert git.said_in(message) == found, message[:40]


def test_a_message_tells_the_same_here_as_where_forges_send_it() -> None:
    for message in [
        "x\n\nContribution: 1h30", "Contribution: 90 review\r\nContribution: 2 h documentation", "Contribution: a lot",
        "Contribution: 1h expense", "Contribution: 1h, design", "contribution : 1 h 30 juggling", "Contribution:",
        "```\nContribution: 1\n```\nContribution: 2 support", "<!--\nContribution: 1\n-->\nContribution: 3",
        "Contribution: 45000", "Contribution: 1h60", "Contribution: 0", "Contributions: 1h",
    ]:  # fmt: skip
        here = [
            (0, "") if isinstance(one, git.Unread) else (one.minutes, one.kind[:40])
            for one in git.works_of("0" * 40, "2026-11-20T12:00:00+01:00", message)
        ]
        there = [(one.minutes, (one.odd or one.kind or git.USUAL) if one.minutes else "") for one in trailers(message)]
        assert here == there, message


HOSTILE = {
    "one line": lambda size: "Contribution" + " " * size,
    "spaces": lambda size: (" " * 99 + "\n") * (size // 100),
    "empty lines": lambda size: "\n" * size,
    "almost": lambda size: "Contribution \n" * (size // 14),
    "fences": lambda size: "```\n" * (size // 4),
    "comments": lambda size: "<!--\n" * (size // 5),
    "closed comments": lambda size: "<!-- -->\n" * (size // 9),
    "too long": lambda size: "Contribution: " + "1" * size,
    "tabs": lambda size: "\t" * size + "Contribution: 1",
}


@pytest.mark.parametrize("name", HOSTILE)
def test_a_message_of_ten_megabytes_is_read_in_linear_time(name: str) -> None:
    def seconds(size: int) -> float:
        message = HOSTILE[name](size)
        best = 99.0
        for _turn in range(3):
            began = time.process_time()
            git.works_of("0" * 40, "2026-11-20T12:00:00+01:00", message)
            best = min(best, time.process_time() - began)
        return best

    small, large = seconds(1_000_000), seconds(10_000_000)
    assert large < 5
    assert large < 30 * max(small, 0.002)  # ten times as long, and some noise


def test_a_real_commit_of_ten_megabytes_is_read(commits: Commits) -> None:
    commits.commit("Huge\n\n" + "a line of text\n" * 700_000 + "\nContribution: 25 design\n", on="2026-11-20")
    began = time.monotonic()
    (work,) = git.Repository(str(commits.folder)).works("HEAD", None, {"bo@example.org"})
    assert (work.minutes, work.kind, work.description) == (25, "design", "Huge")
    assert time.monotonic() - began < 10


def test_a_repository_is_named_without_its_password(commits: Commits) -> None:
    for remote, shown in [
        ("https://bo:secret@forge.example.org/a/b.git", "https://forge.example.org/a/b"),
        ("git@forge.example.org:a/b.git", "https://forge.example.org/a/b"),
        ("ssh://git@forge.example.org:2222/a/b.git", "https://forge.example.org/a/b"),
        ("/srv/git/b.git", "repository"),
    ]:
        commits.git("remote", "set-url", "origin", remote)
        assert git.Repository(str(commits.folder)).address() == shown
    with pytest.raises(said.Failure):
        git.Repository(str(commits.folder.parent))


# --- words ------------------------------------------------------------------------------------------------------------


def sentences() -> set[str]:
    """Every sentence that the code says."""
    found = set(commands.STATES)
    for path in Path(CLIENT / "tronc_client").glob("*.py"):
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if (
                isinstance(node, ast.Call)
                and getattr(node.func, "id", "") == "_"
                and isinstance(node.args[0], ast.Constant)
            ):
                found.add(node.args[0].value)
    return found


def test_every_sentence_is_there_in_french_with_the_same_holes() -> None:
    assert sentences() == set(FRENCH)
    for english, french in FRENCH.items():
        assert english.count("%s") == french.count("%s"), english
        assert french != english or "h30" in english
        for mark in ":;!?»":
            assert f" {mark}" not in french, french


def test_help_is_told_in_both_languages(shell: Shell) -> None:
    assert "Exit codes" in shell.tronc("--help").stdout
    assert "Codes de sortie" in shell.tronc("--help", LANG="fr_FR.UTF-8").stdout
    assert shell.tronc("--version").stdout.startswith("tronc-client 0.")
    for command in ("login", "log", "status", "estimate", "amend", "withdraw", "list"):
        assert "usage: tronc" in shell.tronc(command, "--help", LC_ALL="fr_FR").stdout
    shell.tronc("fly", code=2)
    assert main.parser().prog == "tronc"
