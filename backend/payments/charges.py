"""What a payment provider says of one payment, and its parts when several pledges are paid by it. Books nothing."""

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from backend.allocation.kernel import split


@dataclass(frozen=True)
class Charge:
    """A payment taken by a provider: its id there, what the provider kept in minor units of the currency it settles in,
    and, when it converted, what the payer was asked (minor units of that currency) and the rate."""

    id: str
    provider: str
    fee: int = 0
    original_amount: int | None = None
    original_currency: str = ""
    rate: Decimal | None = None

    def split(self, amounts: Sequence[int]) -> "list[Charge]":
        """Its parts over these amounts, minor units, one each: the fee and the original by the largest remainder."""
        weights = [(str(number), amount) for number, amount in enumerate(amounts)]
        fees = split(self.fee, weights, seed=self.id)
        originals: list[int] | list[None] = [None] * len(weights)
        if self.original_amount is not None:
            originals = split(self.original_amount, weights, seed=self.id)
        return [
            Charge(self.id, self.provider, fee, original, self.original_currency, self.rate)
            for fee, original in zip(fees, originals, strict=True)
        ]

    def columns(self) -> dict[str, Any]:
        """What a row of `Payment` keeps of it, besides the fee."""
        kept: dict[str, Any] = {"charge": self.id}
        if self.original_amount is not None:
            kept |= {
                "original_amount": self.original_amount, "original_currency": self.original_currency,
                "rate": self.rate, "rate_source": self.provider,
            }  # fmt: skip
        return kept
