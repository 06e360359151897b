"""What the database refuses of promises and their papers; what it cannot is planted in test_selfcheck.py."""

from collections.abc import Callable
from typing import Any

import pytest
from django.db import IntegrityError, connection, transaction

from backend.documents.models import Document
from backend.pledges.models import Pledge
from tests.documents.house import NOW, house

Play = Callable[..., Any]


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE pledges_pledge SET expected = expected + 1",
        "UPDATE pledges_pledge SET person_id = made_by_id, organisation_id = NULL",
        "UPDATE pledges_pledge SET made_by_id = (SELECT max(id) FROM identity_user WHERE id <> made_by_id)",
        "UPDATE pledges_pledge SET budget_id = 'bud_x'",
        "UPDATE pledges_pledge SET rhythm = 'monthly'",
        "UPDATE pledges_pledge SET starts_on = starts_on + 1",
        "UPDATE pledges_pledge SET reference = 'RF18539007547034'",
        "DELETE FROM pledges_pledge",
    ],
)
def test_what_a_pledge_is_stays(play: Play, statement: str) -> None:
    play("make_promise")
    before = list(Pledge.objects.values())
    with pytest.raises(IntegrityError), transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(statement)
    assert list(Pledge.objects.values()) == before


def test_a_credit_note_above_its_invoice_is_refused(db: None) -> None:
    place = house()
    invoice = place.paper("invoice")
    place.paper("credit_note", "first", corrects=invoice)
    with pytest.raises(IntegrityError, match="come to more than it asked for"), transaction.atomic():
        place.paper("credit_note", "second", corrects=invoice)
    assert Document.objects.count() == 2


@pytest.mark.parametrize("forged", [{"label": "F-2026-9999"}, {"year": 1999}])
def test_a_paper_is_called_by_its_number(db: None, forged: dict[str, Any]) -> None:
    place = house()
    row = place.paper("invoice")
    values = {field.attname: getattr(row, field.attname) for field in Document._meta.concrete_fields}
    values |= {"id": "doc_forged", "key": "forged", "number": 2, "label": "F-2026-0002", "issued_at": NOW, **forged}
    with pytest.raises(IntegrityError), transaction.atomic():
        Document.objects.create(**values)
    assert Document.objects.count() == 1
