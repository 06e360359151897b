"""What the screens of approval say while a second treasurer lacks; a public text as the public reads it."""

from typing import Any

from django import template

from backend.commons import life
from backend.identity.roles import able_treasurers

register = template.Library()


@register.inclusion_tag("people/lacking.html")
def second_treasurer() -> dict[str, Any]:
    """A sentence that says how to name a second treasurer, while fewer than two can act; nothing otherwise."""
    return {"lacking": len(able_treasurers()) < 2}


@register.filter
def withdrawn(row: Any, field: str) -> bool:
    """Whether the public no longer reads a text of a row; its own people still do."""
    return life.Veil([row.pk]).hides(row.pk, field)


@register.filter
def shown(row: Any, field: str) -> str:
    """A public text of a row: itself, or why it is withdrawn and where to object."""
    return life.shown(row.pk, field, str(getattr(row, field)))


@register.filter
def called(budget: Any) -> str:
    """The full name of a budget as the public reads it: without that of its commons where it is withdrawn."""
    name = shown(budget.commons, "name")
    return name if budget.parent_id is None else f"{name} › {budget.name}"
