"""What leaves the general purse before any rule, step by step and together, and in the trace."""

from typing import Any

import pytest

from backend.allocation.rebuild import verify
from backend.allocation.terms import Reserve, Upstream
from backend.allocation.waterfall import Receipts, base, fee, reserve, to_share, upstream, waterfall
from tests.allocation.closings import POT, closing, line, purse, tiers


@pytest.mark.parametrize(
    ("amount", "bp", "cents"), [(100, 350, 4), (10, 500, 1), (9, 500, 0), (0, 500, 0), (10**15, 1, 10**11)]
)
def test_a_fee_is_rounded_half_up(amount: int, bp: int, cents: int) -> None:
    assert fee(amount, bp) == cents


def test_the_base_is_net_of_fees_and_take_backs_and_never_below_zero() -> None:
    paid, received = Receipts("payment.received", 2, 1000, 80), Receipts("upstream.received", 1, 300, 0)
    assert base([paid, received]) == 1220
    assert base([Receipts("payment.received", 1, -2000, 0), received]) == 0
    assert base([]) == 0


def test_an_edge_is_the_floor_of_its_part_and_nothing_below_the_smallest_edge() -> None:
    assert [upstream(1999, 500, 99), upstream(1999, 500, 100), upstream(2000, 500, 100)] == [99, 0, 100]


def test_the_reserve_stops_at_its_target() -> None:
    assert [reserve(1999, Reserve(500, target), 60) for target in (None, 1000, 100, 60, 10)] == [99, 99, 40, 0, 0]


def test_what_is_shared_is_never_below_zero() -> None:
    assert [to_share(100, [30, 20], 10), to_share(50, [30, 20], 10)] == [40, 0]


EDGES = [Upstream("bud_x", 1000), Upstream("bud_y", 2000)]


@pytest.mark.parametrize(
    ("held", "flows", "kept", "cut", "shared"),
    [
        (1200, [100, 200], 50, 0, 850),
        (340, [100, 200], 40, 10, 0),
        (250, [100, 150], 0, 100, 0),
        (0, [0, 0], 0, 350, 0),
    ],
)
def test_when_money_is_short_the_reserve_gives_way_first_then_the_last_edge(
    held: int, flows: list[int], kept: int, cut: int, shared: int
) -> None:
    receipts = [Receipts("payment.received", 2, 1040, 40)]
    found = waterfall(held, receipts, edges=EDGES, min_edge=0, terms=Reserve(500, None), balance=0)
    assert [amount for _, _, amount in found.flows] == flows
    assert (found.reserve, found.cut, found.to_share, found.carried) == (kept, cut, shared, held - 1000)


def rows(held: int, *receipts: dict[str, Any], reserved: int = 0) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    charter = tiers(
        {"rule": "claims_pro"},
        upstream=[{"to": "bud_y", "bp": 1000}, {"to": "bud_x", "bp": 2000}],
        reserve={"bp": 500, "target": 90},
    )
    pot = purse(held, receipts=list(receipts), reserve=reserved)
    trace = closing(charter, {"purses": [pot], "lines": [line("c1", "ana", claim=5000)]})
    assert verify(trace)
    return trace["waterfall"], trace["moves"]


def test_the_trace_tells_each_step_and_each_move() -> None:
    payments = {"kind": "payment.received", "count": 3, "gross": 1000, "fees": 75}
    passed_on = {"kind": "upstream.received", "count": 1, "gross": 175, "fees": 0}
    assert rows(1500, payments, passed_on, reserved=60) == (
        [
            {"step": "receipts", "amount": 1000, "count": 3},
            {"step": "fees", "amount": 75, "rate_bp": 750},
            {"step": "upstream_in", "amount": 175},
            {"step": "base", "amount": 1100},
            {"step": "upstream", "to": "bud_x", "base": 1100, "rate_bp": 2000, "amount": 220},
            {"step": "upstream", "to": "bud_y", "base": 1100, "rate_bp": 1000, "amount": 110},
            {"step": "reserve", "base": 1100, "rate_bp": 500, "amount": 30, "target": 90, "balance": 60},
            {"step": "carried", "amount": 400},
            {"step": "to_share", "amount": 1140},
        ],
        [
            {"kind": "upstream", "from": POT, "to": "bud_x", "amount": 220},
            {"kind": "upstream", "from": POT, "to": "bud_y", "amount": 110},
            {"kind": "reserve", "from": POT, "to": POT, "amount": 30},
        ],
    )


def test_the_trace_tells_a_shortage_and_no_rate_where_the_fees_were_not_one() -> None:
    falls, moves = rows(250, {"kind": "payment.received", "count": 3, "gross": 1007, "fees": 7})
    assert falls[1] == {"step": "fees", "amount": 7}
    assert [row["amount"] for row in falls[4:7]] == [200, 50, 0]
    assert falls[7:] == [
        {"step": "cut", "amount": 100},
        {"step": "carried", "amount": -750},
        {"step": "to_share", "amount": 0},
    ]
    assert [move["to"] for move in moves] == ["bud_x", "bud_y"]


def test_a_pot_upstream_that_is_closed_gets_nothing_and_the_trace_says_so() -> None:
    charter = tiers({"rule": "claims_pro"}, upstream=[{"to": "bud_x", "bp": 1000}, {"to": "bud_y", "bp": 2000}])
    pot = purse(1000, receipts=[{"kind": "payment.received", "count": 1, "gross": 1000, "fees": 0}])
    trace = closing(charter, {"purses": [pot], "lines": [], "closed_targets": ["bud_x"]})
    assert verify(trace)
    edge = {"step": "upstream", "base": 1000}
    assert trace["waterfall"][4:6] == [
        {**edge, "to": "bud_x", "rate_bp": 1000, "amount": 0, "closed": True},
        {**edge, "to": "bud_y", "rate_bp": 2000, "amount": 200},
    ]
    assert trace["waterfall"][-1] == {"step": "to_share", "amount": 800}
