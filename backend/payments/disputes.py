"""What a payer's bank disputes stops the sharing of that money, and of nothing else."""

from django.db.models import Exists, OuterRef
from django.utils.translation import gettext_lazy as _

from backend.core.errors import Conflict, DomainError
from backend.core.money import format_money
from backend.distributions.models import Distribution
from backend.payments.models import Payment, TakeBack


def stop_of(distribution: Distribution) -> DomainError | None:
    """Why a computed distribution is not approved now: a payer's bank disputes money that it shares; None otherwise.

    Only what its budgets could not give back stops it, because it is about to be shared; what was approved is owed to
    people and stays theirs. Once the dispute is won all is as before; once it is lost the host has advanced it.
    """
    purses = [purse["id"] for purse in distribution.inputs["purses"]]
    short = TakeBack.objects.filter(payment=OuterRef("pk"), to_deficit__gt=0, give_backs=None)
    disputed = Payment.objects.filter(
        Exists(short), state="disputed", pledge__budget__in=purses, created_at__lte=distribution.prepared_at
    )
    amount = sum(disputed.values_list("taken_back", flat=True))
    if not amount:
        return None
    return Conflict(
        "payment_disputed",
        _("%(amount)s of this money are disputed by a payer’s bank: approve once the dispute is over.")
        % {"amount": format_money(amount, distribution.currency)},
    )
