"""People named by others: one account per address, whatever is pressed twice."""

from typing import Any

from backend.identity.inviting import Named, person_named
from backend.identity.models import User
from tests.concurrency import at_once


def test_the_same_new_address_at_once_makes_one_person(play: Any, committed: str) -> None:
    play("make_house")
    answers = at_once(lambda _number: person_named(Named("Zoé", "zoe@example.org")).pk, times=6)
    assert set(answers) == {User.objects.get(email="zoe@example.org").pk}
