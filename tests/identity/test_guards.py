"""What PostgreSQL refuses to whoever holds the application's own rights: keys of money given by a row alone."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.db import IntegrityError, transaction
from django.utils import timezone

from backend.identity.models import HostBankAccount, Proposal, Role
from backend.operations.host import NOTICE, apply_due, decide_account, propose_account
from tests.treasurers import make_treasurer

NOW = timezone.now()
Play = Callable[..., Any]


def refused(why: str, act: Callable[[], Any]) -> None:
    """PostgreSQL refuses the write, for this reason."""
    with pytest.raises(IntegrityError, match=why), transaction.atomic():
        act()


@pytest.fixture
def accepted(play: Play) -> Proposal:
    """Another IBAN for the account of the host, accepted by the second treasurer, once money is booked."""
    world = play("receive")
    claire, denis = world.users["claire"], world.users["denis"]
    made = propose_account(
        actor=claire, account_id=world.account.pk, name="New", iban="FR7630001007941234567890185", currency="EUR",
        reason="Moved", now=NOW,
    )  # fmt: skip
    return decide_account(actor=denis, proposal_id=made.pk, accept=True, digest=made.digest, now=NOW)


def test_the_three_days_of_an_iban_are_not_made_shorter(accepted: Proposal) -> None:
    row = Proposal.objects.filter(pk=accepted.pk)
    refused("three days", lambda: row.update(applies_at=NOW))
    refused("three days", lambda: row.update(applies_at=NOW + NOTICE + timedelta(days=1)))
    refused("three days", lambda: row.update(decided_at=NOW - NOTICE, applies_at=NOW))
    refused("three days", lambda: row.update(applied_at=NOW))
    assert Proposal.objects.get(pk=accepted.pk).applies_at == NOW + NOTICE
    assert apply_due(NOW + NOTICE) == 1
    assert HostBankAccount.objects.get(pk=accepted.subject).iban == "FR7630001007941234567890185"


def test_an_iban_of_the_host_changes_with_a_proposal_alone(play: Play) -> None:
    world = play("receive")
    rows = HostBankAccount.objects.filter(pk=world.account.pk)
    refused("takes two people", lambda: rows.update(iban="FR7630001007941234567890185"))
    assert HostBankAccount.objects.get(pk=world.account.pk).iban == world.account.iban


def test_a_proposal_begins_undecided(play: Play) -> None:
    world = play("make_house")
    facts: dict[str, Any] = {
        "kind": "role.treasurer", "subject": world.users["bo"].pk, "digest": "0" * 64, "reason": "x",
        "proposed_by": world.users["ana"], "proposed_at": NOW,
    }  # fmt: skip
    refused(
        "begins undecided",
        lambda: Proposal.objects.create(
            id="prp_a", state="accepted", decided_by=world.users["camille"], decided_at=NOW, **facts
        ),
    )
    assert not Proposal.objects.exists()


def test_a_third_treasurer_takes_two_people(play: Play) -> None:
    world = play("make_house")
    bo = world.users["bo"]
    treasurer = {"kind": "treasurer", "scope": world.host.pk}
    refused("named by two people", lambda: Role.objects.create(user=bo, created_at=NOW, **treasurer))
    refused("named by two people", lambda: Role.objects.filter(user=bo).update(**treasurer))
    assert not Role.objects.filter(user=bo, kind="treasurer").exists()
    make_treasurer(bo, now=NOW)
    assert Role.objects.filter(kind="treasurer").count() == 3


@pytest.mark.parametrize("name", ["claire", "sacha"])
def test_who_gives_roles_never_touches_money(play: Play, name: str) -> None:
    world = play("make_house")
    person, scope = world.users[name], world.host.pk
    held = set(Role.objects.filter(user=person).values_list("kind", "scope"))
    refused(
        "neither treasurer nor steward",
        lambda: Role.objects.create(user=person, kind="administrator", scope=scope, created_at=NOW),
    )
    assert set(Role.objects.filter(user=person).values_list("kind", "scope")) == held
    bo = world.users["bo"]
    Role.objects.create(user=bo, kind="administrator", scope=scope, created_at=NOW)
    refused(
        "neither treasurer nor steward",
        lambda: Role.objects.create(user=bo, kind="steward", scope=world.budget.pk, created_at=NOW),
    )
