"""Undoes an import as a whole, within the open months: all of its lines, or none, naming those in the way."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime

from django.db import transaction
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from backend.banking.models import BankLine, Statement
from backend.banking.provider_lines import undo_provider_payout
from backend.core.errors import Conflict, Invalid, NotFound
from backend.core.money import format_money
from backend.events.services import record
from backend.identity.models import HostBankAccount, User
from backend.identity.permissions import require
from backend.ledger.services import open_from, reverse
from backend.payments.models import Deposit, Movement, Payment, ProviderPayout, Refund, Surplus
from backend.payouts.models import Payout, PayoutBatch

NAMED = 5  # lines that the refusal names; the page shows them all


@dataclass(frozen=True)
class Hindrance:
    """A line that keeps its import from being undone, and why."""

    line: BankLine
    why: "str | Promise"


def imported_with(statement: Statement) -> list[Statement]:
    """All the statements of the file that one came with."""
    rows = Statement.objects.filter(imported_at=statement.imported_at, imported_by=statement.imported_by)
    return list(rows.filter(withdrawn_at=None).select_related("account").order_by("closes_on", "pk"))


def lines_of(statements: Sequence[Statement]) -> list[BankLine]:
    """The lines that an import brought, by day."""
    rows = BankLine.objects.filter(statement__in=statements).select_related("account")
    return list(rows.order_by("booked_on", "pk"))


def hindrances(lines: Sequence[BankLine]) -> list[Hindrance]:
    """The lines that cannot be undone with their import: in a locked month, or matched to what others count on."""
    first = open_from()
    keys = [one.matched_to for one in lines if one.state in {"matched", "booked"}]
    uses: list[tuple[set[str], str | Promise]] = [
        (set(Payment.objects.filter(pk__in=keys).values_list("pk", flat=True)),
         _("it paid a pledge: undo that match first")),
        (set(Surplus.objects.filter(pk__in=keys).values_list("pk", flat=True)),
         _("it left a surplus: decide on it first")),
        (set(PayoutBatch.objects.filter(pk__in=keys).values_list("pk", flat=True)),
         _("it showed payouts as paid, and their payees were told")),
        (set(Payout.objects.filter(pk__in=keys).values_list("pk", flat=True)),
         _("it gave a payout back, which is owed again")),
        (set(Refund.objects.filter(pk__in=keys).values_list("pk", flat=True)),
         _("it gave a refund back, which is owed again")),
        (set(Deposit.objects.filter(pk__in=keys).values_list("pk", flat=True)),
         _("it settled a deposit of cheques or cash")),
        (set(Movement.objects.filter(pk__in=keys).values_list("pk", flat=True)),
         _("it explains a movement of the payment provider")),
    ]  # fmt: skip
    provided = set(ProviderPayout.objects.filter(pk__in=keys, state="settled").values_list("pk", flat=True))
    found = []
    for line in lines:
        if (why := _why(line, first, uses, provided)) is not None:
            found.append(Hindrance(line, why))
    return found


def _why(
    line: BankLine, first: date | None, uses: "Sequence[tuple[set[str], str | Promise]]", provided: set[str]
) -> "str | Promise | None":
    booked = line.state in {"suggested", "matched", "booked"}
    if booked and first is not None and line.booked_on < first:
        return _("its month is locked")
    if line.state in {"matched", "booked"} and line.matched_to not in provided:
        return next((words for keys, words in uses if line.matched_to in keys), _("it was matched since"))
    return None


def withdraw_import(*, actor: User, statement_id: str, reason: str, now: datetime) -> list[Statement]:
    """Undo the import that a statement came with: its lines are reversed, all of them or none. No money moves.

    The ledger moves, for each line in suspense: bank −, suspense +, on the day of the line. The same file may be
    imported again, and its lines then come anew.
    Returns: the statements withdrawn; the same ones when it was done before by the same person.
    Raises: NotFound; Forbidden; Invalid `reason_missing`; Conflict `import_lines_used` naming lines.
    """
    given = Statement.visible_to(actor).filter(pk=statement_id).first()
    if given is None:
        raise NotFound("statement_not_found", _("There is no such statement."))
    require(actor, "bank.import")
    require(actor, "bank.match")
    reason = " ".join(reason.split())[:280]
    if not reason:
        raise Invalid("reason_missing", _("Say why this import is undone. An auditor reads it."), param="reason")
    with transaction.atomic():
        # The order of the sweep and of the acts on a line: line, then account.
        rows = BankLine.objects.filter(
            statement__imported_at=given.imported_at, statement__imported_by=given.imported_by
        )  # fmt: skip
        list(rows.select_for_update(of=("self",)).order_by("pk").values_list("pk"))
        accounts = [one.account_id for one in imported_with(given)]
        list(HostBankAccount.objects.select_for_update(of=("self",)).filter(pk__in=accounts).order_by("pk"))
        statements = imported_with(given)
        if not statements:  # the same act again
            return list(Statement.objects.filter(imported_at=given.imported_at, imported_by=given.imported_by))
        lines = lines_of(statements)
        if wrong := hindrances(lines):
            raise _refusal(wrong)
        for line in lines:
            _withdraw(line, actor, reason, now)
        for one in statements:
            one.withdrawn_at, one.withdrawn_by, one.withdrawn_reason = now, actor, reason
            one.save(update_fields=["withdrawn_at", "withdrawn_by", "withdrawn_reason"])
            mine = [line for line in lines if line.statement_id == one.pk]
            record(
                "statement.withdrawn", actor=actor, subject=one.pk, now=now, why=reason, lines=len(mine),
                amount=sum(line.amount for line in mine), currency=one.currency,
            )  # fmt: skip
    return statements


def _withdraw(line: BankLine, actor: User, reason: str, now: datetime) -> None:
    if line.state == "matched":  # to a payout of a provider, as nothing else comes so far
        line = undo_provider_payout(actor=actor, line_id=line.pk, reason=reason, now=now)
    if line.state == "suggested":
        line.entry = reverse(
            entry_id=line.suspense_entry, reference=line.statement_id, happened_on=line.booked_on, now=now
        ).pk  # fmt: skip
    line.state = "withdrawn"
    line.save(update_fields=["state", "entry"])


def _refusal(wrong: Sequence[Hindrance]) -> Conflict:
    named = "; ".join(
        f"{one.line.booked_on.isoformat()} {format_money(one.line.amount, one.line.currency)} "
        f"{one.line.counterparty or one.line.text[:40]}: {one.why}"
        for one in wrong[:NAMED]
    )
    return Conflict(
        "import_lines_used",
        _("Nothing was undone: %(number)s of its lines cannot be. %(lines)s") % {"number": len(wrong), "lines": named},
    )
