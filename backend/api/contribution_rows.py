"""The rows of `/v1/contributions`: what one may filter and expand, and how they are read."""

from collections.abc import Mapping
from functools import lru_cache
from typing import Any, cast

from django.db.models import Exists, F, OuterRef, QuerySet
from django.utils.translation import gettext_lazy as _
from rest_framework.request import Request

from backend.api import serialize
from backend.api.auth import caller
from backend.api.errors import fault
from backend.api.fields import FieldFaults, Reader, day, says, text
from backend.api.pagination import PAGING, choice
from backend.commons.models import Moderation
from backend.contributions.models import Contribution
from backend.core.reads import Given, Read
from backend.identity.models import ApiToken

EXPANDABLE = ("budget", "period")


@says(type="string", pattern="^(budget|period)(,(budget|period))*$", examples=["budget,period"])
def expansions(value: Any, pointer: str) -> tuple[str, ...]:
    """What to show whole instead of by its id: `budget`, `period`, or both with a comma."""
    names = tuple(dict.fromkeys(text(value, pointer).split(",")))
    if not set(names) <= set(EXPANDABLE):
        message = _("This cannot be expanded. Use: %(known)s.") % {"known": ", ".join(EXPANDABLE)}
        raise FieldFaults([fault("pointer", pointer, "parameter_invalid", message)])
    return names


EXPANDING: dict[str, Reader] = {"expand": expansions}
FILTERS: dict[str, Reader] = {
    **PAGING,
    **EXPANDING,
    "state": choice(dict(Contribution.STATES)),
    "budget": text,
    "kind": choice(dict(Contribution.KINDS)),
    "contributor": text,
    "source": text,
    "from": day,
    "to": day,
}
LOOKUPS = {
    "state": "state", "budget": "budget", "kind": "kind", "contributor": "contributor", "source": "source",
    "from": "worked_on__gte", "to": "worked_on__lt", "cursor": "pk__lt", "only": "budget__commons",
}  # fmt: skip


def newest(request: Request, wanted: Mapping[str, Any], size: int) -> list[Contribution]:
    """So many contributions that the caller and the restriction of the token leave, newest first.

    Args: wanted: what `FILTERS` read.
    """
    given = {name: value for name, value in wanted.items() if name in LOOKUPS}
    if given.get("contributor") == "me":
        given["contributor"] = caller(request).pk
    budgets = Contribution.budgets_seen(caller(request))
    if budgets is not None:
        given["budgets"] = budgets
    if cast(ApiToken, request.auth).only:
        given["only"] = cast(ApiToken, request.auth).only
    return _listed(frozenset(given), wanted.get("expand", ()), size)(person=caller(request).pk, **given)


@lru_cache(maxsize=256)
def _listed(given: frozenset[str], names: tuple[str, ...], size: int) -> Read[Contribution]:
    """What reads a page of the list, newest first; given: the filters, and `budgets` unless all of them are seen."""

    def rows(person: Given, **values: Given) -> "QuerySet[Contribution]":
        asked = {LOOKUPS[name]: value for name, value in values.items() if name in LOOKUPS}
        seen = Contribution.seen_by(person, values.get("budgets"))
        return loaded(seen.filter(**asked), names).order_by("-pk")[:size]

    return Read("person", *given, rows=rows)


def loaded(rows: "QuerySet[Contribution]", names: Any) -> "QuerySet[Contribution]":
    """With what its JSON names, in one query."""
    joins = {"budget": ("budget__commons",), "period": ("period",)}
    joined = rows.select_related(*(join for name in names for join in joins[name])) if names else rows
    hidden = Moderation.objects.filter(subject=OuterRef("pk"), field="description", lifted_at=None)
    # The name of the property, so that it asks for nothing.
    return joined.annotate(contributor_name=F("contributor__name"), withdrawn=Exists(hidden))  # type: ignore[no-redef]


def expanded(body: list[dict[str, Any]], rows: list[Contribution], names: Any) -> None:
    """Put things whole in the place of their ids."""
    for shown, row in zip(body, rows, strict=True):
        if "budget" in (names or ()):
            budget = row.budget
            shown["budget"] = {
                "id": budget.pk, "name": budget.name, "currency": budget.currency, "state": budget.state,
                "commons": {
                    "id": budget.commons_id, "slug": budget.commons.slug, "name": budget.commons.name,
                },
            }  # fmt: skip
        if "period" in (names or ()):
            shown["period"] = serialize.period(row.period)
