"""Prints the chart of accounts in force."""

from typing import Any

from django.core.management.base import BaseCommand
from django.utils.translation import get_language

from backend.ledger import chart


class Command(BaseCommand):
    """`chart`: where it comes from, its accounts with their roles, its journals with their kinds of entries."""

    help = "Print the chart of accounts in force and where it comes from."

    def handle(self, *args: Any, **options: Any) -> None:
        """Print it; faults, if any, are printed by the system checks before."""
        plan = chart.PLAN
        language = 0 if (get_language() or "fr").startswith("fr") else 1
        roles: dict[str, list[str]] = {}
        for role, number in plan.roles.items():
            roles.setdefault(number, []).append(role)
        self.stdout.write(f"{plan.source}\n\nAccounts, with their roles")
        for number, words in sorted(plan.accounts.items()):
            self.stdout.write(f"  {number:<8}  {words[language]}{_bracketed(roles.get(number, []))}")
        self.stdout.write("\nJournals, with their kinds of entries")
        for code, words in sorted(plan.journals.items()):
            self.stdout.write(f"  {code:<8}  {words[language]}{_bracketed(_held(code))}")


def _held(code: str) -> list[str]:
    """What a journal holds: kinds of entries, or the role it has."""
    kinds = [kind for kind, (journal, _french, _english) in chart.PLAN.kinds.items() if journal == code]
    return kinds + [f"({role})" for role, journal in chart.PLAN.journal_roles.items() if journal == code]


def _bracketed(names: list[str]) -> str:
    return f"  [{', '.join(names)}]" if names else ""
