"""Fills a ledger through the bulk function: one of two processes that take turns with the batches.

python -m tests.bench._fill FIRST LAST TOTAL BEGIN SHARE
"""

import os
import sys

import psycopg

from tests.bench._bare import DAYS, FILL, drawn

BATCH = 5000  # entries in one call and one commit


def main(first: int, last: int, total: int, begin: str, share: int) -> None:
    """Book the entries `first` to `last`, `last` not included, of `total`, the first of which happened on `begin`.

    Args: share: 0 or 1, every other batch.
    """
    with psycopg.connect(os.environ["DATABASE_URL"], autocommit=True, options="-c role=tronc_app") as app:
        for start in range(first + share * BATCH, last, 2 * BATCH):
            count = min(BATCH, last - start)
            values = {
                "first": start,
                "count": count,
                "total": total,
                "begin": begin,
                "days": DAYS,
                "accounts": drawn(total),
            }
            app.execute(FILL, values)


if __name__ == "__main__":
    main(*map(int, sys.argv[1:4]), sys.argv[4], int(sys.argv[5]))
