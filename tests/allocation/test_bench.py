"""A small slice of the benchmark: every case runs and says what it should."""

import json

import pytest

from tests.bench import allocation


def test_the_benchmark_runs_small(capsys: pytest.CaptureFixture[str]) -> None:
    assert allocation.main(["--people", "400", "--lines", "400", "--pots", "50", "--rounds", "1"]) == 0
    rows = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [row["case"] for row in rows] == [
        "400 people with ceilings", "400 claimants with caps", "400 people catching up, floors and ceilings",
        "400 people in one tie",
        "400 lines summed to 20 people, then shared", "50 pots, 245 upstream edges with cycles",
    ]  # fmt: skip
    assert all(row["verdict"] in ("right", "short") for row in rows[:2])
    assert 200 < rows[0]["at_ceiling"] < 400
    assert all(row["peak_mb"] >= row["inputs_mb"] > 0 for row in rows)


def test_the_naive_division_is_a_largest_remainder() -> None:
    assert allocation.naive(100, [23527, 5548, 70925]) == [23, 6, 71]
