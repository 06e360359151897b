"""The settings of the payment provider are refused when they cannot be right: nothing starts with them."""

import subprocess
import sys
from typing import Any

import pytest

from backend.core.provider_mode import hindrance
from tests.deploy.units import ROOT

GOOD: dict[str, Any] = {
    "name": "stripe", "key": "rk_live_abc", "secrets": ["whsec_a", "whsec_b"], "fake": "http://127.0.0.1:8290",
    "base_url": "https://tronc.example.org", "failures": 3,
}  # fmt: skip
HERE = {"name": "fake", "key": "sk_test_abc", "base_url": "http://localhost:8000"}


@pytest.mark.parametrize("changes", [{}, {"key": "sk_test_abc"}, {"name": "", "key": "", "secrets": []}, HERE])
def test_what_can_be_right_passes(changes: dict[str, Any]) -> None:
    assert hindrance(**GOOD | changes) is None


@pytest.mark.parametrize(
    ("changes", "named"),
    [
        ({"name": "Stripe"}, "TRONC_PROVIDER"),
        ({"key": ""}, "TRONC_STRIPE_KEY"),
        ({"key": "pk_live_abc"}, "TRONC_STRIPE_KEY"),
        ({"key": "SK_LIVE_abc"}, "TRONC_STRIPE_KEY"),
        ({"secrets": []}, "TRONC_STRIPE_WEBHOOK_SECRETS"),
        ({"secrets": ["whsec_a,whsec_b"]}, "TRONC_STRIPE_WEBHOOK_SECRETS"),
        ({"failures": 0}, "TRONC_DUNNING_FAILURES"),
        (HERE | {"fake": "http://203.0.113.9"}, "TRONC_FAKE_PROVIDER"),
        (HERE | {"base_url": "https://tronc.example.org"}, "TRONC_BASE_URL"),
        (HERE | {"key": "sk_live_abc"}, "TRONC_STRIPE_KEY"),
    ],
)
def test_what_cannot_is_refused_naming_the_variable(changes: dict[str, Any], named: str) -> None:
    said = hindrance(**GOOD | changes)
    assert said is not None
    assert named in said


def test_nothing_starts_with_such_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TRONC_PROVIDER", "Stripe")
    done = subprocess.run(
        [sys.executable, "-m", "backend.manage", "check"], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode != 0
    assert "TRONC_PROVIDER is “Stripe”" in done.stderr
