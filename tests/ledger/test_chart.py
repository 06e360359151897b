"""The chart of accounts: a file that a host may replace, checked before anything is booked under it."""

import os
import re
import subprocess
import sys
from collections.abc import Callable
from datetime import date
from io import StringIO
from pathlib import Path

import pytest
from django.core.checks import Tags, run_checks
from django.core.exceptions import ImproperlyConfigured
from django.core.management import call_command
from django.utils import timezone

from backend.distributions.models import DistributionMove
from backend.ledger import chart, plan
from backend.ledger.checks import chart_is_sound
from backend.ledger.services import Line, open_account, post
from backend.transfers.models import Transfer

ROOT = Path(__file__).resolve().parent.parent.parent
SHIPPED = plan.SHIPPED.read_text(encoding="utf-8")


@pytest.fixture
def using(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], Path]:
    """Put a text in force as the host's chart."""

    def put(text: str) -> Path:
        path = tmp_path / "host.toml"
        path.write_text(text, encoding="utf-8")
        found, problems = plan.read_plan(path)
        monkeypatch.setattr(chart, "PLAN", found)
        monkeypatch.setattr(chart, "PROBLEMS", problems)
        return path

    return put


def edited(old: str, new: str) -> str:
    """The shipped file with one thing changed."""
    assert SHIPPED.count(old) == 1, old
    return SHIPPED.replace(old, new)


def test_the_shipped_chart_is_sound_and_keeps_its_numbers() -> None:
    _found, problems = plan.read_plan(plan.SHIPPED)
    assert problems == []
    numbers = [chart.BANK, chart.SUSPENSE, chart.DONATION, chart.EARMARKED, chart.OWN_FUNDS, chart.HOST_FEE,
               chart.SERVICES, chart.SUPPLIER, chart.TRANSIT, chart.PROFIT, chart.LOSS]  # fmt: skip
    assert numbers == ["512", "471", "7541", "195", "110", "706", "6226", "401", "58", "120", "129"]
    assert chart.LABELS["512"] == ("Banques", "Banks")
    wanted = "102 110 119 120 129 194 195 196 401 411 4191 467 4681 471 487 5112 512 53 58 6226 627 6281 654 678 " \
        "6894 6895 6896 706 7411 7541 75412 7542 7551 7561 7562 758 768 7894 7895 7896 864 875"  # fmt: skip
    assert set(wanted.split()) <= set(chart.LABELS)


@pytest.mark.parametrize(
    ("old", "new", "sentence"),
    [
        ('bank = "512" ', 'bank = "519" ', "roles.bank names 519, which is not in [accounts]."),
        ('bank = "512" ', "", "roles.bank is missing."),
        ('bank = "512" ', "bank = 512 ", 'roles.bank must be a text between quotes, such as "512".'),
        ('bank = "512" ', 'bank = "512"\nbanc = "512" ', "roles.banc is not a role known here."),
        ('loss = "129" ', 'loss = "120" ', "roles.profit and roles.loss name the same number: one is for a surplus, "
         "the other for a deficit."),
        ("\n58 = ", "\n9 = ", "accounts.9: a number has 2 to 8 figures, the first of them 1 to 8."),
        ("\n654 = ", "\n902 = ", "accounts.902: a number has 2 to 8 figures, the first of them 1 to 8."),
        ("\n654 = ", "\n123456789 = ", "accounts.123456789: a number has 2 to 8 figures, the first of them 1 to 8."),
        ("\n654 = ", "\n65a = ", "accounts.65a: a number has 2 to 8 figures, the first of them 1 to 8."),
        ("\n654 = ", "\n580 = ", "accounts.580 and accounts.58 are the same number once they have three figures."),
        ("\n654 = ", "\n512 = ", "Cannot overwrite a value"),
        ('654 = { fr = "Pertes sur créances irrécouvrables", en', "654 = { en",
         "accounts.654 needs its words on one line: fr is missing or empty."),
        ('en = "Bad debts"', 'en = "Bad\\tdebts"', "accounts.654 needs its words on one line: en is missing or empty."),
        ('654 = { fr = "Pertes sur créances irrécouvrables", en = "Bad debts" }', '654 = "Pertes"',
         "accounts.654 needs its words on one line: en is missing or empty."),
        ('AC = { fr = "Achats"', 'ac = { fr = "Achats"', "journals.ac: a journal's code is one to six capitals"),
        ('AC = { fr = "Achats"', 'HA = { fr = "Achats"',
         'kinds."distribution.approved" names the journal AC, which is not in [journals].'),
        ('"batch.sent" = { journal = "OD", ', '"batch.sent" = { ', 'kinds."batch.sent" has no journal.'),
        ('"batch.sent" = { journal = "OD", ', '"batch.sent" = { journal = "AN", ',
         'kinds."batch.sent": the journal AN is kept for the computed opening lines.'),
        ('"batch.sent" = ', '"batch.seen" = ', 'kinds."batch.sent" is missing: no journal for it.'),
        ('opening = "AN" ', 'opening = "XX" ', "journal_roles.opening names XX, which is not in [journals]."),
        ('other = "OD" ', 'other = "AN" ', "journal_roles.other: the journal AN is kept for the computed opening"),
        ("[roles]", "[rules]", "[rules] is not a section of a chart of accounts."),
        ("[roles]", "[rules]", "The section [roles] is missing."),
        ("[roles]", "[roles", "is not readable TOML"),
    ],
)  # fmt: skip
def test_each_fault_is_told_and_nothing_is_booked_under_it(
    using: Callable[[str], Path], old: str, new: str, sentence: str
) -> None:
    path = using(edited(old, new))
    told = [error.msg for error in chart_is_sound(None)]
    assert [one for one in told if sentence in one and one.startswith(f"{path}: ")], told
    for name in ("BANK", "DONATION"):
        with pytest.raises(ImproperlyConfigured, match="cannot be used"):
            getattr(chart, name)
    with pytest.raises(ImproperlyConfigured):
        chart.journal_of("payment.received")


def test_a_file_that_is_not_there_or_no_text(tmp_path: Path) -> None:
    _found, problems = plan.read_plan(tmp_path / "absent.toml")
    assert problems == [
        f"The chart of accounts {tmp_path / 'absent.toml'} cannot be opened: No such file or directory."
    ]
    (tmp_path / "bytes.toml").write_bytes(b"\xff")
    assert "is not readable TOML" in plan.read_plan(tmp_path / "bytes.toml")[1][0]


def test_a_host_s_own_chart_is_used(using: Callable[[str], Path]) -> None:
    own = edited('services = "6226" ', 'services = "6041" ').replace(
        "\n604 = ", '\n6041 = { fr = "Travaux des communs", en = "Work for the commons" }\n604 = '
    )
    path = using(own)
    assert chart_is_sound(None) == []
    assert chart.SERVICES == "6041"
    assert chart.account_label("6041") == "Travaux des communs"
    said = StringIO()
    call_command("chart", stdout=said)
    lines = said.getvalue().splitlines()
    assert lines[0] == str(path)
    assert "  6041      Work for the commons  [services]" in lines
    bank = (
        "payment.received, payment.taken_back, surplus.received, deposit.cleared, bank.unidentified, "
        "bank.booked, payment.given_back, provider.fee, provider.unexplained, provider.paid_out, payout.settled"
    )
    assert f"  BQ        Bank  [{bank}]" in lines
    assert "  AN        Opening balances  [(opening)]" in lines


def test_the_variable_names_the_file(tmp_path: Path) -> None:
    path = tmp_path / "own.toml"
    path.write_text(edited('"512"           #', '"519"           #'), encoding="utf-8")
    asked = {**os.environ, "TRONC_CHART_FILE": str(path)}
    check = subprocess.run([sys.executable, "-m", "backend.manage", "check"], cwd=ROOT, env=asked, capture_output=True,
                           text=True, check=False)  # fmt: skip
    assert check.returncode == 1
    assert f"(tronc.E020) {path}: roles.bank names 519, which is not in [accounts]." in check.stderr


def test_a_number_of_the_books_stays_in_the_chart(using: Callable[[str], Path], db: None) -> None:
    bank, pot = (open_account(kind=kind, owner="x_1", currency="EUR") for kind in ("bank", "budget"))
    post(kind="payment.received", scope="t", key="1", reference="r", happened_on=date(2026, 1, 1),
         lines=[Line(bank, 1, "512"), Line(pot, -1, "75411")],
         now=timezone.now())  # fmt: skip

    def told() -> list[str]:
        found = run_checks(tags=[Tags.database], databases=["default"])
        return [error.msg for error in found if error.id == "tronc.E021"]

    assert told() == []
    path = using(re.sub(r"(?m)^75411 = .*\n", "", SHIPPED))
    assert told() == [f"{path}: the books carry the number 75411, which is not in [accounts]."]


def test_every_kind_that_the_code_books_has_its_journal() -> None:
    booked: set[str] = set()
    for app in ("payments", "banking", "distributions", "payouts", "transfers"):
        for source in (ROOT / "backend" / app).glob("*.py"):
            text = source.read_text(encoding="utf-8")
            for call in re.findall(r"\b(?:post|Entry)\(\s*((?:kind=[^,]+,))", text):
                booked.add(call.removeprefix("kind=").strip('f",'))
    templates = {"transfer.{transfer.kind}": Transfer.KINDS, "distribution.{move.kind}": DistributionMove.KINDS}
    for written, kinds in templates.items():
        booked.remove(written)
        booked |= {written.replace(written[written.index("{") :], kind) for kind, _label in kinds}
    assert booked == set(plan.KINDS)


def test_reversals_and_unknown_kinds_have_a_journal_and_words() -> None:
    assert chart.journal_of("payment.received.reversed") == "BQ"
    assert chart.entry_label("payment.received.reversed") == "Annulation : Versement reçu"
    assert (chart.journal_of("t"), chart.entry_label("t")) == ("OD", "t")
    assert (chart.account_label("999"), chart.journal_label("ZZ"), chart.journal_label("AC")) == ("999", "ZZ", "Achats")
    assert chart.opening_journal() == "AN"
    assert plan.padded("58") == "580"
    assert plan.padded("75411") == "75411"
    with pytest.raises(AttributeError):
        chart.NOTHING  # noqa: B018
