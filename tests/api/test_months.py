"""Who worked on a project, month after month: the whole table is declared by the batch API, and nothing is lost.

A small table of our own is always loaded; the one of ../shared/samples/scale besides, where it is.
"""

import csv
import io
from collections import Counter, defaultdict
from datetime import date, timedelta
from typing import Any

import pytest
from django.db.models import Count, Min, Sum

from backend.commons.models import Budget
from backend.commons.services import create_commons, root_budget
from backend.contributions.models import Contribution
from backend.identity.models import User
from backend.identity.services import grant_role
from tests.api.conftest import Caller, shown
from tests.conftest import SHARED

OURS = """project,month,contributor,kind,commits,active_days
atlas,2019-11,c1,person,11,2
atlas,2019-12,c1,person,97,12
atlas,2019-12,c2,person,3,1
atlas,2020-02,robot,bot,40,20
wiki,2019-12,c1,person,5,4
wiki,2024-02,c3,person,8,29
"""
TABLES = [("ours", OURS)]
if SHARED.is_dir():  # else our own alone is loaded
    FILE = SHARED / "samples" / "scale" / "contributions_by_month.csv"
    TABLES.append(("shared", FILE.read_text(encoding="utf-8")))


def pots(world: Any, rows: list[dict[str, str]]) -> dict[str, Budget]:
    """A commons for each project, its first period old enough for all of its rows."""
    first = date.fromisoformat(min(row["month"] for row in rows) + "-01")
    return {
        name: root_budget(
            create_commons(
                name=f"Project {name}", summary=name, currency="EUR", steward=world.users["sacha"], first_day=first,
                end_before=world.today + timedelta(days=30), now=world.now,
            )
        )
        for name in sorted({row["project"] for row in rows})
    }  # fmt: skip


@pytest.mark.parametrize("table", [text for _name, text in TABLES], ids=[name for name, _text in TABLES])
def test_tables_of_contributors_by_month_are_loaded_whole(play: Any, table: str) -> None:
    world = play("make_house")
    rows = [row for row in csv.DictReader(io.StringIO(table)) if row["kind"] == "person"]  # a robot asks for nothing
    budgets = pots(world, rows)
    batches = defaultdict(list)
    for row in rows:
        batches[row["contributor"]].append(
            {
                "budget": budgets[row["project"]].pk, "worked_on": f"{row['month']}-01", "kind": "development",
                "duration": f"{row['active_days']}h", "amount": {"value": 0, "currency": "EUR"},
                "description": f"{row['project']}, {row['month']}: {row['commits']} commits",
                "metadata": {"commits": row["commits"]},
            }
        )  # fmt: skip
    for name, items in batches.items():
        user = User.objects.create_user(f"{name}@example.org", name=f"Contributor {name}", language="en")
        for budget in {item["budget"] for item in items}:
            grant_role(user=user, kind="contributor", scope=budget, granted_by=None, now=world.now)
        caller = Caller(user)
        made = shown(caller.post("contributions/batch", {"items": items}, key=f"months-{name}"), 201)["data"]
        assert len(made) == len(items)
    loaded = Contribution.objects.values("budget", "worked_on").annotate(
        rows=Count("pk"), minutes=Sum("minutes"), state=Min("state")
    )
    expected: Counter[tuple[str, str]] = Counter()
    for row in rows:
        expected[(budgets[row["project"]].pk, f"{row['month']}-01")] += int(row["active_days"]) * 60
    assert {(one["budget"], str(one["worked_on"])): one["minutes"] for one in loaded} == dict(expected)
    assert sum(one["rows"] for one in loaded) == len(rows)
    assert sum(int(one.metadata["commits"]) for one in Contribution.objects.all()) == sum(
        int(row["commits"]) for row in rows
    )
