"""Writes about commons, budgets, charters and periods."""

from collections.abc import Iterable, Mapping
from datetime import date, datetime
from typing import Any

from django.db import transaction
from django.db.models import Q
from django.utils.text import slugify
from django.utils.translation import gettext_lazy as _

from backend.allocation.trace import sha256
from backend.commons.charters import default_document, valid_document
from backend.commons.models import Budget, Charter, Commons, Period
from backend.commons.rhythm import end_after, end_by_length
from backend.core.dates import date_format
from backend.core.errors import Conflict, Invalid, NotFound
from backend.core.ids import new_id
from backend.core.money import require_currency
from backend.events.services import record
from backend.identity.models import HostBankAccount, User
from backend.identity.permissions import require
from backend.identity.services import grant_role, host_day
from backend.ledger.services import balances

OPEN_TO_PLEDGES = {"open"}
OPEN_TO_WORK = {"open", "suspended"}
OPEN_TO_MONEY = {"open", "suspended", "closing"}
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
    document: Mapping[str, Any] | None = None,
    rule: str = "claims_pro",
    approvals: int = 1,
    hard_cap: int | None = None,
    transfer_threshold: int = 0,
    website: str = "",
    licence: str = "",
) -> Commons:
    """Create a commons with its common pot, first charter, first period and first steward.

    Args: currency: that of one of the host's bank accounts. first_day, end_before: the first period. document: its
        charter; when not given, a simple one is written of the next four. rule: a key of allocation.RULES. approvals:
        how many stewards validate a contribution. hard_cap: largest request, minor units. transfer_threshold: transfers
        out of its budgets above this many minor units take two people.
    Raises: Invalid on a name already taken, a currency without a bank account, an unknown rule, a bad charter.
    """
    name, slug = free_name(name)
    commons = Commons.objects.create(
        id=new_id("com"), slug=slug, name=name, summary=summary, website=website, licence=licence, created_at=now
    )
    if document is None:
        document = default_document(
            rule=rule, approvals=approvals, hard_cap=hard_cap, transfer_threshold=transfer_threshold
        )
    budget = give_pot(
        commons, currency=currency, document=document, steward=steward, first_day=first_day, end_before=end_before,
        now=now,
    )  # fmt: skip
    grant_role(user=steward, kind="steward", scope=budget.pk, granted_by=steward, now=now)
    record("commons.created", actor=steward, subject=commons.pk, now=now, scopes=[budget.pk])
    return commons


def free_name(name: str) -> tuple[str, str]:
    """A name for a commons, and what addresses make of it; raises Invalid `name_taken` when it is not free."""
    name, slug = name.strip(), slugify(name)[:60].strip("-")
    if not slug or len(name) > 140 or Commons.objects.filter(slug=slug).exists():
        raise Invalid("name_taken", _("Choose another name: this one is empty, too long or taken."), param="name")
    return name, slug


def give_pot(
    commons: Commons,
    *,
    currency: str,
    document: Mapping[str, Any],
    steward: User,
    first_day: date,
    end_before: date,
    now: datetime,
) -> Budget:
    """The common pot of a commons, with its first charter and its first period; in the caller's transaction.

    Raises: Invalid `currency_without_account`; what a bad charter is refused for.
    """
    require_currency(currency)
    if not HostBankAccount.objects.filter(currency=currency).exists():
        raise Invalid("currency_without_account", _("The host has no bank account in this currency."), param="currency")
    budget = Budget.objects.create(
        id=new_id("bud"), commons=commons, name=commons.name, currency=currency, state="open", created_at=now
    )
    charter = _write_charter(budget, valid_document(document, budget=budget), steward, now)
    Period.objects.create(id=new_id("per"), budget=budget, charter=charter, starts_on=first_day, ends_before=end_before)
    return budget


def _write_charter(budget: Budget, document: Mapping[str, Any], by: User, now: datetime) -> Charter:
    """The next version of a budget's charter; the caller validated the document and holds the budget."""
    latest = budget.charters.order_by("-version").first()
    return Charter.objects.create(
        id=new_id("cha"), budget=budget, version=latest.version + 1 if latest else 1, document=dict(document),
        sha256=sha256(document), created_by=by, created_at=now,
    )  # fmt: skip


@transaction.atomic
def adopt_charter(
    *, actor: User, budget: Budget, document: Mapping[str, Any], now: datetime, after: int | None = None
) -> Charter:
    """Write the next version of a budget's charter. Moves no money.

    It holds from the first period that begins after today: the running one and those before it keep theirs.
    The rules that are in the latest version already are that version: nothing is written twice.
    Args: after: the latest version that the person read; another one is a refusal. None: whatever it is.
    Raises: Forbidden; CharterInvalid naming each path; Conflict `charter_of_parent`, `budget_not_open`,
        `charter_changed`.
    """
    require(actor, "charter.adopt", scopes=tree_of(budget))
    Commons.objects.select_for_update(no_key=True).get(pk=budget.commons_id)
    budget = Budget.objects.select_for_update(of=("self",), no_key=True).get(pk=budget.pk)
    latest = budget.charters.order_by("-version").first()
    if latest is None:
        raise Conflict(
            "charter_of_parent",
            _("This budget follows the rules of %(name)s: they are changed there.")
            % {"name": ruling_budget(budget).full_name},
        )
    if budget.state not in OPEN_TO_WORK:
        raise Conflict("budget_not_open", _("This budget is not open: its rules do not change any more."))
    valid = valid_document(document, budget=budget)
    if sha256(valid) == latest.sha256:
        return latest
    if after is not None and after != latest.version:
        raise Conflict(
            "charter_changed",
            _("Version %(version)s was adopted in the meantime: read it, then adopt yours if you still want it.")
            % {"version": latest.version},
        )
    hold_periods(budget)
    made = _write_charter(budget, valid, actor, now)
    coming = Period.objects.filter(budget=budget, state="open", starts_on__gt=host_day(now))
    coming.update(charter=made)
    last, length = coming.order_by("-starts_on").first(), valid["period"]
    if last is not None and length is not None and length != latest.document["period"]:
        # Nothing comes after it yet: it takes the new length, whatever days an early closing left to it.
        coming.filter(pk=last.pk).update(ends_before=end_by_length(last.starts_on, length))
    record(
        "charter.adopted", actor=actor, subject=made.pk, now=now, scopes=tree_of(budget), version=made.version,
        sha256=made.sha256,
    )  # fmt: skip
    return made


def hold_periods(budget: Budget) -> None:
    """Lock the open periods of a budget, and its last one so that none is opened after it, until the transaction ends.

    Who opens a period locks the one before it first, and reads the latest charter after that.
    """
    held: set[str] = set()
    while True:
        last = Period.objects.filter(budget=budget).order_by("-starts_on").values("pk")[:1]
        wanted = Period.objects.filter(
            Q(budget=budget, state="open") | Q(pk__in=list(last.values_list("pk", flat=True)))
        )
        found = set(wanted.order_by("pk").select_for_update(no_key=True).values_list("pk", flat=True))
        if found <= held:
            return
        held |= found


@transaction.atomic
def open_envelope(
    *,
    actor: User,
    parent: Budget,
    name: str,
    now: datetime,
    own_rules: bool = True,
    first_day: date | None = None,
    end_before: date | None = None,
) -> Budget:
    """Open an envelope: a purse below a budget. Moves no money.

    Args: own_rules: True gives it a copy of the rules and periods of its own; False lets it follow those of the budget
        above: its money is for the work in it, and is shared at the same closing. first_day, end_before: its first
        period, with rules of its own; that of the budget above when not given.
    Raises: Forbidden; Invalid `envelope_name_taken`, `period_without_days`; Conflict `budget_not_open`.
    """
    require(actor, "budget.open", scopes=tree_of(parent))
    # Two people opening the same envelope wait for each other here.
    Commons.objects.select_for_update(no_key=True).get(pk=parent.commons_id)
    parent = Budget.objects.select_related("parent").get(pk=parent.pk)
    name = " ".join(name.split())
    if not name or len(name) > 140 or parent.commons.budgets.filter(name__iexact=name).exists():
        raise Invalid(
            "envelope_name_taken",
            _("Choose another name: this one is empty, too long, or that of another budget of this commons."),
            param="name",
        )
    if parent.state != "open":
        raise Conflict("budget_not_open", _("This budget is not open: no envelope can be opened below it."))
    if own_rules:
        first, end = _first_days(parent, first_day, end_before)
    envelope = Budget.objects.create(
        id=new_id("bud"), commons=parent.commons, parent=parent, name=name, currency=parent.currency, state="open",
        created_at=now,
    )  # fmt: skip
    if own_rules:
        charter = _write_charter(envelope, charter_of(parent).document, actor, now)
        Period.objects.create(id=new_id("per"), budget=envelope, charter=charter, starts_on=first, ends_before=end)
    record("budget.opened", actor=actor, subject=envelope.pk, now=now, scopes=tree_of(envelope))
    return envelope


def _first_days(parent: Budget, first_day: date | None, end_before: date | None) -> tuple[date, date]:
    """The first period of an envelope with rules of its own."""
    above = current_period(parent)
    first = first_day or (above.starts_on if above else None)
    end = end_before or (above.ends_before if above else None)
    if first is None or end is None or first >= end:
        raise Invalid("period_without_days", _("The first period must end after it begins."), param="first_day")
    return first, end


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


def subtree_of(budget: Budget) -> list[Budget]:
    """A budget and all those below it, each one right before those below it, by name."""
    below: dict[str | None, list[Budget]] = {}
    for one in Budget.objects.filter(commons=budget.commons_id).order_by("name", "id"):
        below.setdefault(one.parent_id, []).append(one)
    found, waiting = [], [budget]
    while waiting:
        found.append(waiting.pop())
        waiting += reversed(below.get(found[-1].pk, []))
    return found


def subtree_balances(budget: Budget) -> list[tuple[Budget, int]]:
    """(budget, what it holds in minor units) for a budget and all those below it; their sum is what the tree holds."""
    tree = subtree_of(budget)
    held = balances(kind="budget", owners=[one.pk for one in tree])
    return [(one, held.get((one.pk, one.currency), 0)) for one in tree]


def hold(budgets: Iterable[Budget]) -> None:
    """Lock the commons, then the budgets, then their open periods, until the transaction ends: none of them closes
    and no other movement between them passes meanwhile."""
    found = sorted({budget.pk: budget for budget in budgets}.values(), key=lambda budget: budget.pk)
    commons = Commons.objects.filter(pk__in=[budget.commons_id for budget in found]).order_by("pk")
    list(commons.select_for_update(no_key=True))
    list(Budget.objects.filter(pk__in=[budget.pk for budget in found]).order_by("pk").select_for_update(no_key=True))
    ruled = {ruling_budget(budget).pk for budget in found}
    list(Period.objects.filter(budget__in=ruled, state="open").order_by("pk").select_for_update(no_key=True))


def being_shared(budget: Budget) -> bool:
    """Whether a closed period is about to share what this budget holds."""
    shared = ["frozen", "computed", "published", "approved"]
    return Period.objects.filter(budget=ruling_budget(budget), state__in=shared).exists()


def get_budget(budget_id: str) -> Budget:
    """A budget by id; raises NotFound `budget_not_found`."""
    budget = Budget.objects.select_related("commons", "parent").filter(pk=budget_id).first()
    if budget is None:
        raise NotFound("budget_not_found", _("There is no such budget."), param="budget")
    return budget


def ruling_budget(budget: Budget) -> Budget:
    """The budget whose charter and periods hold for this one: itself, or the nearest above that has charters."""
    above: Budget | None = budget
    while above is not None:
        if above.charters.exists():
            return above
        above = above.parent
    raise NotFound("charter_not_found", _("This budget has no charter."), param="budget")


def charter_of(budget: Budget) -> Charter:
    """The charter in force: that of the first open period, else the latest version."""
    ruling = ruling_budget(budget)
    running = Period.objects.filter(budget=ruling, state="open").select_related("charter__budget")
    period = running.order_by("starts_on").first()
    return period.charter if period else ruling.charters.select_related("budget").latest("version")


def following(ruling: Budget) -> list[Budget]:
    """A budget that has rules, and those below it that follow them, each one right before those below it."""
    known = set(Charter.objects.filter(budget__commons=ruling.commons_id).values_list("budget_id", flat=True))
    kept: set[str] = {ruling.pk}
    found = []
    for one in subtree_of(ruling):
        if one.pk in kept or (one.parent_id in kept and one.pk not in known):
            kept.add(one.pk)
            found.append(one)
    return found


def _closed(ruled: Budget, day: date) -> Conflict:
    """Why nothing is added to the period of a day, and from which day on it can be."""
    rows = Period.objects.filter(budget=ruled)
    opened = rows.filter(state="open").order_by("starts_on").values_list("starts_on", flat=True).first()
    first = opened or rows.order_by("-starts_on").values_list("ends_before", flat=True).first()
    return Conflict(
        "period_closed",
        _("The period of %(day)s is closed: nothing can be added to it. Days from %(first)s on are open.")
        % {"day": date_format(day, "DATE_FORMAT"), "first": date_format(first, "DATE_FORMAT") if first else "—"},
        param="worked_on",
    )


def current_period(budget: Budget) -> Period | None:
    """The latest open period of the budget whose charter rules this one, if any."""
    return Period.objects.filter(budget=ruling_budget(budget), state="open").order_by("-starts_on").first()


def require_open_period(budget: Budget, *, day: date) -> Period:
    """The open period a day of work falls in, locked against closing until the transaction ends.

    The day after the last period ends opens the next one, of the same length: nobody waits for a closing to declare.
    Raises: Conflict `period_closed` when the day's period is closed; Invalid `day_outside_period` when no period
        reaches it.
    """
    ruled = ruling_budget(budget)
    for _turn in range(MAX_PERIODS_AHEAD):
        covering = Period.objects.filter(budget=ruled, starts_on__lte=day, ends_before__gt=day)
        period = covering.filter(state="open").select_for_update(of=("self",), no_key=True).first()
        if period is not None:
            return period
        if covering.exists():
            raise _closed(ruled, day)
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


@transaction.atomic
def open_next_period(*, after: Period, ends_before: date | None = None) -> Period:
    """The period that follows one, opened under the latest version of the charter if it is not there yet.

    Args: ends_before: its end; when not given, what the charter says, else as many whole months or days as the rhythm
        of the budget says.
    """
    # A charter that is being adopted holds this row: the version is read once it is there.
    after = Period.objects.select_for_update(of=("self",), no_key=True).get(pk=after.pk)
    known = Period.objects.filter(budget=after.budget_id, starts_on=after.ends_before).first()
    if known is not None:
        return known
    charter = Charter.objects.filter(budget=after.budget_id).latest("version")
    return Period.objects.create(
        id=new_id("per"), budget_id=after.budget_id, charter=charter, starts_on=after.ends_before,
        ends_before=ends_before or end_after(after, charter.document["period"]),
    )  # fmt: skip
