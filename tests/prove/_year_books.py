"""The books of the year that was lived: its end is written, its months are locked, it is handed over in every format.

Bank, ledger, FEC, hledger, beancount and tables say the same to the cent; the FEC passes `check_fec`; a second closing
changes nothing; every file of the locked year, and every report, is the same to the byte once a payer is forgotten.
"""

import tempfile
from datetime import date, timedelta
from pathlib import Path
from typing import Any

from tests.prove._year_checks import Wrong, same
from tests.prove._year_house import BEGINS, at

YEAR = BEGINS.year
LAST = date(YEAR, 12, 31)


def close_and_hand_over(house: Any, lived: date) -> dict[str, int]:
    """Close the first fiscal year after all was lived; returns the figures that were compared. Raises Wrong."""
    from backend.ledger.services import balance_on, entry_count, seal_due

    now = at(max(lived, LAST) + timedelta(days=10))
    figures = _write_its_end(house, now)
    while seal_due(now):
        pass
    _lock(house, now)
    count = entry_count()
    _nothing_twice(house, now)
    same("entries after closing a second time", entry_count(), count)
    before = _files(house, now)
    _agree(house, before)
    forgotten = _forget(house, now)
    while seal_due(now):
        pass
    after = _files(house, now + timedelta(days=40))
    for name, data in before.items():
        if after[name] != data:
            raise Wrong(f"{name} of the locked year changed when {forgotten} were forgotten")
    account = house.world.account
    return figures | {
        "on the bank account at the end of the year": balance_on(
            kind="bank", owner=account.pk, currency="EUR", day=LAST
        ),
        "files compared": len(before),
    }


def _write_its_end(house: Any, now: Any) -> dict[str, int]:
    """Dedicated funds: what is on the account of liabilities is what the pots hold, budget by budget."""
    from backend.ledger import chart
    from backend.ledger.services import balance_on, trial_balance
    from backend.transfers.year_end import decide_year_end, dedicated_funds, propose_year_end

    for one in dedicated_funds(YEAR):
        held = sum(
            sign * balance_on(kind=kind, owner=one.budget, currency="EUR", day=LAST)
            for kind, sign in (("budget", 1), ("reserve", 1), ("deficit", -1))
        )
        same(f"{one.budget} dedicated and held", one.closing, max(0, held))
    found = propose_year_end(actor=house.claire, kind="dedicated", year=YEAR, now=now)
    decide_year_end(actor=house.denis, year_end_id=found.pk, accept=True, digest=found.digest, now=now)
    closing = sum(one.closing for one in dedicated_funds(YEAR))
    booked = {row.chart: -row.balance for row in trial_balance(up_to=LAST)}
    same("dedicated funds and the ledger", closing, booked.get(chart.EARMARKED, 0))
    return {"dedicated at the end of the year": closing}


def _lock(house: Any, now: Any) -> None:
    from backend.ledger.services import ask_lock, lock, next_month

    while (month := next_month()) is not None and month <= LAST:
        asked = ask_lock(actor=house.claire, first_day=month, now=now)
        lock(actor=house.denis, closing_id=asked.pk, now=now)


def _nothing_twice(house: Any, now: Any) -> None:
    """What is written is not written again; what is locked is not locked again, and takes no entry."""
    from backend.core.errors import Conflict
    from backend.ledger.services import ask_lock
    from backend.transfers.models import YearEnd
    from backend.transfers.year_end import propose_year_end, undo_year_end

    found = YearEnd.objects.get(kind="dedicated", year=YEAR)
    for wanted, act in (
        ("year_written", lambda: propose_year_end(actor=house.denis, kind="dedicated", year=YEAR, now=now)),
        ("month_out_of_order", lambda: ask_lock(actor=house.claire, first_day=LAST.replace(day=1), now=now)),
        ("month_locked", lambda: undo_year_end(actor=house.claire, year_end_id=found.pk, reason="again", now=now)),
    ):
        try:
            act()
        except Conflict as refusal:
            same("the refusal of a second closing", refusal.code, wanted)
        else:
            raise Wrong(f"a second closing was not refused as {wanted}")


def _files(house: Any, now: Any) -> dict[str, bytes]:
    """Every file of the year: each format of the books, each report in both languages."""
    from backend.exports.report_files import report_file
    from backend.exports.reports import commons_report, host_report, organisation_report
    from backend.exports.services import FORMATS, export

    found = {}
    for name in FORMATS:
        file, data = export(actor=house.claire, name=name, year=YEAR, now=now)
        found[file] = b"".join(data)
    for language in ("fr", "en"):
        asked: dict[str, Any] = {"actor": house.claire, "year": YEAR, "language": language}
        reports = [host_report(**asked), commons_report(commons_id=house.world.commons.pk, **asked)]
        for organisation, _manager in house.organisations:
            reports.append(organisation_report(organisation_id=organisation.pk, **asked))
        for report in reports:
            same(f"{report.stem} final", report.final, True)
            found |= {f"{report.stem}.{form}": report_file(report, form) for form in ("pdf", "csv")}
    return found


def _agree(house: Any, files: dict[str, bytes]) -> None:
    """All formats give the trial balance of the ledger; the reports end at it too."""
    from accounting_fr.fec_check import check_fec

    from backend.core.money import to_decimal
    from backend.exports.reports import host_report
    from backend.ledger.services import trial_balance
    from tests.exports import readers

    wanted = {(row.chart, row.currency): to_decimal(row.balance, row.currency)
              for row in trial_balance(up_to=LAST) if row.balance}  # fmt: skip
    with tempfile.TemporaryDirectory() as folder:
        for name, data in files.items():
            if "-commons-" in name or "-host-" in name or "-organisation-" in name or name.endswith("utf8.txt"):
                continue
            if name.endswith(".txt"):
                report = check_fec(data, name, BEGINS, LAST)
                # Numbers follow the order of sealing, as the law says; days those of facts, which statements tell late.
                others = [told for told in report.warnings if "non chronologique" not in told]
                same("errors and warnings of check_fec", (report.errors, others), ([], []))
                told = readers.of_fec(data)
            elif name.endswith(".journal"):
                told = readers.of_hledger(data, Path(folder))
            elif name.endswith(".beancount"):
                told = readers.of_beancount(data, Path(folder))
            else:
                told = (readers.of_balance if name.endswith(".balance.csv") else readers.of_journal)(data)
            same(f"{name} and the ledger", told, wanted)
    tables = {table.key: table for table in host_report(actor=house.claire, year=YEAR, language="en").tables}
    held, whose = tables["held"].total, tables["whose"].total
    same("what the host holds and whose it is", held and held.amounts, whose and whose.amounts)


def _forget(house: Any, now: Any) -> int:
    """Erase all the people whom nothing hinders; one at least, or nothing was proved."""
    from backend.core.errors import Conflict
    from backend.privacy.erasure import SECOND_THOUGHTS, ask_erasure, erase_due

    asked = 0
    for person in [*house.people, house.world.users["bo"]]:
        try:
            ask_erasure(user=person, typed=person.email, now=now)
        except Conflict:
            continue
        asked += 1
    erase_due(now + SECOND_THOUGHTS)
    if not asked:
        raise Wrong("nobody could be forgotten")
    return asked
