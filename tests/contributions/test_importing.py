"""A table of one's own work comes in as a whole and goes as a whole; nothing of it counts twice."""

from typing import Any

import pytest
from django.db import DatabaseError, connection, transaction

from backend.contributions.importing import declared_already, keep_import, refused_of, undo_import
from backend.contributions.models import Contribution, Import
from backend.contributions.own import InBatch
from backend.contributions.services import review, withdraw
from backend.core.errors import Conflict, DomainError, Forbidden, Invalid, NotFound
from backend.distributions.models import Distribution
from backend.distributions.services import close_period
from backend.events.models import Event
from backend.ledger.services import entry_count
from backend.operations import demo
from tests.concurrency import at_once
from tests.contributions.peers import Play

SHA = "a" * 64


def rows(world: Any, count: int = 3, **changes: Any) -> list[dict[str, Any]]:
    """Rows of work of one day."""
    facts = {"worked_on": world.today, "kind": "development", "minutes": 60, "amount": 30_00, "evidence": []}
    return [{**facts, "description": f"Row {number}", "over_cap_reason": "", **changes} for number in range(count)]


def brought(world: Any, items: list[dict[str, Any]] | None = None, who: str = "bo", **changes: Any) -> Import:
    """Bo imports them."""
    given = {
        "items": rows(world) if items is None else items, "file_name": "work.ods", "sha256": SHA,
        "columns": {"unit": "hours"}, "form_key": "f", "now": world.now, **changes,
    }  # fmt: skip
    return keep_import(actor=world.users[who], budget=world.budget, **given)


def undone(world: Any, row: Import, who: str = "bo") -> Import:
    """Who imported it takes it back."""
    return undo_import(actor=world.users[who], import_id=row.pk, now=world.now)


def states(row: Import) -> list[str]:
    """What became of what came with an import."""
    return sorted(Contribution.objects.filter(source=row.pk).values_list("state", flat=True))


def test_a_table_is_declared_as_a_whole_and_moves_no_money(play: Play) -> None:
    world = play("make_house")
    entries = entry_count()
    row = brought(world)
    assert states(row) == ["declared"] * 3
    assert set(Contribution.objects.values_list("contributor", flat=True)) == {world.users["bo"].pk}
    assert (row.rows, entry_count()) == (3, entries)
    assert brought(world).pk == row.pk  # the button was pressed twice
    assert (Import.objects.count(), Contribution.objects.count()) == (1, 3)
    assert Event.objects.filter(subject=row.pk).values_list("kind", flat=True).get() == "import.kept"


def test_one_wrong_row_and_nothing_is_declared(play: Play) -> None:
    world = play("make_house")
    items = [*rows(world), *rows(world, 1, kind="magic"), *rows(world, 1, minutes=-1)]
    with pytest.raises(InBatch) as refusal:
        brought(world, items)
    assert [(place, one.code) for place, one in refusal.value.refused] == [
        (3, "kind_unknown"), (4, "minutes_out_of_range"),
    ]  # fmt: skip
    assert (Import.objects.count(), Contribution.objects.count(), Event.objects.filter(kind="import.kept").count()) == (
        0, 0, 0,
    )  # fmt: skip


def test_a_preview_refuses_the_same_rows_and_writes_nothing(play: Play) -> None:
    world = play("make_house")
    before = Event.objects.count()
    items = [*rows(world), *rows(world, 1, kind="magic")]
    found = refused_of(actor=world.users["bo"], budget=world.budget, items=items, now=world.now)
    assert [(place, one.code) for place, one in found] == [(3, "kind_unknown")]
    assert refused_of(actor=world.users["bo"], budget=world.budget, items=rows(world), now=world.now) == []
    assert (Contribution.objects.count(), Event.objects.count()) == (0, before)


@pytest.mark.parametrize(
    ("who", "count", "kind", "code"),
    [("ana", 1, Forbidden, "not_allowed"), ("bo", 0, Invalid, "batch_size"), ("bo", 501, Invalid, "batch_size")],
)
def test_who_may_not_or_too_many_changes_nothing(
    play: Play, who: str, count: int, kind: type[DomainError], code: str
) -> None:
    world = play("make_house")
    with pytest.raises(kind) as refusal:
        brought(world, rows(world, count), who)
    assert refusal.value.code == code
    assert (Import.objects.count(), Contribution.objects.count()) == (0, 0)


def test_the_same_file_counts_once_until_it_is_undone(play: Play) -> None:
    world = play("make_house")
    first = brought(world)
    with pytest.raises(Conflict) as refusal:
        brought(world, form_key="other")
    assert refusal.value.code == "import_known"
    undone(world, first)
    assert states(first) == ["withdrawn"] * 3
    second = brought(world, form_key="other")
    assert (states(second), Import.objects.count()) == (["declared"] * 3, 2)


def test_what_was_declared_by_hand_is_known_as_often_as_it_was(play: Play) -> None:
    world = play("make_house")
    brought(world, rows(world, 2, description="Same"))
    table = [*rows(world, 3, description="Same"), *rows(world, 1, description="Other")]
    found = declared_already(actor=world.users["bo"], budget=world.budget, items=table)
    assert found == {0, 1}
    assert declared_already(actor=world.users["camille"], budget=world.budget, items=table) == set()


def test_undone_once_and_what_ended_meanwhile_stays(play: Play) -> None:
    world = play("make_house")
    row = brought(world)
    first, second, _third = Contribution.objects.order_by("pk")
    review(actor=world.users["sacha"], contribution_id=first.pk, verdict="reject", reason="Twice", now=world.now)
    withdraw(actor=world.users["bo"], contribution_id=second.pk, now=world.now)
    assert undone(world, row).undone_at == world.now
    assert states(row) == ["rejected", "withdrawn", "withdrawn"]
    undone(world, row)
    assert Event.objects.filter(subject=row.pk, kind="import.undone").count() == 1


def test_it_stays_once_a_part_of_it_is_shared(play: Play) -> None:
    world = play("receive")
    row = brought(world)
    first = Contribution.objects.order_by("pk")[0]
    review(actor=world.users["sacha"], contribution_id=first.pk, verdict="approve", now=world.now)
    close_period(actor=world.users["claire"], period_id=world.period.pk, now=world.now)
    demo.sweep(world.now)
    before = states(row)
    with pytest.raises(Conflict) as refusal:
        undone(world, row)
    assert (refusal.value.code, states(row)) == ("import_shared", before)
    assert Import.objects.get().undone_at is None


def test_nobody_else_undoes_it_or_knows_of_it(play: Play) -> None:
    world = play("make_house")
    row = brought(world)
    for who in ("camille", "sacha", "claire"):
        with pytest.raises(NotFound):
            undone(world, row, who)
    assert states(row) == ["declared"] * 3


@pytest.mark.parametrize(
    "change",
    [
        "UPDATE contributions_import SET sha256 = repeat('b', 64)", "UPDATE contributions_import SET rows = 1",
        "DELETE FROM contributions_import", "UPDATE contributions_import SET made_by_id = 'usr_other'",
    ],
)  # fmt: skip
def test_postgresql_keeps_what_was_imported(play: Play, change: str) -> None:
    world = play("make_house")
    brought(world)
    with pytest.raises(DatabaseError, match="permission denied"), transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(change)


def test_pressed_ten_times_at_once_it_is_kept_once(committed: str, play: Play) -> None:
    world = play("make_house")
    found = at_once(lambda number: brought(world, form_key=f"f{number % 2}").pk)
    assert len({one for one in found if one.startswith("imp_")}) == 1
    assert {one for one in found if not one.startswith("imp_")} <= {"import_known"}
    assert (Import.objects.count(), Contribution.objects.count()) == (1, 3)


def test_undone_while_the_period_is_closed(committed: str, play: Play) -> None:
    world = play("receive")
    row = brought(world)
    for one in Contribution.objects.all():
        review(actor=world.users["sacha"], contribution_id=one.pk, verdict="approve", now=world.now)

    def act(number: int) -> Any:
        if number:
            return undone(world, row).pk
        return close_period(actor=world.users["claire"], period_id=world.period.pk, now=world.now).pk

    closed, back = at_once(act, 2)
    assert closed.startswith("dis_")
    lines = Distribution.objects.get().inputs.get("lines", [])
    if back == "import_shared":
        assert (states(row), len(lines)) == (["included"] * 3, 3)
    else:
        assert (back, states(row), lines) == (row.pk, ["withdrawn"] * 3, [])
