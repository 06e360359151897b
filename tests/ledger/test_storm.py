"""Any sequence of acts on the ledger, by eight processes on the same purses: the books stay whole."""

from tests import databases
from tests.ledger import storm

EXAMPLES = 8


def test_a_storm_leaves_the_books_whole(committed: str) -> None:
    done = storm.rage(environment=databases.environment(committed), examples=EXAMPLES, dice=20261121)
    # Each act succeeded at least once, and the guards were met: else the storm was a breeze.
    acts = {"post", "bulk", "again", "reverse", "hold", "capture", "release", "lock", "unlock", "seal"}
    assert acts | {"purse_short", "month_locked"} <= set(done)
