"""The guides on the rules: every computation they show is done again, every table is compared with it."""

import ast
import json
import re
import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from backend.allocation.door import answer
from backend.allocation.rules import RULES
from backend.allocation.texts import Money, explain
from backend.commons.words import KINDS
from tests.api.documents import API_DOCS, blocks

ROOT = API_DOCS.parent
GUIDES = API_DOCS / "guides"
TOPICS = [*(f"rules/{rule}" for rule in sorted(RULES)), "rules/choosing", "rules/earmarks", "rules/tiers"]
TOPICS += ["rules/upstream", "check-us"]
LANGUAGES = ("en", "fr")
PAGES = [(topic, language) for topic in TOPICS for language in LANGUAGES]
# The last column of a table of results: what it must be compared with in the answer.
RESULTS = {"receives": "shares", "reçoit": "shares", "keeps": "kept", "garde": "kept"}
BLOCK_OR_TABLE = re.compile(r"```(\w+)\n(.*?)```|((?:^\|[^\n]*\n)+)", re.DOTALL | re.MULTILINE)


def page(topic: str, language: str) -> str:
    """The text of a guide."""
    return (GUIDES / f"{topic}.{language}.md").read_text(encoding="utf-8")


def cells(line: str) -> list[str]:
    """The cells of one line of a table."""
    return [cell.strip().strip("`") for cell in line.strip().strip("|").split("|")]


def received(found: dict[str, Any], key: str) -> dict[str, int]:
    """Minor units by id in one answer; those of the persons when it is a trace."""
    if "trace" in found:
        return {one["id"]: one["cents"] for one in found["trace"]["persons"]}
    amounts: dict[str, int] = found[key]
    return amounts


def compare(table: str, found: list[dict[str, Any]], asked: list[dict[str, Any]], money: Money) -> int:
    """Compare a table of results with the answers above it; returns how many figures were compared, 0 for no such."""
    head, _, *rows = [cells(line) for line in table.strip().splitlines()]
    rules = [name for name in head if name in RULES]
    if head[-1] not in RESULTS and not rules:
        return 0
    columns = {name: position for position, name in enumerate(head)}
    if rules:
        wanted = {name: received(one, "shares") for name, one in zip(rules, found, strict=True)}
        assert [one["rule"] for one in asked] == rules
    else:
        wanted = {head[-1]: received(found[-1], RESULTS[head[-1]])}
    for name, amounts in wanted.items():
        shown = {row[0]: row[columns[name]] for row in rows}
        assert shown == {who: money.number(cents) for who, cents in amounts.items()}
    return len(rows) * len(wanted)


def checked(topic: str, language: str) -> Iterator[str]:
    """Go down a page: the kind of each thing that was compared."""
    asked: list[str] | None = None
    found: list[dict[str, Any]] = []
    command: list[str] = []
    for kind, content, table in BLOCK_OR_TABLE.findall(page(topic, language)):
        if table:
            if found and compare(table, found, [json.loads(line) for line in asked or ()], Money(language)):
                yield "table"
        elif kind == "sh":
            command = shlex.split(content)
            file = ROOT / command[command.index("<") + 1]
            if file.is_file():
                asked = file.read_text(encoding="utf-8").splitlines()
                found = [json.loads(answer(line)) for line in asked]
        elif (
            kind == "json" and found and asked and not command and content.startswith(('{"shares', '{"kept', '{"error'))
        ):
            assert content.splitlines() == [answer(line) for line in asked]
            yield "answer"
        elif kind == "json":
            asked = content.splitlines()
            found = [json.loads(answer(line)) for line in asked]
        elif kind == "text" and command:
            assert command[command.index("--language") + 1] == language
            person = command[command.index("--person") + 1]
            assert content.splitlines() == explain(found[0]["trace"], person, language)
            command = command if "example.json" in command else []
            yield "words"


@pytest.mark.parametrize(("topic", "language"), PAGES)
def test_what_a_guide_computes_is_what_the_engine_computes(topic: str, language: str) -> None:
    expected = {
        "rules/choosing": ["answer", "table"],
        "rules/upstream": ["answer", "table", "answer"],
        "rules/tiers": ["words", "table"],
        "rules/earmarks": ["words", "table", "words", "table"],
        "check-us": ["words", "table", "answer"],
    }
    assert list(checked(topic, language)) == expected.get(topic, ["answer", "table", "answer", "table"])


@pytest.mark.parametrize("topic", TOPICS)
def test_both_languages_show_the_same_examples(topic: str) -> None:
    shown = [[content for kind, content in blocks(page(topic, language)) if kind == "json"] for language in LANGUAGES]
    assert shown[0] == shown[1]
    assert len(shown[0]) >= 1


@pytest.mark.parametrize(("topic", "language"), PAGES)
def test_figures_in_the_words_come_from_the_examples(topic: str, language: str) -> None:
    """Every amount with cents that a paragraph states is in a table or an answer of its page, or one of STATED."""
    text = page(topic, language)
    words = re.sub(r"```.*?```|^\|[^\n]*$", "", text, flags=re.DOTALL | re.MULTILINE)
    point, group = (",", "\u202f") if language == "fr" else (".", ",")
    figures = re.findall(rf"\d[\d{group}]*\{point}\d{{2}}(?!\d)", words)
    known = {int(number) for number in re.findall(r"(?<![\d.])-?\d+(?![\d.])", " ".join(c for _, c in blocks(text)))}
    written = {int(re.sub(r"\D", "", figure)) for figure in figures}
    assert written - known - STATED.get(topic, set()) == set()


# Sums, differences and other examples that the words of a page state, in cents; each follows from what is said there.
STATED: dict[str, set[int]] = {
    "rules/claims_pro": {1_500_000},
    "rules/claims_cea": {850_000, 6000, 3000, 300_000, 2000},
    "rules/claims_cel": {500_000, 125_000, 10_000, 5000, 3333},
    "rules/claims_talmud": {1_500_000, 141_667},
    "rules/equal": {5000},
    "rules/catch_up": {40_000, 15_000},
    "rules/earmarks": {49_500},
    "rules/upstream": {100},
    "check-us": {21_237},
}


def test_the_other_examples_that_words_state_are_right() -> None:
    def shares(rule: str, amount: int, *claims: int) -> list[int]:
        people = [{"id": f"p{number}", "claim": claim} for number, claim in enumerate(claims)]
        asked = {"amount": amount, "rule": rule, "seed": "s", "people": people}
        return list(json.loads(answer(json.dumps(asked)))["shares"].values())

    assert shares("claims_cea", 6000, 3000, 3000, 300_000) == [2000, 2000, 2000]
    assert shares("claims_cea", 10_000, 10_000, 10_000) == [5000, 5000]
    assert sum(shares("claims_cel", 10_000, 10_000, 5000, 5000)[1:]) == 3333
    assert shares("claims_cel", 10_000, 10_000, 10_000) == [5000, 5000]
    assert shares("claims_talmud", 6000, 3000, 3000, 6000) == shares("claims_talmud", 6000, 3000, 3000, 300_000)
    add = page("rules/earmarks", "en").split("```json\n")[2].split("\n")[0].replace("offset", "add")
    assert received(json.loads(answer(add)), "shares")["bo"] == 49_500


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_guide_names_every_code_of_refusal(language: str) -> None:
    raised = set()
    for file in (ROOT / "backend" / "allocation").glob("*.py"):
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "AllocationError":
                code = node.args[0]
                if isinstance(code, ast.Constant):
                    raised.add(code.value)
    shown = re.findall(r"^\| `(\w+)` \|", page("check-us", language), flags=re.MULTILINE)
    assert len(shown) == len(set(shown))
    assert set(shown) == raised


def test_each_guide_is_reached_and_says_its_words() -> None:
    never = re.compile(r"salair|salar|wage|wallet|dépôt", re.IGNORECASE)
    for language in LANGUAGES:
        index = page("rules/choosing", language)
        for topic in TOPICS:
            name = f"{Path(topic).name}.{language}.md"
            assert topic == "rules/choosing" or name in index, name
            assert not never.search(page(topic, language)), name
    kinds = {kind for kind, _ in KINDS}
    from backend.allocation.texts.words import PHRASES

    for phrases in PHRASES.values():
        assert {name.removeprefix("kind_") for name in phrases if name.startswith("kind_")} == kinds
