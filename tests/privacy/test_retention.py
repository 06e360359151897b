"""Retention: each class goes at its time and not before, a dry run changes nothing, accounts without use are told."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from allauth.account.models import EmailAddress
from allauth.usersessions.models import UserSession
from django.contrib.sessions.models import Session
from django.core.cache import cache
from django.core.management import CommandError, call_command
from django.db import connection

from backend.contributions.models import ForgeDelivery
from backend.contributions.repositories import connect_repository
from backend.core.errors import Conflict
from backend.core.models import IdempotencyRecord
from backend.distributions.models import SupportingDocument
from backend.distributions.papers import file_of
from backend.events.models import Event
from backend.identity.inviting import Named, invite_person
from backend.identity.models import ApiToken, KnownDevice, PersonMerge, Role, User
from backend.identity.services import grant_role
from backend.identity.tokens import create_token
from backend.notifications.models import OutgoingMail
from backend.notifications.services import compose_due
from backend.operations import demo
from backend.payments.models import Notice
from backend.privacy.erasure import erase_due
from backend.privacy.models import Erasure, RetentionRun
from backend.privacy.retention import CLASSES, MONTH, apply_now, count_due, retain
from tests.concurrency import at_once

Play = Callable[..., Any]
NOW = datetime(2026, 11, 22, 10, 0, tzinfo=UTC)
DAY, SECOND = timedelta(days=1), timedelta(seconds=1)
DOCS = Path(__file__).resolve().parents[2] / "deploy"


def mail(key: str, event: Event | None, due_at: datetime, state: str = "sent") -> None:
    """One message of the outbox."""
    OutgoingMail.objects.create(
        id=key, event=event, recipient=f"{key}@example.net", subject="x", body="y", state=state, due_at=due_at
    )


def plant(world: Any, late: timedelta) -> None:
    """One row of each class that is deleted, at the end of its time, older by `late`."""
    bo, kept = world.users["bo"], {name: NOW - one.kept - late for name, one in CLASSES.items()}
    Session.objects.create(session_key="old", session_data="", expire_date=NOW - late)
    Session.objects.create(session_key="new", session_data="", expire_date=NOW + DAY)
    for key in ("old", "new"):
        UserSession.objects.create(user=bo, session_key=key, ip="192.0.2.1", user_agent="Firefox")
    KnownDevice.objects.create(
        id="dev_1", user=bo, digest="d", words="Firefox", first_seen_at=NOW, last_seen_at=kept["devices"]
    )
    event = Event.objects.order_by("created_at").first()
    mail("eml_told", event, kept["mails"])
    mail("eml_due", event, kept["mails"], state="due")  # what did not leave yet does
    mail("eml_code", None, kept["account_mails"])
    IdempotencyRecord.objects.create(
        scope="s", key="k", request="r", status=200, body={}, created_at=kept["idempotency"]
    )
    token, _text = create_token(user=bo, name="t", scopes=["contributions:write"], now=NOW)
    ApiToken.objects.filter(pk=token.pk).update(expires_at=kept["tokens"])
    other, _text = create_token(user=bo, name="u", scopes=["contributions:write"], now=NOW)
    ApiToken.objects.filter(pk=other.pk).update(revoked_at=kept["tokens"])
    for state in ("done", "stuck"):  # one that could not be treated waits for a treasurer
        Notice.objects.create(
            id=f"ntc_{state}", provider="fake", remote_id=f"evt_{state}", type="charge.succeeded", thing="payment",
            about="ch_1", sent_at=NOW, received_at=kept["notices"], next_try_at=NOW, state=state,
        )  # fmt: skip
    repository, _secret = connect_repository(
        actor=world.users["sacha"], budget_id=world.budget.pk, forge="forgejo", address="https://x.org/a/b", now=NOW
    )
    ForgeDelivery.objects.create(
        id="fgd_1", repository=repository, delivery_id="d", event="push", body=b"{}", size=2,
        received_at=kept["deliveries"], next_try_at=NOW,
    )  # fmt: skip
    PersonMerge.objects.create(id="mrg_1", kept=bo, address="b@example.net", asked_at=kept["merges"])
    PersonMerge.objects.create(
        id="mrg_2", kept=bo, other=world.users["ana"], state="merged", asked_at=kept["merges"], ended_at=NOW
    )
    with connection.cursor() as cursor:
        cursor.execute("DELETE FROM core_cache")
        cursor.execute("INSERT INTO core_cache VALUES ('a', 'b', %s), ('c', 'd', %s)", [NOW - late, NOW + DAY])


def test_nothing_goes_before_its_time(play: Play) -> None:
    world = play("make_house", now=NOW)
    plant(world, -SECOND)
    assert count_due(NOW) == {**dict.fromkeys(CLASSES, 0), "limits": 0}
    assert apply_now(NOW) == {}
    assert not Event.objects.filter(kind="retention.applied").exists()


def test_each_class_goes_after_its_time_and_its_neighbours_stay(play: Play) -> None:
    world = play("make_house", now=NOW)
    plant(world, SECOND)
    wanted = {
        "sessions": 1, "listed_sessions": 1, "devices": 1, "mails": 1, "account_mails": 1, "idempotency": 1,
        "tokens": 2, "notices": 1, "unused": 0, "donors": 0, "refunds": 0, "inactive": 0, "limits": 1,
        "deliveries": 1, "merges": 1, "supporting_documents": 0,
    }  # fmt: skip
    assert count_due(NOW) == wanted
    assert count_due(NOW) == wanted  # counting changes nothing
    assert apply_now(NOW) == {name: count for name, count in wanted.items() if count}
    assert count_due(NOW) == {**dict.fromkeys(CLASSES, 0), "limits": 0}
    assert list(Session.objects.values_list("session_key", flat=True)) == ["new"]
    assert list(UserSession.objects.values_list("session_key", flat=True)) == ["new"]
    assert list(
        OutgoingMail.objects.filter(pk__in=["eml_told", "eml_due", "eml_code"]).values_list("pk", flat=True)
    ) == ["eml_due"]
    event = Event.objects.get(kind="retention.applied")
    assert (event.actor_id, event.data["removed"]["tokens"]) == (None, 2)


def test_supporting_documents_are_unreadable_after_ten_years_and_their_numbers_stay(play: Play) -> None:
    world = play("document", now=NOW)
    paper = SupportingDocument.objects.get(share__contributor=world.users["bo"])
    end = NOW + CLASSES["supporting_documents"].kept
    assert count_due(end)["supporting_documents"] == 0
    assert apply_now(end + SECOND)["supporting_documents"] == 2
    assert count_due(end + SECOND)["supporting_documents"] == 0
    with pytest.raises(Conflict) as refusal:
        file_of(paper)
    assert refusal.value.code == "document_forgotten"
    assert SupportingDocument.objects.get(pk=paper.pk).number == paper.number


def test_the_dry_run_counts_and_changes_nothing(play: Play) -> None:
    world = play("make_house", now=NOW)
    plant(world, SECOND)
    out = StringIO()
    call_command("retention", "--dry-run", stdout=out)
    lines = dict(line.split(":", 1) for line in out.getvalue().splitlines())
    assert set(lines) == {*CLASSES, "limits"}
    assert lines["tokens"].endswith("2 past it")
    assert (Session.objects.count(), ApiToken.objects.count()) == (2, 2)
    assert not RetentionRun.objects.exists()
    out = StringIO()
    call_command("retention", stdout=out)
    assert "tokens: kept 365 days since they ended or were revoked, 2 removed" in out.getvalue()
    assert ApiToken.objects.count() == 0


def test_the_job_runs_once_a_day_whoever_asks(play: Play, committed: str) -> None:
    world = play("make_house", now=NOW)
    plant(world, SECOND)
    cache.clear()
    treated = at_once(lambda number: retain(NOW), times=5)
    assert sorted(treated) == [0, 0, 0, 0, 11]
    assert RetentionRun.objects.get().removed["devices"] == 1
    assert retain(NOW + DAY - SECOND) == 0
    assert RetentionRun.objects.count() == 1
    retain(NOW + DAY + SECOND)
    assert RetentionRun.objects.count() == 2


def test_runs_themselves_are_not_kept_for_ever(db: None) -> None:
    RetentionRun.objects.bulk_create(RetentionRun(ran_at=NOW - DAY * (500 - n)) for n in range(450))
    retain(NOW)
    assert RetentionRun.objects.count() == 400
    assert RetentionRun.objects.latest("pk").ran_at == NOW


def seen(user: User, when: datetime) -> None:
    """Say when a person last signed in."""
    User.objects.filter(pk=user.pk).update(last_login=when)


def test_an_account_without_use_is_told_then_erased_unless_somebody_signs_in(play: Play) -> None:
    world = play("make_house", now=NOW)
    bo, camille, ana = (world.users[key] for key in ("bo", "camille", "ana"))
    for person in (bo, camille):
        seen(person, NOW - 35 * MONTH - SECOND)
    seen(ana, NOW - 35 * MONTH + DAY)
    assert apply_now(NOW) == {"inactive": 2}
    assert apply_now(NOW) == {}
    asked = Erasure.objects.get(user=bo)
    assert (asked.cause, asked.asked_by_id, asked.due_at) == ("inactive", None, NOW + MONTH)
    compose_due(NOW)
    assert OutgoingMail.objects.filter(recipient=bo.email, event__kind="erasure.asked").count() == 1
    seen(camille, NOW + DAY)
    assert erase_due(NOW + MONTH - SECOND) == 0
    assert erase_due(NOW + MONTH) == 2
    bo.refresh_from_db()
    camille.refresh_from_db()
    assert (bo.is_active, camille.is_active, camille.email) == (False, True, "camille@example.org")
    assert Erasure.objects.get(user=camille).withdrawn_at == NOW + MONTH
    assert not Erasure.objects.filter(user=ana).exists()


def test_a_token_in_use_keeps_an_account_and_whoever_is_needed_is_left_alone(play: Play) -> None:
    world = play("make_house", now=NOW)
    bo, sacha = world.users["bo"], world.users["sacha"]
    token, _text = create_token(user=bo, name="t", scopes=["contributions:write"], now=NOW)
    ApiToken.objects.filter(pk=token.pk).update(last_used_at=NOW - MONTH)
    for person in (bo, sacha):
        seen(person, NOW - 40 * MONTH)
    assert apply_now(NOW) == {}  # sacha alone takes care of the pot
    assert not Erasure.objects.exists()


def test_an_account_that_was_kept_is_left_alone_for_three_years_more(play: Play) -> None:
    bo = play("make_house", now=NOW).users["bo"]
    seen(bo, NOW - 36 * MONTH)
    Erasure.objects.create(
        id="ers_1", user=bo, cause="inactive", asked_at=NOW - MONTH, due_at=NOW, withdrawn_at=NOW - DAY
    )
    assert apply_now(NOW) == {}


def test_an_invitation_that_nobody_accepted_goes_after_six_months(play: Play) -> None:
    world = play("make_house", now=NOW)
    ada = User.objects.create_user("ada@example.org", demo.PASSWORD, name="Ada Martin", language="en")
    demo.give_factor(ada)
    EmailAddress.objects.create(user=ada, email=ada.email, verified=True, primary=True)
    seen(ada, NOW)
    grant_role(user=ada, kind="administrator", scope=world.host.pk, granted_by=None, now=NOW)
    User.objects.exclude(pk=ada.pk).update(last_login=NOW)
    who = Named("Noor Haddad", "noor@example.net")
    noor = invite_person(actor=ada, who=who, kind="auditor", scope=world.host.pk, now=NOW)
    User.objects.filter(pk=noor.pk).update(date_joined=NOW)
    half = CLASSES["unused"].kept
    assert apply_now(NOW + half) == {}
    invite_person(actor=ada, who=who, kind="auditor", scope=world.host.pk, now=NOW + DAY)  # again: counted from there
    assert apply_now(NOW + half + SECOND) == {}
    assert apply_now(NOW + half + DAY + SECOND) == {"unused": 1}
    assert erase_due(NOW + half + DAY + SECOND) == 1
    noor.refresh_from_db()
    assert (noor.is_active, Role.objects.filter(user=noor).count()) == (False, 0)
    compose_due(NOW)
    assert not OutgoingMail.objects.filter(event__kind="erasure.asked").exists()


def test_the_registers_name_each_class_with_its_time() -> None:
    for name in ("personal-data.md", "personal-data.fr.md"):
        text = (DOCS / name).read_text(encoding="utf-8")
        for code, one in CLASSES.items():
            hours = int(one.kept.total_seconds() // 3600)
            kept = f"{hours // 24}" if hours >= 24 else f"{hours} h"
            assert f"| `{code}` |" in text, (name, code)
            row = next(line for line in text.splitlines() if f"| `{code}` |" in line)
            assert f"({kept})" in row, (name, row)
        assert "| `limits` |" in text


def test_erasures_are_listed_and_repeated_by_id_alone(play: Play, tmp_path: Path) -> None:
    world = play("settle", now=NOW)
    bo = world.users["bo"]
    Erasure.objects.create(id="ers_1", user=bo, cause="asked", asked_at=NOW, due_at=NOW)
    erase_due(NOW)
    out = StringIO()
    call_command("erasures", stdout=out)
    assert out.getvalue() == f'{{"person": "{bo.pk}", "done_at": "2026-11-22T10:00:00+00:00"}}\n'
    other = world.users["camille"]
    listed = tmp_path / "erasures.jsonl"
    listed.write_text(out.getvalue() + out.getvalue().replace(bo.pk, other.pk))
    said = StringIO()
    call_command("erase_again", str(listed), stdout=said)
    assert said.getvalue() == "1 to erase again\n"
    other.refresh_from_db()
    assert not other.is_active
    listed.write_text(out.getvalue() + "{}\n")
    for bad in (str(listed), str(tmp_path / "absent")):
        with pytest.raises(CommandError):
            call_command("erase_again", bad)
