"""What must be settled before a person can be erased: money on its way to them, roles that only they hold."""

from collections.abc import Iterator

from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from backend.commons.models import Budget
from backend.commons.services import tree_of
from backend.contributions.models import Contribution
from backend.core.errors import Conflict
from backend.distributions.models import ArbitrationLine, Share
from backend.identity.models import Organisation, Role, User
from backend.ledger.services import balances
from backend.payees.models import Payee
from backend.payouts.models import Payout
from backend.pledges.models import Pledge
from backend.privacy.receipts import refund_waits

WORK_WAITS = ("declared", "questioned", "validated", "included")
PAYOUT_WAITS = ("prepared", "sent")
OVER = ("closed", "archived", "hidden", "refused")


def hindrances(user: User) -> Iterator[Conflict]:
    """Why a person cannot be erased now, each with what to do first; nothing when nothing stands in the way.

    The codes: `erasure_money_owed`, `erasure_work_waits`, `erasure_only_treasurer`, `erasure_only_administrator`,
    `erasure_only_manager`, `erasure_only_steward`.
    """
    if any(is_owed(one) for one in (user, *User.objects.filter(merged_into=user))):
        yield Conflict(
            "erasure_money_owed",
            _("Money is still owed, or on its way. Wait until it is paid and seen on the bank’s statement."),
        )
    waiting = Contribution.objects.filter(contributor=user, state__in=WORK_WAITS)
    if waiting.exists() or ArbitrationLine.objects.filter(person=user, arbitration__state="waiting").exists():
        yield Conflict(
            "erasure_work_waits",
            _("Work waits to be reviewed or shared. Withdraw it, or wait until its period is paid."),
        )
    yield from only_holder(user)


def is_owed(user: User) -> bool:
    """Whether money is owed to a person, or on its way to them."""
    if refund_waits(Pledge.objects.filter(Q(person=user) | Q(donor__claimed_by=user))):
        return True
    payees = list(Payee.objects.filter(user=user).values_list("pk", flat=True))
    if not payees:
        return False
    unpaid = Share.objects.filter(payee__in=payees, amount__gt=0).exclude(state__in=["paid", "waived"])
    if unpaid.exists() or Payout.objects.filter(payee__in=payees, state__in=PAYOUT_WAITS).exists():
        return True
    return any(balances(kind="payee", owners=payees).values())


def only_holder(user: User) -> Iterator[Conflict]:
    """The roles of a person that nobody else holds, and that somebody must."""
    for role in Role.objects.filter(user=user).order_by("pk"):
        others = Role.objects.filter(kind=role.kind, user__is_active=True).exclude(user=user)
        if role.kind == "treasurer" and not others.exists():
            yield Conflict("erasure_only_treasurer", _("There is no other treasurer: name another one first."))
        elif role.kind == "administrator" and not others.exists():
            yield Conflict("erasure_only_administrator", _("There is no other administrator: name another one first."))
        elif role.kind == "organisation_manager" and not others.filter(scope=role.scope).exists():
            yield from _only_manager(user, role.scope)
        elif role.kind == "steward":
            budget = Budget.objects.filter(pk=role.scope).exclude(state__in=OVER).first()
            if budget is not None and not others.filter(scope__in=tree_of(budget)).exists():
                yield Conflict(
                    "erasure_only_steward",
                    _("Nobody else takes care of “%(name)s”: name another steward first, or close the budget.")
                    % {"name": budget.full_name},
                )


def _only_manager(user: User, scope: str) -> Iterator[Conflict]:
    """An organisation may be left by its last person, but not its members nor a promise that awaits money."""
    organisation = Organisation.objects.filter(pk=scope, merged_into=None).first()
    if organisation is None:
        return
    members = Role.objects.filter(scope=scope, kind="organisation_member", user__is_active=True).exclude(user=user)
    if members.exists() or Pledge.objects.filter(organisation=organisation, state="active").exists():
        yield Conflict(
            "erasure_only_manager",
            _("Nobody else manages “%(name)s”, which has members or a pledge that is awaited: name a manager first.")
            % {"name": organisation.name},
        )
