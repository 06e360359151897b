"""A storm on the ledger: eight processes do what Hypothesis thought of, all at once, to the same few purses.

After each plan: every effect that was answered is in the balances and nothing else is, what is held is what was set
aside and not ended, the audit finds nothing, a locked month holds what it held, and PostgreSQL met no deadlock.
"""

import itertools
import json
import subprocess
import sys
from collections import Counter
from pathlib import Path
from typing import Any

from hypothesis import HealthCheck, Phase, given, note, seed, settings
from hypothesis import strategies as st

ROOT = Path(__file__).resolve().parents[2]
WORKERS = 8
PURSES = 5  # the first is the bank, the others are guarded and begin with FUNDS
FUNDS = 1000
ACTS = 16  # of each worker in a plan, at most

_purse = st.integers(0, PURSES - 1)
_amount = st.integers(1, 700)
_move = st.tuples(_purse, st.integers(1, PURSES - 1), _amount)  # from, how much further, minor units
_turn = st.integers(0, ACTS - 1)  # which of one's own acts
_act = st.one_of(
    st.tuples(st.just("post"), _move, st.booleans()),  # whether it happened in the month that locks and unlocks
    st.tuples(st.just("bulk"), st.lists(_move, min_size=1, max_size=5), st.booleans()),
    st.tuples(st.just("again"), _turn),
    st.tuples(st.just("reverse"), st.integers(0, 50)),
    st.tuples(st.just("hold"), st.integers(1, PURSES - 1), _amount),
    st.tuples(st.just("capture"), st.integers(0, 50), st.integers(1, 100)),
    st.tuples(st.just("release"), st.integers(0, 50)),
    st.tuples(st.just("lock")),
    st.tuples(st.just("unlock")),
    st.tuples(st.just("seal")),
)
plans = st.lists(st.lists(_act, min_size=4, max_size=ACTS), min_size=WORKERS, max_size=WORKERS)


class Crew:
    """The worker processes, each with its own connection."""

    def __init__(self, environment: dict[str, str]) -> None:
        """Start them on the database of this environment."""
        words = [sys.executable, "-P", "-m", "tests.ledger.storm_worker"]
        environment = {**environment, "PYTHONPATH": str(ROOT)}
        self._processes = [
            subprocess.Popen(words, env=environment, text=True, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
            for _worker in range(WORKERS)
        ]

    def play(self, jobs: list[dict[str, Any]]) -> list[dict[str, Any]]:
        """Give each its job at once; gives what each answered."""
        for process, job in zip(self._processes, jobs, strict=True):
            assert process.stdin is not None
            process.stdin.write(json.dumps(job) + "\n")
            process.stdin.flush()
        answers = [process.stdout.readline() for process in self._processes if process.stdout is not None]
        assert all(answers), "a worker of the storm died"
        return [json.loads(answer) for answer in answers]

    def stop(self) -> None:
        """Their input ends, so do they."""
        for process in self._processes:
            process.communicate()


def rage(*, environment: dict[str, str], examples: int, dice: int) -> "Counter[str]":
    """Try plans on the database that both this process and `environment` name; it is migrated and empty.

    Args: examples: how many plans. dice: the seed of the plans.
    Returns: how often each act was done and each refusal met. Raises: AssertionError when the books are not whole.
    """
    from tests.ledger.storm_worker import prepare

    month = prepare().isoformat()
    crew, numbers, done = Crew(environment), itertools.count(), Counter[str]()

    # A plan that fails is shown as it is: with eight processes a smaller one need not fail again.
    @seed(dice)
    @settings(
        max_examples=examples, deadline=None, database=None, phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )  # fmt: skip
    @given(plans)
    def one(plan: list[list[Any]]) -> None:
        note(json.dumps(plan))
        _one_plan(crew, f"storm{next(numbers)}", month, plan, done)

    try:
        one()
    finally:
        crew.stop()
    assert _deadlocks() == 0, "PostgreSQL met a deadlock, and someone tried again"
    return done


def _one_plan(crew: Crew, name: str, month: str, plan: list[list[Any]], done: "Counter[str]") -> None:
    """Fund purses of its own, let the crew rage, compare."""
    from tests.ledger.storm_worker import fund

    purses = fund(name, PURSES, FUNDS)
    answers = crew.play([{"name": name, "worker": number, "purses": purses, "month": month, "acts": acts}
                         for number, acts in enumerate(plan)])  # fmt: skip
    errors = [error for answer in answers for error in answer["errors"]]
    assert not errors, errors
    for answer in answers:
        done.update(answer["told"])
    booked = {entry: effect for answer in answers for entry, effect in answer["booked"].items()}
    held = {hold: at for answer in answers for hold, at in answer["held"].items()}
    _compare(name, purses, booked, held, {hold for answer in answers for hold in answer["ended"]})


def _compare(
    name: str, purses: list[str], booked: dict[str, dict[str, int]], held: dict[str, list[Any]], ended: set[str]
) -> None:
    """What was answered is what is booked and held: no entry more or less, no cent elsewhere."""
    from backend.ledger import audit
    from backend.ledger.models import Balance, JournalEntry

    there = set(JournalEntry.objects.filter(reference=name).exclude(kind="storm.fund").values_list("pk", flat=True))
    assert there == set(booked), f"{len(there)} booked, {len(booked)} answered"
    balance = dict.fromkeys(purses[1:], -FUNDS) | {purses[0]: FUNDS * (PURSES - 1)}
    for effect in booked.values():
        for purse, amount in effect.items():
            balance[purse] += amount
    aside = dict.fromkeys(purses, 0)
    for hold, (purse, amount) in held.items():
        aside[purse] += 0 if hold in ended else amount
    rows = Balance.objects.filter(pk__in=purses)
    assert {row.pk: (row.balance, row.held) for row in rows} == {one: (balance[one], aside[one]) for one in purses}
    assert all(-balance[purse] >= aside[purse] for purse in purses[1:]), "a guarded purse crossed what is held of it"
    assert [*audit.unbalanced(), *audit.wrong_balances(), *audit.altered_entries(), *audit.broken_seals()] == []
    assert _slipped() == [], "an entry slipped into a locked month"


def _slipped() -> list[Any]:
    """Purses whose balance at the end of the last locked month is not what the closings kept."""
    from django.db import connection

    with connection.cursor() as cursor:
        cursor.execute(
            """
            SELECT kept.account_id, kept.balance, sum(posting.amount)
              FROM ledger_closing closing
              JOIN ledger_closingbalance kept ON kept.closing_id = closing.id
              LEFT JOIN ledger_posting posting
                ON posting.account_id = kept.account_id AND posting.happened_on < closing.ends_before
             WHERE closing.locked_at IS NOT NULL AND closing.unlocked_at IS NULL
             GROUP BY closing.id, kept.account_id, kept.balance
            HAVING kept.balance <> coalesce(sum(posting.amount), 0)
            """
        )
        return list(cursor.fetchall())


def _deadlocks() -> int:
    """How many deadlocks this database met since it was made, once the workers have ended and told theirs."""
    from django.db import connection

    with connection.cursor() as cursor:
        cursor.execute("SELECT deadlocks FROM pg_stat_database WHERE datname = current_database()")
        return int(cursor.fetchone()[0])
