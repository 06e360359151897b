"""Opening balances: what accounts and budgets held the day the books begin, written by one, approved by another."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from datetime import date, datetime

from django.db import IntegrityError, transaction
from django.utils.formats import date_format
from django.utils.translation import gettext_lazy as _

from backend.commons.models import Budget
from backend.core.errors import Conflict, DomainError, Forbidden, Invalid, NotFound
from backend.core.idempotency import fingerprint
from backend.core.ids import new_id
from backend.core.money import MAX_AMOUNT, format_money, require_amount
from backend.core.names import name_key
from backend.events.services import record
from backend.identity.models import HostBankAccount, User
from backend.identity.permissions import may, require
from backend.identity.services import host_day, the_host
from backend.ledger import chart
from backend.ledger.services import Line, first_day, open_account, post
from backend.transfers.models import Opening, OpeningLine

EARLIEST = date(2000, 1, 1)


def propose_opening(
    *,
    actor: User,
    as_of: date,
    accounts: Mapping[str, int],
    budgets: Mapping[str, int],
    form_key: str,
    now: datetime,
) -> Opening:
    """Write down what bank accounts and budgets held at the end of a day. Books nothing: another treasurer approves.

    Args: as_of: the last day before the books begin. accounts: bank account id → minor units, below zero when it is
        overdrawn. budgets: budget id → minor units. What the accounts hold beyond the budgets is the host's own money.
        form_key: a repetition gives back the first proposal.
    Raises: Forbidden; Invalid `opening_day_absurd`, `opening_empty`, `account_not_found`, `budget_not_found`,
        `amount_out_of_range`, `other_currency`, `opening_short`; Conflict `already_opened`, `opening_after_entries`.
    """
    require(actor, "opening.propose")
    if not EARLIEST <= as_of <= host_day(now):
        raise Invalid(
            "opening_day_absurd", _("Give the day of the balances: today at the latest, 2000 at the earliest."),
            param="as_of",
        )  # fmt: skip
    lines = [*_account_lines(accounts), *_budget_lines(budgets)]
    if not any(line.account for line in lines):
        raise Invalid("opening_empty", _("Give the balance of one bank account at least."), param="accounts")
    digest = _digest(as_of, lines)
    try:
        with transaction.atomic():
            first = Opening.objects.filter(proposed_by=actor, form_key=form_key).first()
            if first is not None:
                return _same(first, digest)
            _require_possible(as_of, lines)
            opening = Opening.objects.create(
                id=new_id("opn"), as_of=as_of, digest=digest, proposed_by=actor, proposed_at=now, form_key=form_key
            )
            for line in lines:
                line.opening = opening
            OpeningLine.objects.bulk_create(lines)
            record("opening.proposed", actor=actor, subject=opening.pk, now=now, digest=digest)
    except IntegrityError as twin:
        if "one_opening_per_form" in str(twin):
            return _same(Opening.objects.get(proposed_by=actor, form_key=form_key), digest)
        if "opened_once" in str(twin):
            raise _opened() from twin
        raise
    return opening


def decide_opening(
    *, actor: User, opening_id: str, accept: bool, digest: str, reason: str = "", now: datetime
) -> Opening:
    """Approve or refuse opening balances; the person who wrote them may take them back, never approve them.

    Args: digest: that of the balances that were read. reason: asked for a refusal.
    Returns: the opening. Approved, the ledger moved: each bank account +, each budget −, the difference −.
    Raises: NotFound; Forbidden `own_opening`; Invalid `reason_missing`; Conflict `opening_not_waiting`,
        `opening_changed`, `opening_after_entries`.
    """
    with transaction.atomic():
        opening = (
            Opening.visible_to(actor)
            .select_related("proposed_by", "decided_by")
            .select_for_update(of=("self",))
            .filter(pk=opening_id)
            .first()
        )
        if opening is None:
            raise NotFound("opening_not_found", _("There are no such opening balances."))
        require(actor, "opening.decide")
        state = "booked" if accept else "withdrawn" if opening.proposed_by_id == actor.pk else "refused"
        if opening.state == state and opening.decided_by_id == actor.pk:
            return opening
        if opening.state != "proposed":
            raise Conflict(
                "opening_not_waiting",
                _("These opening balances no longer wait: they are “%(state)s”.")
                % {"state": opening.get_state_display()},
            )
        lines = list(opening.lines.select_related("account", "budget").order_by("pk"))
        if accept:
            # No line of these accounts is booked meanwhile: matching holds the same rows.
            held = [line.account_id for line in lines if line.account_id]
            list(HostBankAccount.objects.filter(pk__in=held).order_by("pk").select_for_update())
            if opening.proposed_by_id == actor.pk:
                raise Forbidden("own_opening", _("You wrote these balances: another treasurer must approve them."))
            if digest != opening.digest or digest != _digest(opening.as_of, lines):
                raise Conflict("opening_changed", _("These are not the balances you read: open the page again."))
            _require_unused(opening.as_of, lines)
            opening.entry = _book(opening, lines, now)
        else:
            opening.decision_reason = " ".join(reason.split())[:500]
            if state == "refused" and not opening.decision_reason:
                raise Invalid("reason_missing", _("Say why: the person who wrote them reads it."), param="reason")
            opening.lines.update(live=False)
        opening.state, opening.decided_by, opening.decided_at = state, actor, now
        opening.save(update_fields=["state", "decided_by", "decided_at", "decision_reason", "entry"])
        record(
            f"opening.{state}", actor=actor, subject=opening.pk, now=now, why=opening.decision_reason,
            before={"state": "proposed"}, after={"state": state}, digest=opening.digest,
        )  # fmt: skip
    return opening


def opening_hindrance(*, actor: User, opening: Opening) -> DomainError | None:
    """Why this person could not approve these balances now, or None."""
    if not may(actor, "opening.decide"):
        return Forbidden("not_allowed", _("A treasurer must approve these balances."))
    if opening.proposed_by_id == actor.pk:
        return Forbidden("own_opening", _("You wrote these balances: another treasurer must approve them."))
    return None


def opened_on(account_id: str) -> date | None:
    """The day whose end the booked opening balance of a bank account says; None without one."""
    booked = OpeningLine.objects.filter(account=account_id, opening__state="booked")
    return booked.values_list("opening__as_of", flat=True).first()


def opened_with(account_id: str) -> tuple[date | None, int]:
    """That day, and the opening balance in minor units; (None, 0) without one."""
    booked = OpeningLine.objects.filter(account=account_id, opening__state="booked")
    return booked.values_list("opening__as_of", "amount").first() or (None, 0)


def own_funds(lines: Sequence[OpeningLine]) -> dict[str, int]:
    """Currency → what the accounts hold beyond the budgets: the host's own money, minor units."""
    left: dict[str, int] = defaultdict(int)
    for line in lines:
        left[line.currency] += line.amount if line.account_id else -line.amount
    return dict(left)


def to_open() -> tuple[list[HostBankAccount], list[Budget]]:
    """The bank accounts and the budgets that no opening covers yet, by name."""
    known = OpeningLine.objects.filter(live=True)
    accounts = HostBankAccount.objects.exclude(pk__in=known.exclude(account=None).values("account"))
    budgets = Budget.objects.exclude(pk__in=known.exclude(budget=None).values("budget"))
    live = budgets.filter(state__in=["draft", "open", "suspended"]).select_related("commons", "parent")
    pots = sorted(live, key=lambda one: (name_key(one.commons.name), one.parent_id is not None, name_key(one.name)))
    return list(accounts.order_by("name")), pots


def _account_lines(accounts: Mapping[str, int]) -> list[OpeningLine]:
    known = HostBankAccount.objects.in_bulk(list(accounts))
    lines = []
    for account_id, amount in accounts.items():
        if account_id not in known:
            raise Invalid("account_not_found", _("There is no such bank account."), param="accounts")
        if isinstance(amount, bool) or not -MAX_AMOUNT <= amount <= MAX_AMOUNT:
            require_amount(-1, param="accounts")
        lines.append(OpeningLine(account=known[account_id], amount=amount, currency=known[account_id].currency))
    return lines


def _budget_lines(budgets: Mapping[str, int]) -> list[OpeningLine]:
    known = Budget.objects.in_bulk(list(budgets))
    lines = []
    for budget_id, amount in budgets.items():
        if budget_id not in known:
            raise Invalid("budget_not_found", _("There is no such budget."), param="budgets")
        require_amount(amount, param="budgets", minimum=0)
        lines.append(OpeningLine(budget=known[budget_id], amount=amount, currency=known[budget_id].currency))
    return lines


def _digest(as_of: date, lines: Sequence[OpeningLine]) -> str:
    rows = sorted([line.account_id or line.budget_id, line.amount, line.currency] for line in lines)
    return fingerprint("opening", as_of.isoformat(), rows)


def _same(first: Opening, digest: str) -> Opening:
    if first.digest != digest:
        raise Conflict("form_key_reused", _("This form was already sent with other values. Open a new one."))
    return first


def _opened() -> Conflict:
    return Conflict(
        "already_opened", _("One of these accounts or budgets has its opening balance already, booked or proposed.")
    )


def _require_possible(as_of: date, lines: Sequence[OpeningLine]) -> None:
    pots = {line.currency for line in lines if line.budget_id and line.amount}
    for currency, left in own_funds(lines).items():
        if left < 0 and currency in pots:  # a host may be overdrawn, never with the money of a pot
            raise Invalid(
                "opening_short",
                _("The budgets hold %(amount)s more than the bank accounts: check both, a pot is money at the bank.")
                % {"amount": format_money(-left, currency)},
                param="budgets",
            )
    live = OpeningLine.objects.filter(live=True)
    accounts = [line.account_id for line in lines if line.account_id]
    budgets = [line.budget_id for line in lines if line.budget_id]
    if live.filter(account__in=accounts).exists() or live.filter(budget__in=budgets).exists():
        raise _opened()
    _require_unused(as_of, lines)


def _require_unused(as_of: date, lines: Sequence[OpeningLine]) -> None:
    """An opening balance stands before the first line of its account: what came earlier would count twice."""
    for line in lines:
        if line.account is None:
            continue
        first = first_day(kind="bank", owner=line.account.pk, currency=line.currency)
        if first is not None and first <= as_of:
            raise Conflict(
                "opening_after_entries",
                _("The books already hold lines of %(account)s from %(day)s: give its balance of an earlier day.")
                % {"account": line.account.name, "day": date_format(first, "DATE_FORMAT")},
                param="as_of",
            )


def _book(opening: Opening, lines: Sequence[OpeningLine], now: datetime) -> str:
    """One entry; nothing to book when everything was at zero."""
    found = [
        Line(open_account(kind="bank", owner=line.account_id, currency=line.currency), line.amount, chart.BANK)
        if line.account_id
        else Line(
            open_account(kind="budget", owner=str(line.budget_id), currency=line.currency),
            -line.amount,
            chart.EARMARKED,
        )
        for line in lines
        if line.amount
    ]
    found += [
        Line(open_account(kind="host_fees", owner=the_host().pk, currency=currency), -left, chart.OWN_FUNDS)
        for currency, left in own_funds(lines).items()
        if left
    ]
    if not found:
        return ""
    return post(
        kind="opening", scope="opening", key=opening.pk, reference=opening.pk, happened_on=opening.as_of, lines=found,
        now=now,
    ).pk  # fmt: skip
