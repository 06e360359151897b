"""A backup that is older than an erasure does not bring the person back."""

from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from django.db import connection
from django.utils import timezone

from backend.identity.models import User
from backend.operations.trial import canonical
from backend.payees.models import Payee
from backend.privacy.erasure import erase_due
from backend.privacy.models import Erasure
from tests import databases
from tests.operations.test_backup import NAME, backup, manage, query
from tests.privacy.erasing import ARCHIVE, tables_with

pytestmark = pytest.mark.timeout(300)  # real pg_dump, pg_restore and migrations

Play = Callable[..., Any]


def test_who_was_erased_after_the_backup_stays_erased(play: Play, committed: str, tmp_path: Path) -> None:
    world = play("settle")
    bo = world.users["bo"]
    path = backup(committed, tmp_path / "b.tar")
    now = timezone.now()
    Erasure.objects.create(id="ers_1", user=bo, cause="asked", asked_at=now - timedelta(days=7), due_at=now)
    assert erase_due(now) == 1
    books = canonical()
    connection.close()
    done = manage(committed, "restore", str(path), "--replace", NAME)
    assert done.returncode == 0, done.stderr
    person = User.objects.get(pk=bo.pk)
    assert (person.is_active, person.email.endswith("@erased.invalid")) == (False, True)
    assert Payee.objects.get(user=person).iban_sealed == ""
    assert Erasure.objects.get(user=person).done_at is not None
    assert tables_with("bo@example.org") == set()
    assert tables_with("Bo Nguyen") <= ARCHIVE
    assert canonical() == books
    connection.close()
    ((former,),) = query("postgres", f"SELECT datname FROM pg_database WHERE datname LIKE '{committed[:40]}_before_%'")
    databases.drop(former)
