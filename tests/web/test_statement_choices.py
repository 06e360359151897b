"""Files that leave something open: the page asks for the columns and the account, and guesses neither in silence."""

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client

from backend.banking.models import BankLine, CsvLayout, Statement
from backend.events.models import Event
from backend.identity.services import add_bank_account
from backend.ledger.services import entry_count
from backend.operations.demo import HOST_IBAN, statement_file
from backend.pledges.references import printed
from tests.web.test_public import text_of

Play = Callable[..., Any]
SignIn = Callable[..., Client]
IMPORT = "/en/bank/import/"
SAMPLES = Path(__file__).resolve().parents[1] / "samples" / "bank"


def upload(browser: Client, data: bytes, name: str = "statement.csv") -> Any:
    """Give a file to the first step of the import."""
    return browser.post(IMPORT, {"file": SimpleUploadedFile(name, data)})


def stash_of(answer: Any) -> str:
    """The token of a step."""
    return str(re.findall(r'name="stash" value="([^"]+)"', answer.content.decode())[0])


def nothing_written() -> bool:
    """Whether no import left anything."""
    return (Statement.objects.count(), BankLine.objects.count(), entry_count(), CsvLayout.objects.count()) == (
        0,
        0,
        0,
        0,
    )


def columns(answer: Any, *roles: str, **more: str) -> dict[str, str]:
    """What the page of columns is sent."""
    chosen = {f"column_{place}": role for place, role in enumerate(roles)}
    return {"step": "columns", "stash": stash_of(answer), "date_format": "dmy", "decimal": ",", **chosen, **more}


def gift(world: Any) -> bytes:
    """A CSV whose words nobody knows, with the reference of the pledge."""
    return (
        f"Alpha;Beta;Gamma\n20/03/2026;LA FABRIQUE {printed(world.pledge.reference)};100,00\n21/03/2026;inconnu;42,50\n"
    ).encode()


def test_columns_account_preview_then_import(play: Play, sign_in: SignIn) -> None:
    world = play("make_promise")
    browser = sign_in(world.users["claire"])
    asked = upload(browser, gift(world))
    assert asked.status_code == 200
    assert "Which column is what" in text_of(asked)
    assert "20/03/2026 21/03/2026" in text_of(asked)
    account = browser.post(IMPORT, columns(asked, "booked_on", "text", "amount", save_as="Banque du Port"))
    assert "Which account is this statement about?" in text_of(account)
    assert "The file does not say which account it is about" in text_of(account)
    preview = browser.post(IMPORT, {"step": "account", "stash": stash_of(account), "account_0": world.account.pk})
    text = text_of(preview)
    assert "Credits €142.50 Debits €0.00" in text
    assert "New lines 2 Lines already known 0" in text
    assert "20 March 2026 LA FABRIQUE" in text
    assert nothing_written()
    answer = browser.post(IMPORT, {"stash": stash_of(preview)})
    assert (answer.status_code, answer.headers["Location"]) == (302, "/en/bank/")
    assert sorted(BankLine.objects.values_list("amount", flat=True)) == [4250, 10000]
    saved = CsvLayout.objects.get()
    assert (saved.name, saved.account) == ("Banque du Port", world.account)
    assert Event.objects.get(kind="csv_layout.saved").actor == world.users["claire"]
    # The next file with these columns is read by itself, and what is known stays known.
    again = text_of(upload(browser, gift(world)))
    assert "New lines 0 Lines already known 2" in again


def test_saved_columns_are_changed_or_removed(play: Play, sign_in: SignIn) -> None:
    world = play("make_promise")
    browser = sign_in(world.users["claire"])
    asked = upload(browser, gift(world))
    account = browser.post(IMPORT, columns(asked, "booked_on", "text", "amount", save_as="Port"))
    preview = browser.post(IMPORT, {"step": "account", "stash": stash_of(account), "account_0": world.account.pk})
    browser.post(IMPORT, {"stash": stash_of(preview)})
    preview = upload(browser, gift(world))
    back = browser.post(IMPORT, {"step": "columns", "change": "1", "stash": stash_of(preview)})
    assert re.search(r'<option value="amount" selected>', back.content.decode())
    changed = browser.post(IMPORT, columns(back, "value_on", "text", "amount"))
    assert "New lines 2" in text_of(changed)
    page = browser.get(IMPORT)
    assert "Port" in text_of(page)
    layout = CsvLayout.objects.get()
    removed = browser.post(f"/en/bank/layouts/{layout.pk}/forget/")
    assert (removed.status_code, CsvLayout.objects.count(), BankLine.objects.count()) == (302, 0, 2)
    assert browser.post(f"/en/bank/layouts/{layout.pk}/forget/").status_code == 404


@pytest.mark.parametrize(
    ("roles", "sentence"),
    [
        (("", "text", "amount"), "Choose the column of the date."),
        (("booked_on", "text", ""), "Choose the column of the amount, or those of debit and credit."),
        (("booked_on", "debit", "amount"), "Choose either one amount or debit and credit, not both."),
        (("booked_on", "text", "debit"), "Choose the column of the amount, or those of debit and credit."),
        (("amount", "text", "amount"), "Another column is this already: only labels may be several."),
        (("booked_on", "amount", "text"), "cannot be read for sure"),
        (("nothing", "text", "amount"), "nothing is not one of the available choices"),
    ],
)
def test_what_is_missing_is_said_on_the_page(
    play: Play, sign_in: SignIn, roles: tuple[str, ...], sentence: str
) -> None:
    world = play("make_promise")
    browser = sign_in(world.users["claire"])
    asked = upload(browser, gift(world))
    answer = browser.post(IMPORT, columns(asked, *roles))
    assert answer.status_code == 422
    assert sentence in text_of(answer)
    assert nothing_written()


def test_a_bank_s_own_number_is_explained_by_a_person(play: Play, sign_in: SignIn) -> None:
    world = play("make_promise")
    add_bank_account(host=world.host, name="Livret", iban="FR1420041010050500013M02606", bic="", currency="EUR")
    browser = sign_in(world.users["claire"])
    number = HOST_IBAN[14:25]
    data = (
        (SAMPLES / "ofx-v1.ofx").read_bytes().replace(b"12345678901", number.encode()).replace(b"20260230", b"20260228")
    )
    asked = upload(browser, data, "statement.ofx")
    html = asked.content.decode()
    assert f"The file calls this account “{number}”" in text_of(asked)
    # The account whose IBAN holds the number is proposed; the person confirms.
    assert [tag for tag in re.findall(r'<input type="radio"[^>]*>', html) if "checked" in tag] == re.findall(
        rf'<input type="radio"[^>]*value="{world.account.pk}"[^>]*>', html
    )
    assert nothing_written()
    unsaid = browser.post(IMPORT, {"step": "account", "stash": stash_of(asked)})
    assert unsaid.status_code == 422
    assert "Choose the account of the host that this statement is about." in text_of(unsaid)
    assert browser.post(IMPORT, {"stash": stash_of(asked)}).status_code == 422
    assert nothing_written()
    preview = browser.post(IMPORT, {"step": "account", "stash": stash_of(asked), "account_0": world.account.pk})
    assert "the file gives no opening or no closing balance" in text_of(preview)
    assert browser.post(IMPORT, {"stash": stash_of(preview)}).status_code == 302
    assert set(BankLine.objects.values_list("account", flat=True)) == {world.account.pk}


def test_a_whole_iban_of_somebody_else_is_never_ours(play: Play, sign_in: SignIn) -> None:
    world = play("make_promise")
    browser = sign_in(world.users["claire"])
    data = (
        (SAMPLES / "mt940-slashes.sta")
        .read_bytes()
        .replace(b"FR7630006000011234567890189EUR", b"DE89370400440532013000")
    )
    answer = upload(browser, data, "statement.sta")
    assert answer.status_code == 422
    assert "which is not an account of the host" in text_of(answer)
    assert nothing_written()


def test_the_same_operation_in_another_format_is_pointed_out(play: Play, sign_in: SignIn) -> None:
    world = play("make_promise")
    browser = sign_in(world.users["claire"])
    camt = statement_file(world, number=1, opening=0, lines=[(42_50, "X", "don", "")])
    stash = stash_of(upload(browser, camt, "statement.xml"))
    browser.post(IMPORT, {"stash": stash})
    line = BankLine.objects.get()
    csv = f"Date;Libellé;Montant\n{line.booked_on:%d/%m/%Y};don;42,50\n{line.booked_on:%d/%m/%Y};autre;7,00\n"
    asked = upload(browser, csv.encode())
    account = browser.post(IMPORT, columns(asked, "booked_on", "text", "amount"))
    preview = browser.post(IMPORT, {"step": "account", "stash": stash_of(account), "account_0": world.account.pk})
    assert "1 new line looks like a line of another file that is already here." in text_of(preview)
    assert BankLine.objects.count() == 1


def test_a_step_whose_file_is_gone_or_another_s_starts_again(play: Play, sign_in: SignIn) -> None:
    world = play("make_promise")
    asked = upload(sign_in(world.users["claire"]), gift(world))
    stolen = sign_in(world.users["denis"]).post(IMPORT, columns(asked, "booked_on", "text", "amount"))
    assert stolen.status_code == 422
    assert "The preview has expired: choose the file again." in text_of(stolen)
    assert nothing_written()


def test_formulas_are_shown_as_text(play: Play, sign_in: SignIn) -> None:
    world = play("make_promise")
    browser = sign_in(world.users["claire"])
    rows = "Date;Libellé;Montant\n02/03/2026;=HYPERLINK(1)<script>;1,00\n03/03/2026;@SUM(1+1);2,00\n"
    asked = upload(browser, rows.encode())
    account = browser.post(IMPORT, columns(asked, "booked_on", "text", "amount"))
    preview = browser.post(IMPORT, {"step": "account", "stash": stash_of(account), "account_0": world.account.pk})
    assert "=HYPERLINK(1)&lt;script&gt;" in preview.content.decode()
