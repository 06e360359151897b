"""What each command does, once its words were read."""

import hashlib
import json
import re
import sys
from argparse import Namespace
from collections import Counter
from collections.abc import Callable
from datetime import date
from getpass import getpass
from typing import Any

from tronc_client import reading
from tronc_client.git import Repository, Unread, Work
from tronc_client.net import Instance, NoAnswer, Problem, address_of
from tronc_client.said import NOT_ALLOWED, OK, STOPPED, Failure, _, agreed, clean, say, say_json, table, tell
from tronc_client.store import Waiting, config_file, read_config, write_private

NEEDED = ("contributions:read", "contributions:write")
MOST_AT_ONCE = 500
AN_ID = re.compile(r"bud_[0-9A-Z]{36}")
STATES = ("draft", "declared", "questioned", "validated", "included", "settled", "withdrawn", "rejected", "waived")


def _here() -> Instance:
    return Instance(*read_config())


def _budgets(instance: Instance, name: str = "") -> list[dict[str, Any]]:
    """Those where one may declare work; beyond those that the instance lists, the one whose id is given."""
    me = instance.get("me")
    budgets = list(me["budgets"])
    if me.get("more_budgets") and AN_ID.fullmatch(name.strip()) and all(one["id"] != name.strip() for one in budgets):
        budgets.append(instance.get(f"budgets/{name.strip()}"))
    return budgets


def _label(budget: dict[str, Any]) -> str:
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
        raise Failure(_("Say for which budget: %s.") % ", ".join(sorted(map(_label, budgets))))
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
    known = ", ".join(sorted(map(_label, budgets)))
    raise Failure(_("You have no budget called “%s”. Yours: %s.") % (clean(name), known))


def _budget(instance: Instance, name: str) -> dict[str, Any]:
    return find_budget(_budgets(instance, name), name)


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
        say(f"  {_label(budget)} ({budget['currency']})")
    return OK


# --- log --------------------------------------------------------------------------------------------------------------


def log(asked: Namespace) -> int:
    """Declare one piece of work, send again what had no answer, or declare what commits tell."""
    if asked.again:
        return _again()
    if asked.from_git is not None:
        return _log_from_git(asked)
    if not asked.duration or not asked.message:
        raise Failure(_("Say how long and what: tronc log 1h30 BUDGET -m “what was done”."))
    minutes, worked_on = reading.minutes(asked.duration), reading.day(asked.on)
    instance = _here()
    budget = _budget(instance, asked.budget or asked.in_budget or "")
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
    made = _send(instance, Waiting.of(name, instance.address, body))
    say(_told(made, budget))
    return OK


def _told(made: dict[str, Any], budget: dict[str, Any]) -> str:
    facts = [reading.hours(made["minutes"])] if made["minutes"] else []
    if made["amount"]["value"]:
        facts.append(reading.money(made["amount"]))
    told = (_label(budget), clean(made["worked_on"]), ", ".join(facts), clean(made["id"]))
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
    instance = _here()
    waiting = Waiting.all(instance.address)
    if not waiting:
        say(_("Nothing waits for an answer."))
        return OK
    known = {one["id"]: one for one in _budgets(instance)}
    for one in waiting:
        made = _send(instance, one)
        say(_told(made, known.get(made["budget"]) or {"name": made["budget"], "commons": {"name": made["budget"]}}))
    return OK


# --- log --from-git ---------------------------------------------------------------------------------------------------


def _log_from_git(asked: Namespace) -> int:
    if asked.duration or asked.message:
        raise Failure(_("With --from-git, the commits say how long and what: give --budget, and a range if you want."))
    repository = Repository(asked.repo)
    authors = {one.lower() for one in asked.author} or {repository.me()}
    instance = _here()
    budget = _budget(instance, asked.in_budget or "")
    since = None
    if not asked.from_git:
        period = instance.get(f"budgets/{budget['id']}/estimate")["period"]
        since = date.fromisoformat(period["starts_on"])
    found = repository.works(asked.from_git, since, authors)
    for one in found:
        if isinstance(one, Unread):
            tell(_("%s: “Contribution: %s” cannot be read, and is left out.") % (one.commit[:12], clean(one.line)))
    works = [one for one in found if isinstance(one, Work)]
    fresh = _not_sent(instance, works)
    if not fresh:
        say(_("No commit of yours tells anything that was not sent."))
        return OK
    say(_("For %s:") % _label(budget))
    table((one.commit[:12], f"{one.worked_on}", reading.hours(one.minutes), one.kind, one.description) for one in fresh)
    total = reading.hours(sum(one.minutes for one in fresh))
    if len(fresh) > MOST_AT_ONCE:
        raise Failure(_("That is %s; at most %s go at once: give a smaller range.") % (len(fresh), MOST_AT_ONCE))
    if not asked.yes and not agreed(_("Declare these %s, %s in all? [y/N]") % (len(fresh), total)):
        raise Failure(_("Nothing was sent."), STOPPED)
    where = repository.address()
    body = {"items": [_item(one, budget["id"], where) for one in fresh]}
    # The key says what is sent: the same commits sent again, from here or elsewhere, are one act.
    mark = hashlib.sha256(json.dumps([instance.address, body], sort_keys=True).encode()).hexdigest()
    try:
        made = instance.post("contributions/batch", body, key=f"git-{mark[:48]}")["data"]
    except NoAnswer as failure:
        text = _("It may have been declared or not. Run the same command again: it will not count twice.")
        raise NoAnswer(f"{failure}\n{text}") from None
    except Problem as refusal:
        raise Failure(f"{refusal}\n{_commits_at_fault(refusal, fresh)}".rstrip(), refusal.code) from None
    say(_("Declared: %s, %s in all.") % (len(made), total))
    return OK


def _item(work: Work, budget: str, repository: str) -> dict[str, Any]:
    evidence = [f"{repository}/commit/{work.commit}"] if repository.startswith("https://") else []
    return {
        "budget": budget,
        "worked_on": work.worked_on.isoformat(),
        "kind": work.kind,
        "minutes": work.minutes,
        "description": work.description,
        "evidence": [link for link in evidence if len(link) <= 500],
        "metadata": {"commit": work.commit, "repository": repository[:500]},
    }


def _not_sent(instance: Instance, works: list[Work]) -> list[Work]:
    """The works that are not among one's contributions: neither their commit, nor the same day, time and words."""
    if not works:
        return []
    commits: set[str] = set()
    alike: Counter[tuple[str, int, str]] = Counter()
    first = min(one.worked_on for one in works)
    for row in instance.rows("contributions", None, **{"contributor": "me", "from": first.isoformat()}):
        sent = str((row.get("metadata") or {}).get("commit", ""))
        commits |= {sent, *(link.rpartition("/")[2] for link in row["evidence"] if "/commit/" in link)}
        if row["state"] not in {"withdrawn", "rejected"}:
            alike[row["worked_on"], row["minutes"], row["description"]] += 1
    fresh, known, twins = [], 0, []
    for one in works:
        looks = (one.worked_on.isoformat(), one.minutes, one.description)
        if one.commit in commits:
            known += 1
            alike[looks] -= 1
        elif alike[looks] > 0:
            alike[looks] -= 1
            twins.append(one)
        else:
            fresh.append(one)
    if known:
        tell(_("Already sent: %s.") % known)
    for one in twins:
        tell(
            _("%s: the same day, time and words are declared already (a commit written again?): left out.")
            % one.commit[:12]
        )
    return fresh


def _commits_at_fault(refusal: Problem, works: list[Work]) -> str:
    """Which commit each place of a refused batch is."""
    lines = []
    for one in refusal.faults[:20]:
        place = str(one.get("pointer", "")).removeprefix("/items/").partition("/")[0]
        if place.isdecimal() and int(place) < len(works):
            work = works[int(place)]
            lines.append(f"  {place}: {work.commit[:12]} {work.worked_on} {work.description[:60]}")
    return "\n".join(dict.fromkeys(lines))


# --- what became of it ------------------------------------------------------------------------------------------------


def _estimate(instance: Instance, budget: dict[str, Any], **words: Any) -> dict[str, Any]:
    return dict(instance.get(f"budgets/{budget['id']}/estimate", **words))


def _say_estimate(found: dict[str, Any]) -> None:
    asked, share, available = (reading.money(found[name]) for name in ("asked", "share", "available"))
    say("  " + _("Asked: %s. There is %s to share. You would get %s.") % (asked, available, share))
    if found["minutes"] or found["amount"]["value"]:
        say("  " + _("Of this for what you imagine: %s.") % reading.money(found["of_this"]))
    say("  " + clean(found["label"]))


def status(_asked: Namespace) -> int:
    """One's work of the running period of each budget, by state, and what it would give now."""
    instance = _here()
    budgets = _budgets(instance)
    if not budgets:
        say(_("You may not declare work in any budget."))
    for budget in budgets:
        try:
            found = _estimate(instance, budget)
        except Problem as refusal:
            if refusal.status in {401, 403}:
                raise
            say(f"{_label(budget)}: {clean(str(refusal.body.get('detail', '')))}")
            continue
        period = found["period"]
        rows = list(
            instance.rows("contributions", contributor="me", budget=budget["id"], **{"from": period["starts_on"]})
        )
        say(_("%s, from %s:") % (_label(budget), clean(period["starts_on"])))
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
        _say_estimate(found)
    if waiting := Waiting.all(instance.address):
        tell(_("Without an answer: %s. Run “tronc log --again”: nothing will count twice.") % len(waiting))
    return OK


def estimate(asked: Namespace) -> int:
    """What one would get now in a budget, with one more contribution."""
    instance = _here()
    budget = _budget(instance, asked.budget or "")
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
    say(f"{_label(budget)}:")
    _say_estimate(found)
    return OK


def list_mine(asked: Namespace) -> int:
    """One's contributions, the newest first."""
    instance = _here()
    words: dict[str, Any] = {"contributor": "me", "state": asked.state}
    if asked.budget:
        words["budget"] = _budget(instance, asked.budget)["id"]
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
