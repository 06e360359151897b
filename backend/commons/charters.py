"""Reads and validates the document of a charter: every fault has its path and its reason."""

import json
from collections.abc import Mapping
from typing import Any

from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from backend.allocation.rules import RULES
from backend.commons.charter_schema import (
    ALL_BP,
    FORMAT,
    PPM,
    UPSTREAM_BP,
    complete,
    path_of,
    schema_faults,
)
from backend.commons.models import Budget
from backend.core.errors import Invalid

MAX_BYTES = 64 * 1024
MAX_DEPTH = 12
Faults = list[tuple[str, str]]


class CharterInvalid(Invalid):
    """A document that cannot be a charter, with all that is wrong in it: (path, sentence)."""

    def __init__(self, faults: Faults) -> None:
        """The first fault is the message; its path is the field."""
        path, sentence = faults[0]
        super().__init__("charter_invalid", f"{path}: {sentence}" if path else sentence, param=path or "document")
        self.faults = faults


def read_document(text: str | bytes) -> dict[str, Any]:
    """Read the JSON text of a charter, without judging what it says.

    Raises: CharterInvalid on a text that is too long or too deep, is not JSON, names a member twice, or has fractions.
    """
    data = text.encode() if isinstance(text, str) else text
    if len(data) > MAX_BYTES:
        raise CharterInvalid([("", _("The document is too long: 64 kB at most."))])
    faults: Faults = []

    def members(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        found: dict[str, Any] = {}
        for name, value in pairs:
            if name in found:
                faults.append((name[:60], _("This member is written twice.")))
            found[name] = value
        return found

    def refuse(number: str) -> int:
        faults.append(("", _("%(number)s: write whole numbers only, without decimals.") % {"number": number[:40]}))
        return 0

    try:
        value = json.loads(data, object_pairs_hook=members, parse_float=refuse, parse_constant=refuse)
    except RecursionError:
        raise CharterInvalid([("", _("The document is too deep."))]) from None
    except ValueError as error:  # not JSON, not UTF-8, or a number of thousands of figures
        line = getattr(error, "lineno", 0)
        said = _("This is not JSON: see line %(line)s.") % {"line": line} if line else _("This is not JSON.")
        raise CharterInvalid([("", said)]) from None
    if faults:
        raise CharterInvalid(faults)
    try:
        json.dumps(value, ensure_ascii=False).encode()
    except UnicodeEncodeError:  # half of a character, written as an escape
        raise CharterInvalid([("", _("This text cannot be written in UTF-8."))]) from None
    if not isinstance(value, dict):
        raise CharterInvalid([("", _("Write %(what)s here.") % {"what": _("an object between braces")})])
    return value


def default_document(
    *,
    rule: str = "claims_pro",
    approvals: int = 1,
    hard_cap: int | None = None,
    transfer_threshold: int = 0,
) -> dict[str, Any]:
    """The document of a simple charter: one tier, every kind of work counts alike, periods keep their length.

    Args: rule: a key of allocation's RULES. approvals: how many stewards validate a contribution. hard_cap: the largest
        request, minor units. transfer_threshold: transfers above this many minor units take two people.
    Raises: Invalid `rule_unknown`.
    """
    if rule not in RULES:
        raise Invalid("rule_unknown", gettext_lazy("This distribution rule is not known."), param="rule")
    return complete(
        {
            "format": FORMAT,
            "tiers": [{"id": "general", "rule": rule, "take": {"rest": True}}],
            "review": {"mode": "approvals", "approvals": approvals},
            "hard_cap": hard_cap,
            "transfer_threshold": transfer_threshold,
        }
    )


def valid_document(document: Mapping[str, Any], *, budget: Budget | None = None) -> dict[str, Any]:
    """The complete document of a charter, every absent member at its default.

    Args: budget: whose charter it would be; None for a commons that is being created, which sends nothing upstream yet.
    Raises: CharterInvalid with every fault: those of the schema, or else those of the sense.
    """
    faults = _too_deep(document) or list(schema_faults(document))
    if faults:
        raise CharterInvalid(faults)
    found = complete(dict(document))
    faults = [
        *_of_tiers(found),
        *_of_rates(found),
        *_of_amounts(found),
        *_of_upstream(found, budget),
        *_of_closing(found),
    ]
    if faults:
        raise CharterInvalid(faults)
    return found


def _too_deep(value: Any) -> Faults:
    """Before anything walks a document: nothing in a charter is deeper than this."""
    level, depth = [value], 0
    while level:
        if depth > MAX_DEPTH:
            return [("", _("The document is too deep."))]
        inner: list[Any] = []
        for one in level:
            if isinstance(one, Mapping):
                inner += one.values()
            elif isinstance(one, list | tuple):
                inner += one
        level, depth = inner, depth + 1
    return []


def _of_closing(document: Mapping[str, Any]) -> Faults:
    """Rolling closings serve requests in their order: under any other rule the first to be there would take it all."""
    if "every_days" not in document.get("closing", {}):
        return []
    if all(tier["rule"] == "as_asked" for tier in document["tiers"]):
        return []
    said = _("Periods close every few days only where requests are served in the order of validation: give each tier "
             "that rule (as_asked), or let people or the calendar close periods.")  # fmt: skip
    return [("closing.mode", said)]


def _of_tiers(document: Mapping[str, Any]) -> Faults:
    faults: Faults = []
    tiers, seen = document["tiers"], set()
    for number, tier in enumerate(tiers):
        if tier["id"] in seen:
            faults.append((path_of(["tiers", number, "id"]), _("Another tier has this name.")))
        seen.add(tier["id"])
        for place, kind in enumerate(tier["kinds"] or ()):
            if kind not in document["kinds"]:
                said = _("The charter has no kind “%(kind)s”: add it to its kinds or take it away here.")
                faults.append((path_of(["tiers", number, "kinds", place]), said % {"kind": kind}))
        # What is given back is outside floors and ceilings: there the two do not meet.
        if tier["rule"] == "as_asked" and document["bounds"]["floor"] and not tier["reimburses"]:
            said = _("Requests served in the order of validation (as_asked) have no floors: "
                     "set the floor (bounds.floor) to 0.")  # fmt: skip
            faults.append((path_of(["tiers", number, "rule"]), said))
    if tiers[-1]["take"] != {"rest": True}:
        said = _('The last tier shares all that is left: write {"rest": true}.')
        faults.append((path_of(["tiers", len(tiers) - 1, "take"]), said))
    return faults


def _of_rates(document: Mapping[str, Any]) -> Faults:
    said = _("The charter has no kind “%(kind)s”: add it to its kinds or take it away here.")
    return [
        (path_of(["rates", kind]), said % {"kind": kind})
        for kind in document.get("rates", ())
        if kind not in document["kinds"]
    ]


def _of_amounts(document: Mapping[str, Any]) -> Faults:
    faults: Faults = []
    bounds, soft, hard = document["bounds"], document["soft_cap"], document["hard_cap"]
    if bounds["ceiling"] is not None and bounds["floor"] > bounds["ceiling"]:
        faults.append(("bounds.floor", _("The floor is above the ceiling.")))
    if soft is not None and hard is not None and soft > hard:
        faults.append(("soft_cap", _("The amount above which a request says why is larger than the largest request.")))
    if document["reserve"]["bp"] + sum(edge["bp"] for edge in document["upstream"]) > ALL_BP:
        faults.append(("reserve.bp", _("With what goes to other commons, the reserve would take more than all.")))
    table = document["decay_ppm"]
    for age in range(1, len(table)):
        if table[age] > table[age - 1]:
            said = _("Older work never counts more than newer work.")
            faults.append((path_of(["decay_ppm", age]), said))
    if not table[0]:
        said = _("The work of the period itself must count: from 1 to %(most)s.") % {"most": PPM}
        faults.append(("decay_ppm[0]", said))
    return faults


def _of_upstream(document: Mapping[str, Any], budget: Budget | None) -> Faults:
    faults: Faults = []
    edges = document["upstream"]
    if sum(edge["bp"] for edge in edges) > UPSTREAM_BP:
        faults.append(("upstream", _("Half of what comes in can go upstream at most: 5000 basis points in all.")))
    pots = Budget.objects.in_bulk([edge["to"] for edge in edges])
    seen: set[str] = set()
    for number, edge in enumerate(edges):
        said = _why_not(pots.get(edge["to"]), budget)
        if edge["to"] in seen:
            said = _("This budget is named twice.")
        seen.add(edge["to"])
        if said:
            faults.append((path_of(["upstream", number, "to"]), said))
    return faults


def _why_not(target: Budget | None, budget: Budget | None) -> str:
    """Why money cannot go upstream from one budget to another; empty when it can."""
    if target is None:
        return _("There is no such budget.")
    if budget is not None and target.commons_id == budget.commons_id:
        return _("This budget is of the same commons: use a transfer.")
    if target.state != "open":
        return _("This budget is not open.")
    if budget is not None and target.currency != budget.currency:
        return _("This budget is kept in another currency.")
    return ""
