"""Parameters of addresses that no client sends: each is refused by name or answered, never an error of ours."""

from collections.abc import Callable
from typing import Any

import pytest

from tests.api.conftest import shown, work

LISTS = ["contributions", "budgets", "commons", "pledges", "events", "shares", "statement", "me"]
ODD = [
    "cursor=", "cursor=%00", "cursor=%ff%fe", "cursor=Y3RyXzAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMA",
    "cursor=" + "A" * 4000, "limit=%00", "limit=1e2", "limit=%D9%A1", "limit=-1", "limit=101", "limit=1&limit=2",
    "expand=" + "x," * 2000, "expand=%00", "state=%00", "state=declared%00", "budget=%00", "budget=%ed%a0%80",
    "budget=bud_" + "0" * 36, "contributor=%00", "kind=%00", "from=%00", "from=0000-00-00", "from=9999-12-31",
    "to=0001-01-01", "from=2026-02-30", "%00=1", "%ff=1", "=", "&&&", "a" * 3000 + "=1", "metadata[commit]=%00",
    "type=%00", "since=%00", "after=%00", "updated_since=%00", "period=%00", "mine=%00",
]  # fmt: skip


@pytest.mark.parametrize("path", LISTS)
def test_odd_parameters(play: Callable[..., Any], call: Callable[..., Any], path: str) -> None:
    world = play("make_house")
    bo = call(world.users["bo"])
    for odd in ODD:
        answer = bo.get(f"{path}?{odd}")
        assert answer.status_code in {200, 400, 404, 422}, (path, odd, answer.status_code, answer.content[:300])


@pytest.mark.parametrize("odd", ["%00", "ctr_%00", "ctr_" + "0" * 36, "ctr_" + "é" * 36, "%ff", "..%2f..", "a" * 900])
def test_odd_ids(play: Callable[..., Any], call: Callable[..., Any], odd: str) -> None:
    world = play("make_house")
    bo = call(world.users["bo"])
    made = shown(bo.post("contributions", work(world)), 201)["id"]
    for path in (f"contributions/{odd}", f"budgets/{odd}", f"shares/{odd}", f"budgets/{odd}/estimate"):
        assert bo.get(path).status_code == 404, path
    for path in (
        f"contributions/{odd}/waiver", f"contributions/{odd}/questions", f"contributions/{made}/objections/{odd}/lift",
        f"contributions/{made}/questions/{odd}/answer", f"contributions/{odd}/declaration",
    ):  # fmt: skip
        assert bo.post(path, {}).status_code in {404, 405}, path
    assert bo.patch(f"contributions/{odd}", {}).status_code == 404
    assert bo.delete(f"contributions/{odd}").status_code == 404


@pytest.mark.parametrize(
    "match", ['"' + "," * 199 + '"', '"a", ' * 400 + '"a"', "*, *", 'W/"' + "!" * 201 + '"', '""' * 900, '"a"\t,' * 380]
)
def test_odd_tags(play: Callable[..., Any], call: Callable[..., Any], match: str) -> None:
    world = play("make_house")
    bo = call(world.users["bo"])
    made = shown(bo.post("contributions", work(world)), 201)["id"]
    answer = bo.patch(f"contributions/{made}", {"minutes": 5}, match=match)
    assert answer.status_code in {400, 412}
    assert shown(bo.get(f"contributions/{made}", **{"If-None-Match": match}), 200)["minutes"] == 90


def test_a_thing_that_is_not_there_is_told_like_one_that_is_not_seen(
    play: Callable[..., Any], call: Callable[..., Any]
) -> None:
    """Before the body is looked at: what is wrong with it would tell that the contribution is there."""
    world = play("make_house")
    made = shown(call(world.users["bo"]).post("contributions", work(world)), 201)["id"]
    ana = call(world.users["ana"])
    for one in (made, "ctr_" + "0" * 36):
        for act in ("reviews", "questions", "objections", "waiver", "withdrawal"):
            problem = shown(ana.post(f"contributions/{one}/{act}", {"odd": 1}), 404)
            assert problem["code"] == "contribution_not_found", (one, act)
