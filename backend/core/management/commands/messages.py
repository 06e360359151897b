"""Keeps the French catalogue in step with the sources, without gettext's tools."""

import io
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from babel.messages.catalog import Catalog, Message
from babel.messages.extract import extract
from babel.messages.pofile import read_po, write_po
from django.conf import settings
from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.utils.translation.template import templatize

KEYWORDS: dict[str, Any] = {
    "_": None,
    "gettext": None,
    "gettext_lazy": None,
    "gettext_noop": None,
    "ngettext": (1, 2),
    "ngettext_lazy": (1, 2),
    "pgettext": ((1, "c"), 2),
    "pgettext_lazy": ((1, "c"), 2),
    "npgettext": ((1, "c"), 2, 3),
}
HEADER = "# The French words of Tronc. Same licence as the project."
PLACES = re.compile(r"%\(\w+\)[sd]|%[sd]|\{\w*\}")


def sources() -> Iterator[tuple[str, io.BytesIO]]:
    """Every Python file and template of the backend, as Python the extractor understands."""
    base: Path = settings.BASE
    for path in sorted(base.rglob("*.py")):
        if "migrations" not in path.parts:
            yield path.relative_to(base.parent).as_posix(), io.BytesIO(path.read_bytes())
    for path in sorted(base.rglob("templates/**/*")):
        if path.suffix in {".html", ".txt"}:
            text = templatize(path.read_text(encoding="utf-8"), origin=str(path))
            yield path.relative_to(base.parent).as_posix(), io.BytesIO(text.encode())


def hidden() -> list[str]:
    """Places where a marked string stands inside an f-string, in which no extractor sees it."""
    inside = re.compile(r"""f["'][^"']*\{_\(|\{(?:_|gettext|gettext_lazy)\(['"]""")
    return [
        f"inside an f-string: {path.relative_to(settings.BASE.parent)}"
        for path in sorted(settings.BASE.rglob("*.py"))
        if "migrations" not in path.parts and path.name != "messages.py" and inside.search(path.read_text("utf-8"))
    ]


def found() -> Catalog:
    """The catalogue of all the strings that the sources mark, without translations."""
    catalog = Catalog(charset="utf-8")
    for name, stream in sources():
        options = {"encoding": "utf-8"}
        for _line, message, _comments, context in extract("python", stream, keywords=KEYWORDS, options=options):
            catalog.add(message, None, locations=[(name, 0)], context=context)
    return catalog


def _same_places(text: str, originals: "list[str] | tuple[str, ...]") -> bool:
    """Whether a translation has the places of one of its forms: a French singular also serves zero."""
    places = set(PLACES.findall(text))
    return any(places == set(PLACES.findall(original)) for original in originals)


def faults(catalog: Catalog, wanted: Catalog) -> list[str]:
    """What is wrong with a catalogue: strings missing, untranslated, fuzzy, no longer used, or with other places."""
    said = []
    known: dict[Any, Message] = {(entry.id, entry.context): entry for entry in catalog if entry.id}
    needed = {(entry.id, entry.context) for entry in wanted if entry.id}
    for key, entry in known.items():
        texts = entry.string if isinstance(entry.string, (list, tuple)) else [entry.string]
        originals = entry.id if isinstance(entry.id, (list, tuple)) else [entry.id]
        if key not in needed:
            said.append(f"no longer used: {originals[0]!r}")
        elif entry.fuzzy:
            said.append(f"fuzzy: {originals[0]!r}")
        elif not all(texts):
            said.append(f"not translated: {originals[0]!r}")
        elif any(not _same_places(text or "", originals) for text in texts):
            said.append(f"other placeholders: {originals[0]!r}")
    said += [f"missing: {(key[0] if isinstance(key[0], str) else key[0][0])!r}" for key in needed - set(known)]
    return sorted(said)


class Command(BaseCommand):
    """`messages` updates backend/locale/fr; `messages --check` only says what is wrong with it."""

    help = "Update the French catalogue from the sources, or check it."
    requires_system_checks = []

    def add_arguments(self, parser: CommandParser) -> None:
        """Declare the arguments."""
        parser.add_argument("--check", action="store_true", help="write nothing; fail when something is to translate")

    def handle(self, *args: Any, **options: Any) -> None:
        """Update or check."""
        path = settings.LOCALE_PATHS[0] / "fr" / "LC_MESSAGES" / "django.po"
        wanted = found()
        if path.exists():
            with path.open("rb") as stream:
                catalog = read_po(stream, locale="fr")
        else:
            catalog = Catalog(locale="fr", charset="utf-8", fuzzy=False, header_comment=HEADER)
        if not options["check"]:
            catalog.update(wanted, no_fuzzy_matching=True)
            catalog.obsolete.clear()
            path.parent.mkdir(parents=True, exist_ok=True)
            with path.open("wb") as stream:
                write_po(stream, catalog, width=120, sort_output=True, no_location=True, omit_header=False)
        said = faults(catalog, wanted) + hidden()
        for sentence in said:
            self.stderr.write(sentence)
        if said and options["check"]:
            raise CommandError(f"{len(said)} strings of the French catalogue want attention: ./run manage messages")
        self.stdout.write(f"{len(catalog)} strings, {len(said)} to see to.")
