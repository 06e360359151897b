"""Who may do what: one table, one function. Being in the table is the only way to be allowed."""

from collections.abc import Iterable

from django.utils.translation import gettext_lazy as _

from backend.core.errors import Forbidden
from backend.identity.models import Role, User

MEMBERS = {"organisation_member", "organisation_manager"}

# action → the roles that allow it, held in one of the scopes the caller names
ACTIONS: dict[str, set[str]] = {
    "pledge.make": MEMBERS | {"treasurer"},
    "contribution.declare": {"contributor", "steward"},
    "contribution.review": {"steward"},
    "budget.read": {"contributor", "steward", "treasurer", "auditor"},
    "budget.open": {"steward", "administrator"},
    "charter.adopt": {"steward"},
    "transfer.propose": {"steward", "treasurer"},
    "transfer.decide": {"steward", "treasurer"},
    "opening.propose": {"treasurer"},
    "opening.decide": {"treasurer"},
    "period.close": {"steward", "treasurer"},
    "distribution.arbitrate": {"steward", "treasurer"},
    "distribution.approve": {"treasurer"},
    "batch.prepare": {"treasurer"},
    "batch.approve": {"treasurer"},
    "batch.download": {"treasurer"},
    "bank.read": {"treasurer", "auditor"},
    "bank.import": {"treasurer"},
    "bank.match": {"treasurer"},
    "ledger.read": {"treasurer", "auditor"},
    "mail.release": {"administrator", "treasurer"},
    "setup.see": {"administrator", "treasurer"},
    "setup.invite": {"administrator"},
    "setup.bank_account": {"administrator"},
    "setup.commons": {"administrator"},
    "month.lock": {"treasurer"},
    "freeze.start": {"treasurer", "administrator"},
    "freeze.lift": {"treasurer", "administrator"},
}


def holds(actor: User, *kinds: str) -> bool:
    """Whether a person holds one of these roles anywhere."""
    return Role.objects.filter(user_id=actor.pk, kind__in=kinds).exists()


def may(actor: User, action: str, *, scopes: Iterable[str] = ()) -> bool:
    """Whether a person may do an action.

    Args: action: a key of ACTIONS. scopes: ids of the organisation and budgets concerned; the host is always one.
    """
    if actor is None or not actor.is_active:
        return False
    held = Role.objects.filter(user_id=actor.pk, kind__in=ACTIONS[action]).values_list("scope", flat=True)
    wanted = set(scopes)
    return any(scope.startswith("hst_") or scope in wanted for scope in held)


def require(actor: User, action: str, *, scopes: Iterable[str] = ()) -> None:
    """Refuse an action that a person's roles do not allow: raises Forbidden `not_allowed`."""
    if not may(actor, action, scopes=scopes):
        raise Forbidden("not_allowed", _("Your roles do not allow this. Nothing was changed."))
