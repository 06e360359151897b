"""What passes through the demonstration's payment provider: a card, a monthly debit, one that stopped, a dispute.

The provider is the fake one of this machine. Its clock follows the story, so that whoever opens the demonstration
afterwards finds there what the books say.
"""

import json
import socket
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any
from urllib.parse import urlsplit

from django.conf import settings

from backend.operations.demonstration import movilab
from backend.operations.demonstration.cast import ORGANISATIONS
from backend.operations.demonstration.year import ZONE, BankFact, Year
from backend.payments.checkouts import returned, start_checkout
from backend.payments.models import Checkout, ProviderPayout, Subscription
from backend.payments.notices import receive_notice, treat_notices
from backend.payments.operations import carry_out, due_operations
from backend.payments.provider_refunds import ask_refund
from backend.payments.providers.fake.server import Server
from backend.payments.providers.stripe_notices import sign
from backend.payments.subscriptions import converge
from backend.pledges.models import Pledge
from backend.pledges.services import Terms, make_pledge


@dataclass(frozen=True)
class Paid:
    """A promise to the common pot that is paid through the provider from its first day on."""

    payer: str
    month: int
    day: int
    method: str
    amount: int
    rhythm: str


PAID = (
    Paid("ateliers", 8, 9, "sepa_debit", 60_00, "monthly"),
    Paid("halles", 9, 11, "card", 15_00, "monthly"),
    Paid("reseau", 10, 12, "card", 250_00, "once"),
    Paid("bo", 11, 5, "card", 45_00, "once"),
)


@dataclass
class Story:
    """The provider while the year is told: its clock follows the story, and each of its events is heard once."""

    year: Year
    ahead: int = 0  # seconds its clock is ahead of this machine's
    heard: set[str] = field(default_factory=set)
    groups: dict[str, str] = field(default_factory=dict)

    def act(self, what: str, **words: Any) -> dict[str, Any]:
        """Something a payer, a bank or the time does at the provider."""
        return _ask("POST", f"/control/{what}", words)

    def set_clock(self, when: datetime) -> None:
        """Put its clock at a moment of the story; what falls due until then happens."""
        by = round(when.timestamp() - time.time()) - self.ahead
        self.ahead += by
        self.act("clock", by=by)

    def catch_up(self, when: datetime) -> None:
        """Let the provider do what fell due by then, hear its events, and ask of it what we want."""
        self.set_clock(when)
        for _turn in range(3):  # what we ask makes events in turn
            told = [one for one in _ask("GET", "/v1/events?limit=100")["data"] if one["id"] not in self.heard]
            for event in reversed(told):
                self.heard.add(event["id"])
                body = json.dumps(event | {"livemode": False}).encode()
                seal = sign(body, settings.STRIPE_WEBHOOK_SECRETS[0], at=int(when.timestamp()))
                receive_notice(body=body, signature=seal, now=when)
            treat_notices(when)
            asked = converge(when)
            for row in list(due_operations(when).order_by("pk")):
                carry_out(operation_id=row.pk, now=when)
            if not told and not asked:
                return


def _ask(method: str, path: str, words: dict[str, Any] | None = None) -> dict[str, Any]:
    """Ask the fake provider on this machine, at the address and with the key of the settings."""
    request = urllib.request.Request(  # noqa: S310 - the demonstration's own address
        settings.FAKE_PROVIDER + path, method=method, data=json.dumps(words).encode() if words is not None else None,
        headers={"Authorization": f"Bearer {settings.STRIPE_KEY}"},
    )  # fmt: skip
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    with opener.open(request, timeout=10) as answer:
        found: dict[str, Any] = json.load(answer)
    return found


@contextmanager
def open_provider(year: Year) -> Iterator[None]:
    """Plan what passes through the provider, where the demonstration has one.

    When its server does not run, one runs here until the year is told, and forgets it.
    """
    if settings.PROVIDER != "fake" or not (settings.STRIPE_KEY and settings.STRIPE_WEBHOOK_SECRETS):
        yield
        return
    with _served():
        story = Story(year)
        _plan(story)
        yield
        story.catch_up(year.now)
        story.act("clock", by=-story.ahead)  # from here on its clock is that of this machine


@contextmanager
def _served() -> Iterator[None]:
    """Have the provider answer at its address."""
    where = urlsplit(settings.FAKE_PROVIDER)
    with socket.socket() as probe:
        runs = probe.connect_ex((where.hostname or "localhost", where.port or 80)) == 0
    if runs:
        yield
        return
    with TemporaryDirectory() as folder:
        server = Server(Path(folder), key=settings.STRIPE_KEY, port=where.port or 0, control=True)
        server.start()
        try:
            yield
        finally:
            server.stop()


def _plan(story: Story) -> None:
    """All of it, each thing on its day; the provider's events come twice a week."""
    year = story.year
    for paid in PAID:
        year.plan(year.day(paid.month, paid.day), 11, partial(_pay, story, paid))
    # The card of this one expires after its first payment.
    year.plan(year.day(9, 20), 10, partial(_spoil, story))
    year.plan(year.day(11, 16), 9, partial(_pay_out, story))
    today = year.now.astimezone(ZONE).date()
    year.plan(today - timedelta(days=2), 13, partial(_dispute, story))
    year.plan(today - timedelta(days=1), 16, partial(_ask_back, story))
    for month in range(8, 13):
        for day in (2, 6, 9, 13, 16, 20, 23, 27):
            if year.at(year.day(month, day), 20) < year.now:
                year.plan(year.day(month, day), 20, story.catch_up)


def _pay(story: Story, paid: Paid, when: datetime) -> None:
    """A pledge to the common pot, and the payment that begins it on the provider's page."""
    year, payer = story.year, paid.payer
    organisation = year.organisations.get(payer)
    person = year.users[ORGANISATIONS[payer].manager] if organisation is not None else year.users[payer]
    pledge = make_pledge(
        actor=person, budget=year.pots[movilab.ROOT], amount=paid.amount, currency="EUR", organisation=organisation,
        person=None if organisation is not None else person, form_key=f"demonstration-card-{payer}",
        terms=Terms(rhythm=paid.rhythm), now=when,
    )  # fmt: skip
    story.groups[payer] = pledge.group
    story.set_clock(when)
    page = start_checkout(
        actor=person, code="", group=pledge.group, method=paid.method, language=person.language,
        return_url=f"{settings.BASE_URL}/{person.language}/pledges/{pledge.pk}/payment/", now=when,
    )  # fmt: skip
    carry_out(operation_id=page.operation_id, now=when)
    page = Checkout.objects.get(pk=page.pk)
    story.act("pay", of=page.remote_id, will="pay")
    returned(checkout_id=page.pk, now=when + timedelta(minutes=2))
    story.catch_up(when + timedelta(minutes=3))


def _spoil(story: Story, when: datetime) -> None:
    """The card of a supporter is refused from now on: three tries later its payments pause."""
    story.set_clock(when)
    row = Subscription.objects.get(group=story.groups["halles"])
    story.act("will", of=row.customer, will="card_declined")


def _pay_out(story: Story, when: datetime) -> None:
    """The provider sends what it holds to the bank, where a line shows it two days later."""
    story.catch_up(when)
    story.act("payout")
    story.catch_up(when + timedelta(minutes=1))
    row = ProviderPayout.objects.order_by("-created_at", "-pk")[0]
    story.year.facts[row.arrives_on].append(BankFact(row.amount, "PRESTATAIRE DE DEMONSTRATION", row.text))


def _dispute(story: Story, when: datetime) -> None:
    """The bank of somebody who paid by card asks the money back."""
    story.catch_up(when)
    story.act("dispute", of=_charge(story, "bo"))
    story.catch_up(when + timedelta(minutes=1))


def _ask_back(story: Story, when: datetime) -> None:
    """A treasurer asks that a part of a payment goes back; the other one has not answered yet."""
    ask_refund(
        actor=story.year.users["claire"], charge=_charge(story, "reseau"), amount=50_00,
        reason="Versement de 200 € convenu au téléphone", form_key="demonstration-card-refund", now=when,
    )  # fmt: skip


def _charge(story: Story, payer: str) -> str:
    return Pledge.objects.get(group=story.groups[payer]).payments.get().charge
