"""An invoice drafted here that falls is cancelled by a credit note: one, of all of it, in its payee's series."""

import json
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from django.db import IntegrityError, connection, transaction

from backend.core import crypto
from backend.core.errors import Conflict
from backend.distributions.invoicing import draft_invoice
from backend.distributions.models import Share, SupportingDocument
from backend.distributions.papers import accept_paper, file_of, hand_over
from backend.distributions.payees import choose_payee
from backend.events.models import Event
from backend.identity.services import host_day
from backend.ledger.services import entry_count
from backend.payees.details import add_payee, edit_payee
from backend.payees.models import Payee
from backend.privacy.export import gathered
from tests.concurrency import at_once
from tests.distributions.test_papers import FRANCHISE, LIABLE, approved, bos, described, sent, waived
from tests.papers import PDF
from tests.web.test_public import text_of

Play = Callable[..., Any]
SignIn = Callable[..., Any]


def body_of(paper: SupportingDocument) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(crypto.open_for(paper.pk, paper.body_sealed, bound_to=paper.pk))
    return found


def plain(text: str) -> str:
    return text.replace("\u202f", " ").replace("\xa0", " ")


def chosen_anew(world: Any) -> Payee:
    other = add_payee(actor=world.users["bo"], details=LIABLE, now=world.now)
    choose_payee(actor=world.users["bo"], share_id=bos(world).pk, payee_id=other.pk, now=world.now)
    return other


def test_a_waiver_in_part_credits_all_of_the_invoice(play: Play) -> None:
    world = play("approve_distribution")
    described(world, LIABLE)
    invoice = approved(world)
    waived(world, "k", 7_00)
    note = SupportingDocument.objects.get(kind="credit")
    invoice.refresh_from_db()
    assert (invoice.state, invoice.credit_note) == ("cancelled", note)
    assert (note.number, note.state, note.total, note.payee) == ("TRONC-0002", "issued", 57_00, invoice.payee)
    assert (bos(world).state, bos(world).payee.last_invoice) == ("owed", 2)
    assert file_of(note).startswith(b"%PDF-")
    assert file_of(note) != file_of(invoice)
    assert "Bo SARL" not in note.body_sealed
    body, first = body_of(note), body_of(invoice)
    assert body["title"] == "Avoir TRONC-0002"
    facts = dict(body["facts"])
    assert facts["Annule"].startswith("facture TRONC-0001 du ")
    assert facts["Motif"].startswith("somme rendue")
    assert "À payer au plus tard le" not in facts
    assert (body["seller"], body["party"], body["table"]["rows"]) == (
        first["seller"], first["party"], first["table"]["rows"]
    )  # fmt: skip
    said = [plain(cell) for cell in body["table"]["total"]]
    assert (said[3], said[4], said[7], said[11]) == ("47,50 €", "TVA 20 %", "9,50 €", "57,00 €")
    assert any("Autofacturation" in line for line in body["notes"])
    assert any("annule la facture citée en totalité" in line for line in body["notes"])
    assert not any("escompte" in line or "retard" in line for line in body["notes"])
    again = approved(world)
    assert (again.number, again.total) == ("TRONC-0003", 50_00)
    event = Event.objects.get(kind="paper.credited")
    assert (event.subject, event.data["corrects"], event.data["total"]) == (note.pk, invoice.pk, 57_00)


def test_the_credit_note_speaks_the_language_of_its_invoice(play: Play) -> None:
    world = play("approve_distribution")
    world.users["bo"].language = "en"
    world.users["bo"].save()
    described(world)
    approved(world)
    world.users["bo"].language = "fr"
    world.users["bo"].save()
    waived(world, "k", None)
    body = body_of(SupportingDocument.objects.get(kind="credit"))
    assert (body["title"], body["language"]) == ("Credit note TRONC-0002", "en")
    assert body["table"]["total"][0] == "Total of the credit note"
    assert bos(world).state == "waived"


def test_another_payee_is_not_credited_for_the_first(play: Play) -> None:
    world = play("approve_distribution")
    described(world)
    invoice = approved(world)
    first = invoice.payee
    other = chosen_anew(world)
    note = SupportingDocument.objects.get(kind="credit")
    assert (note.payee, note.corrects, note.number) == (first, invoice, "TRONC-0002")
    assert dict(body_of(note)["facts"])["Motif"] == "un autre bénéficiaire est payé"
    assert body_of(note)["seller"]["name"] == "Bo Nguyen"
    edit_payee(actor=world.users["bo"], payee_id=other.pk, details=replace(LIABLE, invoice_prefix="B-"), now=world.now)
    draft = draft_invoice(bos(world), now=world.now)
    assert (draft.number, "Remplace" in dict(draft.body["facts"])) == ("B-0001", False)
    choose_payee(actor=world.users["bo"], share_id=bos(world).pk, payee_id=first.pk, now=world.now)
    assert SupportingDocument.objects.filter(kind="credit").count() == 1


def test_a_share_sent_back_by_the_bank_and_then_given_back_is_credited(play: Play) -> None:
    world = play("approve_distribution")
    described(world)
    approved(world)
    Share.objects.filter(pk=bos(world).pk).update(state="batched")
    Share.objects.filter(pk=bos(world).pk).update(state="returned")
    waived(world, "k", None)
    assert SupportingDocument.objects.get(kind="credit").corrects.number == "TRONC-0001"


def test_nothing_is_drafted_for_what_the_payee_made(play: Play, sign_in: SignIn) -> None:
    world = play("approve_distribution")
    accept_paper(actor=world.users["claire"], paper_id=sent(world).pk, now=world.now)
    waived(world, "k", 7_00)
    paper = SupportingDocument.objects.get()
    assert (paper.state, bos(world).state) == ("cancelled", "owed")
    asked = "Your document 2026-7 no longer holds, and the service writes nothing in its place."
    browser, path = sign_in(world.users["bo"]), f"/en/shares/{bos(world).pk}/"
    assert asked in text_of(browser.get(path))
    assert asked in text_of(browser.get(f"{path}document/"))
    page = text_of(sign_in(world.users["claire"]).get(f"/en/supporting-documents/{paper.pk}/"))
    assert "their own credit note for it is awaited" in page


def test_the_pages_and_the_export_link_both_ways(play: Play, sign_in: SignIn) -> None:
    world = play("approve_distribution")
    described(world)
    invoice = approved(world)
    browser, path = sign_in(world.users["bo"]), f"/en/shares/{bos(world).pk}/"
    warned = "Invoice TRONC-0001, which you approved, is cancelled by a credit note"
    assert warned in text_of(browser.get(f"{path}payee/"))
    waived(world, "k", 7_00)
    note = SupportingDocument.objects.get(kind="credit")
    page = browser.get(path)
    for one in (invoice, note):
        assert f"/en/supporting-documents/{one.pk}/" in page.content.decode()
    assert "It cancels invoice TRONC-0001." in text_of(page)
    rows = {row["number"]: row["corrects"] for row in gathered(world.users["bo"])["supporting_documents"]}
    assert rows == {"TRONC-0001": None, "TRONC-0002": invoice.pk}
    claire = sign_in(world.users["claire"])
    assert "credit note TRONC-0002 cancels it" in text_of(claire.get(f"/en/supporting-documents/{invoice.pk}/"))
    assert "cancels invoice TRONC-0001" in text_of(claire.get(f"/en/supporting-documents/{note.pk}/"))
    assert "TRONC-0002" in text_of(claire.get("/en/supporting-documents/"))
    assert browser.get(f"/en/supporting-documents/{note.pk}/file/").content.startswith(b"%PDF-")
    assert sign_in(world.users["camille"]).get(f"/en/supporting-documents/{note.pk}/").status_code == 404


def test_two_acts_at_once_make_one_credit_note(committed: str, play: Play) -> None:
    world = play("approve_distribution")
    described(world)
    invoice = approved(world)
    other = add_payee(actor=world.users["bo"], details=replace(LIABLE, invoice_prefix="B-"), now=world.now)
    acts = [
        lambda: waived(world, "one", 1_00),
        lambda: waived(world, "two", 2_00),
        lambda: choose_payee(actor=world.users["bo"], share_id=bos(world).pk, payee_id=other.pk, now=world.now).pk,
        lambda: choose_payee(actor=world.users["bo"], share_id=bos(world).pk, payee_id=other.pk, now=world.now).pk,
    ]
    at_once(lambda number: acts[number](), 4)
    note = SupportingDocument.objects.get(kind="credit")
    assert (note.corrects, note.number) == (invoice, "TRONC-0002")
    assert (bos(world).due, bos(world).payee_id) == (54_00, other.pk)
    assert Payee.objects.get(pk=invoice.payee_id).last_invoice == 2


def test_a_number_that_is_not_free_stops_the_act_whole(play: Play) -> None:
    world = play("approve_distribution")
    described(world)
    hand_over(
        actor=world.users["bo"], share_id=bos(world).pk, data=PDF, number="B-0002", dated_on=host_day(world.now),
        total=57_00, now=world.now,
    )  # fmt: skip
    accept_paper(actor=world.users["claire"], paper_id=SupportingDocument.objects.get().pk, now=world.now)
    waived(world, "first")
    approved(world)
    edit_payee(
        actor=world.users["bo"], payee_id=bos(world).payee_id, details=replace(FRANCHISE, invoice_prefix="B-"),
        now=world.now,
    )  # fmt: skip
    booked = entry_count()
    with pytest.raises(Conflict) as refusal, transaction.atomic():
        waived(world, "second")
    assert refusal.value.code == "paper_number_taken"
    assert (bos(world).state, bos(world).waived, entry_count()) == ("payable", 1, booked)
    edit_payee(actor=world.users["bo"], payee_id=bos(world).payee_id, details=FRANCHISE, now=world.now)
    waived(world, "second")
    assert SupportingDocument.objects.get(kind="credit").number == "TRONC-0002"


# --- what PostgreSQL keeps --------------------------------------------------------------------------------------------


def refused(world: Any, match: str, *statements: str) -> None:
    with (
        pytest.raises(IntegrityError, match=match), transaction.atomic(), connection.cursor() as raw,
    ):  # fmt: skip
        for one in statements:
            raw.execute(one)
        raw.execute("SET CONSTRAINTS ALL IMMEDIATE")


def test_postgresql_lets_no_invoice_fall_without_its_credit_note(play: Play) -> None:
    world = play("approve_distribution")
    described(world)
    invoice = approved(world)
    owed = f"UPDATE distributions_share SET state = 'owed' WHERE id = '{invoice.share_id}'"
    fallen = f"UPDATE distributions_supportingdocument SET state = 'cancelled' WHERE id = '{invoice.pk}'"
    refused(world, "no longer holds", owed)
    refused(world, "falls with its credit note", owed, fallen)
    waived(world, "k")
    note = SupportingDocument.objects.get(kind="credit")
    names = [field.column for field in SupportingDocument._meta.fields]
    own = {"id": "'sup_x'", "number": "'X-9'"}

    def another(**changed: str) -> str:
        cells = ", ".join({**own, **changed}.get(name, name) for name in names)
        table = "distributions_supportingdocument"
        return f"INSERT INTO {table} ({', '.join(names)}) SELECT {cells} FROM {table} WHERE id = '{note.pk}'"

    refused(world, "corrects_id", another())
    refused(world, "of all of an invoice that fell", another(total="total - 1"))
    refused(world, "of all of an invoice that fell", another(corrects_id=f"'{note.pk}'"))
    refused(world, "credit_note_corrects_an_invoice", another(state="'accepted'"))
    change = f"UPDATE distributions_supportingdocument SET {{}} WHERE id = '{note.pk}'"
    for what in ("corrects_id = NULL", "state = 'cancelled'", "reason = 'x'", "total = 1"):
        refused(world, "is final", change.format(what))


def test_a_credit_note_pays_nothing(play: Play) -> None:
    world = play("approve_distribution")
    described(world)
    approved(world)
    chosen_anew(world)
    choose_payee(
        actor=world.users["bo"], share_id=bos(world).pk,
        payee_id=SupportingDocument.objects.get(kind="drafted").payee_id, now=world.now,
    )  # fmt: skip
    refused(
        world, "accepted supporting document",
        f"UPDATE distributions_share SET state = 'payable' WHERE id = '{bos(world).pk}'",
    )  # fmt: skip
    assert SupportingDocument.objects.get(kind="credit").total == bos(world).due
