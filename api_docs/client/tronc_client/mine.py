"""`tronc amend` and `tronc withdraw`: what one does with one contribution of one's own."""

import re
from argparse import Namespace
from typing import Any

from tronc_client import reading
from tronc_client.net import Instance, NoAnswer
from tronc_client.places import here
from tronc_client.said import OK, STOPPED, Failure, _, agreed, clean, say, tell

A_CONTRIBUTION = re.compile(r"ctr_[0-9A-Z]{36}")


def _name(text: str) -> str:
    """The id of a contribution, as it was typed or copied."""
    found = text.strip()
    if not A_CONTRIBUTION.fullmatch(found):
        raise Failure(_("“%s” is not the id of a contribution: “tronc list” shows them, ctr_…") % clean(text)[:60])
    return found


def amend(asked: Namespace) -> int:
    """Change a contribution of one's own that is not validated yet."""
    name, instance = _name(asked.contribution), here()
    changes: dict[str, Any] = {}
    if asked.minutes:
        changes["minutes"] = reading.minutes(asked.minutes)
    if asked.message:
        changes["description"] = asked.message
    if asked.on:
        changes["worked_on"] = reading.day(asked.on).isoformat()
    if asked.kind:
        changes["kind"] = asked.kind
    if not changes and not asked.amount:
        raise Failure(_("Say what changes: --minutes, --amount, --message, --on or --kind."))
    row, _tag = instance.read(f"contributions/{name}")
    if asked.amount:
        currency = row["amount"]["currency"]
        changes["amount"] = {"value": reading.cents(asked.amount, currency), "currency": currency}
    made = send_change(instance, name, changes)
    facts = [
        clean(made["worked_on"]),
        reading.hours(made["minutes"]),
        reading.money(made["amount"]),
        clean(made["kind"]),
    ]
    say(_("Amended: %s, %s.") % (name, ", ".join([*facts, clean(made["description"])[:60]])))
    return OK


def send_change(instance: Instance, name: str, changes: dict[str, Any]) -> Any:
    """Change a contribution as it stands now; a lost answer is looked up, so that nothing is changed twice."""
    row, tag = instance.read(f"contributions/{name}")
    if all(row.get(field) == value for field, value in changes.items()):
        return row
    try:
        return instance.change(f"contributions/{name}", changes, tag=tag)
    except NoAnswer:
        row, _tag = instance.read(f"contributions/{name}")
        if all(row.get(field) == value for field, value in changes.items()):
            return row
        raise


def withdraw(asked: Namespace) -> int:
    """Take back a contribution of one's own; a draft is deleted. What was validated is asked about."""
    name, instance = _name(asked.contribution), here()
    row, tag = instance.read(f"contributions/{name}")
    told = f"{clean(row['worked_on'])}, {reading.hours(row['minutes'])}, {clean(row['description'])[:60]}"
    if row["state"] == "draft":
        instance.delete(f"contributions/{name}", tag=tag)
        say(_("The draft is deleted: %s.") % told)
        return OK
    if row["state"] == "validated" and not asked.yes:
        tell(_("It is validated already: %s.") % told)
        if not agreed(_("Withdraw it? It takes no part in the sharing then. [y/N]")):
            raise Failure(_("Nothing was sent."), STOPPED)
    instance.post(f"contributions/{name}/withdrawal", {}, key=f"withdraw-{name}")
    say(_("Withdrawn: %s. No money moved.") % told)
    return OK
