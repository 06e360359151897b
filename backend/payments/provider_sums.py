"""What payment providers said they moved, added up: what they hold, what waits to be explained, what they kept."""

from collections import defaultdict
from collections.abc import Iterator

from django.db.models import Q, Sum

from backend.payments.models import Movement, Payment, ProviderPayout

PASSING_ON = Q(kind__in=["payout", "payout_failure"])
Row = tuple[str, str, int]  # provider, currency, minor units


def held() -> Iterator[Row]:
    """What each provider holds for the host, or sent and the bank has not shown: all that it moved, less the payouts
    that the bank showed. A payout moves nothing here, unless nobody could explain it."""
    rows = Movement.objects.values_list("provider", "currency").order_by()
    yield from rows.exclude(PASSING_ON).annotate(total=Sum("amount"))
    yield from rows.filter(PASSING_ON).annotate(total=Sum("suspended"))
    for provider, currency, fee in rows.annotate(total=Sum("fee")):
        yield provider, currency, -fee
    settled = ProviderPayout.objects.filter(state="settled").values_list("provider", "currency").order_by()
    for provider, currency, amount in settled.annotate(total=Sum("amount")):
        yield provider, currency, -amount


def suspended() -> Iterator[Row]:
    """What of each provider waits for somebody to explain it."""
    rows = Movement.objects.filter(state="reported").values_list("provider", "currency").order_by()
    yield from rows.annotate(total=Sum("suspended"))


def fees() -> dict[str, int]:
    """Currency → what providers kept and the host bears: all that they kept, less what budgets bore."""
    found: dict[str, int] = defaultdict(int)
    rows = Movement.objects.values_list("currency").order_by()
    for currency, fee in rows.annotate(total=Sum("fee")):
        found[currency] += fee
    for currency, amount in rows.filter(kind="fee").annotate(total=Sum("amount")):
        found[currency] -= amount
    # What a treasurer said the host bears, or keeps, of what nothing explained.
    carried = rows.filter(state="explained").exclude(kind__in=["charge", "payout", "payout_failure"])
    for currency, amount in carried.annotate(total=Sum("suspended")):
        found[currency] -= amount
    borne = Payment.objects.values_list("currency").order_by().annotate(total=Sum("provider_fee_borne"))
    for currency, fee in borne:
        found[currency] -= fee
    return dict(found)
