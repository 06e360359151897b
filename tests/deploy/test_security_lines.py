"""deploy/security.md: no line lacks, each test it names exists, each line that is open names who closes it."""

import ast
import re
from collections.abc import Callable
from functools import lru_cache

import pytest

from tests.deploy.units import DEPLOY, ROOT

LINES = 66
STATES = {"pass", "not applicable", "open"}
TEST = re.compile(r"`(tests/[\w/]+\.py)::(test_\w+)`")
ROW = re.compile(r"(?m)^\| (\d+) \| (.+?) \| (pass|not applicable|open) \| (.+) \|$")
Row = tuple[int, str, str, str]


def rows(text: str) -> list[Row]:
    """The rows of the table: number, what is asked, state, what shows it."""
    return [(int(number), what, state, shown) for number, what, state, shown in ROW.findall(text)]


@lru_cache
def defined_in(path: str) -> frozenset[str]:
    """The tests that a file defines; none when there is no such file, or when they are skipped."""
    file = ROOT / path
    if not file.is_file():
        return frozenset()
    body = ast.parse(file.read_text(encoding="utf-8")).body
    found = [one for one in body if isinstance(one, ast.FunctionDef) and one.name.startswith("test_")]
    return frozenset(one.name for one in found if not any("skip" in ast.unparse(mark) for mark in one.decorator_list))


def faults(found: list[Row]) -> list[str]:
    """What is wrong with the rows, in words."""
    numbers = [number for number, *_rest in found]
    wrong = [f"{number} lacks" for number in range(1, LINES + 1) if number not in numbers]
    wrong += [f"{number} is there twice" for number in sorted(set(numbers)) if numbers.count(number) > 1]
    if numbers != sorted(numbers):
        wrong.append("not in order")
    for number, what, state, shown in found:
        named = TEST.findall(shown)
        wrong += [f"{number}: no {path}::{test}" for path, test in named if test not in defined_in(path)]
        if len(what) < 20:
            wrong.append(f"{number}: says nothing")
        if state == "pass" and not named:
            wrong.append(f"{number}: passes by no test")
        if state == "not applicable" and len(shown) < 40:
            wrong.append(f"{number}: no reason")
        if state == "open" and not re.search(r"\bissue \d+\b", shown):
            wrong.append(f"{number}: no issue will close it")
    return wrong


PAGE = (DEPLOY / "security.md").read_text(encoding="utf-8")


def test_every_line_has_what_shows_it() -> None:
    found = rows(PAGE)
    assert faults(found) == []
    assert len(found) == LINES == PAGE.count("\n| ") - 1  # the head of the table is no line
    assert {state for _number, _what, state, _shown in found} == STATES


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda all_rows: [row for row in all_rows if row[0] != 12], ["12 lacks"]),
        (lambda all_rows: [*all_rows, all_rows[0]], ["1 is there twice", "not in order"]),
        (
            lambda all_rows: [(1, all_rows[0][1], "pass", "`tests/web/test_sessions.py::test_absent`"), *all_rows[1:]],
            ["1: no tests/web/test_sessions.py::test_absent"],
        ),
        (lambda all_rows: [(1, all_rows[0][1], "pass", "we looked at it"), *all_rows[1:]], ["1: passes by no test"]),
        (lambda all_rows: [(1, all_rows[0][1], "open", "some day"), *all_rows[1:]], ["1: no issue will close it"]),
        (lambda all_rows: [(1, all_rows[0][1], "not applicable", "no"), *all_rows[1:]], ["1: no reason"]),
    ],
)
def test_a_table_that_lacks_something_is_seen(change: Callable[[list[Row]], list[Row]], said: list[str]) -> None:
    assert faults(change(rows(PAGE))) == said


def test_the_page_says_how_to_report_and_to_freeze() -> None:
    assert "TRONC_SECURITY_CONTACT" in PAGE
    assert "TRONC_SECURITY_CONTACT" in (DEPLOY / "env.example").read_text(encoding="utf-8")
    assert "deploy/manage freeze" in PAGE
