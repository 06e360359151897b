"""The books that each test of the verifier starts from."""

from pathlib import Path

import pytest

from tests.verify.books import Books, make


@pytest.fixture
def books(tmp_path: Path) -> Books:
    """Twenty entries under three heads, right in every way."""
    return make(tmp_path)
