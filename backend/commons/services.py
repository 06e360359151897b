"""Writes about commons, budgets, charters and periods."""

from datetime import date, datetime, timedelta

from django.db import transaction
from django.utils.text import slugify
from django.utils.translation import gettext_lazy as _

from backend.commons.models import Budget, Charter, Commons, Period
from backend.core.errors import Conflict, Invalid, NotFound
from backend.core.ids import new_id
from backend.core.money import require_currency
from backend.events.services import record
from backend.identity.models import HostBankAccount, User

OPEN_TO_PLEDGES = {"open"}
OPEN_TO_WORK = {"open", "suspended"}


@transaction.atomic
def create_commons(
    *,
    name: str,
    summary: str,
    currency: str,
    steward: User,
    first_day: date,
    end_before: date,
    now: datetime,
    rule: str = "claims_pro",
    approvals: int = 1,
    hard_cap: int | None = None,
    website: str = "",
    licence: str = "",
) -> Commons:
    """Create a commons with its common pot, first charter, first period and first steward.

    Args: currency: that of one of the host's bank accounts. first_day, end_before: the first period. rule: a key of
        allocation.RULES. approvals: how many stewards validate a contribution. hard_cap: largest request, minor units.
    Raises: Invalid on a name already taken, a currency without a bank account or an unknown rule.
    """
    from backend.identity.services import grant_role

    require_currency(currency)
    if not HostBankAccount.objects.filter(currency=currency).exists():
        raise Invalid("currency_without_account", _("The host has no bank account in this currency."), param="currency")
    if rule not in dict(Charter.RULES):
        raise Invalid("rule_unknown", _("This distribution rule is not known."), param="rule")
    slug = slugify(name)
    if not slug or Commons.objects.filter(slug=slug).exists():
        raise Invalid("name_taken", _("Choose another name: this one is empty or taken."), param="name")
    commons = Commons.objects.create(
        id=new_id("com"), slug=slug, name=name, summary=summary, website=website, licence=licence, created_at=now
    )
    budget = Budget.objects.create(
        id=new_id("bud"), commons=commons, name=name, currency=currency, state="open", created_at=now
    )
    Charter.objects.create(
        id=new_id("cha"), budget=budget, version=1, rule=rule, approvals=approvals, hard_cap=hard_cap,
        created_by=steward, created_at=now,
    )  # fmt: skip
    Period.objects.create(id=new_id("per"), budget=budget, starts_on=first_day, ends_before=end_before)
    grant_role(user=steward, kind="steward", scope=budget.pk, granted_by=steward, now=now)
    record("commons.created", actor=steward, subject=commons.pk, now=now, scopes=[budget.pk])
    return commons


def root_budget(commons: Commons) -> Budget:
    """The common pot of a commons."""
    return commons.budgets.get(parent=None)


def tree_of(budget: Budget) -> list[str]:
    """The ids of a budget and of the budgets above it, nearest first: a role in one of them counts here."""
    ids = []
    above: Budget | None = budget
    while above is not None:
        ids.append(above.pk)
        above = above.parent
    return ids


def get_budget(budget_id: str) -> Budget:
    """A budget by id; raises NotFound `budget_not_found`."""
    budget = Budget.objects.select_related("commons", "parent").filter(pk=budget_id).first()
    if budget is None:
        raise NotFound("budget_not_found", _("There is no such budget."), param="budget")
    return budget


def charter_of(budget: Budget) -> Charter:
    """The charter in force: the budget's own, else that of the nearest budget above it."""
    above: Budget | None = budget
    while above is not None:
        charter = above.charters.order_by("-version").first()
        if charter is not None:
            return charter
        above = above.parent
    raise NotFound("charter_not_found", _("This budget has no charter."), param="budget")


def current_period(budget: Budget) -> Period | None:
    """The open period of the budget whose charter rules this one, if any."""
    return Period.objects.filter(budget=charter_of(budget).budget, state="open").first()


def require_open_period(budget: Budget, *, day: date) -> Period:
    """The open period of a budget, locked against closing until the transaction ends.

    Raises: Conflict `period_closed` when the day's period is closed, or none is open; Invalid `day_outside_period` when
        the day is in no period yet.
    """
    period = (
        Period.objects.select_for_update(of=("self",), no_key=True)
        .filter(budget=charter_of(budget).budget, state="open")
        .first()
    )
    gone = Period.objects.filter(budget=charter_of(budget).budget, starts_on__lte=day, ends_before__gt=day)
    if period is None or gone.exclude(state="open").exists():
        raise Conflict(
            "period_closed", _("The period of this day is closed: nothing can be added to it."), param="worked_on"
        )
    if not period.covers(day):
        raise Invalid(
            "day_outside_period",
            _("The open period goes from %(first)s to %(last)s: choose a day in it.")
            % {"first": period.starts_on.isoformat(), "last": (period.ends_before - timedelta(days=1)).isoformat()},
            param="worked_on",
        )
    return period


def open_next_period(*, after: Period) -> Period:
    """Open the period that follows one, of the same length."""
    length = after.ends_before - after.starts_on
    return Period.objects.create(
        id=new_id("per"), budget=after.budget, starts_on=after.ends_before, ends_before=after.ends_before + length
    )
