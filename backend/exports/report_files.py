"""A yearly report as a file: PDF made by typst, or CSV. The same report gives the same bytes."""

from datetime import UTC, datetime, time
from typing import Any

from django.utils import translation
from django.utils.translation import gettext as _

from backend.core.money import decimal_text, format_money
from backend.documents.body import day_text
from backend.documents.rendering import REPORT, pdf_of
from backend.exports.reports import Report, Row, Table
from backend.exports.tables import csv_row, safe_text
from backend.identity.services import the_host

COLUMNS = ("table", "key", "label", "figure", "currency", "amount")
MEDIA = {"pdf": "application/pdf", "csv": "text/csv; charset=utf-8"}


def report_file(report: Report, form: str) -> bytes:
    """The bytes of a report. Args: form: pdf or csv."""
    return _pdf(report) if form == "pdf" else _csv(report).encode()


def _csv(report: Report) -> str:
    """One row per figure, in plain decimals; totals have the key `total` or `end`."""
    rows = [csv_row(COLUMNS)]
    for table in report.tables:
        for row in [*table.rows, *([table.total] if table.total else [])]:
            for head, amount in zip(table.heads[1:], row.amounts, strict=True):
                rows.append(csv_row((
                    table.key, row.key, safe_text(row.label), safe_text(head), table.currency,
                    decimal_text(amount, table.currency),
                )))  # fmt: skip
    return "".join(rows)


def _pdf(report: Report) -> bytes:
    with translation.override(report.language):
        days = _("From %(first)s to %(last)s") % {
            "first": day_text(report.first, report.language), "last": day_text(report.last, report.language),
        }  # fmt: skip
        body: dict[str, Any] = {
            "language": report.language,
            "title": f"{report.title} {_year(report)}",
            "subject": report.name,
            "host": the_host().name,
            "days": days,
            "tables": [_table(table, report.language) for table in report.tables],
            "notes": report.notes,
            "page": _("page {page} of {pages}"),
        }
    # The day the year ended: the same figures give the same bytes whenever the file is made.
    return pdf_of(body, issued_at=datetime.combine(report.last, time(12), UTC), template=REPORT)


def _year(report: Report) -> str:
    return f"{report.year}" if report.first.year == report.last.year else f"{report.first.year}–{report.last.year}"


def _table(table: Table, language: str) -> dict[str, Any]:
    def cells(row: Row) -> list[str]:
        return [row.label, *(format_money(amount, table.currency, language) for amount in row.amounts)]

    return {
        "head": f"{table.head} ({table.currency})",
        "heads": table.heads,
        "rows": [cells(row) for row in table.rows],
        "total": cells(table.total) if table.total else [],
    }
