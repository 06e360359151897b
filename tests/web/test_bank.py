"""The pages of the bank: a file is previewed, then imported once; a line is named by a person."""

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from django.core.cache import cache
from django.core.files.uploadedfile import SimpleUploadedFile
from django.core.files.uploadhandler import StopUpload
from django.test import Client, RequestFactory
from django.utils import timezone
from django.utils.datastructures import MultiValueDict

from backend.banking.models import BankLine, Statement
from backend.banking.words import words_of
from backend.identity.services import create_organisation
from backend.ledger.services import balance, entry_count
from backend.operations.demo import statement_file, sweep
from backend.pledges.models import Pledge
from backend.pledges.references import printed
from backend.pledges.services import make_pledge
from backend.web.forms_work import StatementForm
from backend.web.suggestions import suggest
from backend.web.uploads import SizeLimit
from tests.conftest import SHARED
from tests.web.test_public import text_of

Play = Callable[..., Any]
SignIn = Callable[..., Client]
IMPORT = "/en/bank/import/"
HOSTILE = SHARED / "samples" / "hostile"


def upload(browser: Client, data: bytes, name: str = "statement.xml") -> Any:
    """Give a file to the first step of the import."""
    return browser.post(IMPORT, {"file": SimpleUploadedFile(name, data)})


def stash_of(answer: Any) -> str:
    """The token of a preview."""
    return str(re.findall(r'name="stash" value="([^"]+)"', answer.content.decode())[0])


def a_statement(world: Any, number: int = 1, opening: int = 0) -> bytes:
    """The pledge's transfer and one that nobody can name."""
    lines = [
        (100_00, "LA FABRIQUE DU PORT", f"soutien {printed(world.pledge.reference)}", ""),
        (42_50, "M OU MME INCONNU", "don", ""),
    ]
    return statement_file(world, number=number, opening=opening, lines=lines)


def a_gap(world: Any) -> bytes:
    """A statement whose closing balance is one euro too high."""
    return a_statement(world).replace(b'<Amt Ccy="EUR">142.50</Amt>', b'<Amt Ccy="EUR">143.50</Amt>')


def waiting_line(world: Any) -> BankLine:
    """The credit of the demonstration that nobody can name."""
    return BankLine.objects.get(state="suggested")


def another_pledge(world: Any, name: str = "Le Grand Toit", amount: int = 42_50) -> Pledge:
    """A pledge of another organisation that awaits its transfer."""
    ana = world.users["ana"]
    organisation = create_organisation(name=name, kind="association", manager=ana, now=world.now)
    return make_pledge(
        actor=ana, budget=world.budget, organisation=organisation, amount=amount, currency="EUR",
        form_key=f"pledge-{name}", now=world.now,
    )  # fmt: skip


def test_the_preview_gives_the_figures_and_writes_nothing(play: Play, sign_in: SignIn) -> None:
    world = play("make_promise")
    answer = upload(sign_in(world.users["claire"]), a_statement(world))
    assert answer.status_code == 200
    text = text_of(answer)
    assert re.search(r"Opening, .{5,30} €0\.00 Credits €142\.50 Debits €0\.00 Closing, .{5,30} €142\.50", text)
    assert "Ties yes opening + credits − debits = closing" in text
    assert "New lines 2 Lines already known 0" in text
    assert "Nothing is recorded yet." in text
    assert 'name="accept_gap"' not in answer.content.decode()
    assert (Statement.objects.count(), BankLine.objects.count(), entry_count()) == (0, 0, 0)


def test_the_confirmation_imports_once_however_often_it_is_pressed(play: Play, sign_in: SignIn) -> None:
    world = play("make_promise")
    browser = sign_in(world.users["claire"])
    stash = stash_of(upload(browser, a_statement(world)))
    for _time in range(2):
        answer = browser.post(IMPORT, {"stash": stash})
        assert (answer.status_code, answer.headers["Location"]) == (302, "/en/bank/")
        assert "2 new lines were imported, 0 were already known." in text_of(browser.get("/en/bank/"))
    assert (Statement.objects.count(), BankLine.objects.count()) == (1, 2)
    sweep(timezone.now())
    assert balance(kind="budget", owner=world.budget.pk, currency="EUR") == 95_00
    assert Statement.objects.get().imported_by == world.users["claire"]
    again = upload(browser, a_statement(world))
    assert "New lines 0 Lines already known 2" in text_of(again)
    assert browser.post(IMPORT, {"stash": stash_of(again)}).status_code == 302
    assert (Statement.objects.count(), BankLine.objects.count()) == (1, 2)


def test_a_gap_is_said_and_needs_its_tick(play: Play, sign_in: SignIn) -> None:
    world = play("make_promise")
    browser = sign_in(world.users["claire"])
    preview = upload(browser, a_gap(world))
    assert "no, gap of €1.00" in text_of(preview)
    assert 'name="accept_gap"' in preview.content.decode()
    stash = stash_of(preview)
    refused = browser.post(IMPORT, {"stash": stash})
    assert refused.status_code == 409
    assert "does not tie: opening + lines differs from closing by 1.00 EUR" in text_of(refused)
    assert stash_of(refused) == stash
    assert Statement.objects.count() == 0
    assert browser.post(IMPORT, {"stash": stash, "accept_gap": "on"}).status_code == 302
    assert Statement.objects.get().gap == 1_00


def test_a_preview_that_expired_or_is_another_s_imports_nothing(play: Play, sign_in: SignIn) -> None:
    world = play("make_promise")
    stash = stash_of(upload(sign_in(world.users["claire"]), a_statement(world)))
    stolen = sign_in(world.users["denis"]).post(IMPORT, {"stash": stash})
    assert stolen.status_code == 422
    assert "The preview has expired: choose the file again." in text_of(stolen)
    browser = sign_in(world.users["claire"])
    cache.clear()
    expired = browser.post(IMPORT, {"stash": stash})
    assert expired.status_code == 422
    assert BankLine.objects.count() == 0


def refused(browser: Client, data: bytes) -> str:
    """The one sentence beside the field, for a file that must be refused."""
    answer = upload(browser, data)
    assert answer.status_code == 422
    found = re.findall(r'id="id_file_error">(?:<span[^>]*>[^<]*</span>)?([^<]+)<', answer.content.decode())
    assert len(found) == 1
    assert Statement.objects.count() == BankLine.objects.count() == 0
    return str(found[0])


def test_bad_files_give_one_sentence_and_write_nothing(play: Play, sign_in: SignIn) -> None:
    world = play("make_promise")
    browser = sign_in(world.users["claire"])
    good = a_statement(world)
    doctype = good.replace(b"?>\n", b'?>\n<!DOCTYPE a [<!ENTITY b SYSTEM "file:///etc/passwd">]>\n', 1)
    assert "empty" in refused(browser, b"")
    assert "not a bank statement that can be read here" in refused(browser, b"%PDF-1.7 hello")
    assert "compressed" in refused(browser, b"PK\x03\x04 zip")
    assert "root" not in refused(browser, doctype)
    refused(browser, good[: len(good) // 2])
    other = good.replace(world.account.iban.encode(), b"FR1420041010050500013M02606")
    assert "not an account of the host" in refused(browser, other)
    assert browser.post(IMPORT, {}).status_code == 422


@pytest.mark.skipif(not HOSTILE.is_dir(), reason="the shared samples are not beside the project")
@pytest.mark.parametrize("name", ["billion_laughs.camt053.xml", "xxe_file.camt053.xml", "truncated.camt053.xml"])
def test_hostile_files_are_refused_in_one_sentence(play: Play, sign_in: SignIn, name: str) -> None:
    world = play("make_promise")
    refused(sign_in(world.users["claire"]), Path(HOSTILE, name).read_bytes())


def test_a_file_over_the_limit_is_never_kept(play: Play, sign_in: SignIn, settings: Any) -> None:
    world = play("make_promise")
    settings.STATEMENT_MAX_BYTES = 1024 * 1024
    browser = sign_in(world.users["claire"])
    assert "larger than 1 MB" in refused(browser, b"<Document>" + b" " * 1024 * 1024)
    assert "larger than 1 MB" in refused(browser, b" " * 3 * 1024 * 1024)


@pytest.mark.parametrize(("declared", "chunks"), [(200_000_000, 0), (0, 16)])
def test_the_upload_stops_at_the_limit_without_cutting_the_line(settings: Any, declared: int, chunks: int) -> None:
    settings.STATEMENT_MAX_BYTES = 1024 * 1024
    handler = SizeLimit(request := RequestFactory().post(IMPORT))
    handler.handle_raw_input(None, {}, declared, b"")
    for _chunk in range(chunks):
        assert handler.receive_data_chunk(b" " * 65536, 0) == b" " * 65536
    with pytest.raises(StopUpload) as stop:
        handler.receive_data_chunk(b" ", 0)
    assert stop.value.connection_reset is False
    assert request.upload_refused is True  # type: ignore[attr-defined]


def test_a_file_just_over_the_limit_is_weighed_by_the_form_too(settings: Any) -> None:
    settings.STATEMENT_MAX_BYTES = 1024 * 1024
    for size, fits in ((1024 * 1024, True), (1024 * 1024 + 1, False)):
        form = StatementForm({}, MultiValueDict({"file": [SimpleUploadedFile("s.xml", b" " * size)]}))
        assert form.is_valid() is fits


def test_an_upload_without_its_csrf_token_is_refused(play: Play, sign_in: SignIn) -> None:
    world = play("make_promise")
    browser = Client(enforce_csrf_checks=True)
    browser.cookies = sign_in(world.users["claire"]).cookies
    assert upload(browser, a_statement(world)).status_code == 403
    assert browser.post(IMPORT, {"stash": "x"}).status_code == 403


@pytest.mark.parametrize("who", ["bo", "sacha", "ana"])
def test_others_neither_see_the_bank_nor_import(play: Play, sign_in: SignIn, who: str) -> None:
    world = play("receive")
    browser = sign_in(world.users[who])
    line = waiting_line(world)
    assert browser.get("/en/bank/").status_code == 403
    assert browser.get(IMPORT).status_code == 403
    assert upload(browser, a_statement(world, number=2)).status_code == 403
    assert browser.get(f"/en/bank/lines/{line.pk}/").status_code == 404
    assert browser.post(f"/en/bank/lines/{line.pk}/", {"pledge": world.pledge.pk}).status_code == 404
    assert Statement.objects.count() == 1
    line.refresh_from_db()
    assert line.state == "suggested"


def test_the_bank_page_sets_the_statement_beside_the_ledger(play: Play, sign_in: SignIn) -> None:
    world = play("settle")
    browser = sign_in(world.users["denis"])
    answer = browser.get("/en/bank/")
    text = text_of(answer)
    assert re.search(r"Statement, .{5,30} €47\.50 Ledger €47\.50 Gap to explain €0\.00 Lines to identify 1", text)
    assert "The ledger agrees with the bank to the cent." in text
    assert "FR76 •••• 0189" in text
    assert "no-store" in answer.headers["Cache-Control"]
    assert "All (4) To identify (1) Matched (3)" in text
    filtered = text_of(browser.get("/en/bank/?state=suggested"))
    assert "M OU MME INCONNU" in filtered
    assert "LA FABRIQUE" not in filtered


def test_a_line_shows_suggestions_with_their_reasons_then_what_will_be_booked(play: Play, sign_in: SignIn) -> None:
    world = play("receive")
    pledge, line = another_pledge(world), waiting_line(world)
    before = entry_count()
    browser = sign_in(world.users["claire"])
    text = text_of(browser.get(f"/en/bank/lines/{line.pk}/"))
    assert "What is this €42.50?" in text
    assert "For: ✓ same amount as expected Against: ✗ another name Against: ✗ reference absent" in text
    confirm = text_of(browser.get(f"/en/bank/lines/{line.pk}/?pledge={pledge.pk}"))
    assert "Leaves suspense €42.50 Received by Cartolibre €40.37 Host fee €2.13" in confirm
    assert "Book €42.50 as paid by Le Grand Toit" in confirm
    assert entry_count() == before


def test_identifying_books_once_from_suspense_to_the_pot(play: Play, sign_in: SignIn) -> None:
    world = play("receive")
    pledge, line = another_pledge(world), waiting_line(world)
    before = entry_count()
    browser = sign_in(world.users["claire"])
    for _time in range(2):
        answer = browser.post(f"/en/bank/lines/{line.pk}/", {"pledge": pledge.pk})
        assert (answer.status_code, answer.headers["Location"]) == (302, f"/en/bank/lines/{line.pk}/")
    assert entry_count() == before + 1
    assert balance(kind="suspense", owner=world.account.pk, currency="EUR") == 0
    assert balance(kind="budget", owner=world.budget.pk, currency="EUR") == 95_00 + 40_37
    pledge.refresh_from_db()
    assert (pledge.state, pledge.received) == ("fulfilled", 42_50)
    text = text_of(browser.get(f"/en/bank/lines/{line.pk}/"))
    assert "Payment of the pledge of Le Grand Toit to Cartolibre." in text
    assert "Claire Moreau identified it." in text
    late = sign_in(world.users["denis"]).post(f"/en/bank/lines/{line.pk}/", {"pledge": pledge.pk})
    assert late.status_code == 409
    assert "This line no longer waits to be identified" in text_of(late)


@pytest.mark.parametrize("pledge", ["", "plg_nothing"])
def test_a_pledge_must_be_chosen(play: Play, sign_in: SignIn, pledge: str) -> None:
    world = play("receive")
    line = waiting_line(world)
    answer = sign_in(world.users["claire"]).post(f"/en/bank/lines/{line.pk}/", {"pledge": pledge})
    assert answer.status_code == 422
    assert "Choose the pledge that this line pays" in text_of(answer)
    line.refresh_from_db()
    assert line.state == "suggested"


def test_a_search_finds_a_pledge_by_organisation_or_reference(play: Play, sign_in: SignIn) -> None:
    world = play("receive")
    pledge, line = another_pledge(world), waiting_line(world)
    another_pledge(world, name="Ville d’Exemple", amount=1_00)
    browser = sign_in(world.users["claire"])
    for sought in ("grand toit", printed(pledge.reference)):
        text = text_of(browser.get(f"/en/bank/lines/{line.pk}/", {"q": sought}))
        assert "Le Grand Toit" in text
        assert "Ville d’Exemple" not in text
    nothing = text_of(browser.get(f"/en/bank/lines/{line.pk}/", {"q": "nobody"}))
    assert "No pledge that awaits money has this name or reference." in nothing


def test_a_debit_nobody_explains_says_what_can_be_done(play: Play, sign_in: SignIn) -> None:
    world = play("receive")
    data = statement_file(world, number=2, opening=142_50, lines=[(-3_20, "BANQUE", "Frais", "")])
    browser = sign_in(world.users["claire"])
    browser.post(IMPORT, {"stash": stash_of(upload(browser, data))})
    line = BankLine.objects.get(amount=-3_20)
    assert "It was imported just now and is being matched." in text_of(browser.get(f"/en/bank/lines/{line.pk}/"))
    sweep(timezone.now())
    text = text_of(browser.get(f"/en/bank/lines/{line.pk}/"))
    assert "It waits in suspense" in text
    assert "Payments it may take back" in text
    assert "Book it to an account of the host’s own" in text


def test_suggestions_weigh_amount_name_and_reference(play: Play) -> None:
    world = play("receive")
    near = another_pledge(world, name="Le Grand Toit", amount=50_00)
    same = another_pledge(world, name="Ville d’Exemple", amount=42_50)
    small = another_pledge(world, name="Association Inconnu", amount=10_00)
    line = waiting_line(world)
    line.counterparty = "ASSO LE GRAN TOIIT"
    signs = {
        one.pledge: [(reason.sign, reason.text) for reason in one.reasons] for one in suggest(line, [near, same, small])
    }
    assert signs[near][0] == ("≈", "less than the €50.00 expected")
    assert signs[near][1] == ("≈", "close name: “GRAN” / “Le Grand Toit”")
    assert signs[same][0] == ("✓", "same amount as expected")
    assert signs[same][1] == ("✗", "another name")
    assert signs[small][0] == ("✗", "more than the €10.00 expected")
    line.counterparty = "LE GRAND TOIT"
    assert [one.pledge for one in suggest(line, [same, near])] == [near, same]
    line.text = f"{same.reference} {near.reference}"
    assert suggest(line, [same])[0].reasons[2].text == "its reference is in the text, with others"


def test_the_telling_words_of_a_name_have_neither_accents_nor_bank_noise() -> None:
    assert words_of("VIR SEPA Asso. de l’Été & Cie") == ["ETE", "CIE"]
