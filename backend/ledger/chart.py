"""The purses' nature, and the chart of accounts in force: a file of the host's, or the one shipped (plan.toml)."""

from pathlib import Path
from typing import TYPE_CHECKING

from django.conf import settings
from django.core.exceptions import ImproperlyConfigured

from backend.ledger.models import CREDIT, DEBIT
from backend.ledger.plan import SHIPPED, Plan, read_plan

# kind → (normal side, guarded). A bank account can be overdrawn at the bank, so the books must be able to say it.
NATURE: dict[str, tuple[int, bool]] = {
    "bank": (DEBIT, False),
    "clearing": (DEBIT, False),
    "in_transit": (CREDIT, True),
    "suspense": (CREDIT, False),
    "budget": (CREDIT, True),
    "payee": (CREDIT, True),
    "reserve": (CREDIT, True),
    "deficit": (DEBIT, True),
    "host_fees": (CREDIT, False),
    "provider_fees": (DEBIT, False),
}

PLAN: Plan
PROBLEMS: list[str]
PLAN, PROBLEMS = read_plan(Path(settings.CHART_FILE) if settings.CHART_FILE else SHIPPED)
LABELS = PLAN.accounts  # number → its French and its English label

_ROLES = {
    "BANK": "bank",
    "CHEQUES": "cheques",  # handed over, not yet seen on a statement
    "CASH": "cash",
    "PROVIDER": "provider",  # with a payment provider, until the bank shows what it sends
    "PROVIDER_FEES": "provider_fees",
    "SUSPENSE": "suspense",
    "DONATION": "donation",  # receipts of a budget
    "EARMARKED": "earmarked",  # money already earmarked when the books are opened (field.md §5.6)
    "OWN_FUNDS": "own_funds",  # the host's own money when the books are opened
    "HOST_FEE": "host_fee",
    "SERVICES": "services",  # work bought from contributors
    "SUPPLIER": "supplier",  # what is owed to payees
    "TRANSIT": "transit",
    "PROFIT": "profit",  # what earlier years left, in opening lines
    "LOSS": "loss",
    "SET_ASIDE": "set_aside",  # of a year's receipts, at its end
    "EARMARKED_USED": "earmarked_used",  # of what was set aside at the end of a year before
    "TIME_GIVEN": "time_given",  # volunteering, outside the result
    "TIME_VALUED": "time_valued",
}
if TYPE_CHECKING:
    BANK: str
    CHEQUES: str
    CASH: str
    PROVIDER: str
    PROVIDER_FEES: str
    SUSPENSE: str
    DONATION: str
    EARMARKED: str
    OWN_FUNDS: str
    HOST_FEE: str
    SERVICES: str
    SUPPLIER: str
    TRANSIT: str
    PROFIT: str
    LOSS: str
    SET_ASIDE: str
    EARMARKED_USED: str
    TIME_GIVEN: str
    TIME_VALUED: str
else:

    def __getattr__(name: str) -> str:
        """The number of a role. Nothing is booked under a chart with faults, even where no check was run."""
        if name not in _ROLES:
            raise AttributeError(name)
        require_sound()
        return PLAN.roles[_ROLES[name]]


def require_sound() -> None:
    """Raise ImproperlyConfigured, with every sentence of the check, when the chart in force has faults."""
    if PROBLEMS:
        raise ImproperlyConfigured(" ".join([f"The chart of accounts {PLAN.source} cannot be used.", *PROBLEMS]))


def base_kind(kind: str) -> str:
    """The kind of entry that a reversal undoes; any other kind is its own."""
    return kind.removesuffix(".reversed")


def journal_of(kind: str) -> str:
    """The code of the journal of a kind of entry; a reversal is in the journal of what it undoes."""
    require_sound()
    known = PLAN.kinds.get(base_kind(kind))
    return known[0] if known else PLAN.journal_roles["other"]


def opening_journal() -> str:
    """The code of the journal that holds the computed opening lines, and nothing else."""
    require_sound()
    return PLAN.journal_roles["opening"]


def account_label(number: str) -> str:
    """The French label of a number; the number itself when the chart does not know it."""
    return PLAN.accounts.get(number, (number, number))[0]


def journal_label(code: str) -> str:
    """The French label of a journal; its code when the chart does not know it."""
    return PLAN.journals.get(code, (code, code))[0]


def entry_label(kind: str) -> str:
    """What an entry of this kind says of itself in the French books; a reversal says what it undoes."""
    base = base_kind(kind)
    label = PLAN.kinds.get(base, ("", base, base))[1]
    return label if base == kind else f"Annulation : {label}"
