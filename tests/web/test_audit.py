"""The audit trail: each reader sees what is theirs, finds it, and takes it as a file."""

import csv
import io
import json
import re
from datetime import timedelta
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone, translation

from backend.core.errors import Forbidden, Invalid
from backend.events.models import Event
from backend.events.services import record
from backend.exports.audit import Wanted, export_audit, find, visible_events
from backend.identity.services import create_organisation, grant_role
from backend.operations import demo
from backend.payments.services import receive_transfer
from backend.pledges.services import Terms, make_pledge
from backend.web.audit_lines import lines


def kinds(events: Any) -> set[str]:
    """The kinds of some events."""
    return {event.kind for event in events}


def test_treasurers_and_auditors_read_everything(play: Any) -> None:
    world = play("settle")
    whole = Event.objects.count()
    auditor = world.users["ana"]
    grant_role(user=auditor, kind="auditor", scope=world.host.pk, granted_by=None, now=world.now)
    assert visible_events(auditor).count() < whole  # the role sleeps without a second factor
    demo.give_factor(auditor)
    assert visible_events(auditor).count() == whole + 1
    assert visible_events(world.users["claire"]).count() == whole + 1


def test_a_contributor_reads_their_own_acts_and_what_was_done_to_them(play: Any) -> None:
    world = play("settle")
    bo = world.users["bo"]
    seen = list(visible_events(bo))
    assert kinds(seen) == {
        "contribution.declared", "payee.account_changed", "payee.edited", "paper.approved", "role.granted",
    }  # fmt: skip
    assert all(bo.pk in {event.actor_id, event.subject, *event.scopes} for event in seen)


def test_a_member_reads_what_was_done_for_their_organisation(play: Any) -> None:
    world = play("settle")
    other = create_organisation(name="Autre", kind="informal", manager=world.users["bo"], now=world.now)
    record("pledge.made", actor=world.users["bo"], subject="plg_x", now=world.now, scopes=[other.pk])
    inside = record("pledge.made", actor=None, subject="plg_y", now=world.now, on_behalf=world.organisation.pk)
    seen = visible_events(world.users["ana"])
    assert {"pledge.made", "organisation.created"} <= kinds(seen)
    assert inside in seen
    assert not seen.filter(scopes__contains=[other.pk]).exists()
    assert not seen.filter(kind__startswith="batch.").exists()


def test_a_steward_reads_the_budgets_they_care_for(play: Any) -> None:
    world = play("settle")
    theirs = record("transfer.proposed", actor=None, subject="trf_x", now=world.now, scopes=[world.budget.pk])
    another = record("transfer.proposed", actor=None, subject="trf_y", now=world.now, scopes=["bud_elsewhere"])
    seen = visible_events(world.users["sacha"])
    assert theirs in seen
    assert another not in seen
    assert {"contribution.declared", "contribution.validated", "period.closed", "commons.created"} <= kinds(seen)
    assert not seen.filter(kind__startswith="batch.").exists()


def test_an_administrator_reads_rights_and_never_money(play: Any) -> None:
    world = play("settle")
    yanis = world.users["ana"]
    grant_role(user=yanis, kind="administrator", scope=world.host.pk, granted_by=None, now=world.now)
    demo.give_factor(yanis)
    # What they did themselves, and what was done for their organisation, stays theirs.
    others = visible_events(yanis).exclude(actor=yanis).exclude(scopes__contains=[world.organisation.pk])
    assert "role.granted" in kinds(others)
    assert not {kind for kind in kinds(others) if kind.startswith(("batch.", "payment.", "payee.", "distribution."))}


def test_who_has_no_role_reads_nothing_of_others(play: Any) -> None:
    world = play("settle")
    stranger = type(world.users["camille"]).objects.create_user("stranger@example.org", demo.PASSWORD, name="Stranger")
    assert list(visible_events(stranger)) == []
    stranger.is_active = False
    with pytest.raises(Forbidden):
        find(actor=stranger, wanted=Wanted())


@pytest.mark.parametrize(
    ("wanted", "expected"),
    [
        ({"who": "sacha"}, {"contribution.validated"}),
        ({"kind": "batch.approved"}, {"batch.approved"}),
        ({"as_whom": "fabrique"}, {"pledge.made"}),
        ({"refused": True}, set()),
        ({"who": "nobody of that name"}, set()),
    ],
)
def test_it_finds_who_as_whom_and_what(play: Any, wanted: dict[str, Any], expected: set[str]) -> None:
    world = play("settle")
    found = find(actor=world.users["claire"], wanted=Wanted(**wanted))
    assert expected <= kinds(found)
    if not expected or "kind" in wanted:
        assert kinds(found) == expected
    if "who" in wanted:
        assert {event.actor_id for event in found} <= {world.users["sacha"].pk}


def test_it_finds_by_thing_and_by_days_of_the_host(play: Any) -> None:
    world = play("settle")
    claire = world.users["claire"]
    about = find(actor=claire, wanted=Wanted(subject=world.pledge.pk))
    assert kinds(about) == {"pledge.made", "pledge.fulfilled"}
    assert "contribution.declared" in kinds(find(actor=claire, wanted=Wanted(subject=world.budget.pk)))
    # Half past eleven at night in Paris is half past nine or ten in UTC: the day is that of the host.
    late = world.now.replace(year=2025, month=7, day=1, hour=22, minute=30)
    early = record("a.b", actor=claire, subject="x", now=late)
    assert list(find(actor=claire, wanted=Wanted(first=late.date(), last=late.date()))) == []
    following = late.date() + timedelta(days=1)
    assert list(find(actor=claire, wanted=Wanted(first=following, last=following))) == [early]
    with pytest.raises(Invalid) as refusal:
        find(actor=claire, wanted=Wanted(first=following, last=late.date()))
    assert (refusal.value.code, refusal.value.param) == ("audit_range", "last")


def test_the_page_says_who_as_whom_what_changed_and_why(play: Any, sign_in: Any) -> None:
    world = play("approve_distribution")
    record(
        "batch.refused", actor=world.users["denis"], subject="bat_12345", now=timezone.now(), why="A <b>wrong</b> day.",
        before={"state": "prepared"}, after={"state": "rejected"}, on_behalf=world.organisation.pk,
    )  # fmt: skip
    html = sign_in(world.users["claire"]).get("/en/audit/").content.decode()
    for said in (
        "Payout batch refused",
        "Denis",
        "for La Fabrique du Port",
        "prepared",
        "rejected",
        "Distribution approved",
    ):
        assert said in html
    assert "A &lt;b&gt;wrong&lt;/b&gt; day." in html
    assert "<b>wrong" not in html
    assert "€100.00" in html


def test_refusals_are_marked_and_found(play: Any, sign_in: Any) -> None:
    world = play("make_house")
    assert sign_in(world.users["bo"]).get("/en/bank/").status_code == 403
    html = sign_in(world.users["claire"]).get("/en/audit/?refused=on").content.decode()
    assert "Act refused" in html
    assert "read bank statements" in html
    assert "Commons created" not in re.sub(r"(?s)<select.*?</select>", "", html)


def test_a_wrong_search_is_said_beside_its_field(play: Any, sign_in: Any) -> None:
    world = play("make_house")
    browser = sign_in(world.users["claire"])
    answer = browser.get("/en/audit/?first=2026-02-01&last=2026-01-01")
    assert answer.status_code == 422
    assert 'href="#id_last"' in answer.content.decode()
    assert browser.get("/en/audit/?first=never").status_code == 422
    assert browser.get("/en/audit/?kind=of.nothing").status_code == 422
    assert "Nothing was found" in browser.get("/en/audit/?who=nobody+of+that+name").content.decode()


def test_long_trails_are_cut_in_pages(play: Any, sign_in: Any, django_assert_max_num_queries: Any) -> None:
    world = play("make_house")
    for number in range(120):
        record("thing.done", actor=world.users["claire"], subject=f"x{number}", now=timezone.now())
    browser = sign_in(world.users["claire"])
    with django_assert_max_num_queries(40):
        html = browser.get("/en/audit/").content.decode()
    assert html.count("<tr>") == 51
    assert "x119" in html
    assert "x0<" not in html
    assert "Page 2 of" in browser.get("/en/audit/?page=2").content.decode()


def test_the_file_holds_what_the_reader_sees_and_taking_it_is_noted(play: Any, sign_in: Any) -> None:
    world = play("settle")
    sacha = world.users["sacha"]
    expected = list(visible_events(sacha).order_by("created_at", "id").values_list("pk", flat=True))
    browser = sign_in(sacha)
    answer = browser.get("/en/audit/file/?format=jsonl")
    rows = [json.loads(line) for line in b"".join(answer).decode().splitlines()]
    assert answer["Content-Type"] == "application/jsonl; charset=utf-8"
    assert re.search(r'filename="audit-\d{8}-\d{4}\.jsonl"', answer["Content-Disposition"])
    assert [row["id"] for row in rows] == expected
    closed = next(row for row in rows if row["kind"] == "period.closed")
    assert (closed["before"], closed["after"]) == ({"state": "open"}, {"state": "closed"})
    assert closed["said"] == "Period closed"
    noted = Event.objects.get(kind="audit.exported")
    assert (noted.actor_id, noted.data["format"], noted.origin) == (sacha.pk, "jsonl", "web")
    refused = browser.get("/en/audit/file/?format=xml")
    assert refused.status_code == 422
    assert Event.objects.filter(kind="audit.exported").count() == 1


def test_a_spreadsheet_runs_nothing_of_it(play: Any) -> None:
    world = play("make_house")
    claire = world.users["claire"]
    type(claire).objects.filter(pk=claire.pk).update(name="=cmd|' /C calc'!A0")
    record("a.b", actor=claire, subject="@x", now=world.now, why="+1\r\n=2", after={"note": "-3"})
    name, pieces = export_audit(actor=claire, wanted=Wanted(), name="csv", now=timezone.now())
    text = b"".join(pieces).decode()
    assert name.endswith(".csv")
    rows = list(csv.DictReader(io.StringIO(text)))
    row = next(row for row in rows if row["kind"] == "a.b")
    assert (row["actor_name"], row["subject"]) == ("'=cmd|' /C calc'!A0", "'@x")
    assert row["why"].startswith("'+1")
    assert "\n" not in row["why"]
    assert row["after"] == '{"note": "-3"}'
    assert not any(cell.startswith(("=", "+", "-", "@")) for row in rows for cell in row.values() if cell)


def test_taking_the_file_asks_for_the_factor_again(play: Any, sign_in: Any) -> None:
    world = play("make_house")
    browser: Client = sign_in(world.users["claire"])
    session = browser.session
    for one in session["account_authentication_methods"]:
        one["at"] -= 3600
    session.save()
    answer = browser.get("/en/audit/file/?format=csv")
    assert answer.status_code == 302
    assert "reauthenticate" in answer["Location"]
    assert not Event.objects.filter(kind="audit.exported").exists()
    assert browser.get("/en/audit/").status_code == 200


def test_the_page_is_read_in_french_too(play: Any, sign_in: Any) -> None:
    world = play("make_house")
    answer = sign_in(world.users["claire"]).get("/fr/audit/")
    assert answer.status_code == 200
    with translation.override("fr"):
        assert lines(Event.objects.filter(kind="host.created"), all_pages=True)[0].subject == world.host.pk


def test_limits_are_told_in_money_and_missing_rights_in_words(play: Any) -> None:
    world = play("make_promise")
    limit = record(
        "limit.set", actor=world.users["ana"], subject=world.users["bo"].pk, now=world.now,
        before={"pledge": 500_00}, after={"pledge": 100_00, "year": 1_000_00}, currency="EUR",
    )  # fmt: skip
    refusal = record(
        "act.refused", actor=world.users["bo"], subject="bat_x", now=world.now, action="batch.approve",
        code="not_allowed", path="batch_approve",
    )  # fmt: skip
    told, refused = lines([limit, refusal], all_pages=True)
    assert told.changes == [
        ("At most per pledge", "€500.00", "€100.00"), ("At most per calendar year", "", "€1,000.00"),
    ]  # fmt: skip
    assert ("Right that was missing", "approve a payout batch") in refused.facts
    with translation.override("fr"):
        assert lines([limit], all_pages=True)[0].changes[0][2].split() == ["100,00", "€"]


@pytest.mark.parametrize(("visibility", "seen"), [("visible", True), ("anonymous", False), ("pseudonymous", False)])
def test_a_steward_does_not_read_who_promised_without_a_name(play: Any, visibility: str, seen: bool) -> None:
    world = play("make_house")
    bo, sacha = world.users["bo"], world.users["sacha"]
    pledge = make_pledge(
        actor=bo, person=bo, budget=world.budget, amount=42_42, currency="EUR", form_key="k", now=world.now,
        terms=Terms(visibility=visibility, pseudonym="Le Phare" if visibility == "pseudonymous" else ""),
    )  # fmt: skip
    receive_transfer(
        pledge=pledge, amount=42_42, source="line:one", purse=("bank", world.account.pk), received_on=world.today,
        actor=None, now=world.now,
    )  # fmt: skip

    def told(reader: Any) -> bool:
        found = find(actor=reader, wanted=Wanted())
        return any(pledge.pk == event.subject or bo.pk in event.scopes for event in found)

    assert (told(sacha), told(world.users["claire"]), told(bo)) == (seen, True, True)
