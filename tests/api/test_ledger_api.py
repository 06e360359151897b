"""The books through the API: read by treasurers and auditors with a token of that scope, and by nobody else."""

import base64
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from backend.identity.models import Role
from backend.ledger.services import (
    Line,
    Reservation,
    entry_count,
    hold,
    open_account,
    post,
    reverse,
    seal_due,
    statement,
)
from backend.operations import demo
from backend.payments.models import Payment
from tests.api.conftest import refused, shown

EUR = "EUR"


def euros(value: int) -> dict[str, Any]:
    """An amount as the API writes it."""
    return {"value": value, "currency": EUR}


def book(world: Any, *, count: int) -> None:
    """Some entries of one euro from the bank to the pot, one a day."""
    bank = open_account(kind="bank", owner=world.account.pk, currency=EUR)
    pot = open_account(kind="budget", owner=world.budget.pk, currency=EUR)
    for number in range(1, count + 1):
        post(
            kind="payment.received", scope="test", key=str(number), reference=world.pledge.pk,
            happened_on=world.today.replace(month=1, day=number), now=world.now,
            lines=[Line(bank, 100, "512"), Line(pot, -100, "7541")],
        )  # fmt: skip


def test_the_trial_balance_ties_and_stops_at_a_day(play: Any, call: Any) -> None:
    world = play("settle")
    claire = call(world.users["claire"])
    body = shown(claire.get("trial-balance"), 200)
    (part,) = body["currencies"]
    assert body["on"] is None
    assert (part["currency"], part["ties"]) == (EUR, True)
    assert (part["debit"], part["credit"]) == (euros(427_50), euros(427_50))
    assert part["accounts"][0] == {
        "account": "401", "debit": euros(95_00), "credit": euros(95_00), "balance": euros(0),
    }  # fmt: skip
    bank = next(one for one in part["accounts"] if one["account"] == "512")
    assert (bank["debit"], bank["credit"], bank["balance"]) == (euros(142_50), euros(95_00), euros(47_50))
    assert shown(claire.get("trial-balance?on=1999-12-31"), 200) == {"on": "1999-12-31", "currencies": []}
    for wrong in ("on=31/12/2026", "on=2026-02-30", "on=", "day=2026-01-01", "on=2026-01-01&on=2026-01-02"):
        assert claire.get(f"trial-balance?{wrong}").status_code == 400, wrong


def test_purses_come_with_what_is_set_aside(play: Any, call: Any) -> None:
    world = play("receive")
    pot = open_account(kind="budget", owner=world.budget.pk, currency=EUR)
    hold(
        reservation=Reservation(account=pot, amount=30_00, scope="test", key="1", reference=world.pledge.pk),
        now=world.now,
    )
    claire = call(world.users["claire"])
    (row,) = shown(claire.get("purses?kind=budget"), 200)["data"]
    assert row == {
        "id": pot.pk, "kind": "budget", "owner": world.budget.pk, "balance": euros(95_00), "held": euros(30_00),
        "free": euros(65_00),
    }  # fmt: skip
    with CaptureQueriesContext(connection) as queries:
        everything = shown(claire.get("purses"), 200)
    assert {one["kind"] for one in everything["data"]} == {"bank", "budget", "host_fees", "suspense"}
    assert len(queries) < 12
    assert not everything["has_more"]
    refused(claire.get("purses?kind=wallet"), 400, "parameter_invalid")
    first = shown(claire.get("purses?limit=3"), 200)
    rest = shown(claire.get(f"purses?limit=3&cursor={first['next_cursor']}"), 200)
    assert [one["id"] for one in (*first["data"], *rest["data"])] == [one["id"] for one in everything["data"]]


def test_a_statement_is_read_page_after_page_with_its_balance(play: Any, call: Any) -> None:
    world = play("receive")
    book(world, count=7)
    claire = call(world.users["claire"])
    path = f"purses/budget/{world.budget.pk}/EUR/postings"
    whole = shown(claire.get(path), 200)
    assert (whole["has_more"], whole["next_cursor"]) == (False, None)
    assert [row["balance"]["value"] for row in whole["data"]] == [102_00, 7_00, 6_00, 5_00, 4_00, 3_00, 2_00, 1_00]
    assert sum(row["amount"]["value"] for row in whole["data"]) == 102_00
    assert whole["data"][0]["account"] == "7541"
    found, cursor = [], ""
    for _page in range(3):
        answer = claire.get(f"{path}?limit=3{cursor}")
        body = shown(answer, 200)
        found += body["data"]
        if not body["has_more"]:
            break
        assert answer["Link"] == (f'<http://localhost:8000/v1/{path}?limit=3&cursor={body["next_cursor"]}>; rel="next"')
        cursor = f"&cursor={body['next_cursor']}"
    assert (len(found), found) == (8, whole["data"])
    bank = shown(claire.get(f"purses/bank/{world.account.pk}/EUR/postings?limit=1"), 200)["data"][0]
    assert bank["amount"]["value"] > 0


@pytest.mark.parametrize("place", ["", "x", "2026-02-30.1", "2026-01-01.", "2026-01-01.-1", "2026-01-01.٣", "9" * 40])
def test_a_cursor_that_no_page_gave_is_refused(play: Any, call: Any, place: str) -> None:
    world = play("receive")
    claire = call(world.users["claire"])
    cursor = base64.urlsafe_b64encode(place.encode()).decode().rstrip("=")
    path = f"purses/budget/{world.budget.pk}/EUR/postings?cursor={cursor}"
    assert refused(claire.get(path), 400, "parameter_invalid")["errors"][0]["parameter"] == "cursor"


def test_an_entry_has_its_lines_and_its_seal(play: Any, call: Any) -> None:
    world = play("receive")
    claire = call(world.users["claire"])
    entry = Payment.objects.get().entry
    reversal = reverse(entry_id=entry, reference=world.pledge.pk, happened_on=world.today, now=world.now)
    body = shown(claire.get(f"entries/{reversal.pk}"), 200)
    assert (body["kind"], body["reverses"], body["reversed_by"]) == ("payment.received.reversed", entry, None)
    assert body["seal"] is None
    assert shown(claire.get(f"entries/{entry}"), 200)["reversed_by"] == reversal.pk
    seal_due(world.now)
    body = shown(claire.get(f"entries/{reversal.pk}"), 200)
    assert [(one["kind"], one["account"], one["debit"], one["credit"]) for one in body["lines"]] == [
        ("bank", "512", None, euros(100_00)),
        ("budget", "7541", euros(95_00), None),
        ("host_fees", "706", euros(5_00), None),
    ]
    # The others of the world are sealed already or with it: it is the last of them.
    assert body["seal"]["position"] == entry_count()
    assert (len(body["seal"]["leaf"]), body["seal"]["sealed_at"]) == (64, world.now.strftime("%Y-%m-%dT%H:%M:%SZ"))
    assert (body["reference"], body["happened_on"]) == (world.pledge.pk, world.today.isoformat())


def test_what_is_not_there_is_a_404(play: Any, call: Any) -> None:
    world = play("receive")
    claire = call(world.users["claire"])
    refused(claire.get("entries/ent_" + "0" * 36), 404, "entry_not_found")
    for path in (
        f"purses/budget/bud_{'0' * 36}/EUR/postings",
        f"purses/wallet/{world.budget.pk}/EUR/postings",
        f"purses/payee/{world.budget.pk}/EUR/postings",
        f"purses/budget/{world.budget.pk}/USD/postings",
    ):
        refused(claire.get(path), 404, "purse_not_found")


def test_the_books_want_the_role_and_the_scope(play: Any, call: Any) -> None:
    world = play("receive")
    entry = statement(kind="budget", owner=world.budget.pk, currency=EUR).rows[0].entry
    paths = ["trial-balance", "purses", f"purses/budget/{world.budget.pk}/EUR/postings", f"entries/{entry}"]
    others = [call(world.users[name]) for name in ("bo", "sacha", "ana")]
    reader = call(world.users["claire"], ["commons:read", "log:read"])
    Role.objects.create(user=world.users["ana"], kind="administrator", scope=world.host.pk, created_at=world.now)
    for path in paths:
        for other in others:
            assert "95" not in str(refused(other.get(path), 403, "not_allowed")["detail"])
        refused(reader.get(path), 403, "scope_missing")
    demo.give_factor(world.users["bo"])
    Role.objects.create(user=world.users["bo"], kind="auditor", scope=world.host.pk, created_at=world.now)
    for path in paths:
        assert others[0].get(path).status_code == 200
