"""Who may do what: one table, one function. Being in the table is the only way to be allowed."""

from collections.abc import Iterable

from django.db.models import Q, QuerySet
from django.utils.translation import gettext_lazy as _

from backend.core.errors import Forbidden
from backend.core.reads import Read
from backend.identity.factors import has_factor
from backend.identity.models import Role, User

# Roles that count for nothing until their holder has a second factor.
STRONG_ROLES = {"treasurer", "auditor", "administrator", "steward"}
MEMBERS = {"organisation_member", "organisation_manager"}
EVERYBODY = "everybody"  # in ACTIONS: whoever is signed in, with a role or without

# action → the roles that allow it, held in one of the scopes the caller names
ACTIONS: dict[str, set[str]] = {
    "pledge.make": MEMBERS,
    "pledge.give": {EVERYBODY},  # in one's own name
    "pledge.record": {"treasurer", "steward"},
    "pledge.write_off": {"treasurer"},
    "contribution.record": {"treasurer", "steward"},
    "support.read": {"steward", "treasurer", "auditor"},
    "organisation.read": MEMBERS | {"treasurer", "auditor"},
    "organisation.edit": {"organisation_manager"},
    "organisation.invite": {"organisation_manager"},
    "organisation.merge": {"treasurer"},
    "contribution.declare": {"contributor", "steward"},
    "contribution.review": {"steward"},
    "contribution.discuss": {"contributor", "steward"},
    "contribution.decide": {"steward"},
    "repository.connect": {"steward"},
    "adjustment.propose": {"steward"},  # and the contributor, of their own work
    "adjustment.decide": {"steward"},
    "round.run": {"steward"},  # open, follow and close a statement round
    "volunteering.read": {"steward", "treasurer", "auditor"},
    "volunteering.set_rate": {"treasurer"},
    "budget.read": {"contributor", "steward", "treasurer", "auditor"},
    "budget.open": {"steward", "administrator"},
    "charter.adopt": {"steward"},
    "transfer.propose": {"steward", "treasurer"},
    "transfer.decide": {"steward", "treasurer"},
    "opening.propose": {"treasurer"},
    "opening.decide": {"treasurer"},
    "year_end.propose": {"treasurer"},
    "year_end.decide": {"treasurer"},
    "period.close": {"steward", "treasurer"},
    "distribution.object": {"contributor", "steward"},
    "distribution.settle": {"steward"},  # an objection to it, when one is not involved
    "distribution.arbitrate": {"steward", "treasurer"},
    "distribution.approve": {"treasurer"},
    "batch.prepare": {"treasurer"},
    "batch.approve": {"treasurer"},
    "batch.download": {"treasurer"},
    "payout.undo": {"treasurer"},
    "paper.decide": {"treasurer"},
    "director.read": {"treasurer", "auditor", "administrator"},
    "director.mark": {"treasurer", "administrator"},
    "bank.read": {"treasurer", "auditor"},
    "bank.import": {"treasurer"},
    "bank.match": {"treasurer"},
    "ledger.read": {"treasurer", "auditor"},
    "budget.set_fee": {"treasurer"},
    "surplus.decide": {"treasurer"},
    "refund.ask": {"treasurer"},
    "paper.record": {"treasurer"},
    "provider.read": {"treasurer", "auditor"},
    "provider.operate": {"treasurer"},
    "provider_refund.ask": {"treasurer"},
    "provider_refund.approve": {"treasurer"},
    "mail.release": {"administrator", "treasurer"},
    "setup.see": {"administrator", "treasurer"},
    "setup.invite": {"administrator"},
    "setup.bank_account": {"administrator"},
    "setup.commons": {"administrator"},
    "month.lock": {"treasurer"},
    "freeze.start": {"treasurer", "administrator"},
    "factor.reset": {"administrator"},
    "freeze.lift": {"treasurer", "administrator"},
    "personal.erase": {"administrator"},
    "person.merge": {EVERYBODY},  # one's own accounts
    "people.read": {"administrator", "treasurer", "auditor", "steward"},
    "role.grant": {"administrator"},
    "role.grant_pot": {"steward"},
    "role.propose_treasurer": {"administrator", "treasurer"},
    "role.decide_treasurer": {"administrator", "treasurer"},
    "role.remove_treasurer": {"administrator", "treasurer"},
    "host.read": {"administrator", "treasurer", "auditor"},
    "host.propose": {"administrator", "treasurer"},
    "host.decide": {"administrator", "treasurer"},
    "host.stop": {"administrator", "treasurer", "auditor"},
    "commons.propose": {EVERYBODY},
    "commons.approve": {"administrator", "treasurer"},
    "commons.hide": {"administrator", "treasurer"},
    "commons.archive": {"administrator", "treasurer"},
    "budget.suspend": {"steward", "treasurer"},
    "text.moderate": {"administrator", "treasurer"},
    "moderation.read": {"administrator", "treasurer", "auditor"},
    "document.read": {EVERYBODY},  # one's own papers and those of one's organisations
    "document.read_all": {"treasurer", "auditor"},
    "document.certify": MEMBERS | {"treasurer"},
    "document.correct": {"treasurer"},
    "audit.read": {EVERYBODY},  # one's own acts, those of one's organisations and of the budgets one cares for
    "audit.read_all": {"treasurer", "auditor"},
    "audit.read_security": {"administrator"},
}


def counting(user: User) -> "QuerySet[Role]":
    """The roles of a person that count now: strong ones sleep while the person has no second factor."""
    return _counting(user.pk)


def _counting(user_id: str) -> "QuerySet[Role]":
    return Role.objects.filter(~Q(kind__in=STRONG_ROLES) | has_factor("user_id"), user_id=user_id)


_held = Read("user_id", rows=lambda user_id: _counting(user_id).values_list("kind", "scope"))


def roles_held(user: User) -> list[tuple[str, str]]:
    """Kind and scope of each role of a person that counts now; `counting` where a query goes on from them."""
    return [(kind, scope) for kind, scope in _held(user_id=user.pk)]


def dormant(user: User) -> set[str]:
    """The kinds of the roles of a person that wait for a second factor."""
    asleep = Role.objects.filter(~has_factor("user_id"), user_id=user.pk, kind__in=STRONG_ROLES)
    return set(asleep.values_list("kind", flat=True))


def who_may(action: str, *, scopes: Iterable[str]) -> "QuerySet[User]":
    """The active people whose roles allow an action there now, by name. Args: as `may`."""
    there = Q(scope__in=list(scopes)) | Q(scope__startswith="hst_")
    awake = ~Q(kind__in=STRONG_ROLES) | has_factor("user_id")
    roles = Role.objects.filter(there, awake, kind__in=ACTIONS[action])
    return User.objects.filter(pk__in=roles.values("user"), is_active=True).order_by("name", "pk")


def holds(actor: User, *kinds: str) -> bool:
    """Whether a person holds one of these roles anywhere."""
    return any(kind in kinds for kind, _scope in roles_held(actor))


def may(actor: User, action: str, *, scopes: Iterable[str] = ()) -> bool:
    """Whether a person may do an action.

    Args: action: a key of ACTIONS. scopes: ids of the organisation and budgets concerned; the host is always one.
    """
    if actor is None or not actor.is_active:
        return False
    if EVERYBODY in ACTIONS[action]:
        return True
    return _reaches((scope for kind, scope in roles_held(actor) if kind in ACTIONS[action]), scopes)


def require(actor: User, action: str, *, scopes: Iterable[str] = ()) -> None:
    """Refuse an action that a person's roles do not allow.

    Raises: Forbidden `not_allowed`; `second_factor_missing` when a role that sleeps would allow it.
    """
    wanted = set(scopes)
    if may(actor, action, scopes=wanted):
        return
    if actor is not None and actor.is_active and dormant(actor) & ACTIONS[action]:
        asleep = Role.objects.filter(user_id=actor.pk, kind__in=ACTIONS[action] & STRONG_ROLES)
        if _reaches(asleep.values_list("scope", flat=True), wanted):
            raise Forbidden(
                "second_factor_missing",
                _("Your role counts once you have a second factor: add one to your account. Nothing was changed."),
                action=action,
            )
    raise Forbidden("not_allowed", _("Your roles do not allow this. Nothing was changed."), action=action)


def _reaches(held: Iterable[str], scopes: Iterable[str]) -> bool:
    """Whether one of the scopes where roles are held is the host, or one of those named."""
    wanted = set(scopes)
    return any(scope.startswith("hst_") or scope in wanted for scope in held)
