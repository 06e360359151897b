"""Exports of real books: rights, days, the same bytes each time, the same totals in all formats."""

import random
from collections.abc import Callable, Iterator
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from accounting_fr.fec_check import check_fec

from backend.core.errors import Conflict, Forbidden, Invalid
from backend.core.money import to_decimal
from backend.events.models import Event
from backend.exports import services
from backend.exports.services import FORMATS, chunks, export
from backend.identity.models import Host, Role
from backend.ledger.services import Line, open_account, post, reverse, seal_due, trial_balance, unsealed
from backend.payees.models import Payee
from backend.payees.services import set_account
from tests.exports import readers

Play = Callable[..., Any]
NOW = datetime(2026, 11, 21, 10, 0, tzinfo=UTC)


def whole(world: Any, name: str, **days: Any) -> bytes:
    """All bytes of an export that a treasurer takes."""
    _file, data = export(actor=world.users["claire"], name=name, now=world.now, **days)
    return b"".join(data)


def sealed(play: Play, step: str = "settle") -> Any:
    """The demonstration of a hundred euros, all its entries sealed."""
    world = play(step, now=NOW)
    while seal_due(world.now):
        pass
    assert unsealed() == 0
    return world


def expected() -> readers.Totals:
    """The trial balance of the ledger itself."""
    return {(row.chart, row.currency): to_decimal(row.balance, row.currency) for row in trial_balance() if row.balance}


def totals(world: Any, folder: Path, **days: Any) -> list[readers.Totals]:
    """What each format but the FEC adds up to."""
    return [
        readers.of_hledger(whole(world, "hledger", **days), folder),
        readers.of_beancount(whole(world, "beancount", **days), folder),
        readers.of_journal(whole(world, "journal", **days)),
        readers.of_balance(whole(world, "balance", **days)),
    ]


def test_the_demonstration_in_every_format(play: Play, tmp_path: Path) -> None:
    world = sealed(play)
    wanted = expected()
    assert wanted["512", "EUR"] == Decimal("47.50")
    assert totals(world, tmp_path) == [wanted] * 4
    assert totals(world, tmp_path, year=2026) == [wanted] * 4
    name, data = export(actor=world.users["denis"], name="fec", now=world.now, year=2026)
    content = b"".join(data)
    assert (name, FORMATS["fec"].media_type) == ("123456782FEC20261231.txt", "text/plain; charset=iso-8859-15")
    assert readers.of_fec(content) == wanted
    report = check_fec(content, name, date(2026, 1, 1), date(2026, 12, 31))
    assert (report.errors, report.warnings) == ([], [])
    assert report.stats["ecritures"] == len({row.split(b"\t")[8] + row.split(b"\t")[2] + row[:2]
                                             for row in content.splitlines()[1:]})  # fmt: skip
    assert whole(world, "fec_utf8", year=2026).decode() == content.decode("iso8859-15").replace("'", "’")
    # The year after opens with what this one left: the result is one line, then nothing moved.
    opened = {key: value for key, value in wanted.items() if key[0][0] in "12345"}
    left = sum(value for key, value in wanted.items() if key[0][0] in "67")
    assert totals(world, tmp_path, year=2027) == [{**opened, ("120", "EUR"): left}] * 4
    assert readers.of_fec(whole(world, "fec", year=2027)) == {**opened, ("120", "EUR"): left}


def test_neither_a_new_name_nor_erasure_changes_a_byte(play: Play) -> None:
    world = sealed(play)
    before = {name: whole(world, name, year=2026) for name in FORMATS}
    assert b"Bo Nguyen" in before["fec"]
    assert all("Bo Nguyen" in data.decode() for name, data in before.items() if name not in {"fec", "balance"})
    set_account(actor=world.users["bo"], name="Bo Martin", iban="FR1420041010050500013M02606", now=world.now)
    assert {name: whole(world, name, year=2026) for name in FORMATS} == before
    Payee.objects.update(name="")
    Host.objects.update(name="Another name")
    assert {name: whole(world, name, year=2026) for name in FORMATS} == before


def test_a_new_name_holds_from_the_next_entry_on(play: Play) -> None:
    world = play("approve_distribution", now=NOW)
    world.now += timedelta(days=1)
    set_account(actor=world.users["bo"], name="Bo Martin", iban="FR1420041010050500013M02606", now=world.now)
    world.now += timedelta(days=4)  # an account that changed waits
    from backend.operations import demo

    for act in demo.STEPS[demo.STEPS.index(demo.approve_distribution) + 1 :]:
        act(world)
    while seal_due(world.now):
        pass
    rows = [row.split("\t") for row in whole(world, "fec_utf8", year=2026).decode().splitlines()]
    bo = Payee.objects.get(user=world.users["bo"]).pk
    assert [(row[0], row[7]) for row in rows if row[6] == bo] == [("AC", "Bo Nguyen"), ("OD", "Bo Martin")]


def test_only_those_who_read_the_books_take_them_away(play: Play) -> None:
    world = sealed(play, "receive")
    for person in ("ana", "sacha", "bo"):
        with pytest.raises(Forbidden):
            export(actor=world.users[person], name="journal", now=world.now)
    assert not Event.objects.filter(kind="books.exported").exists()
    whole(world, "journal", year=2026)
    told = Event.objects.get(kind="books.exported")
    assert told.actor == world.users["claire"]
    assert told.data == {"format": "journal", "first": "2026-01-01", "last": "2026-12-31"}


@pytest.mark.parametrize(
    ("asked", "code"),
    [
        ({"name": "xls"}, "export_unknown"),
        ({"name": "fec"}, "export_year"),
        ({"name": "fec", "first": date(2026, 1, 1), "last": date(2026, 12, 31)}, "export_year"),
        ({"name": "fec", "year": 0}, "export_year"),
        ({"name": "fec", "year": 9999}, "export_year"),
        ({"name": "journal", "year": 10**12}, "export_year"),
        ({"name": "journal", "first": date(2026, 2, 1), "last": date(2026, 1, 31)}, "export_range"),
    ],
)
def test_what_cannot_be_exported_is_refused(play: Play, asked: dict[str, Any], code: str) -> None:
    world = play("make_house")
    with pytest.raises(Invalid) as refusal:
        export(actor=world.users["claire"], now=world.now, **asked)
    assert refusal.value.code == code
    assert not Event.objects.filter(kind="books.exported").exists()


def test_a_fec_of_books_in_several_currencies_is_refused_before_its_first_byte(play: Play) -> None:
    world = sealed(play, "receive")
    bank, pot = (open_account(kind=kind, owner=f"{kind}_x", currency="CHF") for kind in ("bank", "budget"))
    entry = post(kind="payment.received", scope="t", key="1", reference="plg_x", happened_on=date(2026, 3, 1),
                 lines=[Line(bank, 5, "512"), Line(pot, -5, "7541")], now=world.now)  # fmt: skip
    assert unsealed() == unsealed(first=date(2026, 3, 1), last=date(2026, 3, 1)) == 1
    assert unsealed(first=date(2026, 3, 2)) == unsealed(last=date(2026, 2, 28)) == 0
    whole(world, "fec", year=2026)  # not sealed: not in the books that are exported
    while seal_due(world.now):
        pass
    for year in (2026, 2027):
        with pytest.raises(Conflict) as refusal:
            export(actor=world.users["claire"], name="fec", now=world.now, year=year)
        assert refusal.value.code == "fec_other_currency"
        assert f"{entry.pk} is in CHF" in str(refusal.value)
    assert readers.of_fec(whole(world, "fec", year=2025)) == {}


def test_days_and_file_names(play: Play) -> None:
    world = sealed(play, "receive")
    Host.objects.update(fiscal_year_starts_on=9)

    def file(**asked: Any) -> str:
        return export(actor=world.users["claire"], now=world.now, **asked)[0]

    assert file(name="fec", year=2026) == "123456782FEC20270831.txt"
    assert file(name="fec", year=2023) == "123456782FEC20240831.txt"
    assert file(name="hledger", year=2026) == "tronc-123456782-2026-09-01-2027-08-31.journal"
    assert file(name="beancount") == "tronc-123456782-all.beancount"
    assert file(name="journal", first=date(2026, 1, 2)) == "tronc-123456782-from-2026-01-02.journal.csv"
    assert file(name="balance", last=date(2026, 1, 2)) == "tronc-123456782-until-2026-01-02.balance.csv"
    day = world.today
    assert whole(world, "journal", first=day, last=day).count(b"\r\n") == 1 + 5
    assert whole(world, "journal", first=day + timedelta(days=1)).count(b"\r\n") == 1  # no year begins there
    assert whole(world, "journal", last=day - timedelta(days=1)).count(b"\r\n") == 1


def test_it_is_written_while_it_is_read(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(services, "CHUNK", 10)
    read: list[int] = []

    def pieces() -> Iterator[str]:
        for number in range(5):
            read.append(number)
            yield "12345é"

    data = chunks(pieces(), str.encode)
    assert read == []
    assert next(data) == "12345é12345é".encode()
    assert read == [0, 1]
    assert b"".join(data) == ("12345é" * 3).encode()


def faults(content: bytes, name: str, year: int) -> list[str]:
    """What the checker says of a FEC, but for the order of days: the law numbers entries as they are validated."""
    report = check_fec(content, name, date(year, 1, 1), date(year, 12, 31))
    return report.errors + [line for line in report.warnings if "non chronologique" not in line]


def test_the_year_of_the_demonstration_in_every_format(committed: str, tmp_path: Path) -> None:
    from types import SimpleNamespace

    from backend.operations import demonstration

    assert demonstration.load(NOW) is True
    while seal_due(NOW):
        pass
    treasurer = Role.objects.filter(kind="treasurer").order_by("pk")[0].user
    world = SimpleNamespace(users={"claire": treasurer}, now=NOW)
    wanted = expected()
    assert len(wanted) >= 6
    assert totals(world, tmp_path) == [wanted] * 4
    for year in (2025, 2026, 2027):
        name, data = export(actor=treasurer, name="fec", now=NOW, year=year)
        content = b"".join(data)
        assert faults(content, name, year) == []
        assert readers.of_fec(content) == readers.of_balance(whole(world, "balance", year=year))
        assert whole(world, "fec", year=year) == content
        if year == 2026:
            assert totals(world, tmp_path, year=year) == [readers.of_fec(content)] * 4


def random_ledger(seed: int, host: Host, count: int) -> None:
    """Receipts, work, batches and reversals over four years and three currencies, and a last word on each purse."""
    # A fixed seed: the same books each time.
    dice = random.Random(seed)  # noqa: S311
    entries = []
    for number in range(count):
        currency = dice.choice(["EUR", "EUR", "XPF", "TND"])
        pot, payee = f"bud_{dice.randrange(3)}", f"pye_{dice.randrange(4)}"
        day = date(2023, 1, 1) + timedelta(days=dice.randrange(1400))
        amount = dice.randrange(3, 10**9)
        kinds = {
            "payment.received": [("bank", "hba_1", amount, "512"), ("budget", pot, 3 - amount, "7541"),
                                 ("host_fees", host.pk, -3, "706")],
            "distribution.approved": [("budget", pot, amount // 9, "6226"), ("payee", payee, -(amount // 9), "401")],
            "bank.unidentified": [("bank", "hba_1", amount, "512"), ("suspense", "hba_1", -amount, "471")],
        }  # fmt: skip
        kind = dice.choice(list(kinds))
        lines = [
            Line(open_account(kind=purse, owner=owner, currency=currency), cents, chart)
            for purse, owner, cents, chart in kinds[kind] if cents
        ]  # fmt: skip
        try:
            entries.append(post(kind=kind, scope="random", key=str(number), reference=f"plg_{number}", happened_on=day,
                                lines=lines, now=NOW))  # fmt: skip
            if dice.random() < 0.1:
                entry = entries.pop(dice.randrange(len(entries)))
                reverse(entry_id=entry.pk, reference=entry.reference, happened_on=day, now=NOW)
        except Conflict as refusal:
            if refusal.code != "purse_short":
                raise


def test_a_random_ledger_has_equal_totals_in_every_format(play: Play, tmp_path: Path) -> None:
    world = play("make_house", now=NOW)
    random_ledger(20261121, world.host, 300)
    while seal_due(NOW):
        pass
    wanted = expected()
    assert {currency for _number, currency in wanted} == {"EUR", "XPF", "TND"}
    assert totals(world, tmp_path) == [wanted] * 4
    # A year by itself: the same in all formats, and each is the same file twice.
    for year in (2024, 2026):
        first, *others = totals(world, tmp_path, year=year)
        assert others == [first] * 3
        assert sum(value for (_number, currency), value in first.items() if currency == "TND") == 0
    assert [whole(world, name) for name in ("hledger", "journal")] == [
        whole(world, name) for name in ("hledger", "journal")
    ]
    # At the end of a year, balance sheet numbers are what the ledger says of that day.
    rows = {
        (row.chart, row.currency): to_decimal(row.balance, row.currency)
        for row in trial_balance(up_to=date(2025, 12, 31)) if row.balance and row.chart[0] in "45"
    }  # fmt: skip
    closing = readers.of_balance(whole(world, "balance", year=2025))
    assert {key: value for key, value in closing.items() if key[0][0] in "45"} == rows


def test_a_random_ledger_in_euros_passes_the_checker_year_by_year(play: Play, monkeypatch: pytest.MonkeyPatch) -> None:
    world = play("make_house", now=NOW)
    monkeypatch.setattr(random.Random, "choice", lambda dice, values: values[dice.randrange(len(values))]
                        if "EUR" not in values else "EUR")  # fmt: skip
    random_ledger(7, world.host, 150)
    while seal_due(NOW):
        pass
    for year in (2023, 2024, 2025, 2026):
        name, data = export(actor=world.users["claire"], name="fec", now=NOW, year=year)
        content = b"".join(data)
        assert faults(content, name, year) == []
        assert readers.of_fec(content) == readers.of_balance(whole(world, "balance", year=year))
