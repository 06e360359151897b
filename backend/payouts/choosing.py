"""What one batch may hold so that another treasurer can approve it: who is concerned by a line approves none of it."""

from collections.abc import Iterable

from backend.distributions.models import Share
from backend.identity.models import User
from backend.identity.services import people_with, the_host
from backend.payees.models import Payee
from backend.payments.models import Refund
from backend.payments.refunds import hands_on, people_paid
from backend.payouts.models import Payout
from backend.payouts.reasons import OF_ACCOUNT


def concerned_by_payee(payee: Payee) -> set[str]:
    """The ids of who is paid as this payee, and of who last changed its account."""
    return {key for key in (payee.user_id, payee.iban_edited_by_id) if key}


def unreached(payees: Iterable[Payee]) -> set[str]:
    """The ids of the payees whose account the bank said to be wrong: nothing is sent there again before they have
    written an account anew."""
    known = {payee.pk: payee.iban_edited_at for payee in payees}
    told = Payout.objects.filter(payee__in=known, undone_code__in=OF_ACCOUNT).values_list("payee", "batch__prepared_at")
    return {key for key, prepared_at in told if (edited := known[key]) is None or edited <= prepared_at}


def within_reach(
    *, preparer: User, shares: Iterable[Share], refunds: Iterable[Refund]
) -> tuple[list[Share], list[Refund], list[Share | Refund]]:
    """What a batch prepared by this person can hold, and what must wait for one that somebody else prepares.

    At least one other treasurer must be able to approve all of it: lines are taken in their order as long as somebody
    is left. A host with one treasurer prepares all of it, since nobody can approve whatever it holds.
    Returns: shares and refunds to pay now, and those held out.
    """
    left = {one.pk for one in people_with("treasurer", [the_host().pk])} - {preparer.pk}
    alone = not left
    paid: list[Share] = []
    repaid: list[Refund] = []
    held: list[Share | Refund] = []
    for share in shares:
        still = left - concerned_by_payee(share.payee)
        if still or alone:
            left = still
            paid.append(share)
        else:
            held.append(share)
    rows = list(refunds)
    hands, people = hands_on(rows), people_paid(rows)
    for refund in rows:
        still = left - hands[refund.pk] - people[refund.pk]
        if still or alone:
            left = still
            repaid.append(refund)
        else:
            held.append(refund)
    return paid, repaid, held
