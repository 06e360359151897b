"""Rows of a spreadsheet as contributions: which column is what, and what each row says, or why it cannot be read."""

import re
from collections.abc import Iterable, Mapping, Sequence, Set
from dataclasses import dataclass, field
from datetime import date
from decimal import ROUND_HALF_UP, Decimal
from typing import Any

from django.utils import translation
from django.utils.translation import gettext_lazy as _

from backend.banking.formats.csv_layout import date_format_of, read_day, word_of
from backend.commons.words import EXPENSE, KINDS
from backend.core.durations import parse_duration
from backend.core.errors import DomainError, Invalid
from backend.core.money import parse_amount
from backend.web.sheets import Line

ROLES = {
    "worked_on": _("Day of the work"),
    "description": _("Work done"),
    "duration": _("Time spent"),
    "amount": _("Amount asked"),
    "kind": _("Kind of work"),
    "over_cap_reason": _("Why this much"),
    "evidence": _("Links that show it"),
    "person": _("Person"),
}
UNITS = {"hours": _("hours: 1.5 is 1 h 30"), "minutes": _("minutes: 90 is 1 h 30")}
# Headings in French and English, letters and figures only.
_WORDS = {
    "worked_on": "date jour day when quand datedutravail workedon datedecontribution dayofthework jourdutravail",
    "description": "description work tache task taches what quoi objet libelle travail travailfait workdone "
    "contribution details detail activite activity intitule commentaire comment",
    "duration": "heures heure hours hour duree duration temps time tempspasse timespent minutes minute nbheures "
    "nombredheures nbdheures dureeh dureeenheures dureeenminutes h min hoursspent",
    "amount": "montant amount retribution remuneration euros eur demande montantdemande amountasked asked retributions "
    "montanteur montanteneuros amounteur",
    "kind": "type kind categorie category nature kindofwork typedetravail typedecontribution",
    "evidence": "lien liens link links url preuve preuves evidence proof justificatif justificatifs",
    "person": "personne person nom name qui who contributeur contributrice contributor prenom membre member pseudo",
}
_ROLE_OF = {word: role for role, words in _WORDS.items() for word in words.split()}
_HEADINGS_WITHIN = 30
_HOURS = re.compile(r"([0-9]{1,4})(?:[.,]([0-9]{1,4}))?")


@dataclass(frozen=True, slots=True, kw_only=True)
class Columns:
    """What a person chose: the place of each role, and how days and durations are written."""

    places: Mapping[str, int]
    date_format: str
    unit: str
    kind: str
    me: str = ""

    def missing(self) -> bool:
        """Whether work could not be told from what is chosen."""
        return not {"worked_on", "description"} <= self.places.keys() or not {"duration", "amount"} & self.places.keys()

    def to_json(self) -> dict[str, Any]:
        """As it is kept with the import; not the name of the person."""
        return {
            "places": dict(self.places), "date_format": self.date_format, "unit": self.unit, "kind": self.kind,
        }  # fmt: skip


@dataclass(slots=True)
class Work:
    """What was read: for each row its line and what `declare` takes; the lines refused; those that are no work."""

    lines: list[int] = field(default_factory=list)
    items: list[dict[str, Any]] = field(default_factory=list)
    errors: dict[int, str] = field(default_factory=dict)
    left_out: list[int] = field(default_factory=list)
    of_others: list[int] = field(default_factory=list)
    known: int = 0

    def leave(self, places: Set[int]) -> None:
        """Leave out what is declared already."""
        self.known = len(places)
        self.lines = [line for place, line in enumerate(self.lines) if place not in places]
        self.items = [item for place, item in enumerate(self.items) if place not in places]


def headings(lines: Sequence[Line]) -> tuple[tuple[str, ...], Sequence[Line]]:
    """The row that names the columns, empty when none does, and the rows of the table."""
    for place, line in enumerate(lines[:_HEADINGS_WITHIN]):
        if len({role for cell in line.cells if (role := role_of(cell))}) >= 2:
            return line.cells, lines[place + 1 :]
    return (), lines


def role_of(heading: str) -> str:
    """What a heading says its column is; empty when nobody knows."""
    return _ROLE_OF.get(word_of(heading)) or _ROLE_OF.get(word_of(re.sub(r"\(.*\)", "", heading)), "")


def guess(heads: Sequence[str], rows: Sequence[Line], *, kind: str, me: str) -> Columns:
    """What the headings suggest; durations in minutes where their heading says so."""
    places: dict[str, int] = {}
    for place, heading in enumerate(heads):
        if (role := role_of(heading)) and role not in places:
            places[role] = place
    told = word_of(heads[places["duration"]]) if "duration" in places else ""
    days = [cell_of(row, places["worked_on"]) for row in rows] if "worked_on" in places else []
    return Columns(
        places=places, date_format=date_format_of(days), unit="minutes" if "min" in told else "hours", kind=kind, me=me
    )


def cell_of(row: Line, place: int | None) -> str:
    """A cell, empty where the row is shorter."""
    return row.cells[place] if place is not None and place < len(row.cells) else ""


def read_work(rows: Iterable[Line], columns: Columns, *, currency: str) -> Work:
    """Read each row; what cannot be read is said of its line."""
    kinds = _kinds()
    work = Work()
    for row in rows:
        cells = {role: cell_of(row, place) for role, place in columns.places.items()}
        if not cells["worked_on"] and not cells["description"]:
            work.left_out.append(row.number)
        elif cells.get("person") and columns.me and word_of(cells["person"]) != word_of(columns.me):
            work.of_others.append(row.number)
        else:
            try:
                item = _item(cells, columns, kinds, currency)
            except DomainError as refusal:
                work.errors[row.number] = str(refusal)
            else:
                work.lines.append(row.number)
                work.items.append(item)
    return work


def _item(cells: Mapping[str, str], columns: Columns, kinds: Mapping[str, str], currency: str) -> dict[str, Any]:
    kind = cells.get("kind", "")
    typed = cells.get("amount", "")
    return {
        "worked_on": _day(cells["worked_on"], columns.date_format),
        # One that nobody knows is refused by name, with those that there are.
        "kind": kinds.get(word_of(kind), kind) if kind else columns.kind,
        "minutes": _minutes(cells.get("duration", ""), columns.unit),
        "amount": parse_amount(typed, currency, minimum=0) if typed else 0,
        "description": cells["description"],
        "evidence": cells.get("evidence", "").split(),
        "over_cap_reason": cells.get("over_cap_reason", ""),
    }


def _day(text: str, date_format: str) -> date:
    day = read_day(text, "ymd") or read_day(text, date_format)
    if day is None:
        raise Invalid(
            "sheet_day",
            _("“%(day)s” is not a day: write it as 2026-03-31 or 31/03/2026.") % {"day": text[:30]},
            param="worked_on",
        )
    return day


def _minutes(text: str, unit: str) -> int:
    """Minutes of a duration; a plain figure is in the unit that the person chose, to the nearest minute."""
    plain = _HOURS.fullmatch(text.strip())
    if plain is None:
        return parse_duration(text)
    figure = Decimal(f"{plain[1]}.{plain[2] or 0}") * (60 if unit == "hours" else 1)
    return int(figure.quantize(Decimal(1), rounding=ROUND_HALF_UP))


def _kinds() -> dict[str, str]:
    """The kinds by their key and by their name in each language."""
    found = {word_of(key): key for key, _name in KINDS}
    for language in ("fr", "en"):
        with translation.override(language):
            found |= {word_of(str(name)): key for key, name in KINDS}
    return found | {"dev": "development", "frais": EXPENSE}
