"""The world that the proof of the contract talks to: the demonstration behind a real server, with a payment provider.

In it lives Elsa, who may all that roles allow and has in each state several of each thing that she may act on:
what an operation needs is there, whichever of its examples comes first. `REAL` names these things for _fuzz_hooks.py.
"""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from backend.contributions.models import Contribution
    from backend.identity.models import User
    from backend.operations.demo import World

EACH = 6  # things in each state


@contextmanager
def house(folder: Path) -> Iterator[dict[str, Any]]:
    """The world behind a web server and a payment provider; gives its address, tokens and things."""
    from django.conf import settings
    from django.db import connection
    from django.utils import timezone

    from backend.operations import demo
    from tests import databases
    from tests.conftest import Processes

    databases.make_template()
    name = f"tronc_contract_{os.getpid()}"
    databases.clone(name)
    connection.close()
    connection.settings_dict["NAME"] = name
    (folder / "server").mkdir()
    processes = Processes(name, folder / "server")
    try:
        processes.start("provider", "backend.manage", "fake_provider", str(folder / "provider"))
        log = folder / "server" / "provider.log"
        processes.wait(lambda: settings.FAKE_PROVIDER in log.read_text(encoding="utf-8"), "the provider")
        world = demo.load(timezone.now())
        elsa = _elsa(world)
        real = _real(world, elsa)
        yield {
            "url": processes.web(), **_tokens(world, elsa), "REAL": real, "BUDGET": world.budget.pk,
            "DAY": real["body"]["worked_on"],
        }  # fmt: skip
        log = (folder / "server" / "web.log").read_text(encoding="utf-8", errors="replace")
        assert "Traceback" not in log, log[log.index("Traceback") :][:4000]
    finally:
        processes.stop()
        connection.close()
        databases.drop(name)
        databases.drop(databases.TEMPLATE)


def _elsa(world: "World") -> "User":
    from backend.identity.services import grant_role
    from tests.rights.world import person
    from tests.treasurers import make_treasurer

    elsa = person("elsa", "Elsa Partout", strong=True)
    make_treasurer(elsa, now=world.now)
    for kind, scope in (
        ("auditor", world.host.pk), ("steward", world.budget.pk), ("contributor", world.budget.pk),
        ("organisation_manager", world.organisation.pk),
    ):  # fmt: skip
        grant_role(user=elsa, kind=kind, scope=scope, granted_by=None, now=world.now)
    return elsa


def _tokens(world: "World", elsa: "User") -> dict[str, str]:
    """Of an author, of a reviewer, and of Elsa."""
    from backend.identity.models import ApiToken
    from backend.identity.tokens import create_token

    scopes = [scope for scope, _label in ApiToken.SCOPES]
    people = {"AUTHOR": world.users["bo"], "REVIEWER": world.users["sacha"], "EVERYTHING": elsa}
    return {
        name: create_token(user=user, name="proof", scopes=scopes, now=world.now)[1] for name, user in people.items()
    }


def _real(world: "World", elsa: "User") -> dict[str, Any]:
    """Under `any`, one thing of each kind by its name in an address; under `of`, those of an operation, by turns.

    Under `query` what is copied from an answer and cannot be made up; under `body` what bodies name.
    """
    from django.utils import timezone

    from backend.distributions.models import Share
    from backend.events.models import Event
    from backend.identity.services import host_day
    from backend.ledger.models import Seal
    from backend.ledger.services import latest_heads, seal_due

    now = timezone.now()
    held = int(latest_heads(limit=1)[0]["size"])
    pledges, work = _pledges(world, now), _work(world, elsa, now)
    seal_due(now + timedelta(hours=2))
    newest = int(latest_heads(limit=1)[0]["size"])
    one = {
        "budget_id": world.budget.pk, "commons_id": world.commons.pk, "contribution_id": world.contributions[0].pk,
        "currency": "EUR", "distribution_id": world.distribution.pk, "kind": "budget", "owner": world.budget.pk,
        "entry_id": Seal.objects.values_list("entry_id", flat=True)[0], "period_id": world.period.pk,
        "share_id": Share.objects.filter(distribution=world.distribution)[0].pk,
    }  # fmt: skip
    return {
        "any": one,
        "of": {f"/v1/contributions/{{contribution_id}}{end}": many for end, many in work.items()}
        | {f"/v1/pledges/{{pledge_id}}/{end}": many for end, many in pledges.items()}
        | {
            "/v1/periods/{period_id}/closure": _periods(elsa, now),
            "/v1/pledges/{pledge_id}/payments/{payment_id}": _payments(world, now),
        },
        "query": {
            "after": Event.objects.order_by("pk")[0].pk, "from": held, "to": newest, "size": newest,
        },
        "body": {
            "budget": world.budget.pk, "organisation": world.organisation.pk, "worked_on": host_day(now).isoformat(),
            "starts_on": (host_day(now) + timedelta(days=3)).isoformat(),
            "ends_on": (host_day(now) + timedelta(days=300)).isoformat(),
        },
    }  # fmt: skip


def _periods(elsa: "User", now: datetime) -> list[dict[str, str]]:
    """Open periods of commons where nothing else happens: once closed, no more work can be declared in them."""
    from backend.commons.services import create_commons, root_budget
    from backend.identity.services import host_day

    today, found = host_day(now), []
    for number in range(EACH):
        commons = create_commons(
            name=f"Commun {number}", summary="Pour clore.", currency="EUR", steward=elsa,
            first_day=today - timedelta(days=20), end_before=today + timedelta(days=10), now=now,
        )  # fmt: skip
        found.append({"period_id": root_budget(commons).periods.get().pk})
    return found


def _pledges(world: "World", now: datetime) -> dict[str, list[dict[str, str]]]:
    """By the last word of the address."""
    from backend.pledges.services import Terms, make_pledge, pause_pledge

    found: dict[str, list[dict[str, str]]] = {}
    for end in ("changes", "cancellation", "pause", "resumption", "payments"):
        found[end] = []
        for number in range(EACH):
            row = make_pledge(
                actor=world.users["ana"], budget=world.budget, organisation=world.organisation,
                amount=30_00, currency="EUR", form_key=f"proof-{end}-{number}",
                terms=Terms(rhythm="once" if end == "payments" else "monthly"), now=now,
            )  # fmt: skip
            if end == "resumption":
                pause_pledge(actor=world.users["ana"], pledge_id=row.pk, reason="For a while", now=now)
            found[end].append({"pledge_id": row.pk})
    return found


def _payments(world: "World", now: datetime) -> list[dict[str, str]]:
    """A payment by card that a person may finish on the provider's page."""
    from backend.payments.checkouts import start_checkout
    from backend.payments.operations import carry_out
    from backend.pledges.services import make_pledge

    row = make_pledge(
        actor=world.users["ana"], budget=world.budget, organisation=world.organisation, amount=30_00, currency="EUR",
        form_key="proof-card", now=now,
    )  # fmt: skip
    page = start_checkout(
        actor=world.users["ana"], code="", group=row.group, method="card", language="en",
        return_url="http://127.0.0.1:8000/", now=now,
    )  # fmt: skip
    carry_out(operation_id=page.operation_id, now=now)
    return [{"pledge_id": row.pk, "payment_id": page.pk}]


def _work(world: "World", elsa: "User", now: datetime) -> dict[str, list[dict[str, str]]]:
    """By the end of the address: drafts and declared work of Elsa's, work of others, questions and objections."""
    from backend.contributions.own import draft
    from backend.contributions.peers import ask_question, object_to
    from backend.contributions.services import declare
    from backend.identity.services import host_day

    users, budget = world.users, world.budget
    today = host_day(now)

    def declared(of: "User", key: str) -> "Contribution":
        return declare(
            actor=of, budget=budget, worked_on=today, kind="development", minutes=60, amount=20_00,
            description=f"Work {key}", form_key=f"proof-{key}", now=now,
        )  # fmt: skip

    def begun(key: str) -> "Contribution":
        facts = {"worked_on": today, "description": "Begun", "kind": "development", "minutes": 30, "amount": 5_00}
        return draft(contributor=elsa, budget=budget, facts=facts, source="", form_key=f"proof-{key}", now=now)

    found: dict[str, list[dict[str, str]]] = {}
    for end in ("", "/declaration"):
        found[end] = [{"contribution_id": begun(f"{end}{number}").pk} for number in range(2 * EACH)]
    for end in ("/waiver", "/withdrawal"):
        found[end] = [{"contribution_id": declared(elsa, f"{end}{number}").pk} for number in range(EACH)]
    for end in ("/reviews", "/questions", "/objections"):
        found[end] = [{"contribution_id": declared(users["bo"], f"{end}{number}").pk} for number in range(EACH)]
    answer = "/questions/{question_id}/answer"
    lifting, opinions = (f"/objections/{{objection_id}}/{end}" for end in ("lifting", "opinions"))
    found |= {answer: [], lifting: [], opinions: []}
    for number in range(EACH):
        row = declared(elsa, f"asked-{number}")
        asked = ask_question(actor=users["sacha"], contribution_id=row.pk, text="Why?", now=now)
        found[answer].append({"contribution_id": row.pk, "question_id": asked.pk})
        for end, objector in ((lifting, elsa), (opinions, users["camille"])):
            row = declared(users["bo"], f"{end}-{number}")
            doubt = object_to(actor=objector, contribution_id=row.pk, reason="Twice", now=now)
            found[end].append({"contribution_id": row.pk, "objection_id": doubt.pk})
    return found
