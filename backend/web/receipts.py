"""What a receipt will be booked as, before it is: shown to the treasurer who confirms it."""

from dataclasses import dataclass

from backend.payments.fees import fees_of
from backend.payments.services import payable_together
from backend.pledges.models import Pledge
from backend.pledges.services import allocate


@dataclass(frozen=True)
class Part:
    """What one pledge takes of a receipt, in minor units: the whole, the host's fee on it, and what it awaits."""

    pledge: Pledge
    amount: int
    fee: int
    awaited: int

    @property
    def net(self) -> int:
        """What the pot gets."""
        return self.amount - self.fee


def preview(pledge: Pledge, amount: int) -> tuple[list[Part], int]:
    """The parts of a receipt for a pledge and those of its reference, and what is left over. Writes nothing."""
    pledges = payable_together(pledge)
    found, over = allocate(pledges, amount)
    taken: dict[str, int] = {}
    for instalment, part in found:
        taken[instalment.pledge_id] = taken.get(instalment.pledge_id, 0) + part
    fees = fees_of([(one, taken[one.pk]) for one in pledges if taken.get(one.pk)])
    parts = [Part(one, taken[one.pk], fees[one.pk], one.expected) for one in pledges if taken.get(one.pk)]
    return parts, over
