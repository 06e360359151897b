"""Supporting documents: a share is payable with one, drafted and approved, or received and checked, or its receipts."""

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from django.db import IntegrityError, connection, transaction

from backend.core.errors import Conflict, DomainError, Forbidden, Invalid, NotFound
from backend.distributions.invoicing import approve_invoice, draft_invoice
from backend.distributions.models import Share, SupportingDocument
from backend.distributions.papers import accept_paper, file_of, hand_over, refuse_paper
from backend.distributions.payees import choose_payee
from backend.distributions.waiving import waive_share
from backend.documents.self_billing import net_of
from backend.identity.organisations import Address
from backend.identity.services import host_day
from backend.ledger.services import entry_count
from backend.payees.details import Details, add_payee, edit_payee
from backend.payees.models import Payee
from tests.concurrency import at_once
from tests.papers import PDF, document, document_all

Play = Callable[..., Any]
HOME = Address("3 rue Verte", "69001", "Lyon", "FR")
FRANCHISE = Details(kind="person", siren="404833048", vat_status="franchise", address=HOME)
LIABLE = Details(
    kind="company", legal_name="Bo SARL", siren="404833048", vat_status="liable", vat_number="FR83404833048",
    address=HOME,
)  # fmt: skip


def bos(world: Any) -> Share:
    rows = Share.objects.select_related("payee", "contributor", "distribution__period__budget")
    return rows.get(contributor=world.users["bo"])


def described(world: Any, details: Details = FRANCHISE) -> Share:
    """Bo's share, their payee with all that an invoice bears."""
    edit_payee(actor=world.users["bo"], payee_id=bos(world).payee_id, details=details, now=world.now)
    return bos(world)


def approved(world: Any, **more: Any) -> SupportingDocument:
    draft = draft_invoice(bos(world), number=more.get("number", ""), now=world.now)
    facts = {"digest": draft.digest, "mandate": True, **more}
    return approve_invoice(actor=world.users["bo"], share_id=bos(world).pk, now=world.now, **facts)


def sent(world: Any, by: str = "bo", **more: Any) -> SupportingDocument:
    facts = {"data": PDF, "number": "2026-7", "dated_on": host_day(world.now), "total": 57_00, **more}
    return hand_over(actor=world.users[by], share_id=bos(world).pk, now=world.now, **facts)


def waived(world: Any, key: str, amount: int | None = 1) -> None:
    """Bo gives back a cent, or more: what stands behind the share falls."""
    waive_share(actor=world.users["bo"], share_id=bos(world).pk, amount=amount, form_key=key, now=world.now)


def refusal_of(act: Callable[[], Any], world: Any) -> DomainError:
    """What an act is refused with; nothing of Bo's share nor of its documents changed."""
    before = (bos(world).state, list(SupportingDocument.objects.order_by("pk").values_list("pk", "state")))
    with pytest.raises(DomainError) as refusal:
        act()
    assert (bos(world).state, list(SupportingDocument.objects.order_by("pk").values_list("pk", "state"))) == before
    return refusal.value


# --- drafted here -----------------------------------------------------------------------------------------------------


def test_the_drafted_invoice_bears_what_the_law_asks_for(play: Play) -> None:
    world = play("approve_distribution")
    share = described(world)
    body = draft_invoice(share, now=world.now).body
    assert body["seller"] == {"name": "Bo Nguyen", "lines": ["3 rue Verte", "69001 Lyon", "SIREN 404 833 048"]}
    assert body["party"]["name"] == world.host.name
    assert "SIREN 123 456 782" in body["party"]["lines"]
    assert "TVA non applicable, art. 293 B du CGI" in body["notes"]
    assert any("Autofacturation" in note and world.host.name in note for note in body["notes"])
    assert any("indemnité forfaitaire de 40" in note for note in body["notes"])
    assert body["total"] == 57_00
    (row,) = body["table"]["rows"]
    assert "Recherche par besoin" in row[0]
    assert body["label"] == "TRONC-0001"


@pytest.mark.parametrize(
    ("total", "net"), [(57_00, 47_50), (1, 1), (2, 2), (3, 3), (4, 3), (9, 8), (100_00, 83_33), (120_00, 100_00)]
)
def test_what_is_free_of_tax_is_backed_out_and_rounded_half_up(total: int, net: int) -> None:
    assert net_of(total) == net
    assert abs(net * 120 - total * 100) <= 60


def test_the_tax_of_who_is_liable_is_inside_the_share(play: Play) -> None:
    world = play("approve_distribution")
    body = draft_invoice(described(world, LIABLE), now=world.now).body
    said = [cell.replace("\u202f", " ").replace("\xa0", " ") for cell in body["table"]["total"]]
    assert (said[3], said[4], said[7], said[11]) == ("47,50 €", "TVA 20 %", "9,50 €", "57,00 €")
    assert "N° de TVA FR83404833048" in body["seller"]["lines"]
    assert not any("non applicable" in note for note in body["notes"])


@pytest.mark.parametrize(
    ("details", "mention"),
    [
        (Details("association", "Les Prés", rna="W353001234", vat_status="not_liable", address=HOME), "261-7-1°"),
        (Details("person", siren="404833048", vat_status="not_liable", address=HOME), "256 A"),
    ],
)
def test_who_owes_no_tax_says_why(play: Play, details: Details, mention: str) -> None:
    world = play("approve_distribution")
    body = draft_invoice(described(world, details), now=world.now).body
    assert any(mention in note for note in body["notes"])
    assert not any("293 B" in note for note in body["notes"])


@pytest.mark.parametrize(
    ("details", "code"),
    [
        (Details("person"), "invoice_payee_incomplete"),
        (Details("person", siren="404833048", vat_status="franchise"), "invoice_payee_incomplete"),
        (Details("person", siren="404833048", address=HOME), "invoice_payee_incomplete"),
        (Details("person", vat_status="franchise", address=HOME), "invoice_payee_incomplete"),
        (
            Details(
                "company", "Bo SRL", vat_status="liable", vat_number="BE0428759497",
                address=Address("1 rue", "1000", "Bruxelles", "BE"),
            ),
            "invoice_foreign_vat",
        ),
    ],
)  # fmt: skip
def test_nothing_is_drafted_that_lacks_a_mention(play: Play, details: Details, code: str) -> None:
    world = play("approve_distribution")
    share = described(world, details)
    assert refusal_of(lambda: draft_invoice(share, now=world.now), world).code == code


def test_an_approved_invoice_makes_the_share_payable_and_keeps_its_bytes(play: Play) -> None:
    world = play("approve_distribution")
    described(world)
    booked = entry_count()
    paper = approved(world)
    assert (bos(world).state, paper.state, paper.total, paper.number) == ("payable", "accepted", 57_00, "TRONC-0001")
    assert file_of(paper).startswith(b"%PDF-")
    assert "Bo Nguyen" not in paper.body_sealed
    assert bos(world).payee.mandate_at == world.now
    assert entry_count() == booked


def test_an_invoice_is_approved_as_it_was_read_by_its_payee_under_a_mandate(play: Play) -> None:
    world = play("approve_distribution")
    share = described(world)
    assert refusal_of(lambda: approved(world, mandate=False), world).code == "mandate_missing"
    assert refusal_of(lambda: approved(world, digest="0" * 64), world).code == "paper_changed"
    digest = draft_invoice(share, now=world.now).digest
    for who, kind in (("claire", Forbidden), ("ana", NotFound)):
        act = lambda who=who: approve_invoice(  # noqa: E731
            actor=world.users[who], share_id=share.pk, digest=digest, mandate=True, now=world.now
        )
        assert isinstance(refusal_of(act, world), kind)
    approved(world)
    assert refusal_of(lambda: approved(world), world).code == "share_needs_no_document"


def test_numbers_follow_each_other_and_one_may_be_typed(play: Play) -> None:
    world = play("approve_distribution")
    described(world)
    approved(world, number="BN/26/031")
    waived(world, "first")  # credit note TRONC-0001
    assert approved(world).number == "TRONC-0002"
    assert SupportingDocument.objects.get(number="BN/26/031").state == "cancelled"
    waived(world, "second")  # credit note TRONC-0003
    draft = draft_invoice(bos(world), now=world.now)
    assert draft.number == "TRONC-0004"
    replaced = dict(draft.body["facts"])["Remplace"]
    assert replaced.startswith("facture TRONC-0002 du ")
    assert replaced.endswith(", annulée par l’avoir TRONC-0003")
    assert refusal_of(lambda: approved(world, number="BN/26/031"), world).code == "paper_number_taken"
    for number in ("TRONC-0001", "TRONC-0005"):
        assert refusal_of(lambda number=number: approved(world, number=number), world).code == "paper_number_in_series"
    assert Payee.objects.get(pk=bos(world).payee_id).last_invoice == 3
    with pytest.raises(IntegrityError, match="one by one"), transaction.atomic():
        Payee.objects.filter(pk=bos(world).payee_id).update(last_invoice=5)


def test_two_payees_of_one_seller_share_no_number(play: Play) -> None:
    world = play("approve_distribution")
    described(world)
    assert approved(world).number == "TRONC-0001"
    camille = Share.objects.select_related("payee", "contributor", "distribution__period__budget").get(
        contributor=world.users["camille"]
    )
    who = {"actor": world.users["camille"], "payee_id": camille.payee_id, "now": world.now}
    edit_payee(details=FRANCHISE, **who)
    camille.payee.refresh_from_db()
    with pytest.raises(Conflict) as refusal:
        draft_invoice(camille, now=world.now)
    assert refusal.value.code == "invoice_series_shared"
    assert not Payee.objects.get(pk=camille.payee_id).last_invoice
    edit_payee(details=replace(FRANCHISE, invoice_prefix="CF-"), **who)
    camille.payee.refresh_from_db()
    assert draft_invoice(camille, now=world.now).number == "CF-0001"


def test_an_approval_pressed_ten_times_gives_one_invoice(committed: str, play: Play) -> None:
    world = play("approve_distribution")
    share = described(world)
    digest = draft_invoice(share, now=world.now).digest
    found = at_once(
        lambda _n: (
            approve_invoice(
                actor=world.users["bo"], share_id=share.pk, digest=digest, mandate=True, now=world.now
            ).number
        ),
        4,
    )
    assert sorted(found) == ["TRONC-0001", *["share_needs_no_document"] * 3]
    assert SupportingDocument.objects.count() == 1


# --- received ---------------------------------------------------------------------------------------------------------

CII = (
    b'<?xml version="1.0"?><rsm:CrossIndustryInvoice '
    b'xmlns:rsm="urn:un:unece:uncefact:data:standard:CrossIndustryInvoice:100"/>'
)
MEDIA = {
    "application/pdf": PDF, "image/png": b"\x89PNG\r\n\x1a\n...", "image/jpeg": b"\xff\xd8\xff\xe0...",
    "application/xml": CII,
}  # fmt: skip


@pytest.mark.parametrize("media", MEDIA)
def test_a_received_file_is_told_by_its_bytes_and_checked_by_another(play: Play, media: str) -> None:
    world = play("approve_distribution")
    paper = sent(world, data=MEDIA[media])
    assert (paper.media, paper.state, bos(world).state) == (media, "sent", "documented")
    assert file_of(paper) == MEDIA[media]
    for _twice in range(2):
        accept_paper(actor=world.users["claire"], paper_id=paper.pk, now=world.now)
    assert bos(world).state == "payable"


@pytest.mark.parametrize(
    ("changed", "code"),
    [
        ({"data": b""}, "paper_file_missing"),
        ({"data": PDF + b" " * 5_000_000}, "paper_file_too_large"),
        ({"data": b"<html><script>alert(1)</script></html>"}, "paper_file_unknown"),
        ({"data": b'<svg xmlns="http://www.w3.org/2000/svg"/>'}, "paper_file_unknown"),
        ({"data": b'<!DOCTYPE a [<!ENTITY b "c">]>' + CII[21:]}, "paper_file_unknown"),
        ({"data": b"MZ" + PDF}, "paper_file_unknown"),
        ({"data": b"%PDF-1.7 cut short"}, "paper_file_unknown"),
        ({"total": 56_99}, "paper_total_differs"),
        ({"number": " "}, "paper_number_invalid"),
        ({"number": "1" * 41}, "paper_number_invalid"),
        ({"number": "1\x00"}, "paper_number_invalid"),
        ({"number": "TRONC-0009"}, "paper_number_in_series"),
    ],
)
def test_what_cannot_be_used_is_refused_and_nothing_is_kept(play: Play, changed: dict[str, Any], code: str) -> None:
    world = play("approve_distribution")
    refusal = refusal_of(lambda: sent(world, **changed), world)
    assert isinstance(refusal, Invalid)
    assert refusal.code == code
    assert refusal.param in {"file", "total", "number"}


def test_a_document_of_tomorrow_is_refused(play: Play) -> None:
    world = play("approve_distribution")
    act = lambda: sent(world, dated_on=host_day(world.now) + timedelta(days=1))  # noqa: E731
    assert refusal_of(act, world).code == "paper_day_invalid"


def test_who_hands_over_and_who_checks(play: Play) -> None:
    world = play("approve_distribution")
    assert isinstance(refusal_of(lambda: sent(world, by="claire"), world), Forbidden)
    assert isinstance(refusal_of(lambda: sent(world, by="ana"), world), NotFound)
    paper = sent(world)
    for who in ("bo", "sacha", "ana"):
        act = lambda who=who: accept_paper(actor=world.users[who], paper_id=paper.pk, now=world.now)  # noqa: E731
        assert isinstance(refusal_of(act, world), Forbidden)
    with pytest.raises(IntegrityError, match="received_paper_takes_two"), transaction.atomic():
        SupportingDocument.objects.filter(pk=paper.pk).update(
            state="accepted", decided_by=world.users["bo"], decided_at=world.now
        )


def test_a_refused_document_is_owed_again_and_its_number_may_come_back(play: Play) -> None:
    world = play("approve_distribution")
    paper = sent(world)
    act = lambda: refuse_paper(actor=world.users["claire"], paper_id=paper.pk, reason=" ", now=world.now)  # noqa: E731
    assert refusal_of(act, world).code == "reason_missing"
    refuse_paper(actor=world.users["claire"], paper_id=paper.pk, reason="No date.", now=world.now)
    assert bos(world).state == "owed"
    act = lambda: accept_paper(actor=world.users["denis"], paper_id=paper.pk, now=world.now)  # noqa: E731
    assert refusal_of(act, world).code == "paper_decided"
    again = sent(world)
    accept_paper(actor=world.users["denis"], paper_id=again.pk, now=world.now)
    waived(world, "first")
    assert refusal_of(lambda: sent(world, total=bos(world).due), world).code == "paper_number_taken"


def test_a_document_of_a_share_that_changed_is_not_accepted(play: Play) -> None:
    world = play("approve_distribution")
    paper = sent(world)
    made = add_payee(actor=world.users["bo"], details=LIABLE, now=world.now)
    choose_payee(actor=world.users["bo"], share_id=bos(world).pk, payee_id=made.pk, now=world.now)
    act = lambda: accept_paper(actor=world.users["claire"], paper_id=paper.pk, now=world.now)  # noqa: E731
    assert refusal_of(act, world).code == "paper_stale"
    document(bos(world), now=world.now)
    paper.refresh_from_db()
    assert (paper.state, bos(world).state) == ("cancelled", "payable")


def test_accepted_and_refused_at_once_have_one_outcome(committed: str, play: Play) -> None:
    world = play("approve_distribution")
    paper = sent(world)
    acts = [
        lambda: accept_paper(actor=world.users["claire"], paper_id=paper.pk, now=world.now).state,
        lambda: refuse_paper(actor=world.users["denis"], paper_id=paper.pk, reason="no", now=world.now).state,
    ]
    found = at_once(lambda number: acts[number](), 2)
    assert sorted(found) in (["accepted", "paper_decided"], ["paper_decided", "refused"])
    assert (bos(world).state == "payable") == ("accepted" in found)


# --- what PostgreSQL keeps --------------------------------------------------------------------------------------------


def test_postgresql_lets_nothing_be_payable_without_its_document(play: Play) -> None:
    world = play("approve_distribution")
    with pytest.raises(IntegrityError, match="accepted supporting document"), transaction.atomic():
        Share.objects.filter(pk=bos(world).pk).update(state="payable")
    paper = sent(world)
    with pytest.raises(IntegrityError, match="accepted supporting document"), transaction.atomic():
        Share.objects.filter(pk=bos(world).pk).update(state="payable")
    facts = {
        "payee": bos(world).payee, "kind": "receipts", "state": "accepted", "dated_on": host_day(world.now),
        "currency": "EUR", "made_at": world.now, "decided_at": world.now,
    }  # fmt: skip
    camilles = Share.objects.get(contributor=world.users["camille"])
    for number, (share, wrong) in enumerate(
        [
            (camilles, {"payee": camilles.payee, "total": camilles.due}),  # work is no expense
            (camilles, {"payee": camilles.payee, "total": camilles.due - 1}),
            (camilles, {"total": camilles.due}),
        ]
    ):
        with pytest.raises(IntegrityError), transaction.atomic():
            SupportingDocument.objects.create(id=f"sup_{number}", share=share, **{**facts, **wrong})
    assert bos(world).state == "documented"
    assert SupportingDocument.objects.get().pk == paper.pk


def test_postgresql_keeps_documents_as_they_were(play: Play) -> None:
    world = play("approve_distribution")
    assert document_all(world.now) == 2
    paper = SupportingDocument.objects.get(share=bos(world))
    attacks = [
        "UPDATE distributions_supportingdocument SET total = total + 1",
        "UPDATE distributions_supportingdocument SET file_sealed = 'x'",
        "UPDATE distributions_supportingdocument SET number = 'x' || number",
        "UPDATE distributions_supportingdocument SET state = 'refused', reason = 'x'",
        "UPDATE distributions_supportingdocument SET decided_at = decided_at + interval '1 day'",
        "DELETE FROM distributions_supportingdocument",
        "TRUNCATE distributions_supportingdocument",
    ]
    for attack in attacks:
        with pytest.raises((IntegrityError, Exception)), transaction.atomic(), connection.cursor() as raw:
            raw.execute(attack)
    Share.objects.filter(pk=bos(world).pk).update(state="batched")
    with pytest.raises(IntegrityError, match="is final"), transaction.atomic():
        SupportingDocument.objects.filter(pk=paper.pk).update(state="cancelled")
    paper.refresh_from_db()
    assert (paper.state, file_of(paper)) == ("accepted", PDF)


def test_a_paid_share_takes_no_document(play: Play) -> None:
    world = play("settle")
    with pytest.raises(Conflict) as refusal:
        sent(world)
    assert refusal.value.code == "share_needs_no_document"
