"""The closings whose sentences are checked word for word: every phrase of the texts is said by at least one."""

import json
from pathlib import Path
from typing import Any

from backend.allocation.closing import arbitrate, compute
from backend.allocation.door import answer
from tests.allocation.closings import PERIOD, POT, closing, line, purse, tiers

ROW40 = Path(__file__).parents[2] / "api_docs" / "guides" / "examples" / "row40.json"
OPTEOS = {"ana": 600_000, "bo": 450_000, "cy": 300_000, "di": 150_000}


def came(gross: int, fees: int = 0, kind: str = "payment.received") -> dict[str, Any]:
    """One receipt of that many minor units."""
    return {"kind": kind, "count": 1, "gross": gross, "fees": fees}


def asked(rule: str, money: int, claims: dict[str, int] | None = None, **charter: Any) -> dict[str, Any]:
    """Requests, the ones of the shortage of 2023 unless told, against money that all came in now."""
    lines = [
        line(f"ctr_{number}", person, claim=claim, validated=60 * number, declared=60 * number, rank=number)
        for number, (person, claim) in enumerate((OPTEOS if claims is None else claims).items(), 1)
    ]
    frozen = {"purses": [purse(money, receipts=[came(money)])], "lines": lines}
    return closing(tiers({"rule": rule}, **charter), frozen)


def worked(rule: str, money: int, hours: dict[str, int], *, frozen: Any = None, **charter: Any) -> dict[str, Any]:
    """Whole hours of development against money that was there before."""
    lines = [
        line(f"ctr_{number}", person, validated=60 * quantity, declared=60 * quantity)
        for number, (person, quantity) in enumerate(hours.items(), 1)
    ]
    return closing(tiers({"rule": rule}, **charter), {"purses": [purse(money)], "lines": lines, **(frozen or {})})


def row_39(rule: str, **earmarks: str) -> dict[str, Any]:
    """Earmarks of row 39, by requests or by hours."""
    if rule == "claims_pro":
        purses = [purse(60_000), purse(50_000, "issue", POT), purse(30_000, "a11y", POT)]
        lines = [
            line("ctr_1", "ana", claim=30_000, purse="issue"),
            line("ctr_2", "ana", claim=20_000),
            line("ctr_3", "bo", claim=40_000, purse="a11y"),
            line("ctr_4", "cy", claim=60_000),
        ]
    else:
        purses = [purse(90_000), purse(30_000, "feature", POT)]
        lines = [
            line("ctr_1", "ana", validated=3000, declared=3000),
            line("ctr_2", "bo", validated=1800, declared=1800, purse="feature"),
            line("ctr_3", "cy", validated=600, declared=600, purse="feature"),
            line("ctr_4", "cy", validated=600, declared=600),
        ]
    return closing(tiers({"rule": rule}, earmarks=earmarks), {"purses": purses, "lines": lines})


def three_tiers() -> dict[str, Any]:
    """Expenses first, then 30 % equally, then the rest by hours of which earlier ones count half; earmarks too."""
    charter = {
        "format": 1,
        "tiers": [
            {"id": "expenses", "rule": "claims_pro", "kinds": ["expense"], "take": {"cents": 5000}, "reimburses": True},
            {"id": "base", "rule": "equal", "kinds": ["development", "review"], "take": {"bp": 3000, "of": "left"}},
            {"id": "bonus", "rule": "equal", "kinds": ["review"], "take": {"bp": 1000, "of": "whole"}},
            {"id": "hours", "rule": "weighted", "kinds": ["development", "review"], "take": {"rest": True}},
        ],
        "kinds": {"development": 1000, "review": 1500, "expense": 1000, "design": 1000},
        "decay_ppm": [1_000_000, 500_000],
        "upstream": [{"to": "bud_lib", "bp": 100}, {"to": "bud_tiny", "bp": 1}],
        "reserve": {"bp": 500, "target": 10_000},
        "earmarks": {"weights": "add", "leftover": "release"},
        "minimum_payout": 60_000,
    }
    receipts = [came(50_000, 2501), came(2000, kind="upstream.received")]
    lines = [
        line("ctr_1", "ana", validated=600, declared=660),
        line("ctr_2", "ana", kind="expense", claim=4000),
        line("ctr_3", "bo", kind="review", validated=301, declared=301),
        line("ctr_4", "cy", kind="design", validated=60, declared=60),
        line("ctr_5", "bo", validated=20, declared=20, age=1),
        line("ctr_6", "ana", kind="expense", claim=700, purse="feature"),
    ]
    frozen = {
        "purses": [purse(100_000, receipts=receipts, reserve=9000), purse(3000, "feature", POT)],
        "lines": lines,
        "history": [{"person": "bo", "kind": "review", "minutes": 600, "age": 1}],
        "owed": {"bo": 640, "cy": 100},
    }
    return compute(charter, frozen, pot=POT, period=PERIOD, context={"charter": {"id": "chr_1", "version": 4}})


def agreed() -> dict[str, Any]:
    """A meeting that took from one to give to another, in a pot that owed something already."""
    charter = tiers({"rule": "claims_pro"}, minimum_payout=50_000, unpaid={"carry_periods": 2})
    lines = [line(f"ctr_{person}", person, claim=claim) for person, claim in OPTEOS.items()]
    trace = closing(
        charter, {"purses": [purse(1_000_000), purse(0, "feature", POT)], "lines": lines, "owed": {"ana": 100}}
    )
    changes = [
        {"person": "ana", "purse": POT, "agreed": 390_000, "confirmed_on": "2026-11-02"},
        {"person": "di", "purse": POT, "agreed": 20_000, "confirmed_on": "2026-12-01"},
    ]
    return arbitrate(trace, reason="Ana was ill", entered_by="usr_zoe", changes=changes)


def _second_tier(money: int, *more: dict[str, Any]) -> dict[str, Any]:
    """Requests of some first, then hours, with a floor that the requests have already met for one."""
    charter = tiers(
        {"rule": "claims_pro", "kinds": ["design"], "take": {"cents": 3000}},
        {"rule": "weighted"},
        bounds={"floor": 2500},
    )
    lines = [
        line("ctr_1", "ana", validated=60, declared=60),
        line("ctr_2", "bo", validated=60, declared=60),
        line("ctr_3", "bo", kind="design", claim=500),
        line("ctr_4", "cy", validated=6000, declared=6000),
        line("ctr_5", "cy", kind="design", claim=2500),
        *more,
    ]
    return closing(charter, {"purses": [purse(money)], "lines": lines})


def bounded_tiers(rows: list[dict[str, Any]], bounds: dict[str, int], held: int, *earmarked: int) -> dict[str, Any]:
    """An envelope, a reimbursement outside of bounds, and tiers that bound one person's total."""
    kinds = ["development", "review"]
    shared = [{"rule": "equal", "kinds": ["review"], **rows[0]}, *({"kinds": kinds, **row} for row in rows[1:])]
    charter = tiers(
        {"rule": "claims_pro", "kinds": ["expense"], "reimburses": True},
        *shared,
        kinds={"development": 1000, "review": 1000, "expense": 1000},
        bounds=bounds,
    )
    lines = [
        line("ctr_1", "ana", kind="review", validated=290, declared=290, purse="feature"),
        line("ctr_2", "ana", validated=900, declared=900),
        line("ctr_3", "bo", validated=300, declared=300, claim=20_000),
        line("ctr_4", "bo", kind="expense", claim=1500),
        line("ctr_5", "cy", kind="review", validated=60, declared=60),
        line("ctr_6", "cy", kind="expense", claim=700),
        line("ctr_7", "di", kind="review", validated=120, declared=120),
    ]
    purses = [purse(held), *(purse(money, "feature", POT) for money in earmarked)]
    if not earmarked:
        lines = [{**one, "purse": POT} for one in lines]
    return closing(charter, {"purses": purses, "lines": lines})


def capped_requests() -> dict[str, Any]:
    """Requests in order under a ceiling that an envelope has already half filled, and a request outside of it."""
    charter = tiers({"rule": "as_asked", "kinds": ["development"]}, bounds={"ceiling": 300})
    lines = [line(f"ctr_{number}", "ana", claim=200, rank=number) for number in range(3)]
    lines += [line("ctr_8", "ana", claim=150, purse="feature", rank=8), line("ctr_9", "bo", kind="design", claim=50)]
    return closing(charter, {"purses": [purse(1000), purse(500, "feature", POT)], "lines": lines})


def taken_back(held: int, *receipts: dict[str, Any], **charter: Any) -> dict[str, Any]:
    """Money that went back, or that the purse lacks."""
    frozen = {"purses": [purse(held, receipts=list(receipts))], "lines": [line("ctr_1", "ana", claim=100)]}
    return closing(tiers({"rule": "claims_pro"}, **charter), frozen)


def past(**counted: int) -> dict[str, Any]:
    """Inputs of people who were paid before."""
    return {"counted": counted}


SCENARIOS: dict[str, Any] = {
    "row 40": lambda: json.loads(answer(ROW40.read_text(encoding="utf-8")))["trace"],
    "row 33 pro": lambda: asked("claims_pro", 1_000_000),
    "row 33 cea": lambda: asked("claims_cea", 1_000_000, unpaid={"carry_periods": 1}),
    "row 33 cel": lambda: asked("claims_cel", 1_000_000),
    "row 33 talmud": lambda: asked("claims_talmud", 1_000_000),
    "row 33 in order": lambda: asked("as_asked", 1_000_000),
    "row 33 equal": lambda: asked("equal", 1_000_000),
    "row 33 weighted": lambda: asked("weighted", 1_000_000),
    "talmud, little money": lambda: asked("claims_talmud", 500_000),
    "talmud, levels only": lambda: asked("claims_talmud", 200_000),
    "talmud, halves": lambda: asked("claims_talmud", 75, {"ana": 75, "bo": 74}),
    "talmud, all above the loss": lambda: asked("claims_talmud", 500_000, {"ana": 300_000, "bo": 250_000}),
    "talmud, two halves": lambda: asked("claims_talmud", 1_000_000, OPTEOS | {"cy": 150_000}),
    "cel, two get nothing": lambda: asked("claims_cel", 400_000),
    "cel, one gets nothing": lambda: asked("claims_cel", 900_000, OPTEOS | {"di": 10_000}),
    "cea, two in full": lambda: asked("claims_cea", 1_000_000, OPTEOS | {"cy": 150_000}),
    "enough": lambda: asked("claims_cea", 2_000_000),
    "nothing": lambda: asked("claims_talmud", 0),
    "no request": lambda: asked("claims_pro", 1000, {"ana": 0, "bo": 200}),
    "pro, floor and ceiling": lambda: asked("claims_pro", 1_000_000, bounds={"floor": 120_000, "ceiling": 350_000}),
    "pro, ceiling for one": lambda: asked("claims_pro", 1_000_000, bounds={"ceiling": 350_000}),
    "pro, others in full": lambda: asked("claims_pro", 1_400_000, bounds={"ceiling": 320_000}),
    "cea, ceilings": lambda: asked("claims_cea", 1_000_000, bounds={"ceiling": 250_000}),
    "cel, floors": lambda: asked("claims_cel", 400_000, bounds={"floor": 50_000}),
    "in order, ceiling": lambda: asked("as_asked", 1_000_000, bounds={"ceiling": 300_000}),
    "in order, many": lambda: closing(
        tiers({"rule": "as_asked"}),
        {"purses": [purse(1000)], "lines": [line(f"ctr_{n}", "ana", claim=300, rank=n) for n in range(6)]},
    ),
    "floors not met": lambda: asked("weighted", 2500, bounds={"floor": 1000}),
    "floors not met, one in full": lambda: asked("claims_pro", 2500, OPTEOS | {"di": 300}, bounds={"floor": 1000}),
    "floors not met, two in full": lambda: asked(
        "claims_pro", 2500, OPTEOS | {"di": 300, "cy": 300}, bounds={"floor": 1000}
    ),
    "floors not met, a volunteer": lambda: asked("claims_pro", 500, {"ana": 900, "bo": 0}, bounds={"floor": 600}),
    "weighted, floors": lambda: asked("weighted", 100_000, bounds={"floor": 18_000}),
    "weighted, all at the ceiling": lambda: asked("weighted", 100_000, bounds={"ceiling": 10_000}),
    "weighted, two ceilings": lambda: asked("weighted", 100_000, bounds={"ceiling": 30_000}),
    "weighted, an hour": lambda: closing(
        tiers({"rule": "weighted"}, kinds={"development": 1000, "review": 9000}, bounds={"hourly_cap": 3500}),
        {
            "purses": [purse(100_000)],
            "lines": [
                line("ctr_1", "ana", kind="review", validated=300, declared=300),
                line("ctr_2", "bo", kind="review", validated=290, declared=290),
                line("ctr_3", "cy", validated=1200, declared=1200),
                line("ctr_4", "di"),
            ],
        },
    ),
    "weighted, other kinds": lambda: closing(
        tiers({"rule": "weighted"}, kinds={"design": 500, "documentation": 750, "facilitation": 1250, "expense": 1}),
        {
            "purses": [purse(100_000)],
            "lines": [
                line(f"ctr_{kind}", "ana", kind=kind, validated=100, declared=90)
                for kind in ("design", "documentation", "facilitation", "expense")
            ],
        },
    ),
    "floors of a second tier": lambda: _second_tier(12_000),
    "floors of a second tier, not met": lambda: _second_tier(6000),
    "equal, a ceiling": lambda: asked("equal", 100_000, bounds={"hourly_cap": 10_000}),
    "equal, alone": lambda: asked("equal", 100_000, {"ana": 0}),
    "equal, a tie": lambda: asked("equal", 100, {"m1": 0, "m2": 0, "m3": 0}),
    "catch up": lambda: worked("catch_up", 30_000, {"ana": 1, "bo": 1, "cy": 2}, frozen=past(ana=60_000, cy=10_000)),
    "catch up, two ahead": lambda: worked(
        "catch_up", 30_000, {"ana": 1, "bo": 1, "cy": 2}, frozen=past(ana=60_000, bo=70_000, cy=-500)
    ),
    "catch up, floor and ceiling": lambda: worked(
        "catch_up",
        30_000,
        {"ana": 1, "bo": 1, "cy": 2, "di": 9},
        frozen=past(ana=60_000, cy=10_000),
        bounds={"floor": 500, "ceiling": 19_000},
    ),
    "earmarked requests": lambda: row_39("claims_pro"),
    "earmarked hours added": lambda: row_39("weighted", weights="add"),
    "earmarked hours offset": lambda: row_39("weighted", weights="offset"),
    "earmarked equal offset": lambda: row_39("equal", weights="offset"),
    "three tiers": three_tiers,
    "a meeting": agreed,
    "refunds": lambda: taken_back(900, came(-500), came(1000, kind="upstream.received")),
    "more taken back": lambda: taken_back(900, came(-500), upstream=[{"to": "bud_lib", "bp": 1000}]),
    "a gap, and not enough for the shares": lambda: taken_back(
        60, came(1000), upstream=[{"to": "bud_lib", "bp": 1000}], reserve={"bp": 100}, min_edge=0, minimum_payout=0
    ),
    "a part of the pot, given before": lambda: bounded_tiers(
        [{"take": {"bp": 3000, "of": "left"}}, {"rule": "weighted"}], {"ceiling_bp": 4000}, 100_001, 20_002
    ),
    "an hour, given before": lambda: bounded_tiers(
        [{"take": {"bp": 3000, "of": "left"}}, {"rule": "weighted"}], {"hourly_cap": 2500}, 150_000, 20_000
    ),
    "a part cut to what is left": lambda: bounded_tiers(
        [{"take": {"bp": 6000, "of": "whole"}}, {"rule": "equal", "take": {"bp": 6000, "of": "whole"}}],
        {"ceiling": 30_000},
        80_000,
    ),
    "a floor, given before": lambda: bounded_tiers(
        [{"take": {"bp": 1000, "of": "left"}}, {"rule": "weighted"}], {"floor": 15_000}, 60_000, 2000
    ),
    "a floor, given in part to two": lambda: _second_tier(
        15_000, line("ctr_6", "ana", kind="design", claim=600), line("ctr_7", "di", claim=900)
    ),
    "a floor above the ceiling": lambda: bounded_tiers(
        [{"take": {"bp": 1000, "of": "left"}}, {"rule": "weighted"}],
        {"floor": 15_000, "hourly_cap": 6000},
        60_000,
        2000,
    ),
    "a sum, given before to two": lambda: bounded_tiers(
        [{"take": {"bp": 3000, "of": "left"}}, {"rule": "weighted", "take": {"cents": 10_000}}],
        {"ceiling": 16_500},
        100_001,
        20_002,
    ),
    "floors not met, no hour": lambda: closing(
        tiers({"rule": "claims_pro"}, bounds={"floor": 600, "hourly_cap": 1000}),
        {
            "purses": [purse(300)],
            "lines": [line("ctr_1", "ana", claim=900, validated=60), line("ctr_2", "bo", claim=9)],
        },
    ),
    "requests stopped at what is left": capped_requests,
    "owed from before": lambda: closing(
        tiers({"rule": "claims_pro"}, minimum_payout=500),
        {"purses": [purse(900)], "lines": [line("ctr_1", "ana", claim=400)], "owed": {"ana": 100}},
    ),
    "owed from before, no minimum": lambda: closing(
        tiers({"rule": "claims_pro"}),
        {"purses": [purse(900)], "lines": [line("ctr_1", "ana", claim=400)], "owed": {"ana": 100}},
    ),
}
