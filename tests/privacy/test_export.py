"""The export of one's data: everything that names a person, theirs alone, without secrets."""

import csv
import io
import json
import zipfile
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest
from django.apps import apps

from backend.core.errors import Forbidden
from backend.core.models import PersonKey
from backend.documents.services import Item, Party, issue
from backend.events.models import Event
from backend.identity.models import User
from backend.identity.services import grant_role
from backend.identity.tokens import create_token
from backend.operations import demo
from backend.payees.services import set_account
from backend.pledges.models import Donor, Pledge
from backend.privacy.export import export_personal, gathered
from backend.privacy.notices import VERSIONS, accept_notices
from backend.privacy.parts import ACTS, ELSEWHERE, PARTS

Play = Callable[..., Any]
NOW = datetime(2026, 11, 22, 10, 0, tzinfo=UTC)


def opened(archive: Any) -> tuple[dict[str, Any], dict[str, list[dict[str, str]]]]:
    """The JSON and the CSVs of an export."""
    with zipfile.ZipFile(io.BytesIO(archive.data)) as found:
        whole = json.loads(found.read("data.json"))
        names = [name for name in found.namelist() if name.endswith(".csv")]
        sheets = {name[:-4]: list(csv.DictReader(io.StringIO(found.read(name).decode()))) for name in names}
    return whole, sheets


def naming() -> set[str]:
    """Every column of ours that names a person: `app.Model.column`."""
    return {
        f"{model._meta.label}.{column.name}"
        for model in apps.get_models()
        for column in model._meta.concrete_fields
        if column.is_relation and column.related_model is User
    }


def told() -> set[str]:
    """Every column that an export tells, or that says why it does not."""
    parts = {f"{part.model}.{path}" for part in PARTS.values() for path in part.who}
    acts = {f"{model}.{column}" for model, columns in ACTS.items() for column in columns}
    return parts | acts | set(ELSEWHERE)


def test_every_column_that_names_a_person_is_exported_or_has_its_reason() -> None:
    assert naming() - told() == set()
    assert {name for name in ELSEWHERE if name not in naming()} == set()
    assert all(len(reason) > 20 for reason in ELSEWHERE.values())


def test_no_secret_is_among_the_columns() -> None:
    columns = {f"{part.model}.{column}" for part in PARTS.values() for column in part.columns}
    words = ("password", "digest", "sealed", "session_key", "index", "code")
    assert {column for column in columns if any(word in column.rpartition(".")[2] for word in words)} == set()
    assert "mfa.Authenticator.data" not in columns


def test_an_export_holds_what_there_is_about_a_person(play: Play) -> None:
    world = play("settle", now=NOW)
    bo = world.users["bo"]
    accept_notices(user=bo, now=NOW)
    _token, text = create_token(user=bo, name="My editor", scopes=["contributions:write"], now=NOW)
    archive = export_personal(actor=bo, now=NOW)
    whole, sheets = opened(archive)
    assert archive.name == f"tronc-{bo.pk}-20261122.zip"
    assert set(whole) == {"exported_at", "person", *PARTS, "payee", "organisations", "acts", "documents_of_gifts"}
    (account,) = whole["account"]
    assert (account["email"], account["name"], account["public_name"]) == ("bo@example.org", "Bo Nguyen", "Bo")
    (work,) = whole["contributions"]
    assert (work["amount"], work["settled_amount"], work["description"]) == (
        60_00, 57_00, "Recherche par besoin : filtres et export",
    )  # fmt: skip
    assert [row["verdict"] for row in whole["reviews_received"]] == ["approve"]
    (share,) = whole["shares"]
    assert (share["asked"], share["amount"], share["state"]) == (60_00, 57_00, "paid")
    (payout,) = whole["payouts"]
    assert (payout["amount"], payout["state"], payout["name"]) == (57_00, "settled", "Bo Nguyen")
    (payee,) = whole["payee"]
    assert payee["iban"] == demo.IBANS["bo"]
    assert [row["name"] for row in payee["names_in_the_accounts"]] == ["Bo Nguyen"]
    assert [(row["kind"], row["scope"]) for row in whole["roles"]] == [("contributor", world.budget.pk)]
    assert [row["name"] for row in whole["tokens"]] == ["My editor"]
    assert text not in json.dumps(whole)
    assert {(row["document"], row["version"]) for row in whole["acceptances"]} == {
        (document, versions[0]) for document, versions in VERSIONS.items()
    }
    assert {"contribution.declared", "payee.account_changed"} <= {row["kind"] for row in whole["done_by_me"]}
    assert {row["thing"] for row in whole["acts"]} == {"payees.Payee", "distributions.SupportingDocument"}
    assert sheets["shares"][0]["amount"] == "5700"
    assert "pledges" not in sheets  # a kind without rows has no sheet, but is named in the JSON
    assert whole["pledges"] == []
    assert archive.rows["contributions"] == 1
    event = Event.objects.get(kind="personal.exported")
    assert (event.actor_id, event.subject, event.scopes) == (bo.pk, bo.pk, [bo.pk])


def test_nothing_of_somebody_else_is_in_it(play: Play) -> None:
    world = play("settle", now=NOW)
    whole, _sheets = opened(export_personal(actor=world.users["bo"], now=NOW))
    text = json.dumps(whole, ensure_ascii=False)
    for key in ("camille", "ana", "denis", "claire", "sacha"):
        assert world.users[key].name not in text
        assert f"{key}@example.org" not in text
    assert demo.IBANS["camille"] not in text
    acts, _sheets = opened(export_personal(actor=world.users["claire"], now=NOW))
    assert {"payouts.PayoutBatch", "distributions.Distribution"} <= {row["thing"] for row in acts["acts"]}
    assert demo.IBANS["bo"] not in json.dumps(acts)


def test_an_organisation_is_named_to_those_who_act_for_it(play: Play) -> None:
    world = play("receive", now=NOW)
    found = gathered(world.users["ana"])
    assert [row["name"] for row in found["organisations"]] == ["La Fabrique du Port"]
    assert [(row["amount"], row["received"], row["state"]) for row in found["pledges"]] == [
        (100_00, 100_00, "fulfilled")
    ]
    assert gathered(world.users["bo"])["organisations"] == []


def test_a_spreadsheet_runs_nothing_of_it(play: Play) -> None:
    world = play("make_house", now=NOW)
    bo = world.users["bo"]
    User.objects.filter(pk=bo.pk).update(public_name="=1+1")
    set_account(actor=bo, name="@SUM(A1)", iban=demo.IBANS["bo"], now=NOW)
    whole, sheets = opened(export_personal(actor=bo, now=NOW))
    assert sheets["account"][0]["public_name"] == "'=1+1"
    assert sheets["payee"][0]["name"] == "'@SUM(A1)"
    assert whole["account"][0]["public_name"] == "=1+1"


def test_a_closed_account_exports_nothing(play: Play) -> None:
    world = play("make_house", now=NOW)
    bo = world.users["bo"]
    bo.is_active = False
    with pytest.raises(Forbidden) as refusal:
        export_personal(actor=bo, now=NOW)
    assert refusal.value.code == "not_allowed"
    assert not Event.objects.filter(kind="personal.exported").exists()


def test_mail_is_told_without_what_opens_the_account(play: Play) -> None:
    from django.core.mail import EmailMessage

    from backend.notifications.models import OutgoingMail
    from backend.notifications.outbox import OutboxBackend

    world = play("make_house", now=NOW)
    bo = world.users["bo"]
    OutboxBackend().send_messages([EmailMessage("Your code", "1234-secret", to=[bo.email])])
    grant_role(user=bo, kind="steward", scope=world.budget.pk, granted_by=None, now=NOW)
    OutgoingMail.objects.create(
        id="eml_1", event=Event.objects.filter(kind="role.granted").latest("created_at"), recipient=bo.email,
        subject="A role", body="You are a steward.", due_at=NOW,
    )  # fmt: skip
    found = gathered(bo)
    assert [(row["subject"], row["body"]) for row in found["mails"]] == [("A role", "You are a steward.")]
    assert [row["subject"] for row in found["account_mails"]] == ["Your code"]
    assert "1234-secret" not in json.dumps(found)
    assert PersonKey.objects.get(owner=bo.pk).key_sealed not in json.dumps(found)


def test_the_papers_of_gifts_taken_into_the_account_are_in_it(play: Play) -> None:
    world = play("make_house")
    bo = world.users["bo"]
    donor = Donor.objects.create(
        id="don_x", name_sealed="", email_sealed="", email_index="", language="fr", created_at=world.now,
        claimed_by=bo, claimed_at=world.now,
    )  # fmt: skip
    pledge = Pledge.objects.create(
        id="plg_x", budget=world.budget, donor=donor, amount=10_00, currency="EUR", starts_on=world.today,
        visibility="anonymous", group="grp_x", reference="RF18539007547034", form_key="x", created_at=world.now,
    )  # fmt: skip
    paper = issue(
        kind="call", key="x", subject=pledge.group, party=Party("Bo"), items=[Item("Don", 10_00)], currency="EUR",
        language="fr", actor=None, now=world.now,
    )  # fmt: skip
    assert [row["id"] for row in gathered(bo)["documents_of_gifts"]] == [paper.pk]
    assert gathered(world.users["ana"])["documents_of_gifts"] == []
