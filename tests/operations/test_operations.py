"""The commands an operator types."""

import subprocess
import sys
from collections.abc import Callable
from io import StringIO
from typing import Any

import pytest
from django.core.management import call_command
from django.core.management.base import CommandError

from backend.identity.models import Host, User
from backend.ledger.services import entry_count, trial_balance
from backend.operations.sweeps import SWEEPS
from tests import databases
from worker.schedule import TIMETABLE

Play = Callable[..., Any]


def run(command: str, *arguments: str) -> str:
    """What a command prints."""
    out = StringIO()
    call_command(command, *arguments, stdout=out)
    return out.getvalue()


@pytest.mark.django_db
def test_the_small_demonstration_loads_once() -> None:
    said = run("load_demo", "--small")
    assert "claire@example.org" in said
    before = (User.objects.count(), entry_count())
    assert before[1] == 6
    assert run("load_demo", "--small") == said
    assert (User.objects.count(), entry_count()) == before
    assert sum(row.balance for row in trial_balance()) == 0


def test_an_instance_in_use_is_left_alone(play: Play) -> None:
    world = play("make_house")
    User.objects.filter(email__endswith="@example.org").update(is_active=True)
    before = entry_count()
    run("load_demo")
    assert (Host.objects.get(), entry_count()) == (world.host, before)


@pytest.mark.django_db
def test_sweep_does_what_is_due_and_refuses_an_unknown_name() -> None:
    assert run("sweep").splitlines() == [f"{name}: 0" for name in SWEEPS]
    assert run("sweep", "banking.match") == "banking.match: 0\n"
    with pytest.raises(CommandError, match=r"Unknown sweep nothing"):
        run("sweep", "nothing")


def test_every_sweep_is_in_the_timetable() -> None:
    assert set(TIMETABLE) == set(SWEEPS)
    assert max(TIMETABLE.values()) <= 60


def test_the_database_can_be_prepared_again(template: None) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "backend.manage", "prepare_database"],
        env=databases.environment(databases.TEMPLATE),
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert "is ready" in done.stdout


def test_a_database_that_does_not_answer_is_one_sentence() -> None:
    environment = databases.environment("tronc")
    for name in ("DATABASE_URL", "DATABASE_OWNER_URL", "DATABASE_ADMIN_URL"):
        environment[name] = "postgresql://nobody@127.0.0.1:1/tronc"
    done = subprocess.run(
        [sys.executable, "-m", "backend.manage", "prepare_database"],
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1
    assert "PostgreSQL does not answer" in done.stderr
    assert "Traceback" not in done.stderr


def test_the_french_catalogue_is_whole() -> None:
    assert "0 to see to" in run("messages", "--check")
