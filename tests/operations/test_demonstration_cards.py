"""What the demonstration tells of its payment provider agrees with that provider to the cent."""

from datetime import timedelta

import pytest
from django.utils import timezone

from backend.ledger.services import balance
from backend.operations import demonstration
from backend.payments.models import (
    Checkout,
    Dispute,
    Movement,
    Notice,
    Operation,
    ProviderPayout,
    ProviderRefund,
    Subscription,
)
from tests.payments.flow import agree
from tests.payments.provider import FakeProvider, fake_provider

__all__ = ["fake_provider"]


@pytest.mark.timeout(600)
def test_the_year_passes_through_the_provider_and_both_say_the_same(
    committed: str, fake_provider: FakeProvider
) -> None:
    now = timezone.now()
    assert demonstration.load(now)
    assert sorted(Checkout.objects.values_list("state", "recurring", "method")) == [
        ("paid", False, "card"), ("paid", False, "card"), ("paid", True, "card"), ("paid", True, "sepa_debit"),
    ]  # fmt: skip
    assert dict(Subscription.objects.values_list("method", "state")) == {"card": "paused", "sepa_debit": "active"}
    assert [(row.state, row.line != "") for row in ProviderPayout.objects.all()] == [("settled", True)]
    assert [row.state for row in Dispute.objects.all()] == ["opened"]
    assert Dispute.objects.get().answer_by > now
    assert [(row.state, row.amount) for row in ProviderRefund.objects.all()] == [("asked", 50_00)]
    assert not Movement.objects.filter(state="reported").exists()
    assert not Operation.objects.filter(state__in=Operation.OPEN).exists()
    assert not Notice.objects.filter(state__in=["waiting", "stuck"]).exists()
    assert balance(kind="clearing", owner="fake", currency="EUR") == fake_provider.net()
    assert abs(fake_provider.now() - timezone.now()) < timedelta(minutes=2)  # its clock is ours again
    assert agree(fake_provider)
