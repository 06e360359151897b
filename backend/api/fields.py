"""Reads the fields of a JSON body by their exact types, and names each fault by its JSON pointer."""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any, TypeVar
from urllib.parse import urlsplit

from django.utils.translation import gettext_lazy as _

from backend.api.errors import Fault, Refused, fault
from backend.api.parsers import NotWhole, escaped, printable
from backend.core.durations import parse_duration
from backend.core.errors import Invalid
from backend.core.text import UNREADABLE, plain

MAX_FAULTS = 20
MAX_LIST = 100
BIGINT = 2**63
_DAY = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")


class FieldFaults(Exception):
    """What is wrong with one field, or with the fields inside it."""

    def __init__(self, faults: list[Fault]) -> None:
        """Keep the members of `errors`."""
        super().__init__(faults)
        self.faults = faults


Reader = Callable[[Any, str], Any]
Schema = dict[str, Any]
_R = TypeVar("_R", bound=Reader)


@dataclass(frozen=True)
class Optional:
    """A field that may be absent, and what it then is.

    needed: the domain refuses what it then is, once it has looked at the rights: the contract says that it is required.
    """

    read: Reader
    default: Any
    needed: bool = False


def says(**schema: Any) -> Callable[[_R], _R]:
    """Tell the JSON Schema of what a reader takes, for the contract of the API."""

    def noted(read: _R) -> _R:
        vars(read)["said"] = schema
        return read

    return noted


def schema_of(read: "Reader | Optional") -> Schema:
    """What a reader said. Raises: KeyError when it said nothing."""
    if not isinstance(read, Optional):
        return dict(vars(read)["said"])
    plain_default = read.default if isinstance(read.default, str | int | bool) and not read.needed else None
    return schema_of(read.read) | ({} if plain_default is None else {"default": plain_default})


def object_schema(readers: "Mapping[str, Reader | Optional]") -> Schema:
    """The schema of an object that these readers read: no other member is taken."""
    required = [name for name, read in readers.items() if not isinstance(read, Optional) or read.needed]
    return {
        "type": "object",
        "properties": {name: schema_of(read) for name, read in readers.items()},
        **({"required": required} if required else {}),
        "additionalProperties": False,
    }


def told(read: Reader, **more: Any) -> Reader:
    """The same reader, whose contract says more: what the domain checks after it, such as the words it knows."""

    @says(**{**schema_of(read), **more})
    def same(value: Any, pointer: str) -> Any:
        return read(value, pointer)

    return same


def wrong(pointer: str, code: str, detail: Any) -> FieldFaults:
    """One fault, to be raised."""
    return FieldFaults([fault("pointer", pointer, code, detail)])


@says(type="string")
def text(value: Any, pointer: str) -> str:
    """A text without control characters; the signs that turn its direction are left out."""
    if not isinstance(value, str):
        raise wrong(pointer, "wrong_type", _("This field is a text: write it between double quotes."))
    if UNREADABLE.search(value):
        raise wrong(pointer, "text_unreadable", _("This text holds characters that cannot be kept: remove them."))
    return plain(value)


def text_up_to(length: int) -> Reader:
    """A text of at most so many characters."""

    @says(type="string", maxLength=length)
    def read(value: Any, pointer: str) -> str:
        found = text(value, pointer)
        if len(found) > length:
            raise wrong(pointer, "text_too_long", _("Write at most %(length)s characters here.") % {"length": length})
        return found

    return read


@says(type="integer", format="int64")
def whole(value: Any, pointer: str) -> int:
    """An integer that PostgreSQL can keep; `1.0`, `1e3`, `"1"` and `true` are not integers here."""
    if isinstance(value, bool) or not isinstance(value, int | NotWhole):
        raise wrong(pointer, "wrong_type", _("This field is a whole number: write its figures without quotes."))
    if isinstance(value, NotWhole):
        raise wrong(
            pointer,
            "not_whole",
            _("“%(text)s” is not a whole number written in plain figures.") % {"text": printable(value.text)},
        )
    if not -BIGINT <= value < BIGINT:
        raise wrong(pointer, "out_of_range", _("This number is too large."))
    return value


@says(type="string", format="date")
def day(value: Any, pointer: str) -> date:
    """A calendar day, `2026-11-20`."""
    found = text(value, pointer)
    if _DAY.fullmatch(found):
        try:
            return date.fromisoformat(found)
        except ValueError:
            raise wrong(pointer, "not_a_day", _("There is no such day in the calendar.")) from None
    raise wrong(pointer, "not_a_day", _("Write the day as year-month-day, for instance 2026-11-20."))


@says(**{"$ref": "#/components/schemas/Money"})
def money(value: Any, pointer: str) -> tuple[int, str]:
    """An amount, `{"value": 4500, "currency": "EUR"}`: minor units and ISO 4217 code. The domain bounds it."""
    found = _members(value, {"value": whole, "currency": text}, pointer)
    return found["value"], found["currency"]


@says(type="array", items={"type": "string", "maxLength": 500}, maxItems=MAX_LIST)
def links(value: Any, pointer: str) -> list[str]:
    """A list of addresses; the domain says how many, and which schemes."""
    if not isinstance(value, list):
        raise wrong(pointer, "wrong_type", _("This field is a list: write it between square brackets."))
    if len(value) > MAX_LIST:
        raise wrong(pointer, "out_of_range", _("This list is too long."))
    found = []
    for place, one in enumerate(value):
        address = text(one, f"{pointer}/{place}")
        try:
            urlsplit(address)
        except ValueError:
            raise wrong(f"{pointer}/{place}", "evidence_not_a_link", _("This is not an http or https link.")) from None
        found.append(address)
    return found


def or_null(read: Reader) -> Reader:
    """The same field, or null."""

    @says(anyOf=[schema_of(read), {"type": "null"}])
    def read_or_null(value: Any, pointer: str) -> Any:
        return None if value is None else read(value, pointer)

    return read_or_null


@says(type="boolean")
def flag(value: Any, pointer: str) -> bool:
    """`true` or `false`."""
    if not isinstance(value, bool):
        raise wrong(pointer, "wrong_type", _("This field is true or false, without quotes."))
    return value


@says(type="string", maxLength=20, examples=["1h30", "1:30", "90"])
def duration(value: Any, pointer: str) -> int:
    """A duration as people write it, `1h30`, `1:30` or `90`, in minutes."""
    try:
        return parse_duration(text(value, pointer))
    except Invalid as refusal:
        raise wrong(pointer, refusal.code, refusal.message) from None


@says(type="object", maxProperties=20, additionalProperties={"type": "string", "maxLength": 500})
def texts(value: Any, pointer: str) -> dict[str, str]:
    """An object of texts; the domain says how many and how long."""
    if not isinstance(value, dict):
        raise wrong(pointer, "wrong_type", _("A JSON object is expected here: write it between braces."))
    if len(value) > MAX_LIST:
        raise wrong(pointer, "out_of_range", _("This list is too long."))
    return {text(name, pointer): text(one, f"{pointer}/{escaped(name)}") for name, one in value.items()}


def items(readers: "Mapping[str, Reader | Optional]", most: int = MAX_LIST) -> Reader:
    """A list of objects with these fields; the domain says how many."""

    @says(type="array", items=object_schema(readers), maxItems=most)
    def read(value: Any, pointer: str) -> list[dict[str, Any]]:
        if not isinstance(value, list):
            raise wrong(pointer, "wrong_type", _("This field is a list: write it between square brackets."))
        if len(value) > most:
            raise wrong(pointer, "out_of_range", _("This list is too long."))
        return [_members(one, readers, f"{pointer}/{place}") for place, one in enumerate(value)]

    return read


def _members(data: Any, readers: Mapping[str, Reader | Optional], pointer: str) -> dict[str, Any]:
    if not isinstance(data, dict):
        raise wrong(pointer, "wrong_type", _("A JSON object is expected here: write it between braces."))
    faults: list[Fault] = []
    for name in data:
        if len(faults) >= MAX_FAULTS:
            break  # no more are told: a megabyte of them would take seconds to write
        if name not in readers:
            told = _("There is no field “%(name)s” here. The fields are: %(known)s.")
            if not readers:
                told = _("There is no field “%(name)s” here: send an empty object.")
            detail = told % {"name": printable(name), "known": ", ".join(readers)}
            faults.append(fault("pointer", f"{pointer}/{escaped(name)}", "unknown_field", detail))
    found: dict[str, Any] = {}
    for name, reader in readers.items():
        here = f"{pointer}/{name}"
        if name not in data:
            if isinstance(reader, Optional):
                found[name] = reader.default
            else:
                faults.append(fault("pointer", here, "missing_field", _("This field is required.")))
            continue
        try:
            found[name] = (reader.read if isinstance(reader, Optional) else reader)(data[name], here)
        except FieldFaults as refusal:
            faults += refusal.faults
    if faults:
        raise FieldFaults(faults)
    return found


def read_fields(data: Any, readers: Mapping[str, Reader | Optional]) -> dict[str, Any]:
    """Read all the fields of a body, or refuse it with everything that is wrong with it at once.

    Args: data: what the parser gave. readers: name → reader; a plain reader makes the field required.
    Returns: name → value, for each of the readers.
    Raises: Refused 422 `invalid_fields` with at most MAX_FAULTS members in `errors`.
    """
    try:
        return _members(data, readers, "")
    except FieldFaults as refusal:
        first = refusal.faults[0]
        raise Refused(
            "invalid_fields",
            _("The body was not accepted, first because of %(place)s: %(detail)s Nothing was changed.")
            % {"place": first["pointer"] or "/", "detail": first["detail"]},
            status=422,
            faults=refusal.faults[:MAX_FAULTS],
        ) from None
