"""A process that dies, for real, at each point of a payment by card: whoever comes next finishes it, once."""

import os
import subprocess
import sys
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from backend.core.failpoints import OF_PROVIDER
from backend.payments.asking import ask_due
from backend.payments.models import Checkout, Movement, Notice, Operation, Payment
from backend.payments.notices import treat_notices
from tests import databases
from tests.payments.flow import BACK, agree, begin, open_page, tell
from tests.payments.money import a_pledge
from tests.payments.provider import KEY, SECRET, FakeProvider, fake_provider

__all__ = ["fake_provider"]

Play = Callable[..., Any]
ROOT = Path(__file__).resolve().parents[2]
# What the process does until it dies: opens a page, takes in the events that wait in a file, treats them.
SCRIPT = """
import json, os, sys
from datetime import datetime
import django
django.setup()
from backend.identity.models import User
from backend.payments.checkouts import start_checkout
from backend.payments.notices import receive_notice, treat_notices
from backend.payments.operations import carry_out
given = json.load(open(sys.argv[1]))
now = datetime.fromisoformat(given["now"])
if given["group"]:
    made = start_checkout(actor=User.objects.get(pk=given["actor"]), code="", group=given["group"], method="card",
        language="fr", return_url=given["back"], now=now)
    carry_out(operation_id=made.operation_id, now=now)
for body, signature in given["events"]:
    receive_notice(body=body.encode(), signature=signature, now=now)
treat_notices(now)
"""


def run(name: str, folder: Path, fake: FakeProvider, point: str, **given: Any) -> int:
    """A process of its own, armed at one point; gives how it ended."""
    import json

    (folder / "given.json").write_text(json.dumps(given))
    environment = {
        **databases.environment(name), "TRONC_FAILPOINTS": f"{point}=kill", "TRONC_FAILPOINTS_FOLDER": str(folder),
        "TRONC_PROVIDER": "fake", "TRONC_FAKE_PROVIDER": fake.address, "TRONC_STRIPE_KEY": KEY,
        "TRONC_STRIPE_WEBHOOK_SECRETS": SECRET, "TRONC_STRIPE_ACCOUNT": "acct_ours", "PYTHONPATH": str(ROOT),
        "DJANGO_SETTINGS_MODULE": os.environ["DJANGO_SETTINGS_MODULE"],
    }  # fmt: skip
    command = [sys.executable, "-c", SCRIPT, str(folder / "given.json")]
    return subprocess.run(command, env=environment, cwd=ROOT, check=False, timeout=120, capture_output=True).returncode


@pytest.mark.parametrize("point", sorted(OF_PROVIDER))
def test_what_a_dead_process_left_is_finished_once(
    point: str, committed: str, tmp_path: Path, play: Play, fake_provider: FakeProvider
) -> None:
    world = play("make_house")
    begin(world, fake_provider)
    now = fake_provider.now()
    pledge = a_pledge(world, 40_00, "k")
    opening = point.startswith(("checkout", "operation"))
    events: list[tuple[str, str]] = []
    if not opening:
        page = open_page(world, pledge, now)
        fake_provider.pay(page.remote_id)
        fake_provider.deliver(lambda body, signature: events.append((body.decode(), signature)))
        fake_provider.seen -= len(events)  # the provider sends again what nobody answered
    ended = run(
        committed, tmp_path, fake_provider, point, now=now.isoformat(), events=events, back=BACK,
        actor=str(world.users["ana"].pk), group=pledge.group if opening else "",
    )  # fmt: skip
    assert ended == -9
    later = fake_provider.advance(seconds=61)
    ask_due(later)
    if opening:
        page = open_page(world, pledge, later)
        fake_provider.pay(page.remote_id)
    tell(fake_provider)
    treat_notices(fake_provider.now())
    assert len(fake_provider.every("checkout.session")) == 1
    assert (Payment.objects.count(), Movement.objects.count()) == (1, 1)
    assert list(Operation.objects.values_list("state", flat=True)) == ["done"]
    assert Checkout.objects.get().state == "paid"
    assert not Notice.objects.exclude(state="done").exists()
    assert later - now > timedelta(seconds=60)
    assert agree(fake_provider)
