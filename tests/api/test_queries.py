"""The number of queries of a list does not depend on its rows."""

from typing import Any

from django.utils import timezone

from backend.commons.services import create_commons
from backend.contributions.services import declare
from backend.pledges.services import make_pledge
from tests.api.conftest import shown, work


def test_lists_cost_the_same_for_one_row_and_for_fifty(play: Any, call: Any, django_assert_num_queries: Any) -> None:
    world = play("make_house")
    bo, ana = call(world.users["bo"]), call(world.users["ana"])

    def add(number: int) -> None:
        declare(
            actor=world.users["bo"], budget=world.budget, worked_on=world.today, kind="support", minutes=1,
            description="Help", form_key=f"row-{number}", now=timezone.now(),
        )  # fmt: skip
        make_pledge(
            actor=world.users["ana"], budget=world.budget, organisation=world.organisation, amount=1, currency="EUR",
            form_key=f"row-{number}", now=timezone.now(),
        )  # fmt: skip
        if number:
            create_commons(
                name=f"Commons {number}", summary="", currency="EUR", steward=world.users["sacha"], now=timezone.now(),
                first_day=world.period.starts_on, end_before=world.period.ends_before,
            )  # fmt: skip

    # The first request of a day also notes that the token was used.
    shown(bo.get("commons"), 200)
    shown(ana.get("commons"), 200)
    rows = 0
    for wanted in [1, 50]:
        while rows < wanted:
            add(rows)
            rows += 1
        # token, limit, roles, rows; for some also what moderation withdrew or others recorded
        for caller, path, queries in [(bo, "contributions", 4), (ana, "pledges", 7), (bo, "commons", 10)]:
            with django_assert_num_queries(queries):
                assert len(shown(caller.get(path), 200)["data"]) == wanted


def test_what_one_row_costs(play: Any, call: Any, django_assert_max_num_queries: Any) -> None:
    world = play("close")
    bo = call(world.users["bo"])
    shown(bo.get("commons"), 200)
    for path, most in [
        (f"contributions/{world.contributions[0].pk}", 7),
        (f"distributions/{world.distribution.pk}", 10),  # with what is objected
        (f"periods/{world.period.pk}", 6),
        (f"commons/{world.commons.pk}", 10),
    ]:
        with django_assert_max_num_queries(most):
            shown(bo.get(path), 200)


def test_a_repetition_costs_less_than_the_act(play: Any, call: Any, django_assert_max_num_queries: Any) -> None:
    world = play("receive")
    bo = call(world.users["bo"])
    shown(bo.get("commons"), 200)
    bo.post("contributions", work(world))
    with django_assert_max_num_queries(28):
        shown(bo.post("contributions", work(world), key="one"), 201)
    with django_assert_max_num_queries(21):  # the rights are asked again, as for the act
        shown(bo.post("contributions", work(world), key="one"), 201)
