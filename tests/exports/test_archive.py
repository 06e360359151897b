"""The archive of booked names: written with the entry, sealed, kept ten years, then let go."""

import base64
import os
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from io import StringIO
from typing import Any

import psycopg
import pytest
from django.core.management import call_command
from django.db import IntegrityError, connection, transaction
from django.test.utils import CaptureQueriesContext

from backend.core import crypto
from backend.core.ids import new_id
from backend.exports.retention import keep_names
from backend.identity.models import Host
from backend.ledger.services import Line, open_account, post
from backend.payees.models import BookedName, Payee
from backend.payees.services import archive_names, booked_names, set_account
from tests import databases

Play = Callable[..., Any]
NOW = datetime(2026, 11, 21, 10, 0, tzinfo=UTC)
LONG_AGO = datetime(2014, 6, 1, tzinfo=UTC)


def names_of(user: Any) -> list[tuple[datetime, str]]:
    """The archived names of a person's payee."""
    payee = Payee.objects.get(user=user)
    return booked_names([payee.pk]).get(payee.pk, [])


def owe(payee: str, day: date, key: str) -> None:
    """Book one cent owed to a payee."""
    pot, purse = (open_account(kind=kind, owner=owner, currency="EUR") for kind, owner in
                  (("deficit", "bud_old"), ("payee", payee)))  # fmt: skip
    post(kind="distribution.approved", scope="old", key=key, reference="dis_old", happened_on=day, now=NOW,
         lines=[Line(pot, 1, "6226"), Line(purse, -1, "401")])  # fmt: skip


def archived(payee: str, name: str, since: datetime) -> BookedName:
    """A row of the archive as of a moment."""
    key = new_id("bkn")
    sealed = crypto.encrypt(name, bound_to=key)
    return BookedName.objects.create(id=key, owner=payee, name_sealed=sealed, since=since)


def test_the_name_is_that_of_the_papers_and_not_of_the_account_s_holder(play: Play) -> None:
    world = play("close", now=NOW)
    bo = world.users["bo"]
    Payee.objects.filter(user=bo).update(name="M ou Mme Nguyen", legal_name="Atelier Nguyen SCOP")
    from backend.operations import demo

    demo.approve_distribution(world)
    assert names_of(bo) == [(NOW, "Atelier Nguyen SCOP")]
    assert names_of(world.users["camille"]) == [(NOW, "Camille Faure")]


def test_a_name_is_archived_by_the_entry_that_books_it_and_once(play: Play) -> None:
    world = play("close", now=NOW)
    assert not BookedName.objects.exists()
    from backend.operations import demo

    demo.approve_distribution(world)
    assert names_of(world.users["bo"]) == [(NOW, "Bo Nguyen")]
    assert names_of(world.users["camille"]) == [(NOW, "Camille Faure")]
    assert "Bo Nguyen" not in BookedName.objects.get(owner=Payee.objects.get(user=world.users["bo"]).pk).name_sealed
    demo.pay(world)
    assert BookedName.objects.count() == 2
    set_account(actor=world.users["bo"], name="Bo Martin", iban="FR1420041010050500013M02606", now=NOW)
    payee = Payee.objects.get(user=world.users["bo"]).pk
    later = NOW + timedelta(days=1)
    for _again in range(2):
        archive_names([payee], now=later)
    assert names_of(world.users["bo"]) == [(NOW, "Bo Nguyen"), (later, "Bo Martin")]
    archive_names([payee], now=later)
    Payee.objects.filter(pk=payee).update(name="Bo Third")
    archive_names([payee], now=later)  # two names at one moment: the first stays, nothing is refused
    assert names_of(world.users["bo"]) == [(NOW, "Bo Nguyen"), (later, "Bo Martin")]


def test_many_names_cost_as_many_queries_as_one(play: Play, django_assert_num_queries: Callable[..., Any]) -> None:
    world = play("close", now=NOW)
    payees = list(Payee.objects.filter(user__in=[world.users[who] for who in ("bo", "camille")]))
    with CaptureQueriesContext(connection) as of_one:
        archive_names([payees[0].pk], now=NOW)
    Payee.objects.filter(pk=payees[0].pk).update(name="Another name")  # so that both have one to keep
    with django_assert_num_queries(len(of_one)):
        archive_names([one.pk for one in payees], now=NOW + timedelta(days=1))


def test_a_booking_that_fails_leaves_no_name(play: Play) -> None:
    world = play("approve_distribution", now=NOW)
    payee = Payee.objects.get(user=world.users["bo"])
    Payee.objects.filter(pk=payee.pk).update(name="Never booked")
    with pytest.raises(RuntimeError), transaction.atomic():
        archive_names([payee.pk], now=NOW + timedelta(days=1))
        raise RuntimeError
    assert names_of(world.users["bo"]) == [(NOW, "Bo Nguyen")]


@pytest.mark.parametrize("role", ["tronc_app", "tronc_owner"])
def test_nobody_rewrites_or_empties_the_archive(play: Play, committed: str, role: str) -> None:
    play("approve_distribution", now=NOW)
    url = databases.owner_url() if role == "tronc_owner" else os.environ["DATABASE_URL"]
    read = "SELECT id, owner, name_sealed, since FROM payees_bookedname ORDER BY id"
    attacks = [
        "DELETE FROM payees_bookedname",
        "TRUNCATE payees_bookedname",
        "UPDATE payees_bookedname SET owner = 'pye_other'",
        "UPDATE payees_bookedname SET since = since - interval '1 day'",
        "UPDATE payees_bookedname SET id = id || 'x'",
        "UPDATE payees_bookedname SET name_sealed = ''",
        "INSERT INTO payees_bookedname SELECT id || 'x', owner, name_sealed, since FROM payees_bookedname",
    ]
    named = databases.named(url, committed)
    with psycopg.connect(named, options=f"-c role={role}", autocommit=True) as raw:
        before = raw.execute(read).fetchall()
        assert len(before) == 2
        for attack in attacks:
            with pytest.raises(psycopg.Error):
                raw.execute(attack)
            assert raw.execute(read).fetchall() == before
        # Another sealing key is no other name.
        raw.execute("UPDATE payees_bookedname SET name_sealed = name_sealed")


def test_names_go_ten_years_after_the_year_of_the_last_entry(play: Play) -> None:
    world = play("make_house", now=NOW)
    gone, kept = (Payee.objects.get(user=world.users[key]).pk for key in ("bo", "camille"))
    owe(gone, date(2015, 12, 31), "1")
    owe(kept, date(2016, 1, 1), "2")
    for payee in (gone, kept):
        archived(payee, "Old name", LONG_AGO)
        archived(payee, "Older self", LONG_AGO + timedelta(days=9))
    new = archived("pye_without_entries", "Known since a year", NOW - timedelta(days=365))
    with pytest.raises(IntegrityError), transaction.atomic():
        new.delete()
    assert keep_names(datetime(2025, 12, 31, 12, tzinfo=UTC)) == 0  # 2015 is closed for ten years, not more
    assert BookedName.objects.count() == 5
    assert keep_names(NOW) == 1
    assert set(BookedName.objects.values_list("owner", flat=True)) == {kept, new.owner}
    assert keep_names(NOW) == 0  # and it is not archived again from the payee itself


def test_the_fiscal_year_counts_not_the_calendar_s(play: Play) -> None:
    world = play("make_house", now=NOW)
    Host.objects.update(fiscal_year_starts_on=9)
    payee = Payee.objects.get(user=world.users["camille"]).pk
    owe(payee, date(2016, 8, 31), "1")
    archived(payee, "Old name", LONG_AGO)
    assert keep_names(datetime(2026, 8, 31, 12, tzinfo=UTC)) == 0
    with pytest.raises(IntegrityError), transaction.atomic():
        owe(payee, date(2026, 11, 1), "2")
        BookedName.objects.all().delete()
    assert keep_names(NOW) == 1
    assert not BookedName.objects.exists()


def test_what_was_booked_before_there_was_an_archive_is_archived(play: Play) -> None:
    world = play("make_house", now=NOW)
    payee = Payee.objects.get(user=world.users["bo"]).pk
    assert keep_names(NOW) == 0
    owe(payee, date(2026, 3, 1), "1")
    assert keep_names(NOW) == 1
    assert names_of(world.users["bo"]) == [(NOW, "Bo Nguyen")]
    assert keep_names(NOW) == 0


def test_an_empty_instance_has_nothing_to_keep(db: None) -> None:
    assert keep_names(NOW) == 0


def test_sealed_names_follow_a_change_of_keys(play: Play, settings: Any) -> None:
    old = "1:" + base64.b64encode(b"a" * 32).decode()
    new = "2:" + base64.b64encode(b"b" * 32).decode()
    settings.ENCRYPTION_KEYS = old
    world = play("approve_distribution", now=NOW)
    settings.ENCRYPTION_KEYS = f"{new},{old}"
    said = StringIO()
    call_command("rotate_keys", stdout=said)
    assert "payees_bookedname.name_sealed: 2 sealed again, 0 indexes written again" in said.getvalue()
    settings.ENCRYPTION_KEYS = new
    assert names_of(world.users["bo"]) == [(NOW, "Bo Nguyen")]
