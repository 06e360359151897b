"""Each act on money, rights or accounts leaves exactly one event, and the same act again leaves none."""

from collections.abc import Callable
from datetime import timedelta
from functools import partial
from typing import Any

import pytest
from django.utils import timezone

from backend.contributions.services import declare, review, withdraw
from backend.core import crypto
from backend.distributions.models import Distribution
from backend.distributions.services import close_period
from backend.events.models import Event
from backend.identity.models import ApiToken
from backend.identity.services import grant_role, withdraw_role
from backend.identity.tokens import create_token, revoke_token
from backend.ledger import services as ledger
from backend.operations import demo
from backend.payees.services import set_account
from backend.payouts.handing import claim
from backend.payouts.services import approve_batch, hand_over, prepare_batch, refuse_batch
from backend.pledges.services import cancel_pledge

IBAN = "NL91ABNA0417164300"


def new_events(act: Callable[[], Any]) -> list[Event]:
    """What an act recorded."""
    before = set(Event.objects.values_list("pk", flat=True))
    act()
    return list(Event.objects.exclude(pk__in=before).order_by("created_at", "id"))


def one(act: Callable[[], Any], kind: str, *, actor: Any, **expected: Any) -> Event:
    """The only event of an act, with its kind, its actor and these fields."""
    found = new_events(act)
    assert [(event.kind, event.actor_id) for event in found] == [(kind, actor.pk)]
    assert {name: getattr(found[0], name) for name in expected} == expected
    return found[0]


def test_pledges(play: Any) -> None:
    world = play("make_house")
    ana = world.users["ana"]
    event = one(lambda: demo.make_promise(world), "pledge.made", actor=ana)
    assert event.data["amount"] == 100_00
    assert {world.organisation.pk, world.budget.pk} <= set(event.scopes)
    assert new_events(lambda: demo.make_promise(world)) == []
    cancel = partial(cancel_pledge, actor=ana, pledge_id=world.pledge.pk, now=world.now)
    one(cancel, "pledge.cancelled", actor=ana, subject=world.pledge.pk)
    assert new_events(cancel) == []


def test_work(play: Any) -> None:
    world = play("make_house")
    bo, sacha = world.users["bo"], world.users["sacha"]
    facts: dict[str, Any] = {
        "budget": world.budget, "worked_on": world.today, "kind": "development", "minutes": 60, "amount": 20_00,
        "description": "x", "evidence": [], "now": world.now,
    }  # fmt: skip
    first = declare(actor=bo, form_key="1", **facts)
    one(lambda: declare(actor=bo, form_key="2", **facts), "contribution.declared", actor=bo)
    assert new_events(lambda: declare(actor=bo, form_key="2", **facts)) == []
    one(
        lambda: review(actor=sacha, contribution_id=first.pk, verdict="reject", reason="Not here.", now=world.now),
        "contribution.rejected", actor=sacha, subject=first.pk, why="Not here.", before={"state": "declared"},
        after={"state": "rejected"}, scopes=[world.budget.pk],
    )  # fmt: skip
    third = declare(actor=bo, form_key="3", **facts)
    one(
        lambda: withdraw(actor=bo, contribution_id=third.pk, now=world.now), "contribution.withdrawn", actor=bo,
        subject=third.pk,
    )  # fmt: skip


def test_a_first_approval_of_two_leaves_its_line(play: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    world = play("make_house")
    bo = world.users["bo"]
    row = declare(
        actor=bo, budget=world.budget, worked_on=world.today, kind="development", minutes=60, amount=20_00,
        description="x", evidence=[], form_key="1", now=world.now,
    )  # fmt: skip
    monkeypatch.setattr(type(row.period.charter), "approvals", 2)
    event = one(
        lambda: review(actor=world.users["sacha"], contribution_id=row.pk, verdict="approve", now=world.now),
        "contribution.reviewed", actor=world.users["sacha"], subject=row.pk,
    )  # fmt: skip
    assert event.data == {"verdict": "approve", "approvals": 1}


def test_periods_and_payouts(play: Any) -> None:
    world = play("receive")
    demo.work(world)
    claire, denis = world.users["claire"], world.users["denis"]
    one(
        lambda: close_period(actor=claire, period_id=world.period.pk, now=world.now), "period.closed", actor=claire,
        before={"state": "open"}, after={"state": "closed"},
    )  # fmt: skip
    demo.sweep(world.now)
    world.distribution = Distribution.objects.get(period=world.period)
    one(
        lambda: demo.approve_distribution(world), "distribution.approved", actor=denis,
        before={"state": "published"}, after={"state": "booked"},
    )  # fmt: skip
    demo.document(world)
    prepare = partial(prepare_batch, actor=claire, account_id=world.account.pk, now=world.now)
    event = one(prepare, "batch.prepared", actor=claire)
    one(
        lambda: refuse_batch(actor=denis, batch_id=event.subject, reason="A wrong day.", now=world.now),
        "batch.refused", actor=denis, why="A wrong day.", before={"state": "prepared"}, after={"state": "rejected"},
    )  # fmt: skip
    world.batch = prepare()
    approve = partial(approve_batch, actor=denis, batch_id=world.batch.pk, digest=world.batch.digest, now=world.now)
    one(approve, "batch.approved", actor=denis, before={"state": "prepared"}, after={"state": "approved"})
    assert new_events(approve) == []
    claimed = partial(claim, actor=claire, batch_id=world.batch.pk, way="file", now=world.now)
    one(claimed, "batch.claimed", actor=claire, before={"state": "approved"}, after={"state": "claimed"})
    take = partial(hand_over, actor=claire, batch_id=world.batch.pk, now=world.now)
    one(take, "batch.sent", actor=claire, before={"state": "claimed"}, after={"state": "sent"})
    # The file shows IBANs: each time it is taken is known.
    assert one(take, "batch.downloaded", actor=claire).data == {"downloads": 2}
    assert one(take, "batch.downloaded", actor=claire).data == {"downloads": 3}


def test_accounts_to_be_paid_on(play: Any) -> None:
    world = play("make_house")
    bo = world.users["bo"]
    event = one(
        lambda: set_account(actor=bo, name="B. Nguyen", iban=IBAN, now=world.now), "payee.account_changed", actor=bo
    )
    assert event.after == {"iban": crypto.equality_index(IBAN), "name": crypto.equality_index("B. Nguyen")}
    assert event.before == {
        "iban": crypto.equality_index(demo.IBANS["bo"]), "name": crypto.equality_index(bo.name),
    }  # fmt: skip
    assert IBAN not in str((event.before, event.after, event.data))


def test_rights_and_tokens(play: Any) -> None:
    world = play("make_house")
    bo, sacha = world.users["bo"], world.users["sacha"]
    given: dict[str, Any] = {"user": bo, "kind": "steward", "scope": world.budget.pk, "now": world.now}
    one(lambda: grant_role(granted_by=sacha, why="She asked.", **given), "role.granted", actor=sacha, why="She asked.")
    assert new_events(lambda: grant_role(granted_by=sacha, **given)) == []
    one(lambda: withdraw_role(actor=sacha, **given), "role.withdrawn", actor=sacha)
    assert new_events(lambda: withdraw_role(actor=sacha, **given)) == []
    one(
        lambda: create_token(user=sacha, name="t", scopes=["commons:read"], days=30, now=timezone.now()),
        "token.created", actor=sacha,
    )  # fmt: skip
    token = ApiToken.objects.get(user=sacha)
    one(lambda: revoke_token(actor=sacha, token_id=token.pk, now=timezone.now()), "token.revoked", actor=sacha)


def test_freezes_and_months(play: Any) -> None:
    world = play("receive")
    claire, denis = world.users["claire"], world.users["denis"]
    now = world.now
    frozen = one(
        lambda: ledger.freeze(actor=claire, cause="manual", reason="A doubt.", now=now), "payouts.frozen",
        actor=claire, why="A doubt.",
    )  # fmt: skip
    one(
        lambda: ledger.ask_lift(actor=claire, freeze_id=frozen.subject, reason="Nothing found.", now=now),
        "freeze.lift_asked", actor=claire, why="Nothing found.",
    )  # fmt: skip
    one(
        lambda: ledger.lift(actor=denis, freeze_id=frozen.subject, now=now), "freeze.lifted", actor=denis,
        why="Nothing found.",
    )  # fmt: skip
    month = ledger.next_month()
    assert month is not None
    later = now + timedelta(days=62)
    asked = one(lambda: ledger.ask_lock(actor=claire, first_day=month, now=later), "month.lock_asked", actor=claire)
    one(lambda: ledger.lock(actor=denis, closing_id=asked.subject, now=later), "month.locked", actor=denis)
    one(
        lambda: ledger.ask_unlock(actor=claire, closing_id=asked.subject, reason="A late bill.", now=later),
        "month.unlock_asked", actor=claire, why="A late bill.",
    )  # fmt: skip
    one(
        lambda: ledger.unlock(actor=denis, closing_id=asked.subject, now=later), "month.unlocked", actor=denis,
        before={"state": "locked"}, after={"state": "unlocked"},
    )  # fmt: skip


@pytest.mark.parametrize("step", ["make_promise", "receive"])
def test_what_the_house_does_by_itself_has_no_actor(play: Any, step: str) -> None:
    play(step)
    kinds = set(Event.objects.filter(actor=None).values_list("kind", flat=True))
    assert kinds <= {
        "host.created",
        "log.head_signed",
        "bank_line.unidentified",
        "payment.received",
        "pledge.fulfilled",
    }
