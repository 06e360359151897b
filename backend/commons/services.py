"""Writes about commons, budgets, charters and periods."""

from datetime import date, datetime

from django.db import transaction
from django.utils.formats import date_format
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
MAX_PERIODS_AHEAD = 60


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
    name, slug = name.strip(), slugify(name)[:60].strip("-")
    if not slug or len(name) > 140 or Commons.objects.filter(slug=slug).exists():
        raise Invalid("name_taken", _("Choose another name: this one is empty, too long or taken."), param="name")
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
    """The latest open period of the budget whose charter rules this one, if any."""
    return Period.objects.filter(budget=charter_of(budget).budget, state="open").order_by("-starts_on").first()


def require_open_period(budget: Budget, *, day: date) -> Period:
    """The open period a day of work falls in, locked against closing until the transaction ends.

    The day after the last period ends opens the next one, of the same length: nobody waits for a closing to declare.
    Raises: Conflict `period_closed` when the day's period is closed; Invalid `day_outside_period` when no period
        reaches it.
    """
    ruled = charter_of(budget).budget
    for _turn in range(MAX_PERIODS_AHEAD):
        covering = Period.objects.filter(budget=ruled, starts_on__lte=day, ends_before__gt=day)
        period = covering.filter(state="open").select_for_update(of=("self",), no_key=True).first()
        if period is not None:
            return period
        if covering.exists():
            raise Conflict(
                "period_closed",
                _("The period of this day is closed: nothing can be added to it. Later days are open."),
                param="worked_on",
            )
        latest = Period.objects.filter(budget=ruled).order_by("-starts_on").first()
        if latest is None or day < latest.ends_before:
            break
        open_next_period(after=latest)
    first = Period.objects.filter(budget=ruled, state="open").order_by("starts_on").first()
    raise Invalid(
        "day_outside_period",
        _("No open period reaches this day: choose a day from %(first)s on.")
        % {"first": date_format(first.starts_on, "DATE_FORMAT") if first else "—"},
        param="worked_on",
    )


def open_next_period(*, after: Period, ends_before: date | None = None) -> Period:
    """The period that follows one, opened if it is not there yet.

    Args: ends_before: its end; of the same length as the one before when not given.
    """
    end = ends_before or after.ends_before + (after.ends_before - after.starts_on)
    period, _created = Period.objects.get_or_create(
        budget=after.budget, starts_on=after.ends_before, defaults={"id": new_id("per"), "ends_before": end}
    )
    return period
