"""The status page: what anyone sees, what treasurers and administrators see and do, with two people."""

import json
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone

from backend.identity.models import Role
from backend.ledger.models import Freeze
from backend.ledger.services import ask_lift, freeze, frozen
from backend.operations import demo
from backend.operations.models import Backup, SelfCheckRun

Play = Callable[..., Any]
FAULT = {"code": "I2.balance", "thing": "bank bnk_1", "currency": "EUR", "expected": 100_00, "found": 101_00}


def checked(ok: bool, minutes: int = 3) -> SelfCheckRun:
    """A run of the self-check some minutes ago."""
    at = timezone.now() - timedelta(minutes=minutes)
    return SelfCheckRun.objects.create(
        started_at=at, ended_at=at, ok=ok, findings=[] if ok else [FAULT], entries=6, postings=15
    )


def stop(world: Any, cause: str = "manual") -> Freeze:
    """Freeze payouts."""
    return freeze(actor=world.users["denis"], cause=cause, reason="Doubt about a file", now=timezone.now())


def read(browser: Client, path: str = "/en/status/") -> str:
    """The text of a page."""
    answer = browser.get(path)
    assert answer.status_code == 200
    return answer.content.decode()


@pytest.mark.django_db
def test_an_instance_without_anything_has_a_status() -> None:
    assert "not checked yet" in read(Client())
    assert json.loads(Client().get("/status.json").content) == {
        "running": True,
        "self_check": {"ended_at": None, "ok": None, "late": False},
        "payouts_frozen": False,
        "payouts_frozen_since": None,
    }


def test_anyone_sees_how_it_stands_and_no_figure(play: Play) -> None:
    world = play("settle")
    checked(ok=True)
    assert "nothing wrong" in read(Client())
    assert "Tout fonctionne" in read(Client(), "/fr/status/") or "All is running" in read(Client(), "/fr/status/")
    checked(ok=False)
    held = stop(world, cause="selfcheck")
    page = read(Client())
    assert "Payouts are frozen" in page
    assert "faults found" in page
    for secret in ("101.00", "bnk_1", "Doubt", "Denis", "Last backup", held.pk):
        assert secret not in page
    facts = json.loads(Client().get("/status.json").content)
    assert (facts["self_check"]["ok"], facts["payouts_frozen"]) == (False, True)
    assert facts["payouts_frozen_since"] == held.started_at.isoformat()


def test_a_late_check_is_said(play: Play) -> None:
    play("make_house")
    checked(ok=True, minutes=19)
    assert "The next check is late" not in read(Client())
    SelfCheckRun.objects.all().delete()
    checked(ok=True, minutes=21)
    assert "The next check is late" in read(Client())


@pytest.mark.parametrize("who", ["ana", "bo", "sacha"])
def test_others_see_what_anyone_sees(play: Play, sign_in: Callable[..., Any], who: str) -> None:
    world = play("make_house")
    checked(ok=False)
    held = stop(world)
    browser = sign_in(world.users[who])
    assert "Doubt about a file" not in read(browser)
    for path in ("freeze/", f"freezes/{held.pk}/ask/", f"freezes/{held.pk}/lift/"):
        assert browser.get(f"/en/status/{path}").status_code == 403
        assert browser.post(f"/en/status/{path}", {"reason": "x"}).status_code == 403
    held.refresh_from_db()
    assert (held.lift_asked_by, Freeze.objects.count()) == (None, 1)


def test_a_treasurer_freezes_and_two_people_lift(play: Play, sign_in: Callable[..., Any]) -> None:
    world = play("make_house")
    checked(ok=False)
    Backup.objects.create(
        id="bkp_1", kind="made", happened_at=world.now, taken_at=world.now, size=1, digest="0" * 64, position=0
    )
    claire, denis = sign_in(world.users["claire"]), sign_in(world.users["denis"])
    page = read(claire)
    assert "its lines sum to €100.00, its stored balance is €101.00" in page
    assert "Payouts are not frozen." in page
    assert "Last backup" in page
    assert "none" not in page
    answer = claire.post("/en/status/freeze/", {"reason": ""})
    assert answer.status_code == 422
    assert "Say why payouts are frozen." in answer.content.decode()
    assert frozen() is None
    assert claire.post("/en/status/freeze/", {"reason": "A file looks odd"}).status_code == 302
    held = frozen()
    assert held is not None
    assert "A file looks odd" in read(denis)
    assert "Payouts are frozen." in read(denis, "/en/payouts/")
    assert "no batch can be prepared" in read(denis, "/en/payouts/prepare/")
    assert "no batch can be prepared" not in read(denis, "/en/bank/")
    ask, lift = f"/en/status/freezes/{held.pk}/ask/", f"/en/status/freezes/{held.pk}/lift/"
    answer = denis.post(lift, {})
    assert answer.status_code == 409
    assert "Nobody has asked" in answer.content.decode()
    assert claire.post(ask, {"reason": ""}).status_code == 422
    assert claire.post(ask, {"reason": "The bank explained it"}).status_code == 302
    assert "Another person must confirm." in read(claire)
    answer = claire.post(lift, {})
    assert answer.status_code == 403
    assert "another person must confirm" in answer.content.decode()
    assert frozen() == held
    assert "The bank explained it" in read(denis, lift)
    assert denis.post(lift, {}).status_code == 302
    assert frozen() is None
    assert "Claire Moreau, Denis Caron" in read(denis)
    assert "Payouts are frozen." not in read(denis, "/en/payouts/")


def test_after_a_restore_the_page_shows_the_bank_beside_the_books(play: Play, sign_in: Callable[..., Any]) -> None:
    world = play("receive")
    Role.objects.create(user=world.users["ana"], kind="administrator", scope=world.host.pk, created_at=world.now)
    demo.give_factor(world.users["ana"])
    held = freeze(actor=None, cause="restore", reason="Restored", now=timezone.now() + timedelta(minutes=1))
    ask_lift(actor=world.users["claire"], freeze_id=held.pk, reason="x", now=timezone.now())
    browser = sign_in(world.users["ana"])
    path = f"/en/status/freezes/{held.pk}/lift/"
    page = read(browser, path)
    assert "no statement since" in page
    assert "€142.50" in page
    answer = browser.post(path, {"gap_reason": "no bank today"})
    assert answer.status_code == 409
    assert "no statement imported since the freeze" in answer.content.decode()
    assert frozen() == held


def test_an_unknown_freeze_is_not_found(play: Play, sign_in: Callable[..., Any]) -> None:
    world = play("make_house")
    browser = sign_in(world.users["claire"])
    assert browser.get("/en/status/freezes/frz_none/ask/").status_code == 404
    assert browser.get("/en/status/freezes/frz_none/lift/").status_code == 404
