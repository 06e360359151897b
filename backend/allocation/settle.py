"""What is paid now and what stays due, by the charter's smallest payment (allocation.md §2.5)."""

from typing import NamedTuple

BELOW_MINIMUM = "below_minimum"


class Settlement(NamedTuple):
    """Minor units: paid now, still due, and why it waits (None when nothing waits)."""

    paid: int
    carried: int
    reason: str | None


def settle(before: int, credited: int, minimum: int) -> Settlement:
    """Pay a person's whole balance once it reaches the minimum; until then it stays due to her, never to another.

    Args: before: what the pot owed her; credited: what this closing gives her; minimum: all in minor units.
    """
    balance = before + credited
    if balance >= minimum or balance == 0:
        return Settlement(balance, 0, None)
    return Settlement(0, balance, BELOW_MINIMUM)
