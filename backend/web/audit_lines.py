"""One event as a line of the audit page: names instead of ids, amounts in their currency, what was before and after."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db import models
from django.urls import NoReverseMatch, reverse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from backend.commons.models import Budget, Commons, Period
from backend.contributions.models import Contribution
from backend.core.money import format_money
from backend.distributions.models import Arbitration, Distribution
from backend.events.models import Event
from backend.events.services import REFUSED
from backend.exports.action_words import allowed
from backend.exports.audit_words import said
from backend.identity.models import Host, HostBankAccount, Organisation, Proposal, Role, User
from backend.payees.models import Payee
from backend.payouts.models import PayoutBatch
from backend.pledges.models import Pledge
from backend.transfers.models import Opening, Transfer, YearEnd

# Prefix of an id → the table of its name.
NAMED: dict[str, type[models.Model]] = {
    "usr": User, "org": Organisation, "bud": Budget, "com": Commons, "hst": Host, "pye": Payee, "bnk": HostBankAccount,
}  # fmt: skip
# Prefix of an id → what such a thing is called, where it has no name of its own.
THINGS: dict[str, Any] = {
    "plg": gettext_lazy("pledge"), "pay": gettext_lazy("payment"), "ctr": gettext_lazy("contribution"),
    "per": gettext_lazy("period"), "dis": gettext_lazy("distribution"), "arb": gettext_lazy("arbitration"),
    "bat": gettext_lazy("payout batch"), "pyt": gettext_lazy("payout"), "trf": gettext_lazy("transfer"),
    "yen": gettext_lazy("end of a year"),
    "opn": gettext_lazy("opening balances"), "cha": gettext_lazy("charter"), "tok": gettext_lazy("token"),
    "stm": gettext_lazy("statement"), "clo": gettext_lazy("month"), "frz": gettext_lazy("freeze"),
    "eml": gettext_lazy("message"), "prp": gettext_lazy("proposal"), "blk": gettext_lazy("head of the log"),
    "rec": gettext_lazy("record"), "mod": gettext_lazy("moderation"), "dev": gettext_lazy("device"),
    "ers": gettext_lazy("erasure"), "key": gettext_lazy("key"), "tkb": gettext_lazy("payment taken back"),
    "mrg": gettext_lazy("merge of accounts"), "lin": gettext_lazy("bank line"), "rpo": gettext_lazy("repository"),
}  # fmt: skip
# Prefix of an id → its page, which every reader of the whole trail may open.
PAGES = {"plg": "pledge_page", "dis": "distribution_page", "bat": "batch_page", "trf": "transfer_page",
         "opn": "opening_page", "yen": "year_end_page", "bud": "budget_page"}  # fmt: skip
FIELDS: dict[str, Any] = {
    "amount": gettext_lazy("Amount"), "total": gettext_lazy("Total"), "fee": gettext_lazy("Fee"),
    "to_deficit": gettext_lazy("Left as a deficit"), "role": gettext_lazy("Role"), "state": gettext_lazy("State"),
    "code": gettext_lazy("Refusal"), "action": gettext_lazy("Right that was missing"), "path": gettext_lazy("Page"),
    "format": gettext_lazy("Format"), "first": gettext_lazy("First day"), "last": gettext_lazy("Last day"),
    "first_day": gettext_lazy("First day"), "cause": gettext_lazy("Cause"), "version": gettext_lazy("Version"),
    "pledge": gettext_lazy("Pledge"), "person": gettext_lazy("Person"), "accepted": gettext_lazy("Accepted"),
    "fee_bp": gettext_lazy("Fee, in hundredths of a per cent"), "messages": gettext_lazy("Messages"),
    "status": gettext_lazy("Status"), "added": gettext_lazy("Lines added"),
    "known": gettext_lazy("Lines known already"),
    "name": gettext_lazy("Name"), "iban": gettext_lazy("IBAN"), "limit": gettext_lazy("Limit"),
    "distribution": gettext_lazy("Distribution"), "kind_of": gettext_lazy("Kind"), "type": gettext_lazy("Kind"),
    "scopes": gettext_lazy("Scopes"), "size": gettext_lazy("Entries"), "codes": gettext_lazy("Findings"),
    "digest": gettext_lazy("Fingerprint"), "sha256": gettext_lazy("Fingerprint"), "scope": gettext_lazy("Where"),
    "downloads": gettext_lazy("Times taken"),
    "why": gettext_lazy("Reason"), "days": gettext_lazy("Life in days"), "only": gettext_lazy("Held to"),
    "per_pledge": gettext_lazy("At most per pledge"), "per_year": gettext_lazy("At most per calendar year"),
    "approvals": gettext_lazy("Approvals"), "count": gettext_lazy("How many times"),
    "failures": gettext_lazy("Failures"), "sessions": gettext_lazy("Sessions ended"),
    "reviewer": gettext_lazy("Reviewer"), "verdict": gettext_lazy("Verdict"), "email": gettext_lazy("E-mail"),
    "device": gettext_lazy("Browser"), "undone": gettext_lazy("Taken back"), "recording": gettext_lazy("Record"),
    "how": gettext_lazy("Confirmed by"), "thing": gettext_lazy("About"), "people": gettext_lazy("People"),
    "rhythm": gettext_lazy("How often"), "due_on": gettext_lazy("Due on"), "ends_on": gettext_lazy("Until"),
    "label": gettext_lazy("Paper"), "paper": gettext_lazy("Paper"), "visibility": gettext_lazy("Shown to the public"),
    "pseudonym": gettext_lazy("Name shown to the public"), "purchase_order": gettext_lazy("Purchase order number"),
    "skipped": gettext_lazy("Periods left out"), "reminder": gettext_lazy("Reminder"),
    "cancelled": gettext_lazy("Instalments cancelled"), "number": gettext_lazy("Instalment"),
    "public_name": gettext_lazy("Public name"), "language": gettext_lazy("Language"), "field": gettext_lazy("Text"),
}  # fmt: skip
# Prefix of an id → the words of its states.
STATES: dict[str, dict[str, Any]] = {
    "ctr": dict(Contribution.STATES), "per": dict(Period.STATES), "dis": dict(Distribution.STATES),
    "arb": dict(Arbitration.STATES), "bat": dict(PayoutBatch.STATES), "trf": dict(Transfer.STATES),
    "opn": dict(Opening.STATES), "yen": dict(YearEnd.STATES), "prp": dict(Proposal.STATES), "com": dict(Commons.STATES),
    "bud": dict(Budget.STATES), "plg": dict(Pledge.STATES),
    "clo": {"asked": gettext_lazy("asked for"), "locked": gettext_lazy("locked"), "unlocked": gettext_lazy("unlocked")},
}  # fmt: skip
MONEY = {"amount", "total", "fee", "to_deficit", "limit", "per_pledge", "per_year"}
# The two limits of a member, whose event names them by what they bound.
LIMITS = {"pledge": "per_pledge", "year": "per_year"}
HIDDEN = {"currency", "told", "instalment", "instalments", "document"}
ORIGINS = {
    "web": gettext_lazy("on a page"), "api": gettext_lazy("by the API"), "command": gettext_lazy("by a command"),
    "task": gettext_lazy("in the background"),
}  # fmt: skip


@dataclass(frozen=True)
class Line:
    """What the page shows of one event."""

    at: datetime
    who: str
    as_whom: str
    what: str
    refused: bool
    subject: str
    thing: str
    place: str
    link: str
    changes: list[tuple[str, str, str]]
    facts: list[tuple[str, str]]
    why: str
    origin: str


def lines(events: Iterable[Event], *, all_pages: bool) -> list[Line]:
    """Events with names. all_pages: whether the reader may open the pages of everything (treasurers, auditors)."""
    rows = list(events)
    names = _names(_ids(rows))
    return [_line(event, names, all_pages=all_pages) for event in rows]


def _ids(rows: list[Event]) -> set[str]:
    found = {one for event in rows for one in (event.subject, event.on_behalf, *event.scopes)}
    for event in rows:
        for part in (event.data, event.before, event.after):
            if isinstance(part, dict):
                found |= {value for value in part.values() if isinstance(value, str)}
    return found


def _names(ids: set[str]) -> dict[str, str]:
    """Id → name, a query a table."""
    found: dict[str, str] = {}
    for prefix, model in NAMED.items():
        wanted = [one for one in ids if one.startswith(f"{prefix}_")]
        if wanted:
            found |= dict(model._default_manager.filter(pk__in=wanted).values_list("pk", "name"))
    return {key: name for key, name in found.items() if name}


def _line(event: Event, names: dict[str, str], *, all_pages: bool) -> Line:
    before, after = _flat(event.before), _flat(event.after)
    if event.kind == "limit.set":
        before, after = ({LIMITS.get(name, name): part[name] for name in part} for part in (before, after))
    currency = str({**event.data, **before, **after}.get("currency", ""))

    def shown(name: str, value: Any) -> str:
        states = STATES.get(event.subject.partition("_")[0], {})
        return str(states.get(value, value)) if name == "state" and value else _value(name, value, currency, names)

    return Line(
        at=event.created_at,
        who=(event.actor.name or event.actor.email) if event.actor else _("the service"),
        as_whom=names.get(event.on_behalf, event.on_behalf),
        what=said(event.kind),
        refused=event.kind == REFUSED,
        subject=event.subject,
        thing=names.get(event.subject) or _thing(event.subject),
        place=next((names[one] for one in event.scopes if one in names and one[:3] in {"bud", "com"}), ""),
        link=_link(event.subject) if all_pages else "",
        changes=[
            (_field(name), shown(name, before[name]) if name in before else "", shown(name, after.get(name)))
            for name in [*before, *(name for name in after if name not in before)]
            if name not in HIDDEN
        ],
        facts=[
            (_field(name), shown(name, value))
            for name, value in event.data.items()
            if name not in HIDDEN and name not in after and value not in ("", None, []) and value is not False
        ],
        why=event.why,
        origin=str(ORIGINS.get(event.origin, "")),
    )


def _flat(part: Any) -> dict[str, Any]:
    """What was before or after, by field; a bare value has no name."""
    if part is None:
        return {}
    return part if isinstance(part, dict) else {"": part}


def _field(name: str) -> str:
    return str(FIELDS.get(name, name.replace("_", " ").capitalize()))


def _value(name: str, value: Any, currency: str, names: dict[str, str]) -> str:
    if value in (None, "", []):
        return _("nothing")
    if isinstance(value, bool):
        return _("yes") if value else _("no")
    if isinstance(value, list | dict):
        parts = value.items() if isinstance(value, dict) else [(name, one) for one in value]
        told = [_value(key, one, currency, names) for key, one in parts]
        return ", ".join(told if isinstance(value, list) else map(" ".join, zip(map(_field, value), told, strict=True)))
    if name in MONEY and isinstance(value, int) and currency:
        return format_money(value, currency)
    return _text(name, str(value), names)


def _text(name: str, text: str, names: dict[str, str]) -> str:
    """The name of a role or of an id; a fingerprint by its beginning."""
    if name == "action":
        return allowed(text)
    if name == "role":
        return str(dict(Role.KINDS).get(text, text))
    if len(text) == 64 and all(sign in "0123456789abcdef" for sign in text):
        return f"{text[:8]}…"
    known: Callable[[str], str] = lambda key: names.get(key) or _thing(key)  # noqa: E731
    return known(text) if text[3:4] == "_" and text[:3] in {*NAMED, *THINGS} else text


def _thing(subject: str) -> str:
    """What a thing without a name is called, with the end of its id."""
    called = THINGS.get(subject.partition("_")[0])
    return f"{called} …{subject[-6:]}" if called else subject


def _link(subject: str) -> str:
    page = PAGES.get(subject.partition("_")[0])
    try:
        return reverse(page, args=[subject]) if page else ""
    except NoReverseMatch:
        return ""
