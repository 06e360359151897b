"""The catalogue of refusals: what each stable code means, why it came, what to do. Each has its page."""

from backend.api.problems_of_accounts import PROBLEMS as OF_ACCOUNTS
from backend.api.problems_of_adjustments import PROBLEMS as OF_ADJUSTMENTS
from backend.api.problems_of_audit import PROBLEMS as OF_AUDIT
from backend.api.problems_of_bank_lines import PROBLEMS as OF_BANK_LINES
from backend.api.problems_of_charters import PROBLEMS as OF_CHARTERS
from backend.api.problems_of_distributions import PROBLEMS as OF_DISTRIBUTIONS
from backend.api.problems_of_documents import PROBLEMS as OF_DOCUMENTS
from backend.api.problems_of_donations import PROBLEMS as OF_DONATIONS
from backend.api.problems_of_exports import PROBLEMS as OF_EXPORTS
from backend.api.problems_of_forges import PROBLEMS as OF_FORGES
from backend.api.problems_of_ledger import PROBLEMS as OF_LEDGER
from backend.api.problems_of_merges import PROBLEMS as OF_MERGES
from backend.api.problems_of_money import PROBLEMS as OF_MONEY
from backend.api.problems_of_operations import PROBLEMS as OF_OPERATIONS
from backend.api.problems_of_organisations import PROBLEMS as OF_ORGANISATIONS
from backend.api.problems_of_papers import PROBLEMS as OF_PAPERS
from backend.api.problems_of_payees import PROBLEMS as OF_PAYEES
from backend.api.problems_of_peers import PROBLEMS as OF_PEERS
from backend.api.problems_of_pledges import PROBLEMS as OF_PLEDGES
from backend.api.problems_of_privacy import PROBLEMS as OF_PRIVACY
from backend.api.problems_of_provider import PROBLEMS as OF_PROVIDER
from backend.api.problems_of_provider_money import PROBLEMS as OF_PROVIDER_MONEY
from backend.api.problems_of_receipts import PROBLEMS as OF_RECEIPTS
from backend.api.problems_of_requests import PROBLEMS as OF_REQUESTS
from backend.api.problems_of_roles import PROBLEMS as OF_ROLES
from backend.api.problems_of_rounds import PROBLEMS as OF_ROUNDS
from backend.api.problems_of_sessions import PROBLEMS as OF_SESSIONS
from backend.api.problems_of_setup import PROBLEMS as OF_SETUP
from backend.api.problems_of_statements import PROBLEMS as OF_STATEMENTS
from backend.api.problems_of_transfers import PROBLEMS as OF_TRANSFERS
from backend.api.problems_of_volunteering import PROBLEMS as OF_VOLUNTEERING
from backend.api.problems_of_work import PROBLEMS as OF_WORK

Texts = tuple[object, object, object]

# code → (title, cause, what to do), in the language of the reader when they are shown
CATALOGUE: dict[str, Texts] = {
    **OF_REQUESTS, **OF_ACCOUNTS, **OF_WORK, **OF_CHARTERS, **OF_DISTRIBUTIONS, **OF_MONEY, **OF_OPERATIONS, **OF_SETUP,
    **OF_STATEMENTS, **OF_TRANSFERS, **OF_AUDIT, **OF_EXPORTS, **OF_LEDGER, **OF_ROLES, **OF_PRIVACY, **OF_MERGES,
    **OF_BANK_LINES, **OF_DOCUMENTS, **OF_ORGANISATIONS, **OF_SESSIONS, **OF_DONATIONS, **OF_PLEDGES, **OF_RECEIPTS,
    **OF_PROVIDER, **OF_PROVIDER_MONEY, **OF_PEERS, **OF_FORGES, **OF_ROUNDS, **OF_VOLUNTEERING, **OF_ADJUSTMENTS,
    **OF_PAYEES, **OF_PAPERS,
}  # fmt: skip


def title_of(code: str, *, fallback: str) -> str:
    """The title of a code in the language of the moment, or the fallback for a code that has no page."""
    return str(CATALOGUE[code][0]) if code in CATALOGUE else fallback
