"""`manage explain`: the answer of `allocate` or the file of a distribution, told in words without a database."""

import io
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from django.core.management import CommandError, call_command

from backend.allocation.texts import explain, explain_whole
from tests.allocation.told import ROW40, SCENARIOS

ROOT = Path(__file__).parents[2]


def run(monkeypatch: pytest.MonkeyPatch, given: object, *args: str) -> str:
    """What the command prints for that standard input."""
    text = given if isinstance(given, str) else json.dumps(given)
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(text.encode())))
    out = io.StringIO()
    call_command("explain", *args, stdout=out)
    return out.getvalue()


def test_one_person_or_the_whole_then_everyone(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    trace = SCENARIOS["row 40"]()
    ana = "\n".join(explain(trace, "ana", "fr"))
    assert run(monkeypatch, {"trace": trace}, "--language", "fr", "--person", "ana") == f"{ana}\n"
    file = tmp_path / "trace.json"
    file.write_text(json.dumps(trace), encoding="utf-8")
    told = run(monkeypatch, "", str(file))
    assert told.startswith("\n".join(explain_whole(trace, "en")) + "\n\nana:\n€750.00 came in.")
    assert [name for name in ("ana", "bo", "cy", "di", "eve") if f"\n\n{name}:\n" in told] == [
        "ana",
        "bo",
        "cy",
        "di",
        "eve",
    ]


def test_the_currency_of_the_trace_writes_the_amounts(monkeypatch: pytest.MonkeyPatch) -> None:
    trace = {**SCENARIOS["row 33 pro"](), "currency": "XPF"}
    assert run(monkeypatch, trace, "--language", "fr", "--person", "ana").startswith(
        "1\u202f000\u202f000\u00a0FCFP sont"
    )


@pytest.mark.parametrize(
    ("given", "args", "message"),
    [
        ({"trace": SCENARIOS["row 40"]()}, ("--person", "zoe"), "Person 'zoe' has no line in this distribution."),
        ({"steps": []}, (), "This is not a whole trace of a distribution: KeyError('waterfall')."),
        ([], (), "This is not a whole trace of a distribution: AttributeError"),
        ("{", (), "This is not one JSON object: give the file of one distribution."),
        ({"error": {"message": "amount is missing."}}, (), "There is no computation to explain: amount is missing."),
        ("", ("/nowhere/trace.json",), "/nowhere/trace.json cannot be read: No such file or directory."),
    ],
)
def test_what_cannot_be_told_is_refused_in_one_sentence(
    monkeypatch: pytest.MonkeyPatch, given: Any, args: tuple[str, ...], message: str
) -> None:
    with pytest.raises(CommandError) as refused:
        run(monkeypatch, given, *args)
    assert str(refused.value).startswith(message)


def test_it_follows_allocate_in_a_pipe_without_a_database() -> None:
    manage = f"{sys.executable} -m backend.manage"
    command = f"{manage} allocate < {ROW40} | {manage} explain --language en --person ana"
    environment = {**os.environ, "DATABASE_URL": "postgresql://nobody@/none?host=/nowhere"}
    done = subprocess.run(
        ["bash", "-euo", "pipefail", "-c", command],
        cwd=ROOT,
        env=environment,
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout == "\n".join(explain(SCENARIOS["row 40"](), "ana", "en")) + "\n"
