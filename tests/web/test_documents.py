"""The pages of papers: who finds which, the same bytes each time, certificates, credit notes, yearly statements."""

import io
import zipfile
from collections.abc import Callable
from datetime import UTC, date, datetime
from typing import Any

import pytest
from django.utils import timezone

from backend.core.errors import Conflict, Forbidden, NotFound
from backend.documents.models import Document
from backend.documents.services import Item, Party, body_of, file_of, forget, issue, party_of
from backend.events.models import Event
from backend.identity.models import User
from backend.identity.services import create_organisation, grant_role, host_day
from backend.operations.demo import give_factor
from backend.operations.papers import certify, papers_for, state_year
from backend.payments.models import Payment
from backend.payments.services import receive_transfer
from backend.pledges.models import Donor, Pledge
from backend.pledges.services import make_pledge

Play = Callable[..., Any]
SignIn = Callable[..., Any]
INVOICED = Party("La Fabrique du Port", ("3 quai du Port", "29200 Brest"), trade="business")


def paper(world: Any, kind: str = "invoice", key: str = "one", **changes: Any) -> Document:
    """A paper of the organisation."""
    facts: dict[str, Any] = {
        "kind": kind, "key": key, "subject": world.pledge.group, "party": INVOICED,
        "items": [Item("Cartolibre", 100_00)], "currency": "EUR", "language": "fr",
        "organisation": world.organisation, "actor": None,
        "now": timezone.now(),
    }  # fmt: skip
    return issue(**{**facts, **changes})


@pytest.fixture
def world(play: Play) -> Any:
    """A payment of 100.00 was received."""
    return play("receive")


def test_a_member_finds_the_papers_of_their_organisation_and_no_others(world: Any, sign_in: SignIn) -> None:
    ours = paper(world)
    other = create_organisation(name="Autre", kind="company", manager=world.users["bo"], now=world.now)
    theirs = paper(world, key="two", organisation=other, subject="grp_x")
    ana, bo = sign_in(world.users["ana"]), sign_in(world.users["bo"])
    page = ana.get("/en/documents/").content.decode()
    assert ours.label in page
    assert theirs.label not in page
    for address in (f"/en/documents/{theirs.pk}/", f"/en/documents/{theirs.pk}/file/"):
        assert ana.get(address).status_code == 404
        assert bo.get(address).status_code == 200
    claire = sign_in(world.users["claire"]).get("/en/documents/").content.decode()
    assert ours.label in claire
    assert theirs.label in claire


def test_the_file_is_an_attachment_kept_by_no_proxy_and_its_download_recorded(world: Any, sign_in: SignIn) -> None:
    made = paper(world)
    ana = sign_in(world.users["ana"])
    first, again = (ana.get(f"/en/documents/{made.pk}/file/") for _ in range(2))
    assert first.content == again.content == file_of(made)
    assert first.headers["Content-Type"] == "application/pdf"
    assert first.headers["Content-Disposition"] == f'attachment; filename="{made.label}.pdf"'
    assert "no-store" in first.headers["Cache-Control"]
    assert "private" in first.headers["Cache-Control"]
    assert Event.objects.filter(kind="document.downloaded", subject=made.pk, actor=world.users["ana"]).count() == 2
    ana.head(f"/en/documents/{made.pk}/file/")
    assert Event.objects.filter(kind="document.downloaded").count() == 2


def test_the_list_is_filtered_and_comes_in_one_zip(world: Any, sign_in: SignIn) -> None:
    invoice, certificate = paper(world), paper(world, "certificate", "two")
    ana = sign_in(world.users["ana"])
    page = ana.get("/en/documents/?kind=invoice").content.decode()
    assert invoice.label in page
    assert certificate.label not in page
    whole = zipfile.ZipFile(io.BytesIO(ana.get(f"/en/documents/file/?subject={world.pledge.group}").content))
    assert {f"{invoice.label}.pdf", f"{certificate.label}.pdf"} <= set(whole.namelist())
    assert whole.read(f"{invoice.label}.pdf") == file_of(invoice)
    only = zipfile.ZipFile(io.BytesIO(ana.get("/en/documents/file/?kind=invoice").content))
    assert only.namelist() == [f"{invoice.label}.pdf"]
    assert "No paper of this sort" in ana.get("/en/documents/?kind=credit_note").content.decode()
    # A filter that names nothing known shows all, and never somebody else's.
    assert ana.get("/en/documents/?kind=nonsense&year=x").status_code == 200


def test_a_forgotten_paper_keeps_its_number_and_is_left_out_of_the_zip(world: Any, sign_in: SignIn) -> None:
    made = paper(world, "call", subject="grp_gone")
    forget(subjects=["grp_gone"], now=world.now)
    ana = sign_in(world.users["ana"])
    page = ana.get(f"/en/documents/{made.pk}/").content.decode()
    assert "was forgotten with the person" in page
    assert "La Fabrique du Port" not in page.partition("<main")[2]
    assert ana.get(f"/en/documents/{made.pk}/file/").status_code == 409
    assert zipfile.ZipFile(io.BytesIO(ana.get("/en/documents/file/?subject=grp_gone").content)).namelist() == []


def test_a_treasurer_cancels_an_invoice_on_its_page(world: Any, sign_in: SignIn) -> None:
    invoice = paper(world)
    address = f"/en/documents/{invoice.pk}/credit/"
    claire, ana = sign_in(world.users["claire"]), sign_in(world.users["ana"])
    assert ana.get(address).status_code == 403
    assert ana.post(address, {"reason": "no"}).status_code == 403
    empty = claire.post(address, {"reason": ""})
    assert (empty.status_code, Document.objects.filter(kind="credit_note").count()) == (422, 0)
    over = claire.post(address, {"reason": "x", "amount": "100,01", "form_key": "k1"})
    assert (over.status_code, Document.objects.filter(kind="credit_note").count()) == (422, 0)
    assert "that is what stands of this invoice" in over.content.decode()
    part = claire.post(address, {"reason": "Trop", "amount": "30", "form_key": "k1"})
    again = claire.post(address, {"reason": "Trop", "amount": "30", "form_key": "k1"})
    assert part.headers["Location"] == again.headers["Location"]
    assert "€70.00 of it stand" in claire.get(f"/en/documents/{invoice.pk}/").content.decode()
    assert 'value="70' in claire.get(address).content.decode()
    Document.objects.get(kind="credit_note", total=30_00)
    done = claire.post(address, {"reason": "Mauvais destinataire", "amount": "", "form_key": "k2"})
    note = Document.objects.get(kind="credit_note", total=70_00)
    assert done.headers["Location"] == f"/en/documents/{note.pk}/"
    assert "No money moved" in claire.get(done.headers["Location"]).content.decode()
    assert note.corrects_id == invoice.pk
    page = claire.get(f"/en/documents/{invoice.pk}/").content.decode()
    assert note.label in page
    assert "Cancel this invoice" not in page
    assert claire.get(address).headers["Location"] == f"/en/documents/{note.pk}/"


def test_the_series_are_shown_to_the_treasury(world: Any, sign_in: SignIn) -> None:
    label = paper(world).label
    page = sign_in(world.users["denis"]).get("/en/documents/series/").content.decode()
    assert label.rpartition("-")[0] in page
    assert page.count("tag ok") >= 1
    assert sign_in(world.users["ana"]).get("/en/documents/series/").status_code == 403


def test_a_payment_is_certified_once_by_those_who_paid(world: Any, sign_in: SignIn) -> None:
    payment = Payment.objects.get()
    ana = sign_in(world.users["ana"])
    address = f"/en/payments/{payment.pk}/certificate/"
    assert "It is not a tax receipt" in ana.get(address).content.decode()
    assert Document.objects.filter(kind="certificate").count() == 0
    done = ana.post(address)
    made = Document.objects.get(kind="certificate")
    assert done.headers["Location"] == f"/en/documents/{made.pk}/"
    assert (made.total, made.subject, made.organisation_id) == (100_00, payment.pk, world.organisation.pk)
    body = body_of(made)
    assert body["notes"][0].startswith("Versé le ")
    assert body["notes"][0].endswith(", par virement\u00a0: 100,00\u00a0€.")
    assert body["table"]["rows"] == [[world.budget.full_name, "100,00\u00a0€"]]
    ana.post(address)
    assert Document.objects.filter(kind="certificate").count() == 1
    assert sign_in(world.users["bo"]).get(address).status_code == 404


def test_nothing_received_is_not_certified(world: Any) -> None:
    payment = Payment.objects.get()
    with pytest.raises(NotFound):
        certify(actor=world.users["bo"], payment_id=payment.pk, now=world.now)
    auditor = User.objects.create_user("odile@example.org", "x", name="Odile", language="fr")
    grant_role(user=auditor, kind="auditor", scope=world.host.pk, granted_by=None, now=world.now)
    give_factor(auditor)
    with pytest.raises(Forbidden):
        certify(actor=auditor, payment_id=payment.pk, now=world.now)
    Payment.objects.update(state="lost", taken_back=100_00)
    with pytest.raises(Conflict) as refusal:
        certify(actor=world.users["ana"], payment_id=payment.pk, now=world.now)
    assert refusal.value.code == "nothing_received"
    assert Document.objects.filter(kind="certificate").count() == 0


def test_what_is_left_after_a_take_back_is_certified_anew(world: Any) -> None:
    payment = Payment.objects.get()
    facts: dict[str, Any] = {"actor": world.users["claire"], "payment_id": payment.pk, "now": world.now}
    whole = certify(**facts)
    Payment.objects.update(taken_back=30_00)
    left = certify(**facts)
    assert (whole.total, left.total, left.pk == whole.pk) == (100_00, 70_00, False)
    assert certify(**facts).pk == left.pk
    assert (left.replaces_id, whole.replaces_id) == (whole.pk, None)
    assert [f"attestation {whole.label}" in fact[1] for fact in body_of(left)["facts"] if fact[0] == "Remplace"] == [
        True
    ]


def test_a_certificate_that_no_longer_holds_says_so(world: Any, sign_in: SignIn) -> None:
    payment = Payment.objects.get()
    whole = certify(actor=world.users["claire"], payment_id=payment.pk, now=world.now)
    ana = sign_in(world.users["ana"])
    page, rows = f"/en/documents/{whole.pk}/", "/en/documents/"
    assert "no longer holds" not in ana.get(page).content.decode() + ana.get(rows).content.decode()
    Payment.objects.update(taken_back=30_00)
    assert "€70.00 of the payment are left" in ana.get(page).content.decode()
    assert "no longer holds" in ana.get(rows).content.decode()
    other = certify(actor=world.users["claire"], payment_id=payment.pk, now=world.now)
    assert f"{other.label}</a>" in ana.get(page).content.decode()
    assert f"{whole.label}</a>" in ana.get(f"/en/documents/{other.pk}/").content.decode()
    Payment.objects.update(taken_back=100_00, state="refunded")
    assert "all the money of this payment went back" in ana.get(f"/en/documents/{other.pk}/").content.decode()


def test_the_year_is_stated_by_budget_once_it_is_over(world: Any, sign_in: SignIn) -> None:
    year = host_day(timezone.now()).year - 1
    facts: dict[str, Any] = {
        "actor": world.users["ana"], "organisation_id": world.organisation.pk, "now": timezone.now(),
    }  # fmt: skip
    with pytest.raises(Conflict) as refusal:
        state_year(year=year + 1, **facts)
    assert refusal.value.code == "year_not_over"
    with pytest.raises(Conflict) as refusal:
        state_year(year=year, **facts)
    assert refusal.value.code == "nothing_in_year"
    assert Document.objects.filter(kind="yearly").count() == 0
    ana, address = sign_in(world.users["ana"]), f"/en/organisations/{world.organisation.pk}/year/"
    assert "No year is over yet" in ana.get(address).content.decode()
    then = datetime(year, 12, 1, 12, tzinfo=UTC)
    pledge = make_pledge(
        actor=world.users["ana"], budget=world.budget, organisation=world.organisation, amount=120_00, currency="EUR",
        form_key="then", now=then,
    )  # fmt: skip
    receive_transfer(
        pledge=pledge, amount=100_00, source="line:then", purse=("bank", world.account.pk),
        received_on=date(year, 12, 31), actor=None, now=timezone.now(),
    )  # fmt: skip
    done = ana.post(address, {"year": str(year)})
    made = Document.objects.get(kind="yearly")
    assert done.headers["Location"] == f"/en/documents/{made.pk}/"
    assert (made.label, made.total, made.year) == (f"RA-{year + 1}-0001", 100_00, year + 1)
    assert body_of(made)["table"] == {
        "heads": ["Désignation", "Promis", "Reçu"],
        "rows": [[world.budget.full_name, "120,00\u00a0€", "100,00\u00a0€"]],
        "total": ["Total", "120,00\u00a0€", "100,00\u00a0€"],
    }
    assert [one.pk for one in state_year(year=year, **facts)] == [made.pk]
    Payment.objects.filter(pledge=pledge).update(taken_back=10_00)
    assert [one.total for one in state_year(year=year, **facts)] == [90_00]
    assert sign_in(world.users["bo"]).get(address).status_code == 404


def test_whoever_claimed_a_gift_finds_its_papers(world: Any) -> None:
    camille = world.users["camille"]
    made = paper(world, organisation=None, subject="grp_gift")
    assert made not in papers_for(camille)
    donor = Donor.objects.create(
        id="don_x", name_sealed="", email_sealed="", email_index="x", language="fr", claimed_by=camille,
        claimed_at=world.now, created_at=world.now,
    )  # fmt: skip
    Pledge.objects.create(
        id="plg_x", budget=world.budget, donor=donor, amount=10_00, currency="EUR", starts_on=world.today,
        group="grp_gift", reference="RF18539007547034", form_key="x", created_at=world.now,
    )  # fmt: skip
    assert made in papers_for(camille)
    assert party_of(camille) == Party("Camille Faure")
