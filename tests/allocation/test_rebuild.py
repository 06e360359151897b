"""The checker: it finds every single change of a trace, with its digest made right again, and everything missing."""

import copy
from collections.abc import Iterator
from typing import Any

import pytest

from backend.allocation.closing import arbitrate
from backend.allocation.kernel import AllocationError
from backend.allocation.rebuild import rebuild, verify
from backend.allocation.trace import TraceMismatch, digest, sha256
from tests.allocation.closings import POT, cents, closing, line, purse, tiers

Path = tuple[str | int, ...]


def rich() -> dict[str, Any]:
    """A closing with everything in it: tiers, envelopes, a ceiling, a tie, earlier work, moves, a meeting's amounts."""
    charter = tiers(
        {"rule": "claims_pro", "kinds": ["expense"], "reimburses": True, "take": {"cents": 400}},
        {"rule": "equal", "take": {"bp": 1000, "of": "whole"}},
        {"rule": "weighted"},
        kinds={"development": 1000, "review": 1500, "expense": 0},
        decay_ppm=[1_000_000, 500_000],
        bounds={"ceiling_bp": 4000, "floor": 10},
        upstream=[{"to": "bud_x", "bp": 1000}],
        reserve={"bp": 500, "target": 800},
        earmarks={"weights": "offset", "leftover": "release"},
        minimum_payout=900,
    )
    receipts = [{"kind": "payment.received", "count": 3, "gross": 10_000, "fees": 800}]
    purses = [purse(9300, receipts=receipts, reserve=100), purse(501, "bud_a", POT)]
    lines = [
        line("c1", "ana", validated=600, declared=660, rank=1),
        line("c2", "ana", validated=90, kind="review", rank=2),
        line("c3", "bo", validated=60, purse="bud_a", rank=3),
        line("c4", "cy", validated=60, purse="bud_a", rank=4),
        line("c5", "di", claim=301, kind="expense", rank=5),
        line("c6", "di", validated=61, rank=6),
    ]
    past = [{"person": "cy", "kind": "review", "minutes": 30, "age": 1}]
    trace = closing(charter, {"purses": purses, "lines": lines, "history": past, "counted": {}, "owed": {"di": 7}})
    changes = [{"person": "di", "purse": POT, "agreed": 700, "confirmed_on": "2025-04-02"}]
    return arbitrate(trace, reason="Meeting", entered_by="usr_s", changes=changes)


def asked() -> dict[str, Any]:
    """A closing by requests, and one by catch-up, in two tiers."""
    charter = tiers({"rule": "as_asked", "take": {"cents": 100}}, {"rule": "catch_up"}, {"rule": "claims_talmud"})
    charter["decay_ppm"] = [1_000_000, 999_999]
    lines = [line("c1", "ana", claim=70, validated=60, rank=1), line("c2", "bo", claim=301, validated=20, rank=2)]
    return closing(charter, {"purses": [purse(333)], "lines": lines, "counted": {"bo": 30}})


TRACES = {"rich": rich(), "asked": asked()}
# What a trace is given and nothing follows from: changed and sealed again, it is another trace that holds.
BESIDE = {"currency", "charter.id", "charter.version"}
FREE = BESIDE | {"arbitration.reason", "arbitration.entered_by"}


def leaves(value: Any, path: Path = ()) -> Iterator[Path]:
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else None
    if items is None:
        yield path
    else:
        for key, item in items:
            yield from leaves(item, (*path, key))


def changed(trace: dict[str, Any], path: Path, *, remove: bool = False) -> dict[str, Any]:
    """The trace with one leaf changed by as little as possible, or removed."""
    other = copy.deepcopy(trace)
    place = other
    for key in path[:-1]:
        place = place[key]  # type: ignore[index]
    if remove:
        del place[path[-1]]  # type: ignore[arg-type]
        return other
    value = place[path[-1]]  # type: ignore[index]
    bent = not value if isinstance(value, bool) else value + 1 if isinstance(value, int) else f"{value or ''}x"
    place[path[-1]] = bent  # type: ignore[index]
    return other


def sealed(value: dict[str, Any]) -> dict[str, Any]:
    """The trace with its digest made right again, as a forger would."""
    return {**value, "result_sha256": digest(value)}


def is_free(path: Path) -> bool:
    return ".".join(map(str, path)) in FREE or path[-1] == "confirmed_on" or path == ("result_sha256",)


@pytest.mark.parametrize("name", TRACES)
def test_the_traces_of_these_tests_hold(name: str) -> None:
    assert verify(TRACES[name])
    assert rebuild(TRACES[name]) == cents(TRACES[name])
    assert len(list(leaves(TRACES[name]))) > 100


@pytest.mark.parametrize("name", TRACES)
def test_any_single_change_sealed_again_is_found_and_named_but_for_what_nothing_follows_from(name: str) -> None:
    trace = TRACES[name]
    for path in leaves(trace):
        forged = sealed(changed(trace, path))
        if is_free(path):
            assert verify(forged)
            with pytest.raises(TraceMismatch):
                verify(changed(trace, path))
        else:
            with pytest.raises(TraceMismatch) as found:
                verify(forged)
            assert str(found.value)


@pytest.mark.parametrize("name", TRACES)
def test_inputs_changed_and_sealed_twice_no_longer_give_the_amounts(name: str) -> None:
    trace = TRACES[name]
    for path in [("inputs", *path) for path in leaves(trace["inputs"])]:
        if path == ("inputs", "purses", 1, "reserve"):
            continue  # an envelope has no reserve: nothing reads this one
        forged = changed(trace, path)
        forged["snapshot_sha256"] = sha256(forged["inputs"])
        with pytest.raises(TraceMismatch):
            verify(sealed(forged))


@pytest.mark.parametrize("name", TRACES)
def test_anything_missing_is_a_clear_refusal(name: str) -> None:
    trace = TRACES[name]
    # One of each: what is missing from one row is missing from another in the same way.
    for path in {tuple(key for key in path if isinstance(key, str)): path for path in leaves(trace)}.values():
        if path != ("result_sha256",) and ".".join(map(str, path)) not in BESIDE:
            with pytest.raises(TraceMismatch):
                verify(sealed(changed(trace, path, remove=True)))
    for nonsense in ({}, {"charter": 3}, {**trace, "inputs": []}, {**trace, "charter": {"document": None}}):
        for check in (verify, rebuild):
            with pytest.raises(TraceMismatch) as found:
                check(nonsense)
            assert found.value.code == "malformed"


@pytest.mark.parametrize(
    ("path", "value", "where"),
    [
        (("steps", 4, "persons", 0, "cents"), 4072, "steps[4].persons[0].cents"),
        (("steps", 4, "theta", 0), 5, "steps[4].theta[0]"),
        (("waterfall", 4, "amount"), 921, "waterfall[4].amount"),
        (("purses", 1, "left"), 1, "purses[1].left"),
        (("persons", 0, "by_purse"), {}, "persons[0].by_purse"),
        (("settle", 0, "before"), 0.0, "settle[0].before"),
        (("settle", 0, "before"), False, "settle[0].before"),
        (("arbitration", "changes", 0, "computed"), 3, "arbitration.changes[0].computed"),
        (("engine",), "tronc-allocation/1", "engine"),
    ],
)
def test_the_first_difference_is_named_by_its_path(path: Path, value: Any, where: str) -> None:
    forged = copy.deepcopy(TRACES["rich"])
    place: Any = forged
    for key in path[:-1]:
        place = place[key]
    place[path[-1]] = value
    with pytest.raises(TraceMismatch) as found:
        verify(sealed(forged))
    assert found.value.param == where
    assert isinstance(found.value, AllocationError)


def test_an_agreed_amount_beyond_the_purse_is_no_trace() -> None:
    forged = copy.deepcopy(TRACES["rich"])
    forged["arbitration"]["changes"][0]["agreed"] = 10**6
    for check in (verify, rebuild):
        with pytest.raises(TraceMismatch, match="more was agreed than the purse had"):
            check(forged)
    forged["arbitration"]["changes"][0]["agreed"] = -1
    with pytest.raises(TraceMismatch, match="negative"):
        rebuild(forged)
