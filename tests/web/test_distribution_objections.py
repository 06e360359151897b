"""Objecting to a distribution on its page: raised, read by all, decided by somebody who is not involved."""

from collections.abc import Callable
from typing import Any

from django.test import Client

from backend.distributions.models import DistributionObjection
from backend.ledger.services import entry_count
from tests.web.test_public import text_of

Play = Callable[..., Any]
SignIn = Callable[..., Client]


def test_raised_read_and_set_aside(play: Play, sign_in: SignIn) -> None:
    world = play("close")
    booked, path = entry_count(), f"/en/distributions/{world.distribution.pk}/"
    bo = sign_in(world.users["bo"])
    assert "Object to this distribution" in text_of(bo.get(path))
    empty = bo.post(f"{path}objections/", {"digest": world.distribution.digest, "reason": " "})
    assert empty.status_code == 422
    assert "Why you object: Say why you object." in text_of(empty)
    stale = bo.post(f"{path}objections/", {"digest": "0", "reason": "Two days are missing"})
    assert stale.status_code == 409
    assert "Two days are missing" in stale.content.decode()
    assert not DistributionObjection.objects.exists()
    answer = bo.post(f"{path}objections/", {"digest": world.distribution.digest, "reason": "Two days are missing"})
    assert (answer.status_code, answer.headers["Location"]) == (302, path)
    raised = DistributionObjection.objects.get()
    page = text_of(bo.get(path))
    assert "Bo Nguyen," in page
    assert "Two days are missing open Who can decide, not being involved: Sacha Le Goff. Lift my objection" in page
    assert "Object to this distribution" not in page
    denis = sign_in(world.users["denis"])
    page = text_of(denis.get(path))
    assert "Bo Nguyen objects: approve once the objection is lifted, decided, or answered by agreed amounts." in page
    assert "Check and approve this distribution" not in page
    assert denis.post(f"{path}approve/", {"digest": world.distribution.digest}).status_code == 409
    sacha = sign_in(world.users["sacha"])
    decide = f"{path}objections/{raised.pk}/decide/"
    assert sacha.post(decide, {"upholds": "no", "reason": ""}).status_code == 422
    assert sacha.post(decide, {"upholds": "no", "reason": "They are in the sheet"}).status_code == 302
    page = text_of(bo.get(path))
    assert "set aside by stewards" in page
    assert "“They are in the sheet”" in page
    assert "Object to this distribution" not in page
    assert "Check and approve this distribution" in text_of(denis.get(path))
    assert entry_count() == booked


def test_lifted_by_its_author_alone(play: Play, sign_in: SignIn) -> None:
    world = play("close")
    path = f"/en/distributions/{world.distribution.pk}/"
    bo = sign_in(world.users["bo"])
    bo.post(f"{path}objections/", {"digest": world.distribution.digest, "reason": "No"})
    lift = f"{path}objections/{DistributionObjection.objects.get().pk}/lift/"
    assert sign_in(world.users["camille"]).post(lift).status_code == 403
    assert DistributionObjection.objects.get().state == "open"
    assert bo.post(lift).status_code == 302
    assert DistributionObjection.objects.get().state == "lifted"
    assert "Object to this distribution" in text_of(bo.get(path))
