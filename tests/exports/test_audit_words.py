"""Every kind of event that the code records has its name on the audit page."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from backend.distributions.models import Arbitration
from backend.events.models import Event
from backend.exports.action_words import ACTION_WORDS
from backend.exports.audit_words import KINDS, WORDS, said
from backend.identity.models import Proposal
from backend.identity.permissions import ACTIONS
from backend.transfers.models import Opening, Transfer, YearEnd

BACKEND = Path(__file__).resolve().parents[2] / "backend"
KIND = re.compile(r"[a-z_]+\.[a-z_]+")
# Kinds whose end is a state: noun → the states that a thing takes by an act.
STATES = {
    "contribution": {"validated", "rejected"},
    "transfer": {state for state, _label in Transfer.STATES},
    "opening": {state for state, _label in Opening.STATES},
    "year_end": {state for state, _label in YearEnd.STATES},
    "arbitration": {state for state, _label in Arbitration.STATES} - {"waiting"} | {"proposed"},
    "proposal": {state for state, _label in Proposal.STATES} - {"proposed"},
}


def texts_of(tree: ast.AST) -> set[str]:
    """Every text written in a piece of code."""
    return {part.value for part in ast.walk(tree) if isinstance(part, ast.Constant) and isinstance(part.value, str)}


def recorded(source: str) -> Iterator[str]:
    """The kinds that a module records: written in the call, or as a text of a module whose call names a variable."""
    tree = ast.parse(source)
    named = False
    for node in ast.walk(tree):
        if not (isinstance(node, ast.Call) and getattr(node.func, "id", "") == "record" and node.args):
            continue
        kind = node.args[0]
        if isinstance(kind, ast.JoinedStr):
            noun = str(getattr(kind.values[0], "value", "")).rstrip(".")
            yield from (f"{noun}.{state}" for state in STATES[noun])
        elif isinstance(kind, ast.Name):
            named = True
        else:
            yield from filter(KIND.fullmatch, texts_of(kind))
    if named:
        nouns = {kind.partition(".")[0] for kind in KINDS}
        steps = {
            str(getattr(node.args[0], "value", ""))
            for node in ast.walk(tree)
            if isinstance(node, ast.Call) and getattr(node.func, "id", "") == "around_commit" and node.args
        }
        for text in texts_of(tree) - steps - ACTIONS.keys():
            if KIND.fullmatch(text) and text.partition(".")[0] in nouns:
                yield text


def test_every_kind_has_a_name() -> None:
    found: dict[str, str] = {}
    for path in sorted(BACKEND.rglob("*.py")):
        if "migrations" not in path.parts and "record" in (text := path.read_text(encoding="utf-8")):
            found |= dict.fromkeys(recorded(text), str(path.relative_to(BACKEND)))
    assert len(found) > 60
    assert {kind: where for kind, where in found.items() if kind not in KINDS} == {}


def test_the_reading_of_the_code_finds_each_way_of_naming_a_kind() -> None:
    assert set(recorded('record("a.b", actor=None)')) == {"a.b"}
    assert set(recorded('record("a.b" if x else "a.c", actor=None)')) == {"a.b", "a.c"}
    assert set(recorded('record(f"contribution.{x}", actor=None)')) == {
        "contribution.validated",
        "contribution.rejected",
    }
    assert set(recorded('kind = "pledge.made"\nrecord(kind, actor=None)')) == {"pledge.made"}
    assert set(recorded('around_commit("pledge.made")\nrecord(kind, actor=None)')) == set()


def test_the_whole_journey_has_names(play: Any) -> None:
    play("settle")
    kinds = set(Event.objects.values_list("kind", flat=True))
    assert len(kinds) > 15
    assert {kind for kind in kinds if kind not in KINDS} == set()


def test_names_are_told_apart() -> None:
    names = [str(name) for name in KINDS.values()]
    assert len(set(names)) == len(names)
    assert len(KINDS) == sum(len(kinds) for _group, kinds in WORDS)
    assert said("of.old") == "of.old"


def test_every_right_has_words() -> None:
    assert set(ACTION_WORDS) == set(ACTIONS)
    assert len({str(words) for words in ACTION_WORDS.values()}) == len(ACTIONS)
