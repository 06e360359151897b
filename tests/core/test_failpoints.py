"""Failpoints: inert unless armed, met once over restarts, and none of the journey's facts without one."""

import ast
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from django.core.checks import run_checks

from backend.core import failpoints
from backend.core.failpoints import COMMITS, FAILPOINTS, OF_PROVIDER, Failure, armed, around_commit, failpoint
from backend.events.models import Event
from backend.operations import demo
from backend.pledges.models import Pledge

ROOT = Path(__file__).resolve().parents[2]
SOURCES = sorted((ROOT / "backend").rglob("*.py"))
BEFORE_THE_JOURNEY = {"make_people", "make_house"}


@pytest.fixture
def arm(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Callable[[str], Path]:
    """Arm this process; gives the folder of the marks."""

    def act(text: str) -> Path:
        monkeypatch.setenv("TRONC_FAILPOINTS_FOLDER", str(tmp_path))
        monkeypatch.setattr(failpoints, "_ARMED", armed(text))
        return tmp_path

    return act


def calls(tree: ast.AST, *names: str) -> Iterator[ast.Call]:
    """The calls of these functions."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in names:
            yield node


def first_text(call: ast.Call) -> str:
    """The first argument of a call when it is a text, or how it begins when the rest is computed; else nothing."""
    first = call.args[0] if call.args else None
    if isinstance(first, ast.JoinedStr):
        first = first.values[0]
    return first.value if isinstance(first, ast.Constant) and isinstance(first.value, str) else ""


def test_each_point_stands_in_the_code_exactly_once() -> None:
    found: list[str] = []
    for path in SOURCES:
        if path.name == "failpoints.py":
            continue
        for call in calls(ast.parse(path.read_text()), "failpoint", "around_commit"):
            name = first_text(call)
            assert isinstance(call.func, ast.Name)
            moments = [""] if call.func.id == "failpoint" else [".before_commit", ".committed"]
            found += [name + moment for moment in moments]
    assert sorted(found) == sorted([*FAILPOINTS, *OF_PROVIDER])


def test_every_step_of_the_journey_has_a_point() -> None:
    assert set(FAILPOINTS.values()) == {step.__name__ for step in demo.STEPS} - BEFORE_THE_JOURNEY


def test_every_function_that_states_a_fact_of_the_journey_has_a_point(play: Callable[..., Any]) -> None:
    """The facts are those that the journey really records: a step added tomorrow is seen here."""
    play("settle")
    begun = Event.objects.get(kind="pledge.made").pk
    kinds = set(Event.objects.filter(pk__gte=begun).values_list("kind", flat=True))
    kinds.discard("log.head_signed")  # no step of the journey: how many heads are signed depends on the moment
    assert {"pledge.made", "statement.imported", "payment.received", "distribution.approved", "batch.sent"} <= kinds
    guarded: dict[str, bool] = {}
    for path in SOURCES:
        for function in ast.walk(ast.parse(path.read_text())):
            if not isinstance(function, ast.FunctionDef):
                continue
            point = any(calls(function, "failpoint", "around_commit"))
            for call in calls(function, "record"):
                for kind in kinds:
                    if (text := first_text(call)) and (kind == text or (text.endswith(".") and kind.startswith(text))):
                        guarded[kind] = guarded.get(kind, False) or point
    assert set(guarded) == kinds, "a fact whose function was not found in the source"
    assert [kind for kind, point in sorted(guarded.items()) if not point] == []


def test_not_armed_nothing_happens(db: None, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("TRONC_FAILPOINTS_FOLDER", str(tmp_path))
    assert failpoints._ARMED == {}
    failpoint("entry.posted")
    around_commit("pledge.made")
    assert list(tmp_path.iterdir()) == []


def test_an_armed_point_acts_at_its_turn_and_once(arm: Callable[[str], Path]) -> None:
    folder = arm("entry.posted=raise:2, mail.before_send=raise")
    failpoint("entry.posted")
    with pytest.raises(Failure, match=r"entry\.posted"):
        failpoint("entry.posted")
    failpoint("entry.posted")
    failpoint("nudge.before_send")
    assert sorted(one.name for one in folder.iterdir()) == ["entry.posted.1", "entry.posted.2", "entry.posted.3"]
    assert (folder / "entry.posted.1").read_text() == str(os.getpid())


def test_a_point_before_the_commit_undoes_and_one_after_it_does_not(
    committed: str, play: Callable[..., Any], arm: Callable[[str], Path]
) -> None:
    world = play("make_house")
    arm("pledge.made.before_commit=raise")
    with pytest.raises(Failure):
        demo.make_promise(world)
    assert not Pledge.objects.exists()
    arm("pledge.made.committed=raise")
    with pytest.raises(Failure):
        demo.make_promise(world)
    assert Pledge.objects.count() == 1
    demo.make_promise(world)
    assert Pledge.objects.count() == 1


DYING = "import django; django.setup(); from backend.core.failpoints import failpoint; failpoint('entry.posted')"


def die(folder: Path, **environment: str) -> int:
    """Meet a point in another process, armed by its environment; gives its exit code."""
    armed_for = {"TRONC_FAILPOINTS": "entry.posted=kill", "TRONC_FAILPOINTS_FOLDER": str(folder)}
    return subprocess.run(
        [sys.executable, "-c", DYING], env={**os.environ, **armed_for, **environment}, cwd=ROOT, check=False
    ).returncode


def test_a_process_kills_itself_once(tmp_path: Path) -> None:
    assert [die(tmp_path), die(tmp_path)] == [-9, 0]


def test_an_installation_open_to_others_cannot_be_armed(tmp_path: Path) -> None:
    assert die(tmp_path, TRONC_LOOPBACK_HTTP="0", TRONC_BASE_URL="https://tronc.example.org") == 0
    assert list(tmp_path.iterdir()) == []


def test_a_held_process_goes_on_when_released(arm: Callable[[str], Path], monkeypatch: pytest.MonkeyPatch) -> None:
    folder = arm("entry.posted=wait")
    hold = folder / "entry.posted.2.hold"
    hold.touch()
    failpoint("entry.posted")
    waits: list[float] = []

    def release(seconds: float) -> None:
        waits.append(seconds)
        if len(waits) == 3:
            hold.unlink()

    monkeypatch.setattr("backend.core.failpoints.time.sleep", release)
    failpoint("entry.posted")
    assert len(waits) == 3


@pytest.mark.parametrize("text", ["nowhere=kill", "entry.posted", "entry.posted=explode", "pledge.made=kill"])
def test_a_mistyped_point_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="names no point or no action"):
        armed(text)


def test_the_check_says_that_production_is_not_for_failpoints(settings: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    def found() -> list[str | None]:
        return [one.id for one in run_checks() if one.id == "tronc.E090"]

    monkeypatch.setenv("TRONC_FAILPOINTS", "entry.posted=kill")
    assert found() == []
    settings.LOOPBACK_HTTP = False
    assert found() == ["tronc.E090"]
    monkeypatch.delenv("TRONC_FAILPOINTS")
    assert found() == []


def test_both_moments_of_each_fact_are_in_the_table() -> None:
    assert len(FAILPOINTS) == 2 * len(COMMITS) + 3
