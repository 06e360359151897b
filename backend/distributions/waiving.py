"""A person gives back all or part of a booked share: the money returns to the budgets that it came from."""

from datetime import datetime

from django.db import transaction
from django.db.models import Sum
from django.utils.translation import gettext_lazy as _

from backend.allocation.kernel import split
from backend.commons.models import Budget
from backend.commons.services import hold
from backend.core.errors import Conflict, DomainError, Forbidden, Invalid, NotFound
from backend.core.ids import new_id
from backend.core.money import format_money, require_amount
from backend.distributions.crediting import papers_fall
from backend.distributions.models import Share, ShareWaiver, ShareWaiverPart
from backend.events.services import record
from backend.identity.models import User
from backend.identity.services import host_day
from backend.ledger import chart
from backend.ledger.services import Line, open_account, post

OVER = ("closed", "archived")


def waive_share(
    *, actor: User, share_id: str, amount: int | None, form_key: str, now: datetime, currency: str | None = None
) -> ShareWaiver:
    """Give back all or part of one's own booked share, before a batch takes it. Final.

    The ledger moved: payee +amount, each budget that the share comes from −its part, pro rata of what is left of the
    parts. What a supporting document said of the share no longer holds: it is owed again, and an
    invoice drafted here is cancelled by a credit note.
    Args: amount: minor units, at most what is due; None for all of it. form_key: a repetition gives back the first one.
        currency: the one that the person named, if any.
    Raises: NotFound `share_not_found`; Forbidden `share_of_another`; Invalid `amount_out_of_range`,
        `waived_more_than_due`, `other_currency`; Conflict `share_not_waivable` naming the state, `budget_over`,
        `form_key_reused`; see `papers_fall`.
    """
    with transaction.atomic():
        share = Share.visible_to(actor).filter(pk=share_id).first()
        if share is None:
            raise NotFound("share_not_found", _("There is no such share."))
        if share.contributor_id != actor.pk:
            raise Forbidden("share_of_another", _("Only the person whose share it is gives it back."))
        # The pots before the share: none of them is closed between this and its money.
        hold(Budget.objects.filter(pk__in=share.parts.values("budget")))
        share = (
            Share.objects.select_for_update(of=("self",))
            .select_related("distribution__period__budget")
            .get(pk=share_id)
        )
        first = share.waivers.filter(form_key=form_key).first()
        if first is not None:
            if amount not in {None, first.amount}:
                raise Conflict(
                    "form_key_reused",
                    _("This form was already sent with other values. Open a new one to enter other amounts."),
                )
            return first
        if refusal := waiving_hindrance(share):
            raise refusal
        back = share.due if amount is None else amount
        if currency not in {None, share.distribution.currency}:
            raise Invalid(
                "other_currency",
                _("This share is in %(currency)s: give back an amount in that currency.")
                % {"currency": share.distribution.currency},
                param="currency",
            )
        currency = share.distribution.currency
        require_amount(back, param="amount", minimum=1)
        if back > share.due:
            raise Invalid(
                "waived_more_than_due",
                _("%(due)s is due to you: give back at most that.") % {"due": format_money(share.due, currency)},
                param="amount",
            )
        waiver = ShareWaiver.objects.create(
            id=new_id("wai"), share=share, amount=back, form_key=form_key, made_at=now
        )  # fmt: skip
        parts = _parts(share, back)
        ShareWaiverPart.objects.bulk_create(
            ShareWaiverPart(waiver=waiver, budget_id=purse, amount=cents) for purse, cents in parts.items()
        )
        before = share.state
        share.waived += back
        share.state = "owed" if share.due else "waived"
        share.save(update_fields=["waived", "state"])
        payee = open_account(kind="payee", owner=share.payee_id, currency=currency)
        lines = [Line(payee, back, chart.SUPPLIER)]
        lines += [
            Line(open_account(kind="budget", owner=purse, currency=currency), -cents, chart.SERVICES)
            for purse, cents in parts.items()
        ]
        post(
            kind="distribution.waived", scope="distribution", key=waiver.pk, reference=share.distribution_id,
            happened_on=host_day(now), lines=lines, now=now,
        )  # fmt: skip
        record(
            "distribution.share_waived", actor=actor, subject=share.distribution_id, now=now,
            scopes=[share.distribution.period.budget_id], before={"state": before}, after={"state": share.state},
            share=share.pk, amount=back, currency=currency,
        )  # fmt: skip
        papers_fall(share, why="waived", actor=actor, now=now)
    return waiver


def waiving_hindrance(share: Share) -> DomainError | None:
    """Why nothing of a share can be given back now, or None; `waive_share` looks again under lock."""
    if share.distribution.state != "booked":
        return Conflict(
            "share_not_waivable",
            _("This share is not approved yet: give up requests in the open period, the share once it is approved."),
        )
    if share.state not in Share.DUE or not share.due:
        names = dict(Share.STATES)
        return Conflict(
            "share_not_waivable",
            _("This share is “%(state)s”; to give it back it must be: %(allowed)s. Nothing was changed.")
            % {
                "state": share.get_state_display(),
                "allowed": ", ".join(f"“{names[state]}”" for state in Share.DUE),
            },
        )
    over = Budget.objects.filter(pk__in=share.parts.values("budget"), state__in=OVER).first()
    if over is not None:
        return Conflict(
            "budget_over",
            _("%(name)s is closed and takes no money back. Speak with a treasurer of the host.") % {"name": over.name},
        )
    return None


def goes_back(share: Share, amount: int) -> list[tuple[Budget, int]]:
    """To which budgets an amount would go back, in minor units, by name."""
    parts = _parts(share, amount)
    budgets = Budget.objects.select_related("commons", "parent").in_bulk(list(parts))
    return sorted(((budgets[purse], cents) for purse, cents in parts.items()), key=lambda one: one[0].full_name)


def _parts(share: Share, amount: int) -> dict[str, int]:
    """Budget → minor units: pro rata of what is left of each part, by largest remainder; never more than is left."""
    back = dict(
        ShareWaiverPart.objects.filter(waiver__share=share)
        .order_by()
        .values_list("budget")
        .annotate(total=Sum("amount"))
    )
    left = [
        (purse, cents - back.get(purse, 0))
        for purse, cents in share.parts.order_by("budget").values_list("budget", "amount")
    ]
    cents = split(amount, left, share.pk)
    return {purse: given for (purse, _left), given in zip(left, cents, strict=True) if given}
