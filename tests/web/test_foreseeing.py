"""Guidance while declaring: a suggestion never imposed, an estimate that records nothing, shortage told beforehand."""

from collections.abc import Callable
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone

from backend.contributions.models import Contribution
from backend.contributions.services import review
from backend.distributions.models import Share
from backend.events.models import Event
from backend.ledger.services import entry_count
from backend.operations import demo
from backend.operations.figures import Figures
from tests.contributions.test_contributions import say, under
from tests.web.test_public import text_of
from tests.web.test_work import DECLARE, facts

Play = Callable[..., Any]
SignIn = Callable[..., Client]


def written() -> tuple[int, ...]:
    """What a page could have written."""
    return entry_count(), Event.objects.count(), Contribution.objects.count(), Share.objects.count()


def test_the_charter_suggests_hours_times_rate_and_the_form_takes_it_or_not(play: Play, sign_in: SignIn) -> None:
    world = play("receive")
    under(world, rates={"development": 25_00})
    bo, before = sign_in(world.users["bo"]), written()
    assert "An hour is usually worth: development €25.00. Ask what seems right to you." in text_of(bo.get(DECLARE))
    asked = facts(world, amount="", description="")
    answer = bo.post(DECLARE, asked | {"act": "estimate"})
    text = text_of(answer)
    assert (answer.status_code, answer.context["form"].errors) == (200, {})
    assert "The charter suggests: 1 h 30 × €25.00 an hour = €37.50." in text
    assert "Write €37.50 in the form" in text
    answer = bo.post(DECLARE, asked | {"act": "suggested"})
    text = text_of(answer)
    assert answer.context["form"]["amount"].value() == "37.5"
    assert "You ask in all €37.50 You would receive €37.50 Of it for this work €37.50" in text
    assert "Write €37.50" not in text
    assert "Nothing was declared, and no money moved." in text
    assert written() == before
    # Anything else may be asked: less, more, nothing.
    assert bo.post(DECLARE, facts(world, amount="80")).status_code == 302
    assert Contribution.objects.get().amount == 80_00


def test_in_french_the_suggestion_is_written_as_it_is_typed_there(play: Play, sign_in: SignIn) -> None:
    world = play("receive")
    under(world, rates={"development": 25_00})
    address = DECLARE.replace("/en/", "/fr/")
    answer = sign_in(world.users["bo"]).post(address, facts(world, amount="") | {"act": "suggested"})
    assert (answer.status_code, answer.context["form"]["amount"].value()) == (200, "37,5")
    assert answer.context["foreseen"].amount == 37_50


def test_without_a_rate_for_the_kind_nothing_is_suggested(play: Play, sign_in: SignIn) -> None:
    world = play("receive")
    under(world, rates={"review": 25_00})
    bo = sign_in(world.users["bo"])
    for act in ("estimate", "suggested"):
        answer = bo.post(DECLARE, facts(world) | {"act": act})
        assert answer.context["foreseen"].suggestion is None
        assert "The charter suggests" not in text_of(answer)
        assert answer.context["form"]["amount"].value() == "45,00"


def test_where_amounts_do_not_count_none_is_suggested(play: Play, sign_in: SignIn) -> None:
    world = play("receive")
    tiers = [{"id": "time", "rule": "weighted", "take": {"rest": True}}]
    under(world, rates={"development": 25_00}, tiers=tiers)
    text = text_of(sign_in(world.users["bo"]).post(DECLARE, facts(world) | {"act": "estimate"}))
    assert "The charter suggests" not in text
    assert "You ask in all" not in text
    assert "You would receive €95.00" in text


def test_the_estimate_is_what_the_closing_then_gives(play: Play, sign_in: SignIn) -> None:
    world = play("work")
    bo = sign_in(world.users["bo"])
    answer = bo.post(DECLARE, facts(world) | {"act": "estimate"})
    found = answer.context["foreseen"].found
    assert (found.asked, found.available) == (105_00, 95_00)
    assert 0 < found.of_this < 45_00
    assert bo.post(DECLARE, facts(world)).status_code == 302
    made = Contribution.objects.latest("created_at")
    review(actor=world.users["sacha"], contribution_id=made.pk, verdict="approve", now=timezone.now())
    demo.close(world)
    assert Share.objects.get(contributor=world.users["bo"]).amount == found.share


@pytest.mark.parametrize(
    ("changes", "field", "said"),
    [
        ({"minutes": "1h75"}, "minutes", "Write the duration in minutes"),
        ({"minutes": "99999"}, "minutes", "from 0 to 44640"),
        ({"amount": "many"}, "amount", "Write the amount in figures"),
        ({"amount": "100,01"}, "amount", "The charter allows at most €100.00 a request."),
        ({"budget": "bud_nothing"}, "budget", "Choose one of your budgets"),
        ({"kind": "juggling"}, "kind", "Choose a kind of work from the list"),
    ],
)
def test_what_cannot_be_estimated_is_named_beside_its_field_and_nothing_else_is(
    play: Play, sign_in: SignIn, changes: dict[str, str], field: str, said: str
) -> None:
    world = play("receive")
    under(world, hard_cap=100_00)
    before = written()
    sent = facts(world, description="", worked_on="", evidence="no link", **changes)
    answer = sign_in(world.users["bo"]).post(DECLARE, sent | {"act": "estimate"})
    assert (answer.status_code, list(answer.context["form"].errors)) == (422, [field])
    assert said in text_of(answer)
    assert written() == before


def test_who_works_nowhere_estimates_nothing(play: Play, sign_in: SignIn) -> None:
    world = play("receive")
    answer = sign_in(world.users["ana"]).post(DECLARE, facts(world) | {"act": "estimate"})
    assert (answer.status_code, answer.context["foreseen"]) == (422, None)


def test_the_page_tells_what_the_pot_holds_and_warns_from_eighty_per_cent_on(play: Play, sign_in: SignIn) -> None:
    world = play("receive")
    bo = sign_in(world.users["bo"])
    assert "it holds €95.00 " in text_of(bo.get(DECLARE))
    for amount, percent in ((75_99, ""), (1, "80%"), (19_00, "100%")):
        made = say(world, amount=amount, form_key=f"k{amount}")
        review(actor=world.users["sacha"], contribution_id=made.pk, verdict="approve", now=world.now)
        told = text_of(bo.get(DECLARE)), text_of(Client().get(f"/en/commons/{world.commons.slug}/"))
        assert (f"{percent} committed: requests may be reduced" in told[0]) is bool(percent), amount
        assert (f"{percent} of what it holds is committed already" in told[1]) is bool(percent), amount
    made = say(world, amount=1, form_key="more")
    review(actor=world.users["sacha"], contribution_id=made.pk, verdict="approve", now=world.now)
    told = text_of(bo.get(DECLARE)), text_of(Client().get(f"/en/commons/{world.commons.slug}/"))
    assert "it holds €95.00, of which €95.01 are committed requests will be reduced" in told[0]
    assert "are missing to pay all the validated requests" in told[1]
    assert "committed already" not in told[1]


@pytest.mark.parametrize(
    ("available", "committed", "nearly", "percent"),
    [
        (100, 0, False, 0), (21, 79, False, 79), (20, 80, True, 80), (0, 100, True, 100), (-1, 100, False, 101),
        (0, 0, False, None), (-5, 0, False, None), (-100, 100, False, None),
    ],
)  # fmt: skip
def test_the_bounds_of_the_warning(available: int, committed: int, nearly: bool, percent: int | None) -> None:
    found = Figures(currency="EUR", expected=0, received=0, committed=committed, paid=0, available=available)
    assert (found.nearly_short, found.committed_percent) == (nearly, percent)


def test_the_reviewer_reads_the_suggestion_beside_what_is_asked(play: Play, sign_in: SignIn) -> None:
    world = play("receive")
    under(world, rates={"development": 25_01})
    made = say(world)
    text = text_of(sign_in(world.users["sacha"]).get(f"/en/reviews/{made.pk}/"))
    assert "The charter suggests: 1 h 30 × €25.01 an hour = €37.52." in text  # 37.515, halves up
