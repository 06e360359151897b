"""What each command does, once its words were read."""

import hashlib
import json
import sys
from argparse import Namespace
from getpass import getpass
from typing import Any

from tronc_client import reading
from tronc_client.from_git import log_from_git
from tronc_client.net import Instance, NoAnswer, Problem, address_of
from tronc_client.places import budget_of, budgets_of, here, label
from tronc_client.said import OK, STOPPED, Failure, _, agreed, clean, say, say_json, table, tell
from tronc_client.store import Waiting, config_file, write_private

NEEDED = ("contributions:read", "contributions:write")
COUNTED = ("declared", "questioned", "validated")  # what an estimate counts
STATES = ("draft", "declared", "questioned", "validated", "included", "settled", "withdrawn", "rejected", "waived")


# --- login ------------------------------------------------------------------------------------------------------------


def login(asked: Namespace) -> int:
    """Keep the address and the token of an instance, once it said whose token it is."""
    address = asked.address or ""
    if not address:
        if asked.token_stdin or not sys.stdin.isatty():
            raise Failure(_("Give the address of the instance: tronc login https://tronc.example.org"))
        print(_("Address of the instance:"), end=" ", file=sys.stderr, flush=True)
        address = sys.stdin.readline()
    address = address_of(address)
    if asked.token_stdin:
        token = sys.stdin.readline().strip()
    else:
        tell(_("Make a token at %s/en/tokens/ and paste it here; it is not shown.") % address)
        token = getpass(_("Token:") + " ").strip()
    if not token or not token.isascii() or not token.isprintable() or len(token) > 200:
        raise Failure(_("This is not a token: copy it whole from the page that made it."))
    me = Instance(address, token).get("me")
    write_private(config_file(), {"address": address, "token": token})
    say(_("You are %s at %s.") % (clean(me["name"]), address))
    missing = [scope for scope in NEEDED if scope not in me["token"]["scopes"]]
    if missing:
        tell(_("This token lacks %s: some commands will be refused.") % ", ".join(missing))
    for budget in me["budgets"]:
        say(f"  {label(budget)} ({budget['currency']})")
    return OK


# --- log --------------------------------------------------------------------------------------------------------------


def log(asked: Namespace) -> int:
    """Declare one piece of work, send again what had no answer, or declare what commits tell."""
    if asked.again:
        return _again()
    if asked.from_git is not None:
        return log_from_git(asked)
    if not asked.duration or not asked.message:
        raise Failure(_("Say how long and what: tronc log 1h30 BUDGET -m “what was done”."))
    minutes, worked_on = reading.minutes(asked.duration), reading.day(asked.on)
    instance = here()
    budget = budget_of(instance, asked.budget or asked.in_budget or "")
    body: dict[str, Any] = {
        "budget": budget["id"],
        "worked_on": worked_on.isoformat(),
        "kind": asked.kind,
        "minutes": minutes,
        "description": asked.message,
        "evidence": asked.evidence,
    }
    if asked.amount:
        currency = budget["currency"]
        body["amount"] = {"value": reading.cents(asked.amount, currency), "currency": currency}
    name = hashlib.sha256(json.dumps([instance.address, body], sort_keys=True).encode()).hexdigest()[:32]
    if not Waiting.waits(name):
        _require_other(instance, body, sure=asked.yes)
    made = _send(instance, Waiting.of(name, instance.address, body))
    say(_told(made, budget))
    if asked.amount and not _amounts_count(instance, budget, asked.kind):
        say("  " + _no_amounts())
    return OK


def _require_other(instance: Instance, body: dict[str, Any], *, sure: bool) -> None:
    """Ask before the same work is declared a second time: same budget, day, kind, time and words."""
    same = ("worked_on", "kind", "minutes", "description")
    words = {"contributor": "me", "budget": body["budget"], "from": body["worked_on"]}
    try:
        rows = list(instance.rows("contributions", **words))
    except Problem as refusal:
        if refusal.status != 403:  # a token that only writes
            raise
        return
    for row in rows:
        if row["state"] not in {"withdrawn", "rejected"} and all(row[field] == body[field] for field in same):
            tell(_("The same work of the same day is declared already: %s.") % clean(row["id"]))
            if not sure and not agreed(_("Declare it a second time? [y/N]")):
                raise Failure(_("Nothing was sent."), STOPPED)
            return


def _amounts_count(instance: Instance, budget: dict[str, Any], kind: str) -> bool:
    """Whether an amount asked for this kind of work changes what one gets; True where nobody says."""
    words = {} if kind == "expense" else {"kind": kind, "minutes": 1}
    try:
        return bool(_estimate(instance, budget, **words).get("amounts_count", True))
    except Problem:
        return True


def _no_amounts() -> str:
    return _("Amounts do not count here: by its charter, what is there is shared by time or equally.")


def _told(made: dict[str, Any], budget: dict[str, Any]) -> str:
    facts = [reading.hours(made["minutes"])] if made["minutes"] else []
    if made["amount"]["value"]:
        facts.append(reading.money(made["amount"]))
    told = (label(budget), clean(made["worked_on"]), ", ".join(facts), clean(made["id"]))
    return _("Declared for %s on %s: %s. %s") % told


def _send(instance: Instance, waiting: Waiting) -> Any:
    """Send an act that is on disk; it is forgotten once its answer is known, whatever the answer."""
    try:
        found = instance.post("contributions", waiting.kept["body"], key=waiting.kept["key"])
    except NoAnswer as failure:
        text = _(
            "It may have been declared or not. Run the same command again, or “tronc log --again”:"
            " it will not count twice."
        )
        raise NoAnswer(f"{failure}\n{text}") from None
    except Problem as refusal:
        if refusal.status not in {401, 429, 503} and refusal.body.get("code") != "idempotency_key_in_flight":
            waiting.answered()
        raise
    waiting.answered()
    return found


def _again() -> int:
    instance = here()
    waiting = Waiting.all(instance.address)
    if not waiting:
        say(_("Nothing waits for an answer."))
        return OK
    known = {one["id"]: one for one in budgets_of(instance)}
    for one in waiting:
        made = _send(instance, one)
        say(_told(made, known.get(made["budget"]) or {"name": made["budget"], "commons": {"name": made["budget"]}}))
    return OK


# --- what became of it ------------------------------------------------------------------------------------------------


def _estimate(instance: Instance, budget: dict[str, Any], **words: Any) -> dict[str, Any]:
    return dict(instance.get(f"budgets/{budget['id']}/estimate", **words))


def _say_estimate(found: dict[str, Any]) -> None:
    asked, share, available = (reading.money(found[name]) for name in ("asked", "share", "available"))
    say("  " + _("Asked: %s. There is %s to share. You would get %s.") % (asked, available, share))
    if not found.get("amounts_count", True):  # an older instance does not say
        say("  " + _no_amounts())
    if why := _why_nothing(found):
        say("  " + why)
    if found["minutes"] or found["amount"]["value"]:
        say("  " + _("Of this for what you imagine: %s.") % reading.money(found["of_this"]))


def _why_nothing(found: dict[str, Any], rows: list[dict[str, Any]] | None = None) -> str:
    """Why one would get nothing, in a sentence; empty where one would get something. rows: one's work, where known."""
    if found["share"]["value"]:
        return ""
    if rows is not None and not any(row["state"] in COUNTED for row in rows):
        return _("Nothing: none of your work takes part in the sharing.")
    if not found["available"]["value"]:
        return _("Nothing: no money is there to share yet.")
    if found["held_back"]["value"] or found["minutes_held"]:
        return _("Nothing: it is kept back, since earlier work was given too much.")
    if not found["asked"]["value"]:
        return _("Nothing: you ask for nothing, your work is volunteering.")
    return _("Nothing: by its charter, what is there goes to others first.")


def status(asked: Namespace) -> int:
    """One's work of the running period of each budget, by state, and what it would give now."""
    instance = here()
    budgets = budgets_of(instance)
    if not budgets:
        say(_("You may not declare work in any budget."))
    silent, promise = 0, ""
    for budget in budgets:
        try:
            found = _estimate(instance, budget)
        except Problem as refusal:
            if refusal.status in {401, 403}:
                raise
            if asked.all or len(budgets) == 1:
                say(f"{label(budget)}: {clean(str(refusal.body.get('detail', '')))}")
            else:
                silent += 1
            continue
        period = found["period"]
        rows = list(
            instance.rows("contributions", contributor="me", budget=budget["id"], **{"from": period["starts_on"]})
        )
        if not rows and not asked.all and len(budgets) > 1:
            silent += 1
            continue
        promise = clean(found["label"])
        _say_status(budget, found, rows)
    if silent:
        told = _("Nothing of yours in 1 other budget: “tronc status --all” shows it.")
        if silent > 1:
            told = _("Nothing of yours in %s other budgets: “tronc status --all” shows them.") % silent
        say(told)
    if promise:
        say(promise)
    if waiting := Waiting.all(instance.address):
        tell(_("Without an answer: %s. Run “tronc log --again”: nothing will count twice.") % len(waiting))
    return OK


def _say_status(budget: dict[str, Any], found: dict[str, Any], rows: list[dict[str, Any]]) -> None:
    say(_("%s, from %s:") % (label(budget), clean(found["period"]["starts_on"])))
    counted: dict[str, list[dict[str, Any]]] = {}
    for row in rows:
        counted.setdefault(row["state"], []).append(row)
    known = sorted(counted, key=lambda one: STATES.index(one) if one in STATES else len(STATES))
    states = [(state, counted[state]) for state in known]
    table(
        ((_(state), str(len(some)), reading.hours(sum(row["minutes"] for row in some))) for state, some in states),
        indent="  ",
    )
    if not rows:
        say("  " + _("Nothing yet."))
        return
    asked, share, available = (reading.money(found[name]) for name in ("asked", "share", "available"))
    say("  " + _("Asked: %s. There is %s to share. You would get %s.") % (asked, available, share))
    if not found.get("amounts_count", True):  # an older instance does not say
        say("  " + _no_amounts())
    if why := _why_nothing(found, rows):
        say("  " + why)


def estimate(asked: Namespace) -> int:
    """What one would get now in a budget, with one more contribution."""
    instance = here()
    budget = budget_of(instance, asked.budget or "")
    words: dict[str, Any] = {}
    if asked.minutes:
        words["minutes"] = reading.minutes(asked.minutes)
    if asked.amount:
        words["amount"] = reading.cents(asked.amount, budget["currency"])
    if words:
        words["kind"] = asked.kind
    found = _estimate(instance, budget, **words)
    if asked.json:
        say_json(found)
        return OK
    say(f"{label(budget)}:")
    _say_estimate(found)
    say("  " + clean(found["label"]))
    return OK


def list_mine(asked: Namespace) -> int:
    """One's contributions, the newest first."""
    instance = here()
    words: dict[str, Any] = {"contributor": "me", "state": asked.state}
    if asked.budget:
        words["budget"] = budget_of(instance, asked.budget)["id"]
    rows = list(instance.rows("contributions", asked.limit, **words))
    if asked.json:
        say_json(rows)
        return OK
    if not rows:
        say(_("Nothing yet."))
        return OK
    table(
        (
            row["id"], row["worked_on"], reading.hours(row["minutes"]), reading.money(row["amount"]), row["kind"],
            _(row["state"]), row["description"][:60],
        )
        for row in rows
    )  # fmt: skip
    return OK
