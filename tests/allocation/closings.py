"""Random charters and inputs of closings, and the small ones that several tests share."""

from typing import Any

from hypothesis import strategies as st

from backend.allocation.closing import compute
from backend.allocation.rules import RULES

POT, PERIOD = "pot-7", "2025-Q1"
KINDS = ("development", "review", "expense")
PEOPLE = ("ana", "bo", "cy", "di")
PURSES = ("bud_a", "bud_b", "bud_c")


def line(contribution: str, person: str, **facts: Any) -> dict[str, Any]:
    """One line of the general purse; `facts` replace what it has."""
    return {
        "contribution": contribution,
        "person": person,
        "purse": POT,
        "kind": "development",
        "declared": 0,
        "validated": 0,
        "validators": 1,
        "claim": 0,
        "rank": 0,
        "age": 0,
        **facts,
    }


def purse(held: int, identifier: str = POT, parent: str | None = None, **facts: Any) -> dict[str, Any]:
    """A purse with money and, unless `facts` say so, no receipts."""
    return {"id": identifier, "parent": parent, "held": held, "receipts": [], "reserve": 0, **facts}


def closing(charter: dict[str, Any], inputs: dict[str, Any]) -> dict[str, Any]:
    """The trace of a closing of pot-7."""
    return compute(charter, inputs, pot=POT, period=PERIOD)


def cents(trace: dict[str, Any]) -> dict[str, int]:
    """What each person gets."""
    return {one["id"]: one["cents"] for one in trace["persons"]}


def per_contribution(trace: dict[str, Any]) -> dict[str, int]:
    """What each contribution gets."""
    return {name: part for one in trace["persons"] for name, part in one["per_contribution"].items()}


def tiers(*rows: dict[str, Any], **charter: Any) -> dict[str, Any]:
    """A charter of these tiers, named t0, t1, …"""
    return {"format": 1, "tiers": [{"id": f"t{number}", **row} for number, row in enumerate(rows)], **charter}


@st.composite
def charters(draw: st.DrawFn) -> dict[str, Any]:
    """Any charter: one to three tiers, bounds, earmarks, reserve, upstream; optional keys come and go."""

    def tier(number: int) -> dict[str, Any]:
        amount = st.integers(0, 400)
        takes = [
            st.just({"rest": True}),
            st.fixed_dictionaries({"cents": amount}),
            st.fixed_dictionaries({"bp": st.integers(0, 10_000), "of": st.sampled_from(["whole", "left"])}),
        ]
        return {
            "id": f"t{number}",
            "rule": draw(st.sampled_from(sorted(RULES))),
            "kinds": draw(st.none() | st.lists(st.sampled_from(KINDS), min_size=1, unique=True)),
            "take": draw(st.one_of(*takes)),
            "reimburses": draw(st.booleans()) if number == 0 else False,
        }

    parts = {
        "kinds": st.dictionaries(st.sampled_from(KINDS), st.sampled_from([0, 500, 1000, 1500])),
        "decay_ppm": st.sampled_from([[1_000_000], [1_000_000, 500_000], [1_000_000, 500_000, 0, 250_000]]),
        "bounds": st.fixed_dictionaries(
            {},
            optional={
                "floor": st.integers(0, 80),
                "ceiling": st.none() | st.integers(0, 300),
                "ceiling_bp": st.none() | st.integers(0, 10_000),
                "hourly_cap": st.none() | st.integers(0, 3000),
            },
        ),
        "cut_claims_at_pot": st.booleans(),
        "reserve": st.fixed_dictionaries(
            {"bp": st.integers(0, 10_000)}, optional={"target": st.none() | st.integers(0, 200)}
        ),
        "upstream": st.lists(
            st.fixed_dictionaries({"to": st.sampled_from(["bud_x", "bud_y", "bud_z"]), "bp": st.integers(0, 1600)}),
            max_size=3,
            unique_by=lambda edge: edge["to"],
        ),
        "min_edge": st.integers(0, 20),
        "earmarks": st.fixed_dictionaries(
            {},
            optional={
                "weights": st.sampled_from(["add", "offset", "exclude"]),
                "leftover": st.sampled_from(["hold", "release"]),
            },
        ),
        "minimum_payout": st.integers(0, 200),
    }
    tiers = [tier(number) for number in range(draw(st.integers(1, 3)))]
    return {"format": 1, "tiers": tiers, **draw(st.fixed_dictionaries({}, optional=parts))}


@st.composite
def inputs(draw: st.DrawFn) -> dict[str, Any]:
    """Any inputs: a tree of up to four purses, up to six lines of four people, earlier work and pay."""
    money = st.integers(0, 900)
    tree = [purse(draw(money), reserve=draw(st.integers(0, 150)))]
    tree[0]["receipts"] = draw(
        st.lists(
            st.fixed_dictionaries(
                {
                    "kind": st.sampled_from(["payment.received", "upstream.received"]),
                    "count": st.integers(0, 4),
                    "gross": st.integers(-100, 900),
                    "fees": st.integers(0, 60),
                }
            ),
            max_size=3,
        )
    )
    for number in range(draw(st.integers(0, 3))):
        parent = draw(st.sampled_from([one["id"] for one in tree]))
        tree.append(purse(draw(money), PURSES[number], parent))
    lines = [
        line(
            f"ctr_{number}",
            draw(st.sampled_from(PEOPLE)),
            purse=draw(st.sampled_from([one["id"] for one in tree])),
            kind=draw(st.sampled_from(KINDS)),
            declared=draw(st.integers(0, 90)),
            validated=draw(st.integers(0, 90)),
            validators=draw(st.integers(0, 3)),
            claim=draw(st.integers(0, 400)),
            rank=draw(st.integers(0, 5)),
            age=draw(st.sampled_from([0, 0, 0, 1, 5])),
        )
        for number in range(draw(st.integers(0, 6)))
    ]
    works = st.fixed_dictionaries(
        {
            "person": st.sampled_from(PEOPLE),
            "kind": st.sampled_from(KINDS),
            "minutes": st.integers(0, 200),
            "age": st.integers(1, 4),
        }
    )
    return {
        "purses": tree,
        "lines": lines,
        "history": draw(st.lists(works, max_size=3)),
        "counted": draw(st.dictionaries(st.sampled_from(PEOPLE), st.integers(-50, 300))),
        "owed": draw(st.dictionaries(st.sampled_from(PEOPLE), st.integers(0, 150))),
        "closed_targets": draw(st.lists(st.sampled_from(["bud_x", "bud_w"]), unique=True)),
    }
