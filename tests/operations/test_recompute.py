"""The SQL checker agrees with the engine on random steps of every rule, and names the first thing that is changed."""

import copy
import json
import random
import subprocess
import sys
from collections.abc import Callable
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from hypothesis import HealthCheck, given, settings

from backend.allocation.door import answer
from backend.allocation.kernel import Person, split
from backend.allocation.rules import RULES, share_out
from backend.allocation.trace import digest
from backend.distributions.models import Distribution
from backend.operations.recompute import compare_shares, recount
from tests.allocation.closings import charters, closing, inputs

ROOT = Path(__file__).resolve().parents[2]
SEED = "bud_1|per_1"


def step_of(name: str, rule: str, amount: int, people: list[Person]) -> dict[str, Any]:
    """A step as a trace records it; each person has two lines, which as_asked serves one by one."""
    seed = f"{SEED}|{name}"
    rows = []
    if rule == "as_asked":
        people = [person._replace(floor=0, ceiling=None) for person in people]
        lines = [
            Person(f"{person.id}:{half}", claim=cents, rank=person.rank)
            for person in people
            for half, cents in enumerate(split(person.claim, [("a", 1), ("b", 2)], seed))
        ]
        served = share_out(rule, amount, lines, seed)
        unspent = served.unspent
        pairs = zip(people, zip(lines[::2], lines[1::2], strict=True), strict=True)
        parts = list(zip(served.cents[::2], served.cents[1::2], strict=True))
        rows = [(person, sum(both), list(both), own) for (person, own), both in zip(pairs, parts, strict=True)]
    else:
        result = share_out(rule, amount, people, seed)
        unspent = result.unspent
        rows = [(person, cents, [cents], [person]) for person, cents in zip(people, result.cents, strict=True)]
    return {
        "id": name, "seed": seed, "rule": rule, "in": amount, "unspent": unspent,
        "persons": [
            person._asdict() | {
                "cents": cents, "per_line_cents": per_line,
                "lines": [{"contribution": line.id, "claim": line.claim, "rank": line.rank} for line in lines],
            }
            for person, cents, per_line, lines in rows
        ],
    }  # fmt: skip


def trace_of(*steps: dict[str, Any]) -> dict[str, Any]:
    totals: dict[str, int] = {}
    for step in steps:
        for row in step["persons"]:
            totals[row["id"]] = totals.get(row["id"], 0) + row["cents"]
    persons = [{"id": person, "cents": cents} for person, cents in totals.items()]
    return {"steps": list(steps), "persons": persons, "arbitration": None}


def some_people(chance: random.Random) -> list[Person]:
    """Small and large numbers, zeros, ties, debts, bounds that meet."""
    large = chance.random() < 0.3

    def number(most: int) -> int:
        return chance.choice((0, chance.randint(0, 6), chance.randint(0, most)))

    return [
        Person(
            f"per_{position}é" if position == 3 else f"per_{position}",
            weight=number(10**30 if large else 50),
            claim=number(10**12 if large else 60),
            counted=number(40) - number(40),
            floor=chance.choice((0, 0, number(12))),
            ceiling=chance.choice((None, number(10**6 if large else 40))),
            rank=chance.randint(-1, 1),
        )
        for position in range(chance.randint(0, 9))
    ]


@pytest.mark.django_db
@pytest.mark.parametrize("rule", sorted(RULES))
def test_sql_agrees_with_the_engine(rule: str) -> None:
    """Two hundred steps of each rule in one statement."""
    chance = random.Random(sum(rule.encode()))  # noqa: S311 - the same numbers in every run
    steps = []
    for number in range(200):
        amount = chance.choice((chance.randint(0, 30), chance.randint(0, 300), chance.randint(0, 10**9)))
        steps.append(step_of(f"tier{number}", rule, amount, some_people(chance)))
    made = recount(json.dumps(trace_of(*steps)))
    assert made.difference == ""
    assert (made.shares, made.steps) == (sum(len(step["persons"]) for step in steps), 200)


WEIGHTED = step_of("general", "weighted", 1001, [Person("ana", 2), Person("bo", 1), Person("cy", 1)])
ASKED = step_of("urgent", "as_asked", 700, [Person("ana", claim=600, rank=2), Person("bo", claim=300, rank=1)])
TRACE = trace_of(ASKED, WEIGHTED)


def changed(*path: Any, to: object) -> dict[str, Any]:
    value = copy.deepcopy(TRACE)
    inner: Any = value
    for key in path[:-1]:
        inner = inner[key]
    inner[path[-1]] = to
    return value


def test_the_trace_of_these_tests_is_what_it_should_be() -> None:
    assert [row["cents"] for row in ASKED["persons"]] == [400, 300]
    assert [row["cents"] for row in WEIGHTED["persons"]] == [501, 250, 250]


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("trace", "difference"),
    [
        (TRACE, ""),
        (changed("steps", 1, "persons", 1, "cents", to=251), "general, bo: the trace says 251, recomputed 250"),
        (changed("steps", 1, "persons", 0, "cents", to=None), "general, ana: the trace says nothing, recomputed 501"),
        (changed("steps", 1, "persons", 2, "weight", to=2), "general, ana: the trace says 501, recomputed 400"),
        (changed("steps", 1, "persons", 2, "ceiling", to=10), "general, ana: the trace says 501, recomputed 661"),
        (changed("steps", 1, "persons", 2, "floor", to=500), "general, ana: the trace says 501, recomputed 334"),
        (changed("steps", 1, "in", to=1002), "general, bo: the trace says 250, recomputed 251"),
        (changed("steps", 1, "unspent", to=1), "general, unspent: the trace says 1, recomputed 0"),
        (changed("steps", 1, "rule", to="equal"), "general, ana: the trace says 501, recomputed 333"),
        (changed("steps", 0, "persons", 1, "rank", to=3), ""),
        (
            changed("steps", 0, "persons", 1, "lines", 0, "rank", to=3),
            "urgent, ana: the trace says 400, recomputed 500",
        ),
        (
            changed("steps", 0, "persons", 1, "per_line_cents", to=[100, 199]),
            "urgent, lines of bo: the trace says 299, recomputed 300",
        ),
        (changed("persons", 0, "cents", to=900), "in all, ana: the trace says 900, recomputed 901"),
        (changed("persons", to=TRACE["persons"][:2]), "in all, cy: the trace says nothing, recomputed 250"),
        (
            changed("arbitration", to={"changes": [{"person": "bo", "computed": 250, "agreed": 200}]}),
            "in all, bo: the trace says 550, recomputed 500",
        ),
    ],
)
def test_the_first_difference_is_named(trace: dict[str, Any], difference: str) -> None:
    assert recount(json.dumps(trace)).difference == difference


@pytest.mark.django_db
def test_arbitrated_amounts_are_counted() -> None:
    value = changed("persons", 1, "cents", to=500)
    value["arbitration"] = {"changes": [{"person": "bo", "computed": 250, "agreed": 200}]}
    assert recount(json.dumps(value)).difference == ""


@pytest.mark.django_db
@settings(
    max_examples=60, derandomize=True, deadline=None, database=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)  # fmt: skip
@given(charter=charters(), given_inputs=inputs())
def test_whole_closings_are_recomputed(charter: dict[str, Any], given_inputs: dict[str, Any]) -> None:
    """Tiers, earmarked purses, history, requests in order, bounds less what earlier steps gave."""
    assert recount(json.dumps(closing(charter, given_inputs))).difference == ""


def test_recorded_shares_are_compared_with_the_trace() -> None:
    given = {"ana": 901, "bo": 550, "cy": 250}
    assert compare_shares(TRACE, given) == ""
    assert compare_shares(TRACE, given | {"bo": 551}) == "bo: the trace gives 550, the recorded share is 551"
    assert compare_shares(TRACE, {"ana": 901, "bo": 550}) == "cy: the trace gives 250, the recorded share is 0"
    assert compare_shares(TRACE, given | {"di": 1}) == "di: the trace gives 0, the recorded share is 1"


@pytest.mark.django_db
@pytest.mark.parametrize("wrapped", [False, True])
def test_the_command_reads_an_exported_trace(tmp_path: Path, *, wrapped: bool) -> None:
    file = tmp_path / "trace.json"
    example = json.loads((ROOT / "api_docs/guides/examples/row40.json").read_text(encoding="utf-8"))
    trace = json.loads(answer(json.dumps(example)))["trace"]
    file.write_text(json.dumps({"trace": trace} if wrapped else trace), encoding="utf-8")
    out = StringIO()
    call_command("recompute", str(file), stdout=out)
    assert out.getvalue() == "5 shares in 1 steps agree; all of it follows from its inputs.\n"


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("where", "value"),
    [
        (("inputs", "lines"), []), (("waterfall",), []), (("charter", "document", "bounds"), {}),
        (("moves",), []), (("persons", 0, "per_contribution"), {}),
    ],
)  # fmt: skip
def test_what_lies_around_the_steps_is_recomputed_too(tmp_path: Path, where: tuple[Any, ...], value: Any) -> None:
    example = json.loads((ROOT / "api_docs/guides/examples/row40.json").read_text(encoding="utf-8"))
    trace = json.loads(answer(json.dumps(example)))["trace"]
    place = trace
    for key in where[:-1]:
        place = place[key]
    place[where[-1]] = value
    trace["result_sha256"] = digest(trace)
    file = tmp_path / "trace.json"
    file.write_text(json.dumps(trace), encoding="utf-8")
    out = StringIO()
    with pytest.raises(SystemExit):
        call_command("recompute", str(file), stdout=out)
    assert out.getvalue().startswith("Difference: ")


@pytest.mark.django_db
def test_the_command_leaves_with_one_when_something_differs(tmp_path: Path) -> None:
    file = tmp_path / "trace.json"
    file.write_text(json.dumps(changed("steps", 1, "in", to=1002)), encoding="utf-8")
    out = StringIO()
    with pytest.raises(SystemExit) as left:
        call_command("recompute", str(file), stdout=out)
    assert left.value.code == 1
    assert out.getvalue() == "Difference: general, bo: the trace says 250, recomputed 251.\n"


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("content", "said"),
    [
        (None, "is neither a distribution's id nor a file"), (b"{", "is not JSON"), (b"\xff", "is not JSON"),
        (b"[]", "holds no trace"), (b'{"steps": 1}', "holds no trace"),
        (b'{"steps": [{"persons": 1}]}', "holds no trace"), (b'{"steps": [], "persons": 7}', "holds no trace"),
    ],
)  # fmt: skip
def test_what_is_no_trace_is_refused(tmp_path: Path, content: bytes | None, said: str) -> None:
    file = tmp_path / "trace.json"
    if content is not None:
        file.write_bytes(content)
    with pytest.raises(CommandError, match=said):
        call_command("recompute", str(file))


def test_a_stored_distribution_is_recomputed_with_its_recorded_shares(play: Callable[..., Any]) -> None:
    play()
    stored = Distribution.objects.exclude(trace=None).get()
    out = StringIO()
    call_command("recompute", stored.pk, stdout=out)
    count = sum(len(step["persons"]) for step in stored.trace["steps"])
    assert count > 1
    assert (
        out.getvalue()
        == f"{count} shares in {len(stored.trace['steps'])} steps agree; all of it follows from its inputs.\n"
    )


def test_the_worked_example_is_recomputed(db: None) -> None:
    example = json.loads((ROOT / "api_docs/guides/examples/row40.json").read_text(encoding="utf-8"))
    trace = json.loads(answer(json.dumps(example)))["trace"]
    assert {row["id"]: row["cents"] for row in trace["persons"]} == {
        "ana": 21237, "bo": 23460, "cy": 3083, "di": 5846, "eve": 5024,
    }  # fmt: skip
    assert recount(json.dumps(trace)).difference == ""


def test_the_checker_shares_no_code_with_the_engine() -> None:
    program = "import sys, backend.operations.recompute; print([m for m in sys.modules if 'allocation' in m])"
    made = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=True)
    assert made.stdout == "[]\n"
