"""The JSON Schema of a charter, built from the rules and kinds that exist, and what it says of a document in words."""

import re
from collections.abc import Iterator, Sequence
from functools import cache
from typing import Any

from django.utils.translation import gettext as _
from jsonschema import Draft202012Validator
from jsonschema.exceptions import ValidationError
from jsonschema.validators import extend

from backend.allocation.rules import RULES
from backend.commons.words import EXPENSE, KINDS
from backend.core.money import MAX_AMOUNT

FORMAT = 1
WHOLE, LEFT = "whole", "left"
MILLI, PPM, ALL_BP, UPSTREAM_BP = 1000, 1_000_000, 10_000, 5_000
Schema = dict[str, Any]


def _whole(low: int, high: int, default: int, said: str) -> Schema:
    return {"type": "integer", "minimum": low, "maximum": high, "default": default, "description": said}


def _or_null(low: int, high: int, said: str) -> Schema:
    return {"type": ["integer", "null"], "minimum": low, "maximum": high, "default": None, "description": said}


def _object(said: str, *required: str, default: Any = None, **members: Schema) -> Schema:
    found: Schema = {
        "type": "object", "description": said, "properties": members, "additionalProperties": False,
    }  # fmt: skip
    if required:
        found["required"] = list(required)
    if default is not None:
        found["default"] = default
    return found


def _only(**members: Schema) -> Schema:
    return {"type": "object", "properties": members, "required": list(members), "additionalProperties": False}


def _takes() -> Schema:
    part = {"type": "integer", "minimum": 1, "maximum": ALL_BP}
    return {
        "description": "What the tier may share: all that is left, an amount in minor units, or basis points of the "
        "whole or of what is left.",
        "default": {"rest": True},
        "oneOf": [
            _only(rest={"const": True}),
            _only(cents={"type": "integer", "minimum": 1, "maximum": MAX_AMOUNT}),
            _only(bp=part, of={"enum": [WHOLE, LEFT]}),
        ],
    }


def _tier() -> Schema:
    return _object(
        "Tiers share in their order; what one does not use falls to the next.",
        "id", "rule",
        id={"type": "string", "pattern": "^[a-z][a-z0-9_-]{0,31}$"},
        rule={"enum": sorted(RULES)},
        kinds={
            "type": ["array", "null"], "minItems": 1, "uniqueItems": True, "default": None,
            "items": {"enum": [kind for kind, _name in KINDS]},
            "description": "The kinds of work it looks at; null: all those of the charter.",
        },
        take=_takes(),
        reimburses={
            "type": "boolean", "default": False,
            "description": "Gives back what people spent: outside floors and ceilings.",
        },
    )  # fmt: skip


def _period() -> Schema:
    return {
        "description": "How long periods are from the next one on; null: as they were.",
        "default": None,
        "oneOf": [
            {"type": "null"},
            _only(months={"type": "integer", "minimum": 1, "maximum": 24}),
            _only(days={"type": "integer", "minimum": 1, "maximum": 731}),
        ],
    }


def _review() -> Schema:
    number = {"type": "integer", "minimum": 1, "maximum": 9}
    return {
        "description": "Who validates work: so many stewards, or everyone who does not object within so many days.",
        "default": {"mode": "approvals", "approvals": 1},
        "oneOf": [
            _only(mode={"const": "approvals"}, approvals=number),
            _only(mode={"const": "consent"}, days={"type": "integer", "minimum": 1, "maximum": 90}),
        ],
    }


def _closing() -> Schema:
    return {
        "description": "Who closes periods. Absent: people. `automatic`: by itself, so many days after the last day. "
        "`rolling`: every so many days, once validated requests and money are there; only where one tier shares "
        "`as_asked`.",
        "oneOf": [
            _only(mode={"const": "automatic"}, days_after={"type": "integer", "minimum": 0, "maximum": 60}),
            _only(mode={"const": "rolling"}, every_days={"type": "integer", "minimum": 1, "maximum": 31}),
        ],
    }


def _rate() -> Schema:
    return {"type": "integer", "minimum": 1, "maximum": MAX_AMOUNT}


def default_kinds() -> dict[str, int]:
    """Every kind of work counts alike; expenses are for charters that say how they are given back."""
    return {kind: MILLI for kind, _name in KINDS if kind != EXPENSE}


@cache
def charter_schema() -> Schema:
    """The JSON Schema (Draft 2020-12) of format 1. Amounts are minor units of the budget's currency."""
    top = _object(
        "Amounts are whole numbers of minor units of the budget's currency (cents), parts are basis points.",
        "format", "tiers",
        format={"const": FORMAT},
        tiers={"type": "array", "minItems": 1, "maxItems": 20, "items": _tier()},
        kinds={
            "type": "object", "minProperties": 1, "default": default_kinds(),
            "description": "The kinds that can be declared, each with its coefficient in thousandths.",
            "properties": {kind: {"type": "integer", "minimum": 0, "maximum": 100_000} for kind, _name in KINDS},
            "additionalProperties": False,
        },
        rates={
            "type": "object", "minProperties": 1,
            "description": "What an hour of a kind is usually worth: a suggestion while declaring, read by no rule.",
            "properties": {kind: _rate() for kind, _name in KINDS if kind != EXPENSE},
            "additionalProperties": False,
        },
        minutes_a_day=_whole(1, 1440, 420, "How many minutes a day of work has."),
        decay_ppm={
            "type": "array", "minItems": 1, "maxItems": 60, "default": [PPM],
            "items": {"type": "integer", "minimum": 0, "maximum": PPM},
            "description": "What work counts by its age in periods, in millionths; beyond the table it counts nothing.",
        },
        catch_up_periods=_or_null(1, 1000, "How many periods the rule catch_up looks back; null: all of them."),
        bounds=_object(
            "Limits of what one person receives in one period.",
            default={"floor": 0, "ceiling": None, "ceiling_bp": None, "hourly_cap": None},
            floor=_whole(0, MAX_AMOUNT, 0, "At least, for whoever has validated work."),
            ceiling=_or_null(1, MAX_AMOUNT, "At most."),
            ceiling_bp=_or_null(1, ALL_BP, "At most this part of what is shared."),
            hourly_cap=_or_null(1, MAX_AMOUNT, "At most this for each validated hour."),
        ),
        cut_claims_at_pot={
            "type": "boolean", "default": False,
            "description": "Whether a request above all that is shared counts as that much only.",
        },
        soft_cap=_or_null(1, MAX_AMOUNT, "Above it a request says why."),
        hard_cap=_or_null(1, MAX_AMOUNT, "No request is above it."),
        reserve=_object(
            "What is set aside before sharing.", default={"bp": 0, "target": None},
            bp=_whole(0, ALL_BP, 0, "Of what came in."),
            target=_or_null(1, MAX_AMOUNT, "Until the reserve holds this; null: without end."),
        ),
        upstream={
            "type": "array", "maxItems": 50, "default": [],
            "description": "What goes to the commons this one depends on, straight on what came in: 5000 in all.",
            "items": _object(
                "One of them.", "to", "bp",
                to={"type": "string", "pattern": "^bud_[0-9A-Z]{36}$"},
                bp={"type": "integer", "minimum": 1, "maximum": UPSTREAM_BP},
            ),
        },
        min_edge=_whole(0, MAX_AMOUNT, 100, "An upstream part below this is not sent."),
        earmarks=_object(
            "How the money of envelopes that follow this charter is shared.",
            default={"weights": "add", "leftover": "hold"},
            weights={"enum": ["add", "offset", "exclude"], "default": "add"},
            leftover={"enum": ["hold", "release"], "default": "hold"},
        ),
        minimum_payout=_whole(0, MAX_AMOUNT, 0, "Below this nobody is paid yet: it stays due."),
        unpaid=_object(
            "What becomes of the part of a request that could not be paid.", default={"carry_periods": 0},
            carry_periods=_whole(0, 24, 0, "For how many periods it stays a request."),
        ),
        review=_review(),
        objections=_object(
            "How many uninvolved stewards settle an objection.", default={"settled_by": 1},
            settled_by=_whole(1, 9, 1, "How many."),
        ),
        period=_period(),
        closing=_closing(),
        publication_days=_whole(0, 90, 0, "How many days a distribution is shown before it can be approved."),
        transfer_threshold=_whole(0, MAX_AMOUNT, 0, "Up to this one person may move money to another budget."),
        declare={"enum": ["members", "everyone"], "default": "members"},
    )  # fmt: skip
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "Charter of a budget, format 1",
        **top,
    }


def complete(document: dict[str, Any], schema: Schema | None = None) -> dict[str, Any]:
    """A valid document with each absent member at its default, at every level; one that has no default stays absent."""
    schema = schema or charter_schema()
    found: dict[str, Any] = {}
    for name, member in schema["properties"].items():
        if name in document:
            found[name] = _completed(document[name], member)
        elif "default" in member and name not in schema.get("required", ()):
            found[name] = _completed(member["default"], member)
    return found


def _completed(value: Any, schema: Schema) -> Any:
    if isinstance(value, list):
        return [_completed(one, schema.get("items", {})) for one in value]
    if not isinstance(value, dict):
        return value
    if "oneOf" in schema or schema.get("minProperties"):  # exactly one shape, or a table: nothing to add
        return dict(value)
    return complete(value, schema)


# One and 1.0 are the same number to JSON Schema; a charter counts in whole numbers only.
_CHECKER = Draft202012Validator.TYPE_CHECKER.redefine(
    "integer", lambda _checker, value: isinstance(value, int) and not isinstance(value, bool)
)


def _pattern(_validator: Any, pattern: str, instance: Any, _schema: Schema) -> Iterator[ValidationError]:
    """The whole text, as in the language of the standard: Python's `$` would let a line break pass."""
    if isinstance(instance, str) and not re.fullmatch(pattern, instance):
        yield ValidationError(f"{instance!r} does not match {pattern!r}")


_Validator = extend(Draft202012Validator, {"pattern": _pattern}, type_checker=_CHECKER)


def schema_faults(document: Any) -> Iterator[tuple[str, str]]:
    """(path, sentence in the language of the moment) of each place where a document leaves the schema."""
    for error in sorted(_Validator(charter_schema()).iter_errors(document), key=lambda one: list(map(str, one.path))):
        yield from _told(error)


def path_of(parts: Sequence[str | int]) -> str:
    """A place in a document as it is written in most languages: `tiers[0].rule`."""
    text = ""
    for part in parts:
        text += f"[{part}]" if isinstance(part, int) else f".{part}" if text else str(part)
    return text


def _told(error: ValidationError) -> Iterator[tuple[str, str]]:
    where, keyword, wanted = list(error.absolute_path), str(error.validator), error.validator_value
    if keyword == "required":
        for name in (name for name in wanted if name not in error.instance):
            yield path_of([*where, name]), _("This member is missing.")
    elif keyword == "additionalProperties":
        known = sorted(error.schema["properties"])
        for name in (name for name in error.instance if name not in known):
            said = _("There is nothing of this name here. Use: %(known)s.") % {"known": ", ".join(known)}
            yield path_of([*where, str(name)[:60]]), said
    elif keyword == "oneOf":
        yield _one_of(error, where)
    else:
        yield path_of(where), _sentence(keyword, wanted, error.instance)


def _one_of(error: ValidationError, where: list[str | int]) -> tuple[str, str]:
    """Of the shapes that were possible, the one whose members were written tells what is wrong with them."""
    shapes = error.schema["oneOf"]
    for number, shape in enumerate(shapes):
        if isinstance(error.instance, dict) and set(shape.get("required", ())) == set(error.instance):
            inner = [one for one in error.context or () if one.relative_schema_path[0] == number]
            told = [found for one in inner if one.validator != "const" for found in _told(one)]
            if told:
                return told[0]
    return path_of(where), _("Write it in one of these ways: %(ways)s.") % {
        "ways": _(" or ").join(_shown(shape) for shape in shapes)
    }


def _shown(shape: Schema) -> str:
    if shape.get("type") == "null":
        return "null"
    texts = []
    for name, member in shape["properties"].items():
        value = member.get("const", member.get("minimum"))
        if "enum" in member:
            value = "/".join(member["enum"])
        texts.append(f'"{name}": ' + ("true" if value is True else f'"{value}"' if isinstance(value, str) else "n"))
    return "{" + ", ".join(texts) + "}"


def _sentence(keyword: str, wanted: Any, found: Any) -> str:
    """What a value must be, by the keyword of the schema that it does not satisfy."""
    if keyword == "type":
        names = {
            "integer": _("a whole number in plain figures"), "null": _("null"), "boolean": _("true or false"),
            "string": _("a text"), "array": _("a list"), "object": _("an object between braces"),
        }  # fmt: skip
        kinds = [wanted] if isinstance(wanted, str) else wanted
        return _("Write %(what)s here.") % {"what": _(" or ").join(names[kind] for kind in kinds)}
    if keyword in {"enum", "const"}:
        known = ", ".join(str(one) for one in wanted) if keyword == "enum" else str(wanted)
        return _("“%(found)s” is not known here. Use: %(known)s.") % {"found": str(found)[:40], "known": known}
    values = {"wanted": str(wanted), "found": str(found)[:40]}
    sentences = {
        "minimum": _("%(found)s is too small: %(wanted)s at least."),
        "maximum": _("%(found)s is too large: %(wanted)s at most."),
        "minItems": _("This list is too short: %(wanted)s at least."),
        "maxItems": _("This list is too long: %(wanted)s at most."),
        "minProperties": _("Choose or write at least %(wanted)s."),
        "uniqueItems": _("The same is written twice."),
        "pattern": _("“%(found)s” is not written as it must be: %(wanted)s."),
    }
    return sentences[keyword] % values
