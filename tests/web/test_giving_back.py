"""Giving back a share on its pages: how much goes where is said first, then it is final."""

from collections.abc import Callable
from typing import Any

from django.test import Client

from backend.distributions.models import Share
from backend.ledger.services import balance
from tests.web.test_public import text_of

Play = Callable[..., Any]
SignIn = Callable[..., Client]


def test_said_first_then_done_once(play: Play, sign_in: SignIn) -> None:
    world = play("approve_distribution")
    bo = sign_in(world.users["bo"])
    share = Share.objects.get(contributor=world.users["bo"])
    assert share.amount == 57_00
    path = f"/en/shares/{share.pk}/waive/"
    assert path in bo.get(f"/en/shares/{share.pk}/").content.decode()
    form = bo.get(path).context["form"]
    values = {"form_key": form["form_key"].value(), "how_much": "part"}
    refused = bo.post(path, values | {"amount": "57.01"})
    assert refused.status_code == 422
    assert "Amount given back: €57.00 is due to you: give back at most that." in text_of(refused)
    assert bo.post(path, values | {"amount": "seven"}).status_code == 422
    page = bo.post(path, values | {"amount": "7"})
    text = text_of(page)
    assert "You give back €7.00; €50.00 stays due to you. This is final: nobody can undo it." in text
    share.refresh_from_db()
    assert share.waived == 0
    held = balance(kind="budget", owner=world.budget.pk, currency="EUR")
    for _twice in range(2):
        assert bo.post(path, values | {"amount": "7", "act": "final"}).headers["Location"] == f"/en/shares/{share.pk}/"
    share.refresh_from_db()
    assert (share.waived, share.state) == (7_00, "owed")
    assert balance(kind="budget", owner=world.budget.pk, currency="EUR") == held + 7_00
    text = text_of(bo.get(f"/en/shares/{share.pk}/"))
    assert "Given back €7.00 Due €50.00" in text
    everything = {"form_key": "rest", "how_much": "all", "act": "final"}
    assert bo.post(path, everything).status_code == 302
    text = text_of(bo.get(f"/en/shares/{share.pk}/"))
    assert "It was given back: the money is in the pot again." in text
    assert "Give back all or part of it to the pot" not in text
    assert bo.get(path).status_code == 409


def test_nobody_else_gives_it_back(play: Play, sign_in: SignIn) -> None:
    world = play("approve_distribution")
    share = Share.objects.get(contributor=world.users["bo"])
    for name in ("camille", "sacha", "claire"):
        browser = sign_in(world.users[name])
        assert browser.get(f"/en/shares/{share.pk}/waive/").status_code == 404
        assert "Give back all or part" not in text_of(browser.get(f"/en/shares/{share.pk}/"))
