"""Reads the chart of accounts from its file and says what is wrong in it, naming the key."""

import re
import tomllib
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

SHIPPED = Path(__file__).resolve().parent / "plan.toml"
ROLES = (
    "bank", "cheques", "cash", "suspense", "donation", "earmarked", "own_funds", "host_fee", "services", "supplier",
    "transit", "profit", "loss", "provider", "provider_fees", "set_aside", "earmarked_used",
    "time_given", "time_valued",
)  # fmt: skip
# Every kind of entry that the code books; a test reads them from the code.
KINDS = (
    "opening", "payment.received", "payment.taken_back", "bank.unidentified", "distribution.approved",
    "distribution.upstream", "distribution.reserve", "distribution.release", "distribution.waived",
    "share.payee_changed", "batch.sent", "payout.settled", "payout.rejected", "payout.returned",
    "surplus.received", "surplus.refunded", "refund.returned", "surplus.returned", "deposit.cleared",
    "payment.given_back", "provider.fee", "provider.unexplained", "provider.paid_out",
    "transfer.move", "transfer.to_reserve", "transfer.from_reserve", "transfer.to_deficit", "transfer.remainder",
    "year.dedicated", "year.volunteering",
)  # fmt: skip
SECTIONS = ("accounts", "roles", "journals", "journal_roles", "kinds")
JOURNAL_ROLES = ("opening", "other")
_NUMBER = re.compile(r"[1-8][0-9]{1,7}")
_CODE = re.compile(r"[A-Z0-9]{1,6}")

Words = tuple[str, str]  # French, English


@dataclass
class Plan:
    """A chart of accounts: what its file says."""

    source: str
    accounts: dict[str, Words] = field(default_factory=dict)
    roles: dict[str, str] = field(default_factory=dict)
    journals: dict[str, Words] = field(default_factory=dict)
    journal_roles: dict[str, str] = field(default_factory=dict)
    kinds: dict[str, tuple[str, str, str]] = field(default_factory=dict)  # journal, French, English


def padded(number: str) -> str:
    """A number of the chart with three figures at least, as the FEC wants it: `58` is `580`."""
    return number.ljust(3, "0")


def read_plan(path: Path) -> tuple[Plan, list[str]]:
    """The chart of a file, and one sentence for each thing that is wrong in it; with none, it can be used."""
    plan = Plan(str(path))
    try:
        raw = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as failure:
        return plan, [f"The chart of accounts {path} cannot be opened: {failure.strerror}."]
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as failure:
        return plan, [f"The chart of accounts {path} is not readable TOML: {failure}."]
    problems = [f"[{name}] is not a section of a chart of accounts." for name in raw if name not in SECTIONS]
    for name in SECTIONS:
        if not isinstance(raw.get(name), dict):
            problems.append(f"The section [{name}] is missing.")
            raw[name] = {}
    plan.accounts = {number: _words(f"accounts.{number}", row, problems) for number, row in raw["accounts"].items()}
    plan.journals = {code: _words(f"journals.{code}", row, problems) for code, row in raw["journals"].items()}
    plan.roles = _names("roles", raw["roles"], ROLES, problems)
    plan.journal_roles = _names("journal_roles", raw["journal_roles"], JOURNAL_ROLES, problems)
    for kind, row in raw["kinds"].items():
        journal = row.get("journal") if isinstance(row, dict) else None
        plan.kinds[kind] = (str(journal or ""), *_words(f'kinds."{kind}"', row, problems))
    return plan, [*problems, *_accounts(plan), *_journals(plan)]


def _words(key: str, row: Any, problems: list[str]) -> Words:
    """The French and the English words of a row."""
    found = [row.get(language) if isinstance(row, dict) else None for language in ("fr", "en")]
    texts = [word if isinstance(word, str) and word.strip() and word.isprintable() else "" for word in found]
    problems += [
        f"{key} needs its words on one line: {language} is missing or empty."
        for language, word in zip(("fr", "en"), texts, strict=True)
        if not word
    ]
    return texts[0], texts[1]


def _names(section: str, rows: dict[str, Any], wanted: Iterable[str], problems: list[str]) -> dict[str, str]:
    """Role → what it names; every wanted role, and no other."""
    problems += [f"{section}.{role} is missing." for role in wanted if role not in rows]
    problems += [f"{section}.{role} is not a role known here." for role in rows if role not in wanted]
    problems += [
        f'{section}.{role} must be a text between quotes, such as "{value}".'
        for role, value in rows.items()
        if not isinstance(value, str)
    ]
    return {role: str(value) for role, value in rows.items()}


def _accounts(plan: Plan) -> list[str]:
    problems = [
        f"accounts.{number}: a number has 2 to 8 figures, the first of them 1 to 8."
        for number in plan.accounts
        if not _NUMBER.fullmatch(number)
    ]
    seen: dict[str, str] = {}
    for number in plan.accounts:
        if twin := seen.get(padded(number)):
            problems.append(f"accounts.{number} and accounts.{twin} are the same number once they have three figures.")
        seen[padded(number)] = number
    problems += [
        f"roles.{role} names {number}, which is not in [accounts]."
        for role, number in plan.roles.items()
        if number not in plan.accounts
    ]
    if "profit" in plan.roles and plan.roles["profit"] == plan.roles.get("loss"):
        problems.append(
            "roles.profit and roles.loss name the same number: one is for a surplus, the other for a deficit."
        )
    return problems


def _journals(plan: Plan) -> list[str]:
    problems = [
        f"journals.{code}: a journal's code is one to six capitals and figures."
        for code in plan.journals
        if not _CODE.fullmatch(code)
    ]
    problems += [
        f"journal_roles.{role} names {code}, which is not in [journals]."
        for role, code in plan.journal_roles.items()
        if code not in plan.journals
    ]
    opening = plan.journal_roles.get("opening")
    for kind, (code, _french, _english) in plan.kinds.items():
        if not code:
            problems.append(f'kinds."{kind}" has no journal.')
        elif code not in plan.journals:
            problems.append(f'kinds."{kind}" names the journal {code}, which is not in [journals].')
        elif code == opening:
            problems.append(f'kinds."{kind}": the journal {code} is kept for the computed opening lines.')
    if opening is not None and opening == plan.journal_roles.get("other"):
        problems.append(f"journal_roles.other: the journal {opening} is kept for the computed opening lines.")
    return problems + [f'kinds."{kind}" is missing: no journal for it.' for kind in KINDS if kind not in plan.kinds]
