"""The pages of supporting documents: the drafted invoice, the file handed over, its check."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

from django.core.files.uploadedfile import SimpleUploadedFile
from django.utils import timezone

from backend.distributions.models import Share, SupportingDocument
from backend.distributions.received import LARGEST
from backend.events.models import Event
from backend.identity.services import host_day
from backend.notifications.models import OutgoingMail
from backend.operations import demo
from tests.distributions.test_papers import FRANCHISE, LIABLE, described
from tests.papers import PDF
from tests.web.test_public import text_of

Play = Callable[..., Any]
SignIn = Callable[..., Any]


def path_of(world: Any, who: str = "bo") -> str:
    return f"/en/shares/{Share.objects.get(contributor=world.users[who]).pk}/document/"


def state_of(world: Any) -> str:
    return Share.objects.get(contributor=world.users["bo"]).state


def hidden(page: str, name: str) -> str:
    return page.split(f'name="{name}" value="')[1].split('"', maxsplit=1)[0]


def own(**changed: Any) -> dict[str, Any]:
    file = SimpleUploadedFile("../../facture<b>.exe", PDF, content_type="text/html")
    day = host_day(timezone.now()).isoformat()
    return {"file": file, "number": "2026-7", "dated_on": day, "total": "57,00", **changed}


def test_the_drafted_invoice_is_read_and_approved(play: Play, sign_in: SignIn) -> None:
    world = play("approve_distribution")
    described(world, LIABLE)
    browser, path = sign_in(world.users["bo"]), path_of(world)
    assert "A supporting document is awaited" in text_of(browser.get(path.replace("document/", "")))
    awaited = "€57.00 of Cartolibre are owed to you: approve the invoice, or hand over yours"
    assert awaited in text_of(browser.get("/en/work/"))
    assert awaited not in text_of(sign_in(world.users["camille"]).get("/en/work/"))
    page = browser.get(path)
    for said in ("Bo SARL", "TRONC-0001", "Total hors taxes", "9,50", "Autofacturation"):
        assert said in text_of(page).replace("\u202f", " ")
    digest = hidden(page.content.decode(), "digest")
    sent = {"act": "approve", "number": "TRONC-0001", "digest": digest}
    answer = browser.post(path, sent)
    assert answer.status_code == 422
    assert "Agree that the host writes invoices" in text_of(answer)
    assert state_of(world) == "owed"
    assert browser.post(path, {**sent, "mandate": "on", "digest": "0" * 64}).status_code == 409
    assert state_of(world) == "owed"
    assert browser.post(path, {**sent, "mandate": "on"}).headers["Location"] == path.replace("document/", "")
    assert state_of(world) == "payable"
    paper = SupportingDocument.objects.get()
    assert "See the document" in text_of(browser.get(path.replace("document/", "")))
    assert "no document" in text_of(browser.get(path)) or "TRONC-0001" in text_of(browser.get(path))
    file = browser.get(f"/en/supporting-documents/{paper.pk}/file/")
    assert file.content.startswith(b"%PDF-")


def test_another_number_is_shown_before_it_is_approved(play: Play, sign_in: SignIn) -> None:
    world = play("approve_distribution")
    described(world)
    browser, path = sign_in(world.users["bo"]), path_of(world)
    page = browser.post(path, {"act": "again", "number": "BN-31"})
    assert page.status_code == 200
    assert "BN-31" in text_of(page)
    digest = hidden(page.content.decode(), "digest")
    browser.post(path, {"act": "approve", "number": "BN-31", "digest": digest, "mandate": "on"})
    assert SupportingDocument.objects.get().number == "BN-31"


def test_what_is_missing_for_the_invoice_is_said(play: Play, sign_in: SignIn) -> None:
    world = play("approve_distribution")
    Share.objects.get(contributor=world.users["bo"])
    described(world, type(FRANCHISE)(kind="person"))
    page = text_of(sign_in(world.users["bo"]).get(path_of(world)))
    assert "An invoice bears the address of who is paid" in page
    assert "Or a document of your own" in page


def test_a_file_is_handed_over_and_checked_by_a_treasurer(play: Play, sign_in: SignIn) -> None:
    world = play("approve_distribution")
    browser, path = sign_in(world.users["bo"]), path_of(world)
    assert browser.post(path, own()).headers["Location"] == path.replace("document/", "")
    assert state_of(world) == "documented"
    paper = SupportingDocument.objects.get()
    claire = sign_in(world.users["claire"])
    assert "Supporting documents to check" in text_of(claire.get("/en/treasury/"))
    assert "2026-7" in text_of(claire.get("/en/supporting-documents/"))
    one = f"/en/supporting-documents/{paper.pk}/"
    assert "57.00" in text_of(claire.get(one))
    file = claire.get(f"{one}file/")
    assert file.content == PDF
    assert file.headers["Content-Type"] == "application/pdf"
    assert file.headers["Content-Disposition"] == f'attachment; filename="{paper.pk}.pdf"'
    assert file.headers["X-Content-Type-Options"] == "nosniff"
    assert "sandbox" in file.headers["Content-Security-Policy"]
    assert Event.objects.filter(kind="paper.read", actor=world.users["claire"]).count() == 1
    for who in ("camille", "sacha", "ana"):
        assert sign_in(world.users[who]).get(f"{one}file/").status_code == 404
    assert browser.post(one, {"act": "accept"}).status_code == 403
    assert claire.post(one, {"act": "refuse", "reason": ""}).status_code == 422
    claire.post(one, {"act": "refuse", "reason": "The address of the host is missing."})
    assert state_of(world) == "owed"
    assert "The address of the host is missing." in text_of(browser.get(path))
    demo.sweep(world.now)
    assert OutgoingMail.objects.filter(recipient="bo@example.org", body__contains="address of the host").exists()
    browser.post(path, own())
    again = SupportingDocument.objects.get(state="sent")
    assert claire.post(f"/en/supporting-documents/{again.pk}/", {"act": "accept"}).status_code == 302
    assert state_of(world) == "payable"
    assert "ready to be paid" in text_of(browser.get(path.replace("document/", "")))


def test_what_is_wrong_stands_beside_its_field_and_nothing_is_kept(play: Play, sign_in: SignIn) -> None:
    world = play("approve_distribution")
    browser, path = sign_in(world.users["bo"]), path_of(world)
    wrong = [
        ({"file": SimpleUploadedFile("a.pdf", b"<html></html>")}, "This file is no PDF, PNG or JPEG"),
        ({"file": SimpleUploadedFile("a.pdf", PDF + b" " * LARGEST)}, "The file weighs more than 5 MB"),
        ({"file": SimpleUploadedFile("a.pdf", b"")}, "Choose the file of the document: this one is empty."),
        ({"total": "56.99"}, "it must be the same amount"),
        ({"total": "many"}, "Its total"),
        ({"number": ""}, "Its number"),
        ({"dated_on": (host_day(timezone.now()) + timedelta(days=2)).isoformat()}, "dated in the future"),
    ]
    for changed, said in wrong:
        answer = browser.post(path, own(**changed))
        assert answer.status_code == 422, changed
        assert said in text_of(answer), changed
    assert (state_of(world), SupportingDocument.objects.count()) == ("owed", 0)
    assert sign_in(world.users["claire"]).get(path).status_code == 403
    assert sign_in(world.users["ana"]).get(path).status_code == 404
