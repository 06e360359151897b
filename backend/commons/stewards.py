"""Who works in a pot and who takes care of it: stewards give and take these roles in their own pots, with a reason."""

from datetime import datetime

from django.db import transaction
from django.utils.translation import gettext_lazy as _

from backend.commons.models import Budget
from backend.commons.services import get_budget, tree_of
from backend.core.errors import Conflict, Invalid
from backend.identity.inviting import Named
from backend.identity.models import Role, User
from backend.identity.permissions import may, require
from backend.identity.roles import give, lock_roles, role_not_found, take
from backend.identity.vacancies import vacated_by, vacating

KINDS = ("steward", "contributor")


@transaction.atomic
def grant_in_pot(*, actor: User, who: Named, kind: str, budget_id: str, reason: str, now: datetime) -> User:
    """Make somebody contributor or steward of a budget; an administrator names the first steward where there is none.

    After an administrator took away the role of the last one, a treasurer or another administrator names the next.
    Raises: Forbidden `not_allowed`, `role_to_oneself`; NotFound `budget_not_found`; Invalid `role_unknown`,
        `reason_missing`, `administrator_as_treasurer`; Conflict `role_held`, `steward_takes_two`.
    """
    if kind not in KINDS:
        raise Invalid("role_unknown", _("Choose the role."), param="kind")
    budget = get_budget(budget_id)
    lock_roles()
    require_granting(actor, kind, budget)
    return give(actor=actor, who=who, kind=kind, scope=budget.pk, reason=reason, now=now)


@transaction.atomic
def remove_from_pot(*, actor: User, person_id: str, kind: str, budget_id: str, reason: str, now: datetime) -> User:
    """Take a role in a budget away, from the next request of the person on.

    An administrator can take away that of a steward, the last one too; somebody else names the next.
    Raises: Forbidden; NotFound `budget_not_found`, `role_not_found`; Conflict `last_steward`; Invalid `reason_missing`.
    """
    budget = get_budget(budget_id)
    lock_roles()
    by_administrator = kind == "steward" and may(actor, "role.grant")
    if not by_administrator:
        require(actor, "role.grant_pot", scopes=tree_of(budget))
    role = Role.objects.select_related("user").filter(user=person_id, kind=kind, scope=budget.pk).first()
    if role is None or kind not in KINDS:
        raise role_not_found()
    if kind == "steward" and not by_administrator and len(stewards_of(budget)) == 1 and budget.parent_id is None:
        raise Conflict("last_steward", _("This is the last steward of this pot: name another one first."))
    return take(actor=actor, role=role, reason=reason, now=now)


def require_granting(actor: User, kind: str, budget: Budget) -> None:
    """Refuse who may not give a role in a budget: raises Forbidden, Conflict `steward_takes_two`."""
    if kind == "steward" and names_first(actor, budget):
        return
    if kind == "steward" and may(actor, "role.grant") and not stewards_of(budget):
        raise Conflict(
            "steward_takes_two",
            _(
                "The role of the last steward here was ended by you, or before you came to yours: a treasurer or "
                "another administrator names the next one."
            ),
        )
    require(actor, "role.grant_pot", scopes=tree_of(budget))


def names_first(actor: User, budget: Budget) -> bool:
    """Whether a person names a steward of a budget that has none: never who emptied it, else an administrator.

    Where somebody emptied it, a treasurer may too: no administrator alone chooses who takes care of a pot.
    """
    if stewards_of(budget) or vacated_by(actor, budget.pk):
        return False
    return may(actor, "role.grant") or (vacating(budget.pk) is not None and may(actor, "role.remove_treasurer"))


def stewards_of(budget: Budget) -> list[User]:
    """The active people who are stewards of this very budget, by name."""
    held = Role.objects.filter(kind="steward", scope=budget.pk).values("user")
    return list(User.objects.filter(pk__in=held, is_active=True).order_by("name", "pk"))
