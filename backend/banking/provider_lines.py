"""What a person says of a line that is what a payment provider sent: that it is, or that it is not after all."""

from datetime import datetime

from django.db import transaction
from django.utils.translation import gettext_lazy as _

from backend.banking.identifying import locked_line, require_waiting
from backend.banking.matching import matched, paid_out, suspend
from backend.banking.models import BankLine
from backend.core.errors import Conflict, Invalid, NotFound
from backend.core.money import format_money
from backend.events.services import record
from backend.identity.models import User
from backend.identity.permissions import may, require
from backend.identity.services import host_day
from backend.ledger.services import post, reverse
from backend.payments.models import Movement, ProviderPayout
from backend.payments.provider_payouts import locked_payout, unsettle
from backend.payments.purses import line_on, provider_suspense


def provider_payouts_for(actor: User, line: BankLine) -> list[ProviderPayout]:
    """The payouts of a provider that a credit may be: of its exact amount, not yet seen; the nearest day first."""
    if not may(actor, "bank.match") or line.amount <= 0:
        return []
    rows = ProviderPayout.objects.filter(state="sent", currency=line.currency, amount=line.amount)
    return sorted(rows, key=lambda one: (abs(one.arrives_on - line.booked_on), one.pk))


def settle_provider_payout(*, actor: User, line_id: int, payout_id: str, now: datetime) -> BankLine:
    """Say that a credit in suspense is a payout of a provider. The ledger moves: suspense +, clearing −.

    Raises: NotFound; Forbidden; Invalid `payout_other_amount`; Conflict `line_not_waiting`, `provider_payout_settled`.
    """
    require(actor, "bank.match")
    with transaction.atomic():
        line = locked_line(actor, line_id)
        payout = locked_payout(payout_id)
        if line.state == "matched" and line.matched_by_id == actor.pk and line.matched_to == payout.pk:
            return line  # the same act again
        require_waiting(line)
        if (payout.amount, payout.currency) != (line.amount, line.currency):
            raise Invalid(
                "payout_other_amount",
                _("This line is not of %(amount)s, the amount of the payout: it is something else.")
                % {"amount": format_money(payout.amount, payout.currency)},
                param="payout",
            )
        paid_out(line, payout, ("suspense", line.account_id), actor, now)
    return line


def undo_provider_payout(*, actor: User, line_id: int, reason: str, now: datetime) -> BankLine:
    """Take a line and a provider's payout apart again: the line waits in suspense, the payout to be seen.

    The ledger moves: the mirror of the entry that settled it, dated today; and bank +, suspense − when the line never
    was in suspense.
    Raises: NotFound; Forbidden; Invalid `reason_missing`; Conflict `line_not_a_payout`, `provider_payout_returned`,
        `month_locked`.
    """
    require(actor, "bank.match")
    if not reason.strip():
        raise Invalid("reason_missing", _("Say why they do not belong together."), param="reason")
    with transaction.atomic():
        line = locked_line(actor, line_id)
        known = ProviderPayout.objects.filter(pk=line.matched_to, line=line.source).first()
        if line.state != "matched" or known is None:
            raise Conflict("line_not_a_payout", _("This line is not matched to a payout of a provider."))
        payout = locked_payout(known.pk)
        came_back = Movement.objects.filter(provider=payout.provider, kind="payout_failure", of=payout.remote_id)
        if came_back.exists():
            raise Conflict(
                "provider_payout_returned",
                _(
                    "The provider has this payout back: tie its movement to the line by which the bank took the money"
                    " again."
                ),
            )
        reverse(entry_id=payout.entry, reference=payout.pk, happened_on=host_day(now), now=now)
        unsettle(payout)
        line.state, line.entry, line.matched_to, line.matched_by = "suggested", "", "", None
        line.save(update_fields=["state", "entry", "matched_to", "matched_by"])
        if not line.suspense_entry:
            suspend(line, now)
        record(
            "provider_payout.undone", actor=actor, subject=payout.pk, now=now, why=reason.strip()[:280],
            before={"state": "settled"}, after={"state": "sent"}, amount=payout.amount, currency=payout.currency,
        )  # fmt: skip
    return line


def lines_taking_back(actor: User, movement: Movement) -> list[BankLine]:
    """The debits in suspense by which the bank may have taken back a payout it had shown, the nearest day first."""
    if movement.kind != "payout_failure" or movement.state != "reported" or not may(actor, "bank.match"):
        return []
    rows = BankLine.visible_to(actor).filter(
        state="suggested", amount=-movement.suspended, currency=movement.currency
    )  # fmt: skip
    return sorted(rows.select_related("account"), key=lambda one: (abs(one.booked_on - movement.happened_on), one.pk))


def tie_returned_payout(*, actor: User, movement_id: str, line_id: int, now: datetime) -> BankLine:
    """Say by which line the bank took back a payout that it had shown: the provider has the money again.

    The ledger moves: suspense of the provider +, suspense of the bank account −, for the line's exact amount.
    Raises: NotFound; Forbidden; Invalid `payout_other_amount`; Conflict `line_not_waiting`, `movement_not_waiting`.
    """
    require(actor, "bank.match")
    with transaction.atomic():
        line = locked_line(actor, line_id)
        row = Movement.objects.select_for_update(of=("self",)).filter(pk=movement_id).first()
        if row is None:
            raise NotFound("movement_not_found", _("There is no such movement."))
        if line.state == "matched" and line.matched_by_id == actor.pk and line.matched_to == row.pk:
            return line  # the same act again
        require_waiting(line)
        if row.state != "reported" or row.kind != "payout_failure":
            raise Conflict(
                "movement_not_waiting",
                _("This movement no longer waits: it is “%(state)s”.") % {"state": row.get_state_display()},
            )
        if (row.suspended, row.currency) != (-line.amount, line.currency):
            raise Invalid(
                "payout_other_amount",
                _("This line is not of %(amount)s, the amount of the payout: it is something else.")
                % {"amount": format_money(-row.suspended, row.currency)},
                param="line",
            )
        line.entry = post(
            kind="provider.paid_out", scope="movement", key=f"{row.provider}:{row.remote_id}:line", reference=row.pk,
            happened_on=host_day(now), late=True,
            lines=[
                line_on(provider_suspense(row.provider), row.suspended, row.currency),
                line_on(("suspense", line.account_id), -row.suspended, row.currency),
            ],
            now=now,
        ).pk  # fmt: skip
        matched(line, row.pk, actor)
        row.entries += [line.entry]
        row.state, row.explained_by = "explained", actor
        row.save(update_fields=["state", "entries", "explained_by"])
        record(
            "movement.explained", actor=actor, subject=row.pk, now=now, before={"state": "reported"},
            after={"state": "explained"}, amount=row.amount, currency=row.currency,
        )  # fmt: skip
    return line
