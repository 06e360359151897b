"""The world of the matrix, made once for each file of tests and undone after it."""

from collections.abc import Iterator
from typing import Any

import pytest
from django.db import transaction
from django.test import override_settings
from django.utils import translation

from tests.rights.world import House, build


@pytest.fixture(scope="module")
def house(django_db_setup: None, django_db_blocker: Any) -> Iterator[House]:
    """The world, in one transaction that is never committed; its payment provider is away."""
    away = override_settings(
        PROVIDER="fake",
        FAKE_PROVIDER="http://127.0.0.1:9",
        STRIPE_KEY="sk_test_away",
        STRIPE_WEBHOOK_SECRETS=["whsec_away"],
    )
    with away, django_db_blocker.unblock(), transaction.atomic(), translation.override("en"):
        yield build()
        transaction.set_rollback(True)
