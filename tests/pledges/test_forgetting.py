"""Who erases their account promises nothing more in their own name, and is shown nowhere; what was received stays."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest

from backend.core.errors import Conflict
from backend.documents.models import Document
from backend.documents.services import file_of
from backend.pledges.models import Pledge
from backend.pledges.services import Terms, call_due, make_pledge, note_received
from backend.privacy.erasure import ask_erasure, erase_due
from backend.privacy.export import gathered

Play = Callable[..., Any]


def test_an_erasure_ends_one_s_own_pledges_and_their_papers(play: Play) -> None:
    world = play("make_house")
    lou = type(world.users["bo"]).objects.create_user("lou@example.org", "x", name="Lou Brun", language="fr")
    own = make_pledge(
        actor=lou, budget=world.budget, person=lou, amount=10_00, currency="EUR", form_key="own", now=world.now,
        terms=Terms(rhythm="monthly", visibility="pseudonymous", pseudonym="Loulou"),
    )  # fmt: skip
    call_due(world.now)
    note_received(pledge_id=own.pk, amount=4_00, now=world.now)
    paper = Document.objects.get(person=lou)
    assert file_of(paper).startswith(b"%PDF")
    whole = gathered(lou)
    assert [row["amount"] for row in whole["instalments"]] == [10_00]
    assert [(row["rhythm"], row["pseudonym"]) for row in whole["pledges"]] == [("monthly", "Loulou")]
    ask_erasure(user=lou, typed=lou.email, now=world.now)
    erase_due(world.now + timedelta(days=8))
    own.refresh_from_db()
    assert (own.state, own.received, own.expected, own.public_name, own.pseudonym) == ("cancelled", 4_00, 0, None, "")
    assert "Lou" not in Pledge.objects.select_related("person").get(pk=own.pk).payer_name
    with pytest.raises(Conflict) as refusal:
        file_of(paper)
    assert refusal.value.code == "document_forgotten"
