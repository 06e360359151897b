"""The one way to an export: the right to it, its days, its bytes as they are made."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from functools import partial
from typing import TYPE_CHECKING, Any

from django.utils.translation import gettext_lazy as _

from backend.core.errors import Invalid
from backend.events.services import record
from backend.exports import tables
from backend.exports.beancount import beancount
from backend.exports.extract import Extract, Names
from backend.exports.fec import BOOKS, fec, file_name, lawful, other_currency
from backend.exports.hledger import hledger
from backend.identity.models import User
from backend.identity.permissions import require
from backend.identity.services import fiscal_year, the_host
from backend.ledger.models import Posting
from backend.payees.services import booked_names

if TYPE_CHECKING:
    from backend.ledger.journal import SealedEntry

CHUNK = 64 * 1024


def _utf8(text: str) -> bytes:
    return text.encode()


@dataclass(frozen=True)
class Format:
    """One way to write the books: what people call it, what writes it, how its file is named and encoded."""

    label: Any
    write: Callable[[Extract], Iterator[str]]
    ending: str
    media_type: str = "text/plain; charset=utf-8"
    encode: Callable[[str], bytes] = _utf8
    lawful: bool = False  # a FEC: one fiscal year, in euros, under the name the law gives it


# A new format is one file and one line here.
FORMATS: dict[str, Format] = {
    "fec": Format(_("FEC"), fec, "txt", "text/plain; charset=iso-8859-15", lawful, lawful=True),
    "fec_utf8": Format(_("FEC in UTF-8"), fec, "txt", lawful=True),
    "hledger": Format(_("hledger journal"), hledger, "journal"),
    "beancount": Format(_("beancount journal"), beancount, "beancount"),
    "journal": Format(_("Journal (CSV)"), tables.journal, "journal.csv", "text/csv; charset=utf-8"),
    "balance": Format(_("Trial balance (CSV)"), tables.balance, "balance.csv", "text/csv; charset=utf-8"),
}


def export(
    *,
    actor: User,
    name: str,
    now: datetime,
    year: int | None = None,
    first: date | None = None,
    last: date | None = None,
) -> tuple[str, Iterator[bytes]]:
    """The sealed entries of a fiscal year, of some days, or of all time, in one of the FORMATS.

    Args: name: a key of FORMATS. year: the calendar year in which the fiscal year begins; then no first nor last.
        first, last: days on which the entries happened, both included; None for no limit.
    Returns: the file's name and its bytes, made while they are read (FORMATS[name].media_type says what they are). The
        same books give the same bytes: in a locked range, for ever.
    Raises: Forbidden; Invalid `export_unknown`, `export_range`, `export_year`; Conflict `fec_other_currency`.
    """
    require(actor, "ledger.read")
    form = FORMATS.get(name)
    if form is None:
        known = ", ".join(FORMATS)
        raise Invalid("export_unknown", _("Choose one of: %(known)s.") % {"known": known}, param="format")
    host = the_host()
    if year is not None:
        first, last = _year(year, host.fiscal_year_starts_on)
    elif form.lawful:
        raise Invalid("export_year", _("A FEC holds one fiscal year: say which."), param="year")
    if first and last and last < first:
        raise Invalid("export_range", _("The last day is before the first: nothing would be in it."), param="last")
    if form.lawful and last:
        _require_euros(last)
    yearly = first is not None and (first.day, first.month) == (1, host.fiscal_year_starts_on)
    record("books.exported", actor=actor, subject=host.pk, now=now, format=name, first=_text(first), last=_text(last))
    extract = Extract(
        siren=host.siren,
        first=first,
        last=last,
        yearly=yearly,
        entries=partial(_entries, first=first, last=last),
        before=partial(_entries, first=None, last=first - timedelta(days=1) if first else None),
        names=Names(lambda payee: booked_names([payee]).get(payee, [])),
    )
    return _named(form, extract), chunks(form.write(extract), form.encode)


def chunks(pieces: Iterator[str], encode: Callable[[str], bytes]) -> Iterator[bytes]:
    """Texts as bytes, some 64 KiB at a time."""
    held: list[str] = []
    size = 0
    for piece in pieces:
        held.append(piece)
        size += len(piece)
        if size >= CHUNK:
            yield encode("".join(held))
            held, size = [], 0
    if held:
        yield encode("".join(held))


def _entries(first: date | None, last: date | None) -> "Iterator[SealedEntry]":
    from backend.ledger.journal import sealed_entries

    return iter(sealed_entries(first=first, last=last))


def _year(year: int, starts_on: int) -> tuple[date, date]:
    try:
        return fiscal_year(year, starts_on=starts_on)
    except (ValueError, OverflowError):
        raise Invalid("export_year", _("This is not a year of the calendar."), param="year") from None


def _require_euros(last: date) -> None:
    """Refuse before the first byte: a file that stops half-way could be taken for the whole."""
    foreign = Posting.objects.exclude(currency=BOOKS).filter(entry__happened_on__lte=last, entry__seal__isnull=False)
    found = foreign.order_by("id").values_list("entry_id", "currency").first()
    if found:
        raise other_currency(*found)


def _named(form: Format, extract: Extract) -> str:
    if form.lawful and extract.last:
        name = file_name(extract.siren, extract.last)
        return name if form is FORMATS["fec"] else name.replace(".", "-utf8.")  # the law's name is for the law's file
    days = [f"{day}" for day in (extract.first, extract.last) if day]
    prefix = ["until"] if extract.last and not extract.first else ["from"] if extract.first and not extract.last else []
    return f"{'-'.join(['tronc', extract.siren, *prefix, *(days or ['all'])])}.{form.ending}"


def _text(day: date | None) -> str:
    return day.isoformat() if day else ""
