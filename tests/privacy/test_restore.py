"""A backup that is older than an erasure does not bring the person back."""

from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from django.db import connection
from django.utils import timezone

from backend.core.errors import Conflict
from backend.documents.models import Document
from backend.documents.services import Item, Party, file_of, issue
from backend.identity.models import User
from backend.operations.trial import canonical
from backend.payees.models import Payee
from backend.pledges.donations import gift_code, give
from backend.pledges.models import Donor
from backend.privacy.donors import forget_donor
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
    now = timezone.now()
    gift = give(
        budget=world.budget, name="Zebulon Quagmire", email="zebulon@secret.example", amount=20_00, currency="EUR",
        rhythm="once", named=True, language="fr", form_key="g", now=now,
    )  # fmt: skip
    facts: dict[str, Any] = {
        "kind": "call", "party": Party(name="Zebulon Quagmire"), "items": [Item("Cartolibre", 10_00)],
        "currency": "EUR", "language": "fr", "actor": None, "now": now,
    }  # fmt: skip
    forgotten = issue(key="one", subject=gift.group, **facts)
    kept_paper = issue(key="two", subject="grp_other", **facts)
    path = backup(committed, tmp_path / "b.tar")
    forget_donor(code=gift_code(gift), now=now)
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
    assert Donor.objects.get().name == ""
    with pytest.raises(Conflict):
        file_of(Document.objects.get(pk=forgotten.pk))
    assert file_of(Document.objects.get(pk=kept_paper.pk)).startswith(b"%PDF")
    assert tables_with("zebulon@secret.example") == set()
    assert tables_with("bo@example.org") == set()
    assert tables_with("Bo Nguyen") <= ARCHIVE
    assert canonical() == books
    connection.close()
    ((former,),) = query("postgres", f"SELECT datname FROM pg_database WHERE datname LIKE '{committed[:40]}_before_%'")
    databases.drop(former)
