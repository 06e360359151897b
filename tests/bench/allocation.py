"""The allocation engine at full size, beside a naive largest remainder over the same numbers in the same run.

    ./run bench allocation [--people N] [--lines N] [--pots N] [--rounds N]

Each case runs in a process of its own, so that its peak memory is its own. The naive division has no bounds, no rule,
no tie by hash and no check of what it is given. Seconds are those of the processor, so that neighbours on the machine
count little. Times never make it fail; a wrong sum does.
"""

import argparse
import json
import multiprocessing
import random
import resource
import statistics
import sys
import time
from collections.abc import Callable, Iterator
from typing import Any

from backend.allocation.kernel import Person
from backend.allocation.rules import Result, share_out, summed
from backend.allocation.upstream import WHOLE, Edge, cascade

SEED = "bud_bench|per_bench|general"
TARGET = 2.0  # most times the naive division, for a million people with ceilings
Row = dict[str, Any]


def main(arguments: list[str]) -> int:
    """Run the cases, one JSON object a line; 0 unless a sum is wrong."""
    parser = argparse.ArgumentParser(prog="allocation", description=__doc__)
    parser.add_argument("--people", type=int, default=1_000_000)
    parser.add_argument("--lines", type=int, default=1_000_000, help="lines, for a twentieth as many people")
    parser.add_argument("--pots", type=int, default=100_000, help="pots, with five times as many edges")
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args(arguments)
    for row in measure(options.people, options.lines, options.pots, options.rounds):
        print(json.dumps({"bench": "allocation"} | row), flush=True)
    return 0


def measure(people: int, lines: int, pots: int, rounds: int) -> Iterator[Row]:
    """One row a case, each from a process of its own; RuntimeError when one failed."""
    cases: list[tuple[Callable[..., Row], int]] = [
        (capped, people), (claiming, people), (bounded, people), (tied, people), (pooled, lines), (upstream, pots),
    ]  # fmt: skip
    start = multiprocessing.get_context("spawn")
    for case, size in cases:
        with start.Pool(1) as pool:
            yield pool.apply(case, (size, rounds))


def naive(amount: int, weights: list[int]) -> list[int]:
    """Largest remainder as one writes it first: no bounds, ties by position."""
    total = sum(weights)
    parts = [divmod(amount * weight, total) for weight in weights]
    cents = [base for base, _ in parts]
    order = sorted(range(len(weights)), key=lambda position: parts[position][1], reverse=True)
    for position in order[: amount - sum(cents)]:
        cents[position] += 1
    return cents


def capped(size: int, rounds: int) -> Row:
    """Weights at random, everyone's ceiling at 1.25 times the mean share: six passes or so, over half end capped."""
    weights, amount = drawn(size)
    ceiling = amount * 5 // 4 // size
    people = [Person(identifier(at), weight, ceiling=ceiling) for at, weight in enumerate(weights)]
    row = compared(f"{size} people with ceilings", "weighted", amount, people, weights, rounds=rounds)
    return judged(row)


def claiming(size: int, rounds: int) -> Row:
    """Requests at random, six tenths of them covered; the charter's own cap stops half of the people at half."""
    claims, _amount = drawn(size)
    people = [
        Person(identifier(at), claim=claim, ceiling=claim // 2 + 1 if at % 2 else claim)
        for at, claim in enumerate(claims)
    ]
    amount = sum(claims) * 6 // 10
    return judged(compared(f"{size} claimants with caps", "claims_pro", amount, people, claims, rounds=rounds))


def judged(row: Row) -> Row:
    """The same row with its target and whether it is met."""
    return row | {"target": f"<= {TARGET:g}", "verdict": "right" if row["ratio"] <= TARGET else "short"}


def bounded(size: int, rounds: int) -> Row:
    """Everything at once: floors, ceilings, and money counted before."""
    weights, amount = drawn(size)
    mean = amount // size
    people = [
        Person(identifier(at), weight, counted=at % 7 * mean // 9, floor=mean // 8, ceiling=mean * 2)
        for at, weight in enumerate(weights)
    ]
    return compared(
        f"{size} people catching up, floors and ceilings", "catch_up", amount, people, weights, rounds=rounds
    )


def tied(size: int, rounds: int) -> Row:
    """Everyone equal: the last cents stop among all of them, so all are hashed."""
    amount = size * 100 + size // 2
    people = [Person(identifier(at), 1) for at in range(size)]
    return compared(f"{size} people in one tie", "equal", amount, people, [1] * size, rounds=rounds)


def pooled(size: int, rounds: int) -> Row:
    """Lines of many people summed by person, then shared."""
    persons = max(1, size // 20)
    chance = random.Random(size)  # noqa: S311 - the same numbers in every run
    lines = [(identifier(chance.randrange(persons)), chance.randrange(1, 10**9)) for _ in range(size)]
    amount = 1_234_567_89
    before, times, parts = memory(), [], []
    for _ in range(rounds):
        begun = time.process_time()
        weights = summed(lines)
        parts.append(time.process_time() - begun)
        result = share_out("weighted", amount, [Person(person, weight) for person, weight in weights.items()], SEED)
        times.append(time.process_time() - begun)
    right(result)
    return {
        "case": f"{size} lines summed to {len(weights)} people, then shared", "seconds": short(times),
        "of_which_summing": short(parts), "inputs_mb": before, "peak_mb": memory(),
    }  # fmt: skip


def upstream(size: int, rounds: int) -> Row:
    """A random graph, five edges a pot, which passes 30 % of all it receives on; cycles everywhere."""
    chance = random.Random(size)  # noqa: S311 - the same numbers in every run
    names = [identifier(at) for at in range(size)]
    pots = {name: chance.randrange(10**6) for name in names}
    wanted = {(source, target) for source in names for target in chance.sample(names, min(5, size)) if source != target}
    edges = [Edge(source, target, WHOLE * 30 // 100 // 5) for source, target in sorted(wanted)]
    before, times = memory(), []
    for _ in range(rounds):
        begun = time.process_time()
        solved = cascade(pots, edges)
        times.append(time.process_time() - begun)
    if sum(solved.kept.values()) != sum(pots.values()):
        raise RuntimeError("What the pots keep is not what they received.")
    return {
        "case": f"{size} pots, {len(edges)} upstream edges with cycles", "seconds": short(times),
        "inputs_mb": before, "peak_mb": memory(),
    }  # fmt: skip


def compared(case: str, rule: str, amount: int, people: list[Person], weights: list[int], *, rounds: int) -> Row:
    """The rule and the naive division in turn; the ratio is the median of the rounds."""
    before, ours, theirs = memory(), [], []
    for _ in range(rounds):
        begun = time.process_time()
        result = share_out(rule, amount, people, SEED)
        ours.append(time.process_time() - begun)
        peak = memory()
        begun = time.process_time()
        cents = naive(amount, weights)
        theirs.append(time.process_time() - begun)
        if sum(cents) != amount:
            raise RuntimeError("The naive division does not add up.")
        del cents
    right(result)
    ratio = statistics.median(one / other for one, other in zip(ours, theirs, strict=True))
    at_ceiling = sum(got == person.ceiling for got, person in zip(result.cents, people, strict=True))
    return {
        "case": case, "ratio": round(ratio, 3), "seconds": short(ours), "naive_seconds": short(theirs),
        "at_ceiling": at_ceiling, "inputs_mb": before, "peak_mb": peak,
    }  # fmt: skip


def right(result: Result) -> None:
    """Refuse a result that does not add up."""
    if sum(result.cents) + result.unspent != result.amount:
        raise RuntimeError("The shares do not add up.")


def drawn(size: int) -> tuple[list[int], int]:
    """Weights that leave remainders everywhere, and an amount of about 10 euros each."""
    chance = random.Random(size)  # noqa: S311 - the same numbers in every run
    return [chance.randrange(1, 10**6) for _ in range(size)], size * 1000 + 7


def identifier(number: int) -> str:
    """Long and without order, as real ids are."""
    return f"usr_{number * 2654435761 % 2**32:010}_{number:09}"


def short(seconds: list[float]) -> float:
    """The median, to the millisecond."""
    return round(statistics.median(seconds), 3)


def memory() -> int:
    """The most memory this process has held, in megabytes."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
