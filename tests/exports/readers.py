"""Reads exports back with the tools they are made for: (number of the chart, currency) → debits less credits."""

import csv
import io
import os
import shutil
import subprocess
import sys
from decimal import Decimal
from pathlib import Path

import pytest
from beancount import loader
from beancount.core.data import Transaction

Totals = dict[tuple[str, str], Decimal]


def hledger_program() -> str:
    """hledger; without it the test fails where it is required, and is skipped with its reason elsewhere."""
    found = shutil.which("hledger")
    if found is None:
        message = "hledger is not installed (Debian: apt-get install hledger): its check of the journal was not made"
        if os.environ.get("TRONC_REQUIRE_HLEDGER"):
            pytest.fail(message)
        pytest.skip(message)
    return found


def of_hledger(data: bytes, folder: Path) -> Totals:
    """What `hledger balance` says of a journal that `hledger check --strict` accepts."""
    program, path = hledger_program(), folder / "books.journal"
    path.write_bytes(data)
    environment = {**os.environ, "LC_ALL": "C.UTF-8"}
    strictly = [program, "-f", path, "check", "--strict"]
    check = subprocess.run(strictly, capture_output=True, check=False, env=environment)
    assert (check.returncode, check.stderr.decode()) == (0, "")
    wanted = [program, "-f", path, "balance", "--flat", "--no-total", "--empty", "--output-format", "csv"]
    rows = csv.DictReader(
        io.StringIO(subprocess.run(wanted, capture_output=True, check=True, env=environment).stdout.decode())
    )
    totals: Totals = {}
    for row in rows:
        for amount in row["balance"].split(", "):
            value, _, currency = amount.partition(" ")
            _add(totals, row["account"].split(":")[1], currency, Decimal(value))
    return _held(totals)


def of_beancount(data: bytes, folder: Path) -> Totals:
    """What beancount adds up of a journal that `bean-check` accepts."""
    path = folder / "books.beancount"
    path.write_bytes(data)
    check = subprocess.run([Path(sys.executable).with_name("bean-check"), path], capture_output=True, check=False)
    assert (check.returncode, check.stdout.decode() + check.stderr.decode()) == (0, "")
    entries, errors, _options = loader.load_string(data.decode())
    assert errors == []
    totals: Totals = {}
    for entry in entries:
        if isinstance(entry, Transaction):
            for posting in entry.postings:
                assert posting.units is not None
                assert posting.units.number is not None
                _add(totals, posting.account.split(":")[1], posting.units.currency, posting.units.number)
    return _held(totals)


def of_journal(data: bytes) -> Totals:
    """The sums of the journal's table."""
    totals: Totals = {}
    for row in csv.DictReader(io.StringIO(data.decode(), newline="")):
        _add(totals, row["account"], row["currency"], Decimal(row["debit"] or 0) - Decimal(row["credit"] or 0))
    return _held(totals)


def of_balance(data: bytes) -> Totals:
    """The last column of the trial balance."""
    rows = csv.DictReader(io.StringIO(data.decode(), newline=""))
    return _held({(row["account"], row["currency"]): Decimal(row["balance"]) for row in rows})


def of_fec(data: bytes) -> Totals:
    """The sums of a FEC, its numbers as they are in the chart."""
    totals: Totals = {}
    for row in csv.DictReader(io.StringIO(data.decode("iso8859-15"), newline=""), delimiter="\t"):
        value = Decimal(row["Debit"].replace(",", ".")) - Decimal(row["Credit"].replace(",", "."))
        _add(totals, {"580": "58"}.get(row["CompteNum"], row["CompteNum"]), "EUR", value)
    return _held(totals)


def _add(totals: Totals, number: str, currency: str, value: Decimal) -> None:
    totals[number, currency] = totals.get((number, currency), Decimal(0)) + value


def _held(totals: Totals) -> Totals:
    return {key: value for key, value in totals.items() if value}
