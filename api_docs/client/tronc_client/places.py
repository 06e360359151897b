"""Which instance, and which of its budgets a word means."""

import re
from collections.abc import Callable
from typing import Any

from tronc_client.net import Instance
from tronc_client.said import NOT_ALLOWED, Failure, _, clean
from tronc_client.store import read_config

AN_ID = re.compile(r"bud_[0-9A-Z]{36}")


def here() -> Instance:
    return Instance(*read_config())


def budgets_of(instance: Instance, name: str = "") -> list[dict[str, Any]]:
    """Those where one may declare work; beyond those that the instance lists, the one whose id is given."""
    me = instance.get("me")
    budgets = list(me["budgets"])
    if me.get("more_budgets") and AN_ID.fullmatch(name.strip()) and all(one["id"] != name.strip() for one in budgets):
        budgets.append(instance.get(f"budgets/{name.strip()}"))
    return budgets


def label(budget: dict[str, Any]) -> str:
    """`Cartolibre`, or `Cartolibre › Maintenance`."""
    commons = budget["commons"]["name"]
    return clean(budget["name"] if budget["name"] == commons else f"{commons} › {budget['name']}")


def find_budget(budgets: list[dict[str, Any]], name: str) -> dict[str, Any]:
    """The budget that a word means: its id, its name, `commons/name`, or the common pot of a commons."""
    if not budgets:
        raise Failure(
            _("You may not declare work in any budget: ask a steward for the role of contributor."), NOT_ALLOWED
        )
    if not name:
        if len(budgets) == 1:
            return budgets[0]
        raise Failure(_("Say for which budget: %s.") % ", ".join(sorted(map(label, budgets))))
    wanted = name.strip().casefold()

    def pots(one: dict[str, Any]) -> set[str]:
        return {one["commons"]["slug"], one["commons"]["name"].casefold()}

    tries: tuple[Callable[[dict[str, Any]], bool], ...] = (
        lambda one: one["id"] == name.strip(),
        lambda one: one["name"] == one["commons"]["name"] and wanted in pots(one),
        lambda one: one["name"].casefold() == wanted,
        lambda one: wanted in {f"{pot}/{one['name'].casefold()}" for pot in pots(one)},
        lambda one: wanted in pots(one),
    )
    for fits in tries:
        found = [one for one in budgets if fits(one)]
        if len(found) == 1:
            return found[0]
        if found:
            names = ", ".join(f"{one['commons']['slug']}/{one['name']}" for one in found)
            raise Failure(_("“%s” means several budgets: write one of %s.") % (clean(name), clean(names)))
    known = ", ".join(sorted(map(label, budgets)))
    raise Failure(_("You have no budget called “%s”. Yours: %s.") % (clean(name), known))


def budget_of(instance: Instance, name: str) -> dict[str, Any]:
    return find_budget(budgets_of(instance, name), name)
