"""What waits unexplained at a payment provider always has a way out, and leaves every pot whole."""

from collections.abc import Callable
from typing import Any

import pytest

from backend.banking.models import BankLine
from backend.banking.provider_lines import lines_taking_back, tie_returned_payout, undo_provider_payout
from backend.core.errors import Conflict, Forbidden, Invalid, NotFound
from backend.payments.models import Movement, Payment, Surplus
from backend.payments.movements import bear_movement, explain_movement
from backend.payments.surpluses import keep_surplus
from backend.pledges.services import Terms
from tests.payments.money import a_pledge, bank_says
from tests.payments.provider_money import away, everything, facts, faults, home, pay, purses, tell
from tests.payments.test_provider_payouts import paid, sent
from tests.web.test_public import text_of

Play = Callable[..., Any]


def nobodys(world: Any, amount: int) -> Movement:
    """A payment that names no pledge."""
    return tell(world, facts(world, "charge", amount, charge="ch_1"))


def explained(world: Any, row: Movement, amount: int) -> Payment:
    """Claire says that it pays a new pledge."""
    pledge = a_pledge(world, amount, "later")
    explain_movement(actor=world.users["claire"], movement_id=row.pk, pledge_id=pledge.pk, now=world.now)
    return Payment.objects.get()


WHOLE = {"clearing": 100_00, "budget": 95_00, "host_fees": 5_00}


def test_a_refund_that_failed_before_it_was_explained_leaves_the_pot_whole(play: Play) -> None:
    world = play("make_house")
    row = nobodys(world, 100_00)
    for of in ("re_1", "re_2"):
        away(world, "refund", 60_00, of=of)
        home(world, "refund_failure", 60_00, of)
    one = explained(world, row, 100_00)
    assert (one.amount, one.taken_back, one.state) == (100_00, 0, "succeeded")
    assert (purses(world), faults()) == (WHOLE, [])
    assert not Movement.objects.filter(state="reported").exists()


def test_what_went_whole_and_came_home_waits_again_with_its_payment(play: Play) -> None:
    world = play("make_house")
    row = nobodys(world, 100_00)
    away(world, "refund", 100_00, of="re_1")
    row.refresh_from_db()
    assert (row.state, purses(world)) == ("booked", {})
    home(world, "refund_failure", 100_00, "re_1")
    row.refresh_from_db()
    assert (row.state, purses(world), faults()) == ("reported", {"clearing": 100_00, "unexplained": 100_00}, [])
    explained(world, row, 100_00)
    assert (purses(world), faults()) == (WHOLE, [])
    assert not Movement.objects.filter(state="reported").exists()


def test_it_goes_and_comes_home_unexplained_as_often_as_it_likes(play: Play) -> None:
    world = play("make_house")
    nobodys(world, 100_00)
    for of in ("re_1", "re_2"):
        away(world, "refund", 100_00, of=of)
        assert (purses(world), faults()) == ({}, [])
        assert not Movement.objects.filter(state="reported").exists()
        home(world, "refund_failure", 100_00, of)
        assert (purses(world)["unexplained"], faults()) == (100_00, [])
    away(world, "refund", 100_00, of="re_3")
    assert (purses(world), Movement.objects.filter(state="reported").count()) == ({}, 0)


@pytest.mark.parametrize("gone", [10_00, 40_00])
def test_a_surplus_keeps_its_decision_when_a_part_of_it_comes_home(play: Play, gone: int) -> None:
    world = play("make_house")
    pay(world, a_pledge(world, 60_00, "m", Terms(rhythm="monthly")), 100_00)
    kept = Surplus.objects.get()
    keep_surplus(actor=world.users["claire"], surplus_id=kept.pk, reason="for June", now=world.now)
    away(world, "refund", gone, of="re_1")
    home(world, "refund_failure", gone, "re_1")
    kept.refresh_from_db()
    assert (kept.state, kept.left, kept.reason, faults()) == ("kept", 40_00, "for June", [])


def test_the_host_bears_what_nobody_can_explain(play: Play) -> None:
    world = play("make_house")
    claire = world.users["claire"]
    pay(world, a_pledge(world, 100_00, "k"), 100_00)
    row = away(world, "refund", 103_00, of="re_1")
    assert (row.why, purses(world)) == ("above_left", {"clearing": -3_00, "unexplained": -3_00})
    before = everything()
    for who, reason, error in ((world.users["ana"], "rate", Forbidden), (claire, " ", Invalid)):
        with pytest.raises(error):
            bear_movement(actor=who, movement_id=row.pk, reason=reason, now=world.now)
    with pytest.raises(NotFound):
        bear_movement(actor=claire, movement_id="mov_x", reason="rate", now=world.now)
    assert everything() == before
    for _ in range(2):
        done = bear_movement(actor=claire, movement_id=row.pk, reason="another rate", now=world.now)
        assert (done.state, done.explained_by, len(done.entries)) == ("explained", claire, 3)
        assert (purses(world), faults()) == ({"clearing": -3_00, "provider_fees": 3_00}, [])
    with pytest.raises(Conflict, match="no longer waits"):
        bear_movement(actor=world.users["denis"], movement_id=row.pk, reason="too", now=world.now)


def test_what_came_and_nobody_claims_lowers_what_the_host_bears(play: Play) -> None:
    world = play("make_house")
    row = tell(world, facts(world, "other", 5_00, fee=10))
    bear_movement(actor=world.users["claire"], movement_id=row.pk, reason="a gift of theirs", now=world.now)
    assert (purses(world), faults()) == ({"clearing": 4_90, "provider_fees": -4_90}, [])


def test_the_host_bears_no_payment_nor_what_belongs_to_one_that_waits(play: Play) -> None:
    world = play("make_house")
    charge = nobodys(world, 100_00)
    refund = away(world, "refund", 30_00, of="re_1")
    before = everything()
    for row in (charge, refund):
        with pytest.raises(Conflict) as refused:
            bear_movement(actor=world.users["claire"], movement_id=row.pk, reason="no", now=world.now)
        assert refused.value.code == "movement_not_borne"
    assert (everything(), Movement.objects.filter(state="reported").count()) == (before, 2)


def taken_back(play: Play) -> tuple[Any, Movement, BankLine, BankLine]:
    """A payout that the bank showed, then took back."""
    world = paid(play)
    sent(world, 98_50, text="TRONC 0001")
    shown = bank_says(world, 1, 0, (98_50, "PRESTATAIRE", "TRONC 0001"))
    row = tell(world, facts(world, "payout_failure", 98_50, of="po_1"))
    back = bank_says(world, 2, 98_50, (-98_50, "PRESTATAIRE", "RETOUR TRONC 0001"))
    return world, row, shown, back


def test_a_payout_taken_back_after_it_was_shown_is_tied_to_the_line(play: Play) -> None:
    world, row, shown, back = taken_back(play)
    claire = world.users["claire"]
    assert (purses(world)["unexplained"], purses(world)["waiting"]) == (98_50, -98_50)
    assert lines_taking_back(claire, row) == [back]
    assert lines_taking_back(world.users["ana"], row) == []
    before = everything()
    with pytest.raises(Forbidden):
        tie_returned_payout(actor=world.users["ana"], movement_id=row.pk, line_id=back.pk, now=world.now)
    with pytest.raises(Conflict, match="has this payout back"):
        undo_provider_payout(actor=claire, line_id=shown.pk, reason="it came back", now=world.now)
    with pytest.raises(Conflict):
        bear_movement(actor=claire, movement_id=row.pk, reason="it came back", now=world.now)
    assert everything() == before
    for _ in range(2):
        line = tie_returned_payout(actor=claire, movement_id=row.pk, line_id=back.pk, now=world.now)
        row.refresh_from_db()
        assert (line.state, line.matched_to, row.state, row.explained_by) == ("matched", row.pk, "explained", claire)
        assert purses(world) == {"clearing": 98_50, "budget": 95_00, "host_fees": 5_00, "provider_fees": 1_50}
        assert faults() == []
    again = sent(world, 98_50, 2, text="TRONC 0002")
    bank_says(world, 3, 0, (98_50, "PRESTATAIRE", "TRONC 0002"))
    again.refresh_from_db()
    assert (again.state, purses(world)["bank"], faults()) == ("settled", 98_50, [])


def test_only_a_line_of_its_amount_takes_a_payout_back(play: Play) -> None:
    world, row, _shown, back = taken_back(play)
    other = bank_says(world, 3, 0, (-98_49, "PRESTATAIRE", "RETOUR"))
    before = everything()
    with pytest.raises(Invalid, match="something else"):
        tie_returned_payout(actor=world.users["claire"], movement_id=row.pk, line_id=other.pk, now=world.now)
    with pytest.raises(NotFound):
        tie_returned_payout(actor=world.users["claire"], movement_id="mov_x", line_id=back.pk, now=world.now)
    assert lines_taking_back(world.users["claire"], row) == [back]
    assert everything() == before


def test_the_page_lets_the_host_bear_it_with_a_reason(play: Play, sign_in: Any) -> None:
    world = play("make_house")
    pay(world, a_pledge(world, 100_00, "k"), 100_00)
    row = away(world, "refund", 103_00, of="re_1")
    page, browser = f"/en/provider/movements/{row.pk}/", sign_in(world.users["claire"])
    assert "Does the host bear it?" in text_of(browser.get(page))
    refused = browser.post(page, {"act": "bear", "reason": " "})
    assert (refused.status_code, "Say why the host bears it." in text_of(refused)) == (422, True)
    assert purses(world) == {"clearing": -3_00, "unexplained": -3_00}
    assert browser.post(page, {"act": "bear", "reason": "another rate"}).status_code == 302
    assert purses(world) == {"clearing": -3_00, "provider_fees": 3_00}
    assert "Does the host bear it?" not in text_of(browser.get(page))


def test_the_page_ties_a_payout_to_the_line_that_took_it_back(play: Play, sign_in: Any) -> None:
    world, row, _shown, back = taken_back(play)
    page, browser = f"/en/provider/movements/{row.pk}/", sign_in(world.users["claire"])
    said = text_of(browser.get(page))
    assert ("RETOUR TRONC 0001" in said, "Does the host bear it?" in said) == (True, False)
    for wrong in ("", "nobody", "0", "9" * 40, "\u0663"):
        assert browser.post(page, {"act": "line", "line": wrong}).status_code == 404
    assert (purses(world)["unexplained"], purses(world)["waiting"]) == (98_50, -98_50)
    assert browser.post(page, {"act": "line", "line": str(back.pk)}).status_code == 302
    assert purses(world) == {"clearing": 98_50, "budget": 95_00, "host_fees": 5_00, "provider_fees": 1_50}
    assert "On the statement" in text_of(browser.get(page))
