"""Public texts that are withdrawn: on the pages, in the API, and given back."""

from typing import Any

import pytest
from allauth.account.models import EmailAddress
from django.db import IntegrityError, transaction
from django.test import Client
from django.utils import timezone

from backend.commons.life import shown
from backend.commons.models import Commons, Moderation
from backend.core.errors import Conflict, DomainError, Forbidden, Invalid, NotFound
from backend.events.models import Event
from backend.identity.models import User
from backend.identity.services import grant_role
from backend.notifications.models import OutgoingMail
from backend.notifications.services import compose_due
from backend.operations import demo
from backend.operations.moderation import give_back, withdraw_text

NOW = timezone.now()
FACTS: dict[str, Any] = {"reason": "Nomme une personne", "appeal_to": "appel@example.org", "now": NOW}
SAID = "Text withdrawn: Nomme une personne. To object: appel@example.org"


def page(answer: Any) -> str:
    """The text of a page."""
    return " ".join(answer.content.decode().split())


def refused(kind: type[DomainError], code: str, act: Any, /, **values: Any) -> None:
    """The act is refused with this code and nothing changes."""
    before = (list(Moderation.objects.values()), Event.objects.count())
    with pytest.raises(kind) as refusal:
        act(**values)
    assert refusal.value.code == code
    assert (list(Moderation.objects.values()), Event.objects.count()) == before


def test_every_public_text_of_a_commons_can_be_withdrawn(play: Any) -> None:
    world = play("settle")
    claire, bo = world.users["claire"], world.users["bo"]
    work = world.contributions[0]
    anyone = Client()
    address = f"/en/commons/{world.commons.slug}/"
    texts = {
        (world.commons.pk, "summary"): "L’atlas libre des tiers-lieux.",
        (work.pk, "description"): "Recherche par besoin : filtres et export",
        (bo.pk, "public_name"): '<td data-label="By">Bo</td>',
        (world.organisation.pk, "name"): "La Fabrique du Port",
    }
    before = page(anyone.get(address))
    for (subject, field), text in texts.items():
        assert text in before, text
        withdraw_text(actor=claire, subject=subject, field=field, **FACTS)
        after = page(anyone.get(address))
        assert text not in after, text
        assert SAID in after
    assert "L’atlas libre" not in page(anyone.get("/en/"))
    assert Commons.objects.get().summary == "L’atlas libre des tiers-lieux."  # the row stays
    compose_due(NOW)
    told = set(OutgoingMail.objects.filter(body__contains="appel@example.org").values_list("recipient", flat=True))
    assert told == {"sacha@example.org", "bo@example.org", "ana@example.org"}
    assert not OutgoingMail.objects.filter(body__contains="appel", subject__contains="atlas").exists()
    for row in Moderation.objects.all():
        give_back(actor=world.users["denis"], moderation_id=row.pk, now=NOW)
        give_back(actor=claire, moderation_id=row.pk, now=NOW)
    assert page(anyone.get(address)) == before
    assert Event.objects.filter(kind="text.restored").count() == 4


def test_who_withdraws_what(play: Any) -> None:
    world = play("make_house")
    claire, subject = world.users["claire"], world.commons.pk
    for name in ("sacha", "bo", "ana"):
        refused(
            Forbidden, "not_allowed", withdraw_text, actor=world.users[name], subject=subject, field="summary", **FACTS
        )
    for other, field in ((subject, "licence"), (subject, "website"), ("com_none", "name"), ("bud_x", "name")):
        refused(NotFound, "text_not_found", withdraw_text, actor=claire, subject=other, field=field, **FACTS)
    wrong = {"actor": claire, "subject": subject, "field": "summary", **FACTS}
    refused(Invalid, "reason_missing", withdraw_text, **{**wrong, "reason": ""})
    refused(Invalid, "email_invalid", withdraw_text, **{**wrong, "appeal_to": "ici"})
    made = withdraw_text(**wrong)
    refused(Conflict, "text_withdrawn", withdraw_text, **wrong)
    refused(Forbidden, "not_allowed", give_back, actor=world.users["sacha"], moderation_id=made.pk, now=NOW)
    refused(NotFound, "moderation_not_found", give_back, actor=claire, moderation_id="mod_none", now=NOW)
    fact = Event.objects.get(subject=made.pk)
    assert (fact.kind, fact.why, fact.scopes) == ("text.withdrawn", "Nomme une personne", [subject])
    assert "atlas" not in str(fact.before) + str(fact.data)
    for values in ({"reason": "autre"}, {"lifted_at": NOW}):
        with pytest.raises(IntegrityError), transaction.atomic():
            Moderation.objects.filter(pk=made.pk).update(**values)
    assert shown(subject, "summary", "x") == SAID
    assert shown(subject, "name", "x") == "x"


def test_no_public_page_says_a_withdrawn_name(play: Any) -> None:
    world = play("settle")
    withdraw_text(actor=world.users["claire"], subject=world.commons.pk, field="name", **FACTS)
    charter = f"charters/{world.budget.pk}/"
    for path in ("", f"commons/{world.commons.slug}/", charter, f"{charter}1/"):
        said = page(Client().get(f"/en/{path}"))
        assert world.commons.name not in said, path
        assert "Text withdrawn" in said, path


def test_the_pages(play: Any, sign_in: Any) -> None:
    world = play("settle")
    odile = User.objects.create_user("odile@example.org", demo.PASSWORD, name="Odile Blanc", language="fr")
    EmailAddress.objects.create(user=odile, email=odile.email, verified=True, primary=True)
    grant_role(user=odile, kind="auditor", scope=world.host.pk, granted_by=None, now=NOW)
    demo.give_factor(odile)
    claire, auditor = sign_in(world.users["claire"]), sign_in(odile)
    commons = world.commons
    assert "Withdraw a text of this page" in page(claire.get(f"/en/commons/{commons.slug}/"))
    assert "Withdraw a text of this page" not in page(Client().get(f"/en/commons/{commons.slug}/"))
    texts = page(claire.get(f"/en/moderation/commons/{commons.slug}/"))
    assert "Recherche par besoin : filtres et export" in texts
    address = f"/en/moderation/{commons.pk}/summary/withdraw/"
    assert "L’atlas libre des tiers-lieux." in page(claire.get(address))
    assert claire.post(address, {"reason": "x", "appeal_to": "ici"}).status_code == 422
    assert not Moderation.objects.exists()
    form = {"reason": "Nomme une personne", "appeal_to": "appel@example.org"}
    assert auditor.post(address, form).status_code == 403
    assert claire.post(address, form).headers["Location"] == "/en/moderation/"
    assert claire.post(address, form).status_code == 409
    row = Moderation.objects.get()
    read = page(auditor.get("/en/moderation/"))
    assert "Nomme une personne" in read
    assert "Give it back" not in read
    assert "Give it back" in page(claire.get("/en/moderation/"))
    assert claire.get(f"/en/moderation/{row.pk}/restore/").status_code == 405
    assert auditor.post(f"/en/moderation/{row.pk}/restore/").status_code == 403
    assert claire.post(f"/en/moderation/{row.pk}/restore/").status_code == 302
    assert "Given back" in page(auditor.get("/en/moderation/"))
    assert claire.get("/en/moderation/com_x/iban/withdraw/").status_code == 404
    for name in ("sacha", "bo"):
        browser = sign_in(world.users[name])
        assert browser.get("/en/moderation/").status_code == 403
        assert browser.get(f"/en/moderation/commons/{commons.slug}/").status_code == 403
