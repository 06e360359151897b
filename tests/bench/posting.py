"""post() against the bare rows it writes: how much the guards, the key and Python cost.

    ./run bench posting

Two-line entries, one a commit, one client, interleaved in rounds; `ratio` is product / bare inserts of the same run.
"""

import json
import os
import statistics
import time
from datetime import date

PER_ROUND, ROUNDS = 200, 5


def main() -> None:
    """Print one JSON object."""
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "backend.settings")
    import django

    django.setup()
    from django.db import connection
    from django.utils import timezone

    from backend.core.ids import new_id
    from backend.ledger.services import Line, open_account, post
    from tests import databases

    databases.make_template()
    name = f"tronc_bench_{os.getpid()}"
    databases.clone(name)
    connection.settings_dict["NAME"] = name
    try:
        bank = open_account(kind="bank", owner="bnk_1", currency="EUR")
        budget = open_account(kind="budget", owner="bud_1", currency="EUR")
        _bare_tables(name)
        now, day = timezone.now(), date(2026, 11, 21)
        rates: dict[str, list[float]] = {"post": [], "bare": []}
        for turn in range(ROUNDS):
            begun = time.perf_counter()
            for number in range(PER_ROUND):
                post(
                    kind="b", scope="b", key=f"{turn}-{number}", reference="r", happened_on=day, now=now,
                    lines=[Line(bank, 100, "512"), Line(budget, -100, "7541")],
                )  # fmt: skip
            rates["post"].append(PER_ROUND / (time.perf_counter() - begun))
            begun = time.perf_counter()
            with connection.cursor() as cursor:
                for _number in range(PER_ROUND):
                    key = new_id("ent")
                    cursor.execute(
                        "WITH e AS (INSERT INTO bare_entry VALUES (%s, %s, %s) RETURNING id) INSERT INTO bare_posting "
                        "(entry_id, account_id, amount) SELECT id, a, m "
                        "FROM e, (VALUES (%s, 100), (%s, -100)) v (a, m)",
                        [key, day, now, bank.pk, budget.pk],
                    )
            rates["bare"].append(PER_ROUND / (time.perf_counter() - begun))
        ours, bare = (statistics.median(rates[one]) for one in ("post", "bare"))
        print(
            json.dumps(
                {"bench": "posting", "per_second": round(ours), "bare": round(bare), "ratio": round(ours / bare, 3)}
            )
        )
    finally:
        connection.close()
        databases.drop(name)
        databases.drop(databases.TEMPLATE)


def _bare_tables(name: str) -> None:
    """The same columns without keys, guards and balances."""
    import psycopg

    from tests import databases

    with psycopg.connect(
        databases.named(databases.owner_url(), name), autocommit=True, options="-c role=tronc_owner"
    ) as owner:
        owner.execute("CREATE TABLE bare_entry (id varchar PRIMARY KEY, happened_on date, booked_at timestamptz)")
        owner.execute(
            "CREATE TABLE bare_posting (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, entry_id varchar, "
            "account_id varchar, amount bigint)"
        )
        owner.execute("GRANT ALL ON bare_entry, bare_posting TO tronc_app")


if __name__ == "__main__":
    main()
