"""A provider sends money to the bank: nothing is booked until one line of a statement shows it."""

from collections.abc import Callable
from typing import Any

import pytest

from backend.banking.explaining import explain
from backend.banking.models import BankLine
from backend.banking.provider_lines import provider_payouts_for, settle_provider_payout, undo_provider_payout
from backend.core.errors import Conflict, Forbidden, Invalid
from backend.identity.services import host_day
from backend.ledger.services import entry_count
from backend.operations import demo
from backend.payments.models import Movement, ProviderPayout
from backend.payments.movements import on_their_way
from backend.payments.provider_payouts import note_payout
from backend.payments.providers.base import PayoutFacts
from tests.concurrency import at_once
from tests.payments.money import a_pledge, bank_says
from tests.payments.provider_money import NAME, facts, faults, pay, purses, tell
from tests.web.test_public import text_of

Play = Callable[..., Any]


def paid(play: Play) -> Any:
    """A house that was paid 100 € by card, 98.50 € of which are at the provider."""
    world = play("make_house")
    pay(world, a_pledge(world, 100_00, "k"), 100_00, fee=1_50)
    return world


def sent(world: Any, amount: int, number: int = 1, **changes: Any) -> ProviderPayout:
    """The provider sends an amount to the bank."""
    told = facts(world, "payout", -amount, of=f"po_{number}")
    values: dict[str, Any] = {
        "remote_id": f"po_{number}", "amount": amount, "currency": "EUR", "state": "pending",
        "arrives_on": world.today, "created_at": world.now, "text": "", "movements": (told,),
    }  # fmt: skip
    known = PayoutFacts(**(values | changes))
    tell(world, told)
    row = note_payout(provider=NAME, facts=known, now=world.now)
    assert row is not None
    return row


def test_a_payout_books_nothing_until_the_bank_shows_it(play: Play) -> None:
    world = paid(play)
    entries = entry_count()
    payout = sent(world, 98_50, text="TRONC DEMO 0001")
    assert (entry_count(), payout.state, on_their_way(NAME, "EUR")) == (entries, "sent", 98_50)
    (purse,) = explain()
    assert (purse.kind, purse.sort, purse.balance, purse.gap) == ("clearing", "provider", 98_50, 0)
    assert [(one.what, one.amount) for one in purse.pieces] == [("provider_payout", 98_50)]
    line = bank_says(world, 1, 0, (98_50, "PRESTATAIRE", "VIR tronc demo  0001 du jour"))
    payout.refresh_from_db()
    assert (line.state, line.matched_to, line.matched_by) == ("matched", payout.pk, None)
    assert (payout.state, payout.line, payout.entry) == ("settled", line.source, line.entry)
    assert purses(world) == {"bank": 98_50, "provider_fees": 1_50, "budget": 95_00, "host_fees": 5_00}
    assert (explain(), faults()) == ([], [])
    bank_says(world, 2, 98_50, (98_50, "PRESTATAIRE", "VIR tronc demo 0001 encore"))
    assert (BankLine.objects.latest("id").state, purses(world)["waiting"]) == ("suggested", 98_50)


def test_its_id_on_the_line_names_it_too_and_another_amount_does_not(play: Play) -> None:
    world = paid(play)
    sent(world, 60_00, 7)
    line = bank_says(world, 1, 0, (59_99, "PRESTATAIRE", "PO_7"), (60_00, "PRESTATAIRE", "versement po_7"))
    assert line.state == "matched"
    assert (purses(world)["clearing"], purses(world)["waiting"]) == (38_50, 59_99)
    purse = next(one for one in explain() if one.kind == "clearing")
    assert [(one.what, one.amount) for one in purse.pieces] == [("held", 38_50)]
    assert faults() == []


def test_two_of_one_amount_and_one_text_are_only_suggested(play: Play) -> None:
    world = paid(play)
    first, second = sent(world, 40_00, 1, text="TRONC"), sent(world, 40_00, 2, text="TRONC")
    line = bank_says(world, 1, 0, (40_00, "PRESTATAIRE", "TRONC"))
    assert line.state == "suggested"
    claire = world.users["claire"]
    assert {one.pk for one in provider_payouts_for(claire, line)} == {first.pk, second.pk}
    assert provider_payouts_for(world.users["ana"], line) == []
    with pytest.raises(Forbidden):
        settle_provider_payout(actor=world.users["ana"], line_id=line.pk, payout_id=second.pk, now=world.now)
    assert purses(world)["waiting"] == 40_00
    done = settle_provider_payout(actor=claire, line_id=line.pk, payout_id=second.pk, now=world.now)
    assert (done.state, done.matched_by) == ("matched", claire)
    assert settle_provider_payout(actor=claire, line_id=line.pk, payout_id=second.pk, now=world.now).pk == line.pk
    with pytest.raises(Conflict):
        settle_provider_payout(actor=claire, line_id=line.pk, payout_id=first.pk, now=world.now)
    assert (purses(world)["clearing"], purses(world)["bank"], faults()) == (58_50, 40_00, [])


def test_a_line_that_came_before_the_payout_was_told_leaves_suspense_by_itself(play: Play) -> None:
    world = paid(play)
    line = bank_says(world, 1, 0, (98_50, "PRESTATAIRE", "TRONC 9 JANVIER"))
    assert (line.state, purses(world)["waiting"]) == ("suggested", 98_50)
    sent(world, 98_50, text="Tronc 9 janvier")
    demo.sweep(world.now)
    line.refresh_from_db()
    assert (line.state, faults()) == ("matched", [])
    assert purses(world) == {"bank": 98_50, "provider_fees": 1_50, "budget": 95_00, "host_fees": 5_00}


def test_what_was_matched_wrongly_is_taken_apart_and_waits_for_a_person(play: Play) -> None:
    world = paid(play)
    payout = sent(world, 98_50, text="TRONC 0001")
    line = bank_says(world, 1, 0, (98_50, "PRESTATAIRE", "TRONC 0001"))
    claire = world.users["claire"]
    with pytest.raises(Invalid, match="why"):
        undo_provider_payout(actor=claire, line_id=line.pk, reason=" ", now=world.now)
    with pytest.raises(Forbidden):
        undo_provider_payout(actor=world.users["ana"], line_id=line.pk, reason="x", now=world.now)
    assert purses(world)["bank"] == 98_50
    undo_provider_payout(actor=claire, line_id=line.pk, reason="another host's", now=world.now)
    assert purses(world) == {
        "clearing": 98_50, "bank": 98_50, "waiting": 98_50, "provider_fees": 1_50, "budget": 95_00, "host_fees": 5_00,
    }  # fmt: skip
    demo.sweep(world.now)  # nothing matches it again by itself
    line.refresh_from_db()
    payout.refresh_from_db()
    assert (line.state, payout.state, faults()) == ("suggested", "sent", [])
    with pytest.raises(Conflict):
        undo_provider_payout(actor=claire, line_id=line.pk, reason="twice", now=world.now)
    settle_provider_payout(actor=claire, line_id=line.pk, payout_id=payout.pk, now=world.now)
    assert (purses(world).get("clearing", 0), faults()) == (0, [])


def test_a_payout_that_the_bank_refuses_is_with_the_provider_again(play: Play) -> None:
    world = paid(play)
    payout = sent(world, 98_50, text="TRONC 0001")
    tell(world, facts(world, "payout_failure", 98_50, of="po_1"))
    payout.refresh_from_db()
    assert (payout.state, on_their_way(NAME, "EUR"), purses(world)["clearing"]) == ("failed", 0, 98_50)
    line = bank_says(world, 1, 0, (98_50, "PRESTATAIRE", "TRONC 0001"))
    assert line.state == "suggested"
    again = sent(world, 98_50, text="TRONC 0001")
    assert (again.pk, again.state) == (payout.pk, "failed")  # a final state stays
    assert faults() == []


def test_one_refused_after_the_bank_showed_it_is_reported(play: Play) -> None:
    world = paid(play)
    sent(world, 98_50, text="TRONC 0001")
    bank_says(world, 1, 0, (98_50, "PRESTATAIRE", "TRONC 0001"))
    row = tell(world, facts(world, "payout_failure", 98_50, of="po_1"))
    assert (row.why, purses(world)["clearing"], purses(world)["unexplained"]) == ("payout_settled", 98_50, 98_50)
    assert ProviderPayout.objects.get().state == "settled"
    assert {one.what for purse in explain() for one in purse.pieces} == {"movement", "held"}
    assert (all(one.gap == 0 for one in explain()), faults()) == (True, [])


def test_the_fee_of_a_payout_and_money_taken_from_the_bank(play: Play) -> None:
    world = paid(play)
    tell(world, facts(world, "payout", -50_00, fee=1_00, of="po_1"))  # the movement alone makes its row
    row = ProviderPayout.objects.get()
    assert (row.amount, row.arrives_on, row.state) == (50_00, host_day(world.now), "sent")
    assert (purses(world)["clearing"], purses(world)["provider_fees"]) == (97_50, 2_50)
    taken = tell(world, facts(world, "payout", 20_00, of="po_2"))
    assert (taken.why, ProviderPayout.objects.count()) == ("kind_unknown", 1)
    assert faults() == []


def test_ten_at_once_settle_it_once(committed: str, play: Play) -> None:
    world = paid(play)
    line = bank_says(world, 1, 0, (98_50, "PRESTATAIRE", "sans texte"))
    payout = sent(world, 98_50)
    claire = world.users["claire"]
    found = at_once(
        lambda _turn: settle_provider_payout(actor=claire, line_id=line.pk, payout_id=payout.pk, now=world.now).state
    )
    assert found == ["matched"] * 10
    assert purses(world) == {"bank": 98_50, "provider_fees": 1_50, "budget": 95_00, "host_fees": 5_00}
    assert Movement.objects.filter(kind="payout").count() == 1


def test_the_pages_suggest_book_and_take_apart(play: Play, sign_in: Any) -> None:
    world = paid(play)
    line = bank_says(world, 1, 0, (98_50, "PRESTATAIRE", "sans texte"))
    payout = sent(world, 98_50, text="TRONC 0001")
    browser = sign_in(world.users["claire"])
    address = f"/en/bank/lines/{line.pk}/"
    page = text_of(browser.get(address))
    assert "Payouts of the provider of this amount" in page
    assert "same amount" in page
    assert "the line does not name it" in page
    shown = text_of(browser.get(f"{address}?payout={payout.pk}"))
    assert "No longer with the provider €98.50" in shown
    assert "Not sent yet" not in text_of(browser.get("/en/clearing/"))
    assert browser.post(address, {"payout": payout.pk}).status_code == 302
    assert (purses(world).get("clearing", 0), purses(world)["bank"]) == (0, 98_50)
    assert "What the payment provider sent on" in text_of(browser.get(address))
    assert browser.post(address, {"payout": payout.pk}).status_code == 302  # pressed twice
    refused = browser.post(address, {"apart": "1", "reason": ""})
    assert (refused.status_code, purses(world)["bank"]) == (422, 98_50)
    assert "These €98.50 are not this payout" in text_of(browser.get(f"{address}?apart=1"))
    assert browser.post(address, {"apart": "1", "reason": "wrong"}).status_code == 302
    assert (purses(world)["clearing"], purses(world)["waiting"]) == (98_50, 98_50)
    assert browser.post(address, {"apart": "1", "reason": "again"}).status_code == 409
    page = text_of(browser.get("/en/clearing/"))
    assert "With the payment provider" in page
    assert "on its way to the bank" in page


def test_the_page_of_what_passes_says_what_the_provider_holds(play: Play, sign_in: Any) -> None:
    world = paid(play)
    tell(world, facts(world, "charge", 10_00, charge="ch_x"))
    page = text_of(sign_in(world.users["claire"]).get("/en/clearing/"))
    assert "Not sent yet" in page
    assert "movement to explain" in page
    assert "are explained by nothing" not in page
