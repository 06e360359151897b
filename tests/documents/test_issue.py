"""Papers: what they say, one for a fact, the same file for ever, corrected and forgotten without a trace lost."""

import hashlib
from collections.abc import Callable
from datetime import date, timedelta
from string import Formatter
from typing import Any

import pytest
from django.db import connection, transaction

from backend.core.errors import Conflict, Forbidden, Invalid, NotFound
from backend.documents.body import Paid
from backend.documents.models import Document, DocumentSeries
from backend.documents.services import Item, Party, body_of, correct, file_of, forget, issue, note_download, party_of
from backend.documents.words import WORDS
from backend.events.models import Event
from backend.identity.models import Host
from backend.identity.services import add_bank_account
from tests.concurrency import at_once
from tests.documents.house import NOW, House, house


@pytest.fixture
def place(db: None) -> House:
    """The house, complete."""
    return house()


def state() -> list[Any]:
    """All that an issue could have changed."""
    series = list(DocumentSeries.objects.order_by("pk").values_list("kind", "year", "last"))
    return [list(Document.objects.order_by("pk").values()), [one for one in series if one[2]], Event.objects.count()]


def refused(kind: type[Exception], code: str, act: Callable[[], Any]) -> None:
    """The act is refused with this code and nothing changes."""
    before = state()
    with pytest.raises(kind) as refusal, transaction.atomic():
        act()
    assert getattr(refusal.value, "code", "") == code
    assert state() == before


def texts(document: Document) -> str:
    """All the words of a paper."""
    return str(body_of(document))


def test_an_invoice_carries_what_the_law_asks_for(place: House) -> None:
    made = place.paper(
        "invoice", due_on=date(2026, 12, 22), period=(date(2026, 12, 1), date(2026, 12, 31)), purchase_order="BC-17"
    )
    assert (made.label, made.total, made.currency, made.issued_on) == ("F-2026-0001", 150_50, "EUR", date(2026, 11, 22))
    body = body_of(made)
    assert body["title"] == "Facture F-2026-0001"
    assert body["seller"] == {
        "name": "Association des Communs",
        "lines": ["12 rue des Communs", "35000 Rennes", "SIREN 123 456 782", "RNA W353001234"],
    }
    assert body["party"] == {
        "name": "La Fabrique du Port", "lines": ["3 quai du Port", "29200 Brest", "SIREN 732 829 320"],
    }  # fmt: skip
    assert body["facts"] == [
        ["Date d’émission", "22 novembre 2026"],
        ["À payer au plus tard le", "22 décembre 2026"],
        ["Période", "du 1er décembre 2026 au 31 décembre 2026"],
        ["Bon de commande", "BC-17"],
        ["Référence", "RF18 5390 0754 7034"],
        ["Nature de l’opération", "prestation de services"],
    ]
    assert body["table"] == {
        "heads": ["Désignation", "Quantité", "Prix unitaire", "Montant"],
        "rows": [
            ["Cartolibre", "1", "100,00\u00a0€", "100,00\u00a0€"],
            ["Cartolibre › Traductions", "1", "50,50\u00a0€", "50,50\u00a0€"],
        ],
        "total": ["Total à payer, sans TVA", "", "", "150,50\u00a0€"],
    }
    assert body["notes"][:2] == ["TVA non applicable, art. 261-7-1° du CGI", "Pas d’escompte pour paiement anticipé."]
    assert "40\u00a0€ pour frais de recouvrement (Code de commerce" in body["notes"][2]
    assert body["pay"]["lines"] == [
        ["Titulaire du compte", "Association des Communs"], ["IBAN", "FR76 3000 6000 0112 3456 7890 189"],
        ["BIC", "AGRIFRPP"], ["Référence à indiquer", "RF18 5390 0754 7034"],
    ]  # fmt: skip
    assert body["pay"]["qr"].count("<svg") == 1
    assert "293 B" not in texts(made)


def test_the_vat_mention_is_that_of_the_host(place: House) -> None:
    Host.objects.update(vat_status="franchise")
    made = place.paper("invoice")
    assert body_of(made)["notes"][0] == "TVA non applicable, art. 293 B du CGI"
    assert "261-7-1" not in texts(made)


def test_public_bodies_pay_another_rate_and_persons_are_told_none(place: House) -> None:
    place.organisation.kind = "public"
    public = place.paper("invoice", "public", party=party_of(place.organisation))
    assert "8 points" in texts(public)
    assert "10 points" not in texts(public)
    person = place.paper("invoice", "person", party=Party("Ana", ("1 rue Basse", "29200 Brest")))
    assert "points" not in texts(person)
    assert "Pas d’escompte" in texts(person)


def test_a_call_for_funds_is_not_an_invoice_and_names_no_vat(place: House) -> None:
    made = place.paper("call")
    assert made.label == "AF-2026-0001"
    assert body_of(made)["notes"] == [
        "Cet appel de fonds n’est pas une facture. Rien n’est prélevé\u00a0: vous faites le virement vous-même."
    ]
    assert "TVA" not in texts(made).replace("'vat_status': 'non_profit'", "")
    assert body_of(made)["table"]["heads"] == ["Désignation", "Montant"]


def test_a_certificate_says_what_came_and_that_it_is_no_tax_receipt(place: House) -> None:
    paid = Paid(date(2026, 11, 20), "cheque", 150_50)
    made = place.paper("certificate", payment=paid, language="en")
    body = body_of(made)
    assert (made.label, body["pay"]) == ("AT-2026-0001", None)
    assert body["notes"] == [
        "Paid on 20 November 2026, by cheque: €150.50.",
        "This certificate says what was received. It is not a tax receipt: it gives no right to any tax reduction.",
    ]


def test_an_english_invoice_keeps_the_mention_of_the_law_in_french(place: House) -> None:
    made = place.paper("invoice", language="en")
    assert body_of(made)["title"] == "Invoice F-2026-0001"
    assert body_of(made)["notes"][0] == "No VAT (TVA non applicable, art. 261-7-1° du CGI)"
    assert body_of(made)["table"]["total"] == ["Total to pay, without VAT", "", "", "€150.50"]


def test_other_currencies_and_unstructured_references_have_no_qr_code(place: House) -> None:
    assert body_of(place.paper("call", "free", reference="LIBRE"))["pay"]["qr"] == ""
    assert body_of(place.paper("call", "pounds", currency="GBP"))["pay"] is None
    add_bank_account(host=place.host, name="Francs", iban="CH9300762011623852957", currency="CHF")
    francs = body_of(place.paper("call", "chf", currency="CHF"))["pay"]
    assert (francs["lines"][1], francs["qr"]) == (["IBAN", "CH93 0076 2011 6238 5295 7"], "")
    assert body_of(place.paper("call", "paid", payment=Paid(date(2026, 11, 20), "transfer", 1)))["pay"] is None


def test_the_same_fact_gives_back_the_first_paper(place: House) -> None:
    first = place.paper("call")
    before = state()
    again = place.paper("call", items=[Item("Other", 1)], now=NOW + timedelta(days=3))
    assert again.pk == first.pk
    assert state() == before


def test_the_file_is_the_same_for_ever(place: House) -> None:
    made = place.paper("invoice")
    file = file_of(made)
    assert file.startswith(b"%PDF-1.7")
    assert hashlib.sha256(file).hexdigest() == made.sha256
    assert b"pdfuaid" in file
    assert b"/StructTreeRoot" in file
    Host.objects.update(name="Autre nom", vat_status="", address="")
    place.organisation.name = "Autre"
    place.organisation.save()
    assert file_of(Document.objects.get()) == file


def test_what_people_type_is_text_and_never_markup(place: House) -> None:
    name = '#panic("x") $a$ *b* <script> \\ "'
    made = place.paper("call", party=Party(name, ('#read("/etc/passwd")',)))
    assert body_of(made)["party"] == {"name": name, "lines": ['#read("/etc/passwd")']}
    assert file_of(made).startswith(b"%PDF-")


def test_a_name_that_the_fonts_lack_keeps_nobody_from_their_paper(place: House) -> None:
    made = place.paper("call", party=Party("日本 🎉"))
    assert file_of(made).startswith(b"%PDF-")
    assert b"pdfuaid" not in file_of(made)


@pytest.mark.parametrize(("field", "param"), [("address", "address"), ("vat_status", "vat_status")])
def test_an_invoice_waits_for_what_the_host_has_not_said(place: House, field: str, param: str) -> None:
    Host.objects.update(**{field: ""})
    refused(Conflict, "invoice_host_incomplete", lambda: place.paper("invoice"))
    with pytest.raises(Conflict) as refusal:
        place.paper("invoice")
    assert refusal.value.param == param
    assert place.paper("call").label == "AF-2026-0001"


def test_an_invoice_names_the_address_of_who_pays(place: House) -> None:
    refused(Conflict, "invoice_party_incomplete", lambda: place.paper("invoice", party=Party("Sans adresse")))


def test_nonsense_is_refused(place: House) -> None:
    refused(Invalid, "unknown_currency", lambda: place.paper(currency="XXX"))
    refused(ValueError, "", lambda: place.paper(items=[]))
    refused(ValueError, "", lambda: place.paper(items=[Item("x", -1)]))
    refused(ValueError, "", lambda: place.paper("receipt"))


def test_each_kind_and_year_has_its_own_series(place: House) -> None:
    labels = [
        place.paper("call", "a").label, place.paper("invoice", "b").label, place.paper("call", "c").label,
        place.paper("call", "d", now=NOW + timedelta(days=60)).label,
        place.paper("call", "e", now=NOW + timedelta(days=61)).label,
    ]  # fmt: skip
    assert labels == ["AF-2026-0001", "F-2026-0001", "AF-2026-0002", "AF-2027-0001", "AF-2027-0002"]


def test_a_clock_set_back_keeps_the_order_of_days(place: House) -> None:
    place.paper("call", "a")
    late = place.paper("call", "b", now=NOW - timedelta(days=5))
    assert (late.label, late.issued_on) == ("AF-2026-0002", date(2026, 11, 22))


def test_an_act_that_fails_leaves_no_gap(place: House) -> None:
    with pytest.raises(LookupError), transaction.atomic():
        assert place.paper("invoice", "lost").label == "F-2026-0001"
        raise LookupError
    assert place.paper("invoice", "kept").label == "F-2026-0001"
    assert [row.number for row in Document.objects.all()] == [1]


def test_fifty_invoices_at_once_have_no_gap_and_no_repetition(committed: str) -> None:
    place = house()
    given = at_once(lambda number: place.paper("invoice", f"key-{number}").label, times=50)
    assert sorted(given) == [f"F-2026-{number:04d}" for number in range(1, 51)]
    assert sorted(Document.objects.values_list("number", flat=True)) == list(range(1, 51))
    assert DocumentSeries.objects.get(kind="invoice").last == 50


def test_the_same_fact_at_once_gives_one_paper(committed: str) -> None:
    place = house()
    given = at_once(lambda number: place.paper("invoice").pk, times=8)
    assert len(set(given)) == 1
    assert Document.objects.count() == 1


def test_a_credit_note_cancels_the_whole_of_an_invoice_once(place: House) -> None:
    invoice = place.paper("invoice", purchase_order="BC-17")
    Host.objects.update(vat_status="")
    refused(
        Forbidden, "not_allowed",
        lambda: correct(actor=place.ana, document_id=invoice.pk, reason="Erreur", now=NOW),
    )  # fmt: skip
    refused(Invalid, "reason_missing", lambda: correct(actor=place.claire, document_id=invoice.pk, reason=" ", now=NOW))
    refused(
        NotFound, "document_not_found",
        lambda: correct(actor=place.claire, document_id="doc_x", reason="Erreur", now=NOW),
    )  # fmt: skip
    note = correct(actor=place.claire, document_id=invoice.pk, reason="Mauvais destinataire", now=NOW)
    assert (note.label, note.total, note.corrects_id, note.organisation_id) == (
        "AV-2026-0001", 150_50, invoice.pk, place.organisation.pk,
    )  # fmt: skip
    body = body_of(note)
    assert body["facts"][-2:] == [
        ["Annule", "facture F-2026-0001 du 22 novembre 2026"], ["Motif", "Mauvais destinataire"],
    ]  # fmt: skip
    assert body["notes"][0] == "TVA non applicable, art. 261-7-1° du CGI"
    assert body["table"]["total"][0] == "Total de l’avoir, sans TVA"
    before = state()
    assert correct(actor=place.denis, document_id=invoice.pk, reason="Encore", now=NOW).pk == note.pk
    assert state() == before
    refused(Conflict, "not_an_invoice", lambda: correct(actor=place.claire, document_id=note.pk, reason="Non", now=NOW))
    assert Event.objects.filter(kind="document.issued", subject=note.pk, actor=place.claire).count() == 1


def test_two_treasurers_at_once_make_one_credit_note(committed: str) -> None:
    place = house()
    invoice = place.paper("invoice")
    given = at_once(
        lambda number: (
            correct(actor=(place.claire, place.denis)[number % 2], document_id=invoice.pk, reason="Erreur", now=NOW).pk
        ),
        times=6,
    )
    assert len(set(given)) == 1
    assert Document.objects.filter(kind="credit_note").count() == 1


def test_calls_are_forgotten_with_their_person_and_invoices_are_kept(place: House) -> None:
    call, invoice = place.paper("call"), place.paper("invoice", "two")
    assert forget(subjects=["grp_one"], now=NOW) == 1
    assert forget(subjects=["grp_one"], now=NOW) == 0
    for read in (body_of, file_of):
        with pytest.raises(Conflict) as refusal:
            read(Document.objects.get(pk=call.pk))
        assert refusal.value.code == "document_forgotten"
    assert file_of(invoice).startswith(b"%PDF-")
    assert (Document.objects.get(pk=call.pk).label, Document.objects.get(pk=call.pk).total) == ("AF-2026-0001", 150_50)
    assert place.paper("call", "next").label == "AF-2026-0002"


def test_those_of_ones_organisation_are_seen_and_no_others(place: House) -> None:
    ours = place.paper("call")
    mine = issue(
        kind="call", key="mine", subject="grp_two", party=party_of(place.denis), items=[Item("x", 1)], currency="EUR",
        language="fr", person=place.denis, actor=None, now=NOW,
    )  # fmt: skip
    other = place.paper("call", "donor", organisation=None)
    assert set(Document.visible_to(place.ana)) == {ours}
    assert set(Document.visible_to(place.claire)) == {ours, mine, other}
    place.denis.roles.all().delete()
    assert set(Document.visible_to(place.denis)) == {mine}


def test_a_download_is_recorded(place: House) -> None:
    made = place.paper("call")
    note_download(actor=place.ana, documents=[made], now=NOW)
    fact = Event.objects.get(kind="document.downloaded")
    assert (fact.actor, fact.subject, fact.scopes, fact.data) == (
        place.ana, made.pk, [place.organisation.pk], {"label": "AF-2026-0001"},
    )  # fmt: skip


FORBIDDEN = [
    ("UPDATE documents_document SET total = 1", "permission denied"),
    ("DELETE FROM documents_document", "permission denied"),
    ("TRUNCATE documents_document", "permission denied"),
    ("DELETE FROM documents_documentseries", "permission denied"),
    ("UPDATE documents_documentseries SET last = last + 1", "a series goes on by one issued paper"),
    ("UPDATE documents_documentseries SET last = 0", "a series goes on by one issued paper"),
    ("UPDATE documents_documentseries SET year = 2025", "a series goes on by one issued paper"),
    ("INSERT INTO documents_documentseries (kind, year, last) VALUES ('call', 2025, 4)", "a series goes on by one"),
]
COPY = (
    "INSERT INTO documents_document SELECT (row).* FROM (SELECT jsonb_populate_record(document, jsonb_build_object("
    "'id', 'doc_x', 'key', 'x', 'label', 'x', 'number', %s, 'issued_on', '%s')) AS row FROM documents_document document"
    ") made"
)
FORBIDDEN += [
    (COPY % (1, "2026-11-22"), "takes the next number"),
    (COPY % (3, "2026-11-22"), "takes the next number"),
    (COPY % (2, "2026-11-21"), "not issued on a day before"),
]


@pytest.mark.parametrize(("statement", "words"), FORBIDDEN)
def test_the_database_keeps_papers_and_their_series(place: House, statement: str, words: str) -> None:
    place.paper("call")
    before = state()
    with pytest.raises(Exception, match=words), transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(statement)
    assert state() == before


def test_both_languages_say_the_same_things() -> None:
    def holes(text: str) -> set[str]:
        return {name for _text, name, _format, _turn in Formatter().parse(text) if name}

    assert WORDS["fr"].keys() == WORDS["en"].keys()
    for name, text in WORDS["fr"].items():
        assert holes(text) == holes(WORDS["en"][name]), name
