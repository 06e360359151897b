"""Which payee of a person is owed a share while no batch holds it; and the end of a payee that is owed nothing."""

from datetime import datetime

from django.db import transaction
from django.utils.translation import gettext_lazy as _

from backend.core.errors import Conflict, Forbidden, NotFound
from backend.distributions.crediting import hold_sellers, papers_fall
from backend.distributions.models import Share
from backend.events.models import Event
from backend.events.services import record
from backend.identity.models import User
from backend.identity.services import host_day
from backend.ledger import chart
from backend.ledger.services import Line, balances, open_account, post
from backend.payees.models import Payee
from backend.payees.services import archive_names, own_payee

CHANGED = "share.payee_changed"


@transaction.atomic
def choose_payee(*, actor: User, share_id: str, payee_id: str, now: datetime) -> Share:
    """Have a booked share of one's own owed to another payee of one's own; the same again changes nothing.

    The ledger moves what is due of it from one payee to the other; no money leaves. Its supporting document names the
    payee, so that another one is needed, and an invoice drafted here is cancelled by a credit note.
    Raises: NotFound `share_not_found`, `payee_not_found`; Forbidden `share_of_another`; Conflict `payee_closed`,
        `share_not_due` (not booked, in a batch, paid or waived); see `papers_fall`.
    """
    share = (
        Share.visible_to(actor)
        .select_for_update(of=("self",))
        .select_related("distribution__period")
        .filter(pk=share_id)
        .first()
    )
    if share is None:
        raise NotFound("share_not_found", _("There is no such share."))
    if share.contributor_id != actor.pk:
        raise Forbidden("share_of_another", _("Only the person who is owed a share chooses the payee of it."))
    if share.distribution.state != "booked" or share.state not in Share.DUE or not share.due:
        raise Conflict(
            "share_not_due",
            _("The payee of a share changes while it is owed, and no payout batch holds it: this one is “%(state)s”.")
            % {"state": share.get_state_display()},
        )
    # Both at once, in the order of everybody who gives their numbers.
    hold_sellers(share.payee_id, *Payee.objects.filter(user=actor, pk=payee_id).values_list("pk", flat=True))
    payee = own_payee(actor, payee_id)
    if share.payee_id == payee.pk:
        return share
    before, currency = share.payee_id, share.distribution.currency
    changes = Event.objects.filter(kind=CHANGED, subject=share.pk).count()
    post(
        kind="share.payee_changed", scope="share", key=f"{share.pk}.{changes + 1}", reference=share.pk,
        happened_on=host_day(now),
        lines=[
            Line(open_account(kind="payee", owner=before, currency=currency), share.due, chart.SUPPLIER),
            Line(open_account(kind="payee", owner=payee.pk, currency=currency), -share.due, chart.SUPPLIER),
        ],
        now=now,
    )  # fmt: skip
    archive_names([payee.pk], now=now)
    share.payee, share.state = payee, "owed"
    share.save(update_fields=["payee", "state"])
    papers_fall(share, why="payee", actor=actor, now=now)
    record(
        CHANGED, actor=actor, subject=share.pk, now=now, scopes=[share.distribution.period.budget_id, actor.pk],
        before={"payee": before}, after={"payee": payee.pk}, amount=share.due, currency=currency,
    )  # fmt: skip
    return share


@transaction.atomic
def close_payee(*, actor: User, payee_id: str, now: datetime) -> Payee:
    """Close a payee of one's own that is owed nothing; it cannot be opened again, only added anew.

    Raises: NotFound; Conflict `payee_closed`, `payee_by_default`, `payee_owed`.
    """
    payee = own_payee(actor, payee_id)
    if payee.is_default:
        raise Conflict(
            "payee_by_default", _("What is shared from now on goes to this payee: choose another one for that first.")
        )
    unpaid = Share.objects.filter(payee=payee, amount__gt=0).exclude(state__in=["paid", "waived"])
    if unpaid.exists() or any(balances(kind="payee", owners=[payee.pk]).values()):
        raise Conflict(
            "payee_owed",
            _("Money is owed to this payee, or on its way: wait until it is paid, or choose another payee for it."),
        )
    payee.closed_at = now
    payee.save(update_fields=["closed_at"])
    record(
        "payee.closed", actor=actor, subject=payee.pk, now=now, scopes=[actor.pk], before={"closed": False},
        after={"closed": True},
    )  # fmt: skip
    return payee
