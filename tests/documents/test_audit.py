"""What only a superuser could have done to a series of papers is found and named."""

import pytest

from backend.documents.audit import Series, all_series, broken_series
from backend.documents.models import Document
from tests.documents.house import House, house
from tests.operations.test_selfcheck import plant

WHOLE = Series("invoice", 2026, 3, 3, True)


@pytest.fixture
def place(committed: str) -> House:
    """Three invoices, on a database of their own."""
    made = house()
    for key in ("one", "two", "three"):
        made.paper("invoice", key)
    assert (all_series(), broken_series()) == ([WHOLE], [])
    return made


@pytest.mark.parametrize(
    ("statements", "found"),
    [
        (("DELETE FROM documents_document WHERE number = 2",), Series("invoice", 2026, 3, 2, False)),
        (("DELETE FROM documents_document WHERE number = 3",), Series("invoice", 2026, 3, 2, False)),
        (
            ("UPDATE documents_document SET number = 4, label = 'F-2026-0004' WHERE number = 2",),
            Series("invoice", 2026, 3, 3, False),
        ),
        (("UPDATE documents_documentseries SET last = 5",), Series("invoice", 2026, 5, 3, False)),
        (("DELETE FROM documents_documentseries",), Series("invoice", 2026, 0, 3, False)),
        (
            (
                "ALTER TABLE documents_document DROP CONSTRAINT one_document_of_a_number",
                "ALTER TABLE documents_document DROP CONSTRAINT document_label_is_its_number",
                "UPDATE documents_document SET number = 3 WHERE number = 2",
            ),
            Series("invoice", 2026, 3, 3, False),
        ),
    ],
)
def test_a_gap_and_a_repetition_are_found(
    place: House, committed: str, statements: tuple[str, ...], found: Series
) -> None:
    plant(committed, *statements)
    assert broken_series() == [found]
    assert found.name == "F-2026"
    assert Document.objects.exists()
