"""The pots of these tests."""

from collections.abc import Callable
from typing import Any

import pytest

from tests.api.conftest import call
from tests.distributions.pots import Pots

__all__ = ["call", "pots"]


@pytest.fixture
def pots(play: Callable[..., Any]) -> Pots:
    """A house where pots can be opened."""
    return Pots(play("make_house"))
