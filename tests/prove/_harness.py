"""What the proofs share: people who try again, what they see of a step already done, and when the journey has ended."""

import time
from collections.abc import Callable
from http.client import HTTPException
from typing import Any
from urllib.request import Request

from django.db import DatabaseError, connection

from tests.journeys.browser import Browser

PATIENCE = 60.0  # seconds a person goes on pressing the same button
LOST = (OSError, HTTPException)


class Stubborn(Browser):
    """A person who presses the same button again, with the same form, when no answer or an error page comes back."""

    seen: list[int] = []  # the error statuses of all these people

    def _open(self, request: Request) -> Browser:
        until = time.monotonic() + PATIENCE
        while True:
            try:
                super()._open(request)
                if self.status < 500 or time.monotonic() > until:
                    return self
                self.seen.append(self.status)
            except LOST:
                if time.monotonic() > until:
                    raise
            time.sleep(0.2)


def calm(ready: Callable[[], Any]) -> Any:
    """A condition that cannot be read while the web server or the database is away is not fulfilled yet."""
    try:
        return ready()
    except (*LOST, AssertionError):
        return False
    except DatabaseError:
        connection.close()
        return False


def settled(world: Any) -> bool:
    """Whether the bank has confirmed both payouts and nothing waits."""
    from backend.banking.models import BankLine
    from backend.payouts.models import PayoutBatch

    done = list(PayoutBatch.objects.values_list("state", flat=True))
    return done == ["settled"] and not BankLine.objects.filter(state="new").exists()


def persist(step: str, act: Callable[[], Any], hand: Any) -> None:
    """Do a step again until it succeeds, as a person would who sees an error page: the effect must be single."""
    last: BaseException | None = None
    for turn in range(60):
        try:
            if already(step, hand):
                return
            act()
            return
        except (*LOST, AssertionError, DatabaseError) as failure:
            last = failure
            connection.close()
            hand.start_over()
            time.sleep(min(8, 0.5 * 1.25**turn))  # who signs in again and again meets the limits of sign-in
    raise RuntimeError(f"step {step} never succeeded: {last!r}"[:600])


def already(step: str, hand: Any) -> bool:
    """Whether the step had its effect although the answer was lost; the person finds it on the page and goes on."""
    from backend.contributions.models import Contribution
    from backend.distributions.models import Distribution
    from backend.payouts.models import PayoutBatch
    from backend.pledges.models import Pledge
    from backend.pledges.references import printed

    if step == "pledge" and (pledge := Pledge.objects.first()):
        hand.reference, hand.pledge_url = printed(pledge.reference), f"{hand.address}/fr/pledges/{pledge.pk}/"
        return True
    if step == "work":
        return Contribution.objects.filter(state="validated").count() == len(hand.WORK)
    if step == "close" and (made := Distribution.objects.first()):
        hand.distribution_url = f"{hand.address}/fr/distributions/{made.pk}/"
        return made.state != "frozen"
    if step == "approve_distribution":
        return Distribution.objects.get().state == "booked"
    if step == "pay" and (batch := PayoutBatch.objects.exclude(state="rejected").first()):
        hand.batch_url = f"{hand.address}/fr/payouts/{batch.pk}/"
        if batch.state == "prepared":
            hand.approve_batch()
        hand.take_file()
        return True
    return False
