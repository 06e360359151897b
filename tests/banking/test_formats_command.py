"""The one command reads every format: figures, accounts that are not written, saved columns."""

import json
from collections.abc import Callable
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from django.core.management import call_command
from django.core.management.base import CommandError

from backend.banking.formats.csv_file import guess_layout, read_table
from backend.banking.layouts import (
    Choices,
    could_be,
    forget_layout,
    import_chosen,
    is_local_number,
    likely_account,
    read_chosen,
    save_layout,
)
from backend.banking.models import BankLine, CsvLayout, Statement
from backend.core.errors import Forbidden, Invalid
from backend.operations.demo import HOST_IBAN
from tests.conftest import SHARED

Play = Callable[..., Any]
SAMPLES = Path(__file__).resolve().parents[1] / "samples" / "bank"
BANK = SHARED / "samples" / "bank"


def command(*arguments: str) -> list[dict[str, Any]]:
    """The JSON lines of the command."""
    out = StringIO()
    call_command("import_statement", *arguments, "--json", stdout=out, stderr=StringIO())
    return [json.loads(line) for line in out.getvalue().splitlines()]


def shown(account: str, currency: str, entries: int, *figures: str | None, ties: str) -> dict[str, Any]:
    """One line of the command."""
    names = ("credits", "debits", "opening", "closing")
    return {
        "account": account,
        "currency": currency,
        "entries": entries,
        **dict(zip(names, figures, strict=True)),
        "ties": ties,
    }


def test_a_dry_run_gives_the_figures_of_every_format(db: None) -> None:
    assert command(str(SAMPLES / "mt940-slashes.sta"), "--dry-run") == [
        shown(HOST_IBAN, "EUR", 2, "25.00", "7.30", "-10.00", "7.70", ties="yes")
    ]
    assert command(str(SAMPLES / "ofx-v1.ofx"), "--dry-run") == [
        shown("12345678901", "EUR", 5, "1253.50", "12.50", None, "1341.00", ties="unknown")
    ]
    assert command(str(SAMPLES / "csv-debit-credit.csv"), "--dry-run") == [
        shown("", "EUR", 4, "1268.50", "1000.00", "100.00", "368.50", ties="yes")
    ]
    with pytest.raises(CommandError, match="interim report"):
        command(str(SAMPLES / "mt942.sta"), "--dry-run")
    assert Statement.objects.count() == 0


def test_every_shared_statement_is_read_or_refused_with_a_sentence(db: None) -> None:
    refused = {}
    for file in sorted(BANK.glob("*/*.*")):
        if file.suffix == ".json":
            continue
        try:
            assert command(str(file), "--dry-run")
        except CommandError as refusal:
            refused[file.name] = str(refusal)
    if BANK.is_dir():
        assert sorted(refused) == ["genkgo-camt053.v2.wrong.xml", "wolph-mBank-mt942.sta"]
    else:
        assert refused == {}


def test_a_number_that_is_no_iban_needs_its_account(play: Play, tmp_path: Path) -> None:
    world = play("make_promise")
    file = tmp_path / "statement.ofx"
    file.write_bytes((SAMPLES / "ofx-v1.ofx").read_bytes().replace(b"20260230", b"20260228"))
    with pytest.raises(CommandError, match="calls the account “12345678901”"):
        command(str(file))
    with pytest.raises(CommandError, match="no account with this IBAN"):
        command(str(file), "--account", "DE89370400440532013000")
    assert BankLine.objects.count() == 0
    (done,) = command(str(file), "--account", HOST_IBAN)
    assert (done["account"], done["added"], done["known"]) == (HOST_IBAN, 3, 0)
    (again,) = command(str(file), "--account", HOST_IBAN)
    assert (again["added"], again["known"]) == (0, 3)
    assert set(BankLine.objects.values_list("account", flat=True)) == {world.account.pk}


def test_a_csv_is_imported_by_saved_columns_alone(play: Play) -> None:
    world = play("make_promise")
    file = str(SAMPLES / "csv-debit-credit.csv")
    with pytest.raises(CommandError, match="saved columns"):
        command(file, "--account", HOST_IBAN)
    layout = guess_layout(read_table(Path(file).read_bytes()))
    save_layout(actor=world.users["claire"], account=world.account, name="Port", layout=layout, now=world.now)
    with pytest.raises(CommandError, match="saved columns"):
        command(file, "--layout", "Mer")
    assert BankLine.objects.count() == 0
    (done,) = command(file)
    assert (done["account"], done["added"], done["ties"]) == (HOST_IBAN, 4, "yes")
    assert (Statement.objects.get().opening, Statement.objects.get().closing) == (10000, 36850)
    (again,) = command(file, "--layout", "Port")
    assert (again["added"], again["known"]) == (0, 4)


def test_marks_of_another_country_are_no_euros(play: Play, tmp_path: Path) -> None:
    play("make_promise")
    file = tmp_path / "statement.sta"
    file.write_bytes((SAMPLES / "mt940-german.sta").read_bytes().replace(b"EUR", b"DEM"))
    with pytest.raises(CommandError, match="not in EUR"):
        command(str(file), "--account", HOST_IBAN, "--accept-gap")
    assert BankLine.objects.count() == 0


def test_a_choice_never_renames_a_whole_iban(play: Play) -> None:
    world = play("make_promise")
    theirs = "DE89370400440532013000"
    data = (SAMPLES / "mt940-slashes.sta").read_bytes().replace(b"FR7630006000011234567890189EUR", theirs.encode())
    choices = Choices(accounts={theirs: world.account.pk, "": world.account.pk})
    assert [one.account for one in read_chosen(data, choices)] == [theirs]
    with pytest.raises(Invalid) as refusal:
        import_chosen(actor=None, data=data, choices=choices, accept_gap=True, now=world.now)
    assert refusal.value.code == "foreign_account"
    assert BankLine.objects.count() == 0


@pytest.mark.parametrize("who", ["ana", "sacha", "bo"])
def test_only_treasurers_import_or_save_columns(play: Play, who: str) -> None:
    world = play("make_promise")
    data = (SAMPLES / "csv-debit-credit.csv").read_bytes()
    layout = guess_layout(read_table(data))
    choices = Choices(layout=layout, accounts={"": world.account.pk}, save_as="Port")
    actor = world.users[who]
    with pytest.raises(Forbidden):
        import_chosen(actor=actor, data=data, choices=choices, accept_gap=True, now=world.now)
    with pytest.raises(Forbidden):
        save_layout(actor=actor, account=world.account, name="Port", layout=layout, now=world.now)
    with pytest.raises(Forbidden):
        forget_layout(actor=actor, layout_id="lay_1", now=world.now)
    assert (BankLine.objects.count(), CsvLayout.objects.count()) == (0, 0)


@pytest.mark.parametrize(
    ("number", "fits"),
    [
        ("12345678901", True), ("30006/00001", True), ("30006000/12345678901", True), ("30007/12345678901", False),
        ("FR76XXXXXXXXXXXXXXXXXXX0189", True),
        ("*******0189", True), ("XXXXXXXXXXX", False), ("", False), ("00012345678901", True), ("99999999999", False),
        ("TRIODOSBANK/0390123456", False), ("189", False),
    ],
)  # fmt: skip
def test_a_number_is_compared_with_an_iban(number: str, fits: bool) -> None:
    assert could_be(number, HOST_IBAN) is fits


@pytest.mark.parametrize(
    ("number", "is_local"),
    [
        ("", True), ("12345678901", True), ("FR76XXXXXXXXXXXXXXXXXXX0189", True), (HOST_IBAN, False),
        ("DE89370400440532013000", False), ("DE14740618130000033626", False), ("XXXXXXXXXXX", True), ("98-121", True),
    ],
)  # fmt: skip
def test_only_a_whole_iban_names_its_account(number: str, is_local: bool) -> None:
    assert is_local_number(number) is is_local


def test_an_account_is_proposed_only_when_it_is_the_only_one(play: Play) -> None:
    world = play("make_promise")
    assert likely_account("12345678901", [world.account]) == world.account
    assert likely_account("99999999999", [world.account]) is None
    assert likely_account("", [world.account, world.account]) is None
