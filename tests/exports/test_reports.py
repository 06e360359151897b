"""Yearly reports: they tie to the ledger to the cent, in both languages, and stay when a person is forgotten."""

import csv
import io
from collections.abc import Callable
from datetime import date
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone

from backend.core.errors import Forbidden, NotFound
from backend.exports.report_files import report_file
from backend.exports.reports import Report, commons_report, host_report, organisation_report
from backend.identity.models import User
from backend.identity.services import host_day
from backend.ledger.services import Line, ask_lock, balance_on, lock, next_month, open_account, post, reverse, seal_due
from backend.payees.models import Payee
from backend.payments.models import Payment
from tests.web.test_public import text_of

Play = Callable[..., Any]
SignIn = Callable[..., Client]
EUR = "EUR"


def reports(world: Any, language: str = "en", year: int | None = None) -> list[Report]:
    """The three reports that the treasurer takes."""
    asked = {"actor": world.users["claire"], "year": year or world.today.year, "language": language}
    return [
        host_report(**asked), commons_report(commons_id=world.commons.pk, **asked),
        organisation_report(organisation_id=world.organisation.pk, **asked),
    ]  # fmt: skip


def tables(report: Report) -> dict[str, Any]:
    """Key → rows by key with their amounts, the total among them."""
    return {
        table.key: {row.key: row.amounts for row in [*table.rows, *([table.total] if table.total else [])]}
        for table in report.tables
    }


def test_the_year_of_a_commons_says_sources_and_uses(play: Play) -> None:
    world = play("settle")
    _host, commons, _organisation = reports(world)
    found = tables(commons)
    assert found["flows"] == {
        "start": (0,), "received": (100_00,), "host_fees": (-5_00,), "work": (-95_00,), "end": (0,),
    }  # fmt: skip
    assert found["budgets"][world.budget.pk] == (0, 0, 0, 0, 0)


def test_the_year_of_an_organisation_follows_its_money(play: Play) -> None:
    world = play("settle")
    *_others, organisation = reports(world)
    found = tables(organisation)["followed"]
    # start, given, fees, work, back, moved, left
    assert found[world.budget.pk] == found["total"] == (0, 100_00, 5_00, 95_00, 0, 0, 0)


@pytest.mark.parametrize("step", ["receive", "approve_distribution", "pay", "settle"])
def test_every_report_ties_to_the_ledger(play: Play, step: str) -> None:
    world = play(step)
    bank = open_account(kind="bank", owner=world.account.pk, currency=EUR)
    pot = open_account(kind="budget", owner=world.budget.pk, currency=EUR)
    reserve = open_account(kind="reserve", owner=world.budget.pk, currency=EUR)
    year, last = world.today.year, date(world.today.year, 12, 31)
    for number, (day, lines) in enumerate((
        (date(year - 1, 6, 1), [Line(bank, 333_33, "512"), Line(pot, -333_33, "7541")]),
        (date(year, 1, 1), [Line(bank, 66_67, "512"), Line(pot, -66_67, "7541")]),
        (date(year, 1, 2), [Line(pot, 50_01, "7541"), Line(reserve, -50_01, "7541")]),
    )):  # fmt: skip
        kind = "transfer.to_reserve" if number == 2 else "payment.received"
        post(kind=kind, scope="t", key=str(number), reference=world.budget.pk, happened_on=day, lines=lines,
             now=world.now)  # fmt: skip
    host, commons, organisation = (tables(one) for one in reports(world))
    held = sum(balance_on(kind=kind, owner=world.budget.pk, currency=EUR, day=last) for kind in ("budget", "reserve"))
    assert commons["flows"]["start"] == (333_33,)
    assert commons["flows"]["end"] == (held,)
    start, change, end, kept, deficit = commons["budgets"][world.budget.pk]
    assert (start, start + change, end, kept, deficit) == (333_33, held, held, 50_01, 0)
    assert host["commons"][world.commons.pk] == commons["budgets"]["total"]
    assert host["held"]["total"] == host["whose"]["total"]
    assert host["held"]["bank"][2] == balance_on(kind="bank", owner=world.account.pk, currency=EUR, day=last)
    for row in organisation["followed"].values():
        begun, given, kept_back, work, back, moved, left = row
        assert begun + given - kept_back - work - back + moved == left
    # The year before ends where this one begins.
    _host, before, _organisation = (tables(one) for one in reports(world, year=year - 1))
    assert before["flows"]["end"] == commons["flows"]["start"]


def test_money_that_went_back_is_told(play: Play) -> None:
    world = play("receive")
    payment = Payment.objects.get()
    reverse(entry_id=payment.entry, reference=world.pledge.pk, happened_on=world.today, now=world.now)
    _host, commons, organisation = (tables(one) for one in reports(world))
    assert commons["flows"].get("received") is None
    assert commons["flows"]["end"] == (0,)
    assert organisation["followed"]["total"] == (0, 100_00, 5_00, 0, 95_00, 0, 0)


def test_a_report_of_a_locked_year_stays_the_same_to_the_byte(play: Play) -> None:
    last_year = timezone.now().replace(year=timezone.now().year - 1, month=11, day=20)
    world = play("settle", now=last_year)
    now = timezone.now()
    provisional = reports(world)
    assert not any(report.final for report in provisional)
    assert "Provisional" in provisional[0].notes[0]
    while (month := next_month()) is not None and month < host_day(now).replace(month=1, day=1):
        asked = ask_lock(actor=world.users["claire"], first_day=month, now=now)
        lock(actor=world.users["denis"], closing_id=asked.pk, now=now)
    while seal_due(now):
        pass

    def files() -> list[bytes]:
        return [
            report_file(report, form)
            for language in ("fr", "en") for report in reports(world, language) for form in ("pdf", "csv")
        ]  # fmt: skip

    assert all(report.final for report in reports(world))
    before = files()
    assert all(one.startswith(b"%PDF") for one in before[::2])
    for person in ("bo", "camille"):
        assert not any(world.users[person].name.encode() in one for one in before[1::2])
    User.objects.filter(pk=world.users["bo"].pk).update(name="")
    Payee.objects.update(name="")
    bank = open_account(kind="bank", owner=world.account.pk, currency=EUR)
    pot = open_account(kind="budget", owner=world.budget.pk, currency=EUR)
    post(kind="payment.received", scope="t", key="1", reference="x", happened_on=host_day(now), now=now,
         lines=[Line(bank, 1, "512"), Line(pot, -1, "7541")])  # fmt: skip
    assert files() == before
    assert len({bytes(one) for one in before}) == len(before)


def test_only_those_concerned_read_them(play: Play) -> None:
    world = play("receive")
    asked = {"year": world.today.year, "language": "fr"}
    for who in ("ana", "bo", "sacha"):
        with pytest.raises(Forbidden):
            host_report(actor=world.users[who], **asked)
    for who in ("ana", "bo"):
        with pytest.raises(NotFound):
            commons_report(actor=world.users[who], commons_id=world.commons.pk, **asked)
    assert commons_report(actor=world.users["sacha"], commons_id=world.commons.pk, **asked).tables
    assert organisation_report(actor=world.users["ana"], organisation_id=world.organisation.pk, **asked).tables
    for who in ("bo", "sacha"):
        with pytest.raises(NotFound):
            organisation_report(actor=world.users[who], organisation_id=world.organisation.pk, **asked)


@pytest.mark.parametrize("language", ["fr", "en"])
def test_the_pages_give_the_files(play: Play, sign_in: SignIn, language: str) -> None:
    world = play("settle")
    browser = sign_in(world.users["claire"])
    year = world.today.year
    listed = browser.get(f"/{language}/books/years/{year}/reports/").content.decode()
    for address in (
        f"/{language}/books/years/{year}/report/", f"/{language}/commons/{world.commons.pk}/years/{year}/",
        f"/{language}/organisations/{world.organisation.pk}/years/{year}/",
    ):  # fmt: skip
        assert address in listed
        page = browser.get(address)
        assert page.status_code == 200
        pdf, table = (browser.get(f"{address}?format={form}") for form in ("pdf", "csv"))
        assert (pdf.headers["Content-Type"], pdf.content[:4]) == ("application/pdf", b"%PDF")
        rows = list(csv.DictReader(io.StringIO(table.content.decode())))
        assert rows
        assert {row["currency"] for row in rows} == {EUR}
        assert browser.get(address.replace(f"/{year}/", "/1/")).status_code == 404
    assert ("100,00" if language == "fr" else "€100.00") in text_of(page)
