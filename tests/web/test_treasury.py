"""The pages of money out: two people, exactly one file, handed over once; the inbox says what waits."""

import hashlib
import re
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone

from backend.distributions.models import Share
from backend.distributions.snapshot import last_day
from backend.events.models import Event
from backend.identity.models import Role
from backend.identity.services import host_day
from backend.ledger.services import balance, entry_count
from backend.operations import demo
from backend.payees.models import Payee
from backend.payees.services import set_account
from backend.payouts.models import Payout, PayoutBatch
from backend.payouts.services import prepare_batch
from backend.web.templatetags.tronc import day
from backend.web.treasury import account_alerts
from tests.papers import document
from tests.payouts.test_two_people import limit
from tests.treasurers import make_treasurer
from tests.web.test_public import text_of
from tests.web.test_work import grow_old

Play = Callable[..., Any]
SignIn = Callable[..., Client]
IBAN = "NL91ABNA0417164300"


def prepared(play: Play) -> Any:
    """A world with a batch that waits for its approval."""
    world = play("document")
    world.batch = prepare_batch(actor=world.users["claire"], account_id=world.account.pk, now=timezone.now())
    return world


def counters(text: str) -> dict[str, str]:
    """The counter of each pile of the inbox."""
    titles = [
        "Periods to close", "Distributions to approve", "Shares to pay", "Payout batches to approve or hand over",
        "Bank lines to identify",
    ]  # fmt: skip
    return {title: re.findall(rf"{title} (none|\d+)", text)[0] for title in titles}


@pytest.mark.parametrize(
    ("step", "expected"),
    [
        ("make_house", ["none", "none", "none", "none", "none"]),
        ("receive", ["none", "none", "none", "none", "1"]),
        ("close", ["none", "1", "none", "none", "1"]),
        ("approve_distribution", ["none", "none", "2", "none", "1"]),
        ("document", ["none", "none", "2", "none", "1"]),
        ("pay", ["none", "none", "none", "none", "1"]),
    ],
)
def test_the_inbox_counts_what_waits(play: Play, sign_in: SignIn, step: str, expected: list[str]) -> None:
    world = play(step)
    answer = sign_in(world.users["denis"]).get("/en/treasury/")
    assert list(counters(text_of(answer)).values()) == expected
    assert "no-store" in answer.headers["Cache-Control"]


def test_the_inbox_says_what_an_owed_share_awaits(play: Play, sign_in: SignIn) -> None:
    world = play("approve_distribution")
    sentence = "awaits its supporting document"
    assert text_of(sign_in(world.users["denis"]).get("/en/treasury/")).count(sentence) == 2
    document(share := Share.objects.get(contributor=world.users["bo"]), now=world.now)
    browser = sign_in(world.users["denis"])
    text = text_of(browser.get("/en/treasury/"))
    assert text.count(sentence) == 1
    assert text.index(share.payee.name) < text.index("Camille Faure")  # what can be paid comes first


def test_the_inbox_says_who_must_act_on_a_batch(play: Play, sign_in: SignIn) -> None:
    world = prepared(play)
    assert "prepared by Claire Moreau: to approve" in text_of(sign_in(world.users["denis"]).get("/en/treasury/"))
    assert "prepared by you: another treasurer approves" in text_of(sign_in(world.users["claire"]).get("/en/treasury/"))


def test_a_period_that_ended_is_to_close(play: Play, sign_in: SignIn) -> None:
    world = play("work")
    period = world.period
    period.ends_before = world.today
    period.save()
    assert counters(text_of(sign_in(world.users["claire"]).get("/en/treasury/")))["Periods to close"] == "1"


def test_a_host_with_one_treasurer_is_told_that_nothing_can_be_approved(play: Play, sign_in: SignIn) -> None:
    world = play("make_house")
    sentence = "This host has fewer than two treasurers."
    assert sentence not in text_of(sign_in(world.users["claire"]).get("/en/treasury/"))
    Role.objects.filter(user=world.users["denis"], kind="treasurer").delete()
    assert sentence in text_of(sign_in(world.users["claire"]).get("/en/treasury/"))


@pytest.mark.parametrize("path", ["treasury/", "payouts/", "payouts/prepare/"])
@pytest.mark.parametrize("who", ["bo", "sacha", "ana"])
def test_others_do_not_see_the_money_pages(play: Play, sign_in: SignIn, path: str, who: str) -> None:
    world = play("make_house")
    assert sign_in(world.users[who]).get(f"/en/{path}").status_code == 403


def test_preparing_shows_then_makes_one_batch_and_moves_no_money(play: Play, sign_in: SignIn) -> None:
    world = play("document")
    before = entry_count()
    browser = sign_in(world.users["claire"])
    text = text_of(browser.get("/en/payouts/prepare/"))
    assert "Bo Nguyen first payment to this payee FR14 •••• 2606 1 €57.00 leave out Bo Nguyen " in text
    assert "Total €95.00 One other treasurer must approve it. Who may: Denis Caron." in text
    assert "Free at the bank €142.50" in text
    assert "Prepare the payment of €95.00 to 2 payees" in text
    sent = {"account": world.account.pk, "form_key": "p-1"}
    answers = [browser.post("/en/payouts/prepare/", sent) for _time in range(2)]
    batch = PayoutBatch.objects.get()
    assert {answer.headers["Location"] for answer in answers} == {f"/en/payouts/{batch.pk}/"}
    assert (batch.total, batch.state, batch.prepared_by) == (95_00, "prepared", world.users["claire"])
    assert entry_count() == before
    other = browser.post("/en/payouts/prepare/", {**sent, "form_key": "p-2"})
    assert other.status_code == 409
    assert "Nothing is left to pay: Claire Moreau prepared a batch of €95.00 on" in text_of(other)
    assert PayoutBatch.objects.count() == 1


def test_who_gave_no_account_is_left_out_and_named(play: Play, sign_in: SignIn) -> None:
    world = play("document")
    Payee.objects.filter(user=world.users["camille"]).update(iban_sealed="", iban_hint="")
    browser = sign_in(world.users["claire"])
    shown = text_of(browser.get("/en/payouts/prepare/"))
    period = world.distribution.period
    told = f"Camille Faure Cartolibre from {day(period.starts_on)} to {day(last_day(period))} No account was given yet"
    told = told.replace("\xa0", " ")
    assert f"{told}: ask for it. €38.00" in shown
    browser.post("/en/payouts/prepare/", {"account": world.account.pk, "form_key": "p-1"})
    assert [payout.name for payout in Payout.objects.all()] == ["Bo Nguyen"]
    batch = text_of(browser.get(f"/en/payouts/{PayoutBatch.objects.get().pk}/"))
    assert "Held out of the batch" in batch
    assert "1 line was held out, with its reason" in batch
    assert f"{told}: ask for it. €38.00" in batch
    assert Share.objects.get(contributor=world.users["camille"]).state == "payable"


def test_others_prepare_nothing(play: Play, sign_in: SignIn) -> None:
    world = play("document")
    for who in ("bo", "sacha", "ana"):
        answer = sign_in(world.users[who]).post(
            "/en/payouts/prepare/", {"account": world.account.pk, "form_key": "p-1"}
        )
        assert answer.status_code == 403
    assert PayoutBatch.objects.count() == 0


def test_the_batch_shows_its_lines_its_fingerprint_and_what_to_look_at_twice(play: Play, sign_in: SignIn) -> None:
    world = prepared(play)
    text = text_of(sign_in(world.users["denis"]).get(f"/en/payouts/{world.batch.pk}/"))
    assert "2 transfers" in text
    assert text.count("first payment to this payee") == 2
    assert world.batch.digest in text
    for payout in Payout.objects.all():
        assert payout.end_to_end_id in text
    assert "DE89 •••• 3000" in text
    assert "DE89370400440532013000" not in text
    assert "Claire Moreau," in text


def test_an_account_changed_since_the_last_payment_is_flagged(play: Play, sign_in: SignIn) -> None:
    world = play("settle")
    changed = timezone.now() - timedelta(days=4)
    set_account(actor=world.users["bo"], name="Bo Nguyen", iban=IBAN, now=changed)
    payee = Payee.objects.get(user=world.users["bo"])
    earlier = changed - timedelta(days=1)
    assert account_alerts({payee.pk: payee}, timezone.now()) == {payee.pk: ""}
    payee.iban_edited_at = timezone.now() + timedelta(minutes=1)
    assert account_alerts({payee.pk: payee}, timezone.now()) == {payee.pk: "new_account"}
    assert account_alerts({payee.pk: payee}, earlier) == {payee.pk: "first"}


def test_an_account_changed_after_the_preparation_is_shown_and_voids(play: Play, sign_in: SignIn) -> None:
    world = prepared(play)
    browser = sign_in(world.users["denis"])
    path = f"/en/payouts/{world.batch.pk}/"
    set_account(actor=world.users["bo"], name="Bo N. Nguyen", iban=IBAN, now=timezone.now())
    late = browser.get(path)
    assert "account changed after this batch was prepared" in text_of(late)
    assert "changed since this batch was prepared: refuse it and prepare another." in text_of(late)
    assert "/approve/" not in late.content.decode()
    answer = browser.post(f"{path}approve/", {"digest": world.batch.digest})
    assert answer.status_code == 409
    assert "This batch is void: an account that it pays changed after it was prepared. No money moved." in text_of(
        answer
    )
    assert "Void since" in text_of(browser.get(path))
    assert set(Share.objects.values_list("state", flat=True)) == {"payable"}


def test_the_preparer_leaves_somebody_out_and_says_why(play: Play, sign_in: SignIn) -> None:
    world = play("document")
    browser = sign_in(world.users["claire"])
    bo = Payee.objects.get(user=world.users["bo"])
    sent = {"account": world.account.pk, "form_key": "p-1", "leave": [bo.pk]}
    missing = browser.post("/en/payouts/prepare/", sent)
    assert missing.status_code == 422
    assert "Say why you leave out what you ticked." in text_of(missing)
    assert f'value="{bo.pk}" checked' in missing.content.decode()
    assert not PayoutBatch.objects.exists()
    answer = browser.post("/en/payouts/prepare/", {**sent, "form_key": "p-2", "why": "on leave"})
    page = text_of(sign_in(world.users["denis"]).get(answer.headers["Location"]))
    assert re.search(r"Bo Nguyen Cartolibre from [^€]* Left out: “on leave” €57.00", page)
    assert PayoutBatch.objects.get().total == 38_00


def test_above_a_limit_the_pages_say_how_many_and_who(play: Play, sign_in: SignIn) -> None:
    world = play("document")
    limit(world, limit_batch=50_00)
    ana = world.users["ana"]
    make_treasurer(ana)
    demo.give_factor(ana)
    claire, denis = sign_in(world.users["claire"]), sign_in(world.users["denis"])
    shown = text_of(claire.get("/en/payouts/prepare/"))
    assert (
        "Above a limit of this account (the batch is above its limit): two other treasurers must approve it." in shown
    )
    claire.post("/en/payouts/prepare/", {"account": world.account.pk, "form_key": "p-1"})
    batch = PayoutBatch.objects.get()
    path = f"/en/payouts/{batch.pk}/"
    assert "Approvals 0 of 2. Who may:" in text_of(denis.get(path))
    assert "after you, a third person must approve it too" in text_of(denis.get(f"{path}approve/"))
    assert denis.post(f"{path}approve/", {"digest": batch.digest}).status_code == 302
    text = text_of(claire.get(path))
    assert "Denis Caron approved it on" in text
    assert "Approvals 1 of 2. Who may: Ana" in text
    third = sign_in(ana)
    assert "Yours is the second approval, and the last." in text_of(third.get(f"{path}approve/"))
    assert third.post(f"{path}approve/", {"digest": batch.digest}).status_code == 302
    batch.refresh_from_db()
    assert (batch.state, batch.second_by) == ("approved", ana)


def test_transfers_are_typed_on_the_site_of_the_bank(play: Play, sign_in: SignIn) -> None:
    world = prepared(play)
    denis, claire = sign_in(world.users["denis"]), sign_in(world.users["claire"])
    path = f"/en/payouts/{world.batch.pk}/"
    denis.post(f"{path}approve/", {"digest": world.batch.digest})
    assert "FR14 2004" not in text_of(claire.get(f"{path}by-hand/"))
    shown = text_of(claire.post(f"{path}by-hand/", {"act": "show"}))
    assert "FR14 2004 1010 0505 0001 3M02 606" in shown
    assert "FR14 2004" not in text_of(claire.get(f"{path}by-hand/"))
    assert "Claire Moreau types these transfers on the bank’s site since" in text_of(denis.get(path))
    assert denis.post(f"{path}file/").status_code == 409
    before = entry_count()
    assert "I typed nothing" not in text_of(denis.get(f"{path}by-hand/"))
    assert denis.post(f"{path}by-hand/", {"act": "nothing"}).status_code == 409
    assert "I typed nothing: give me the file again" in text_of(claire.get(f"{path}by-hand/"))
    back = claire.post(f"{path}by-hand/", {"act": "nothing"}, follow=True)
    assert "Nothing was typed: the batch is approved as before" in text_of(back)
    assert "Hand the file to the bank" in text_of(back)
    claire.post(f"{path}by-hand/", {"act": "show"})
    wrong = claire.post(f"{path}by-hand/", {"act": "done", "paid_on": ""})
    assert wrong.status_code == 422
    assert "Give the day that the bank shows." in text_of(wrong)
    assert entry_count() == before
    done = claire.post(f"{path}by-hand/", {"act": "done", "paid_on": host_day(timezone.now()).isoformat()})
    assert done.status_code == 302
    assert entry_count() == before + 1
    assert balance(kind="in_transit", owner=world.account.pk, currency="EUR") == 95_00
    assert "the file must not be used" in text_of(denis.get(path))


def test_an_approved_batch_is_taken_back_from_its_page(play: Play, sign_in: SignIn) -> None:
    world = prepared(play)
    denis = sign_in(world.users["denis"])
    path = f"/en/payouts/{world.batch.pk}/"
    denis.post(f"{path}approve/", {"digest": world.batch.digest})
    assert f"{path}refuse/" in denis.get(path).content.decode()
    assert denis.post(f"{path}refuse/", {"reason": "wrong month", "seen": "approved"}).status_code == 302
    assert "Refused by Denis Caron" in text_of(denis.get(path))
    assert denis.post(f"{path}file/").status_code == 409


def test_another_treasurer_approves_exactly_the_file_once(play: Play, sign_in: SignIn) -> None:
    world = prepared(play)
    before = entry_count()
    browser = sign_in(world.users["denis"])
    path = f"/en/payouts/{world.batch.pk}/approve/"
    page = text_of(browser.get(path))
    assert "Approve 2 transfers, €95.00 in all" in page
    assert "No money moves until the file is handed to the bank." in page
    wrong = browser.post(path, {"digest": "0" * 64})
    assert wrong.status_code == 409
    assert "This is not the file you read" in text_of(wrong)
    for _time in range(2):
        assert browser.post(path, {"digest": world.batch.digest}).status_code == 302
    world.batch.refresh_from_db()
    assert (world.batch.state, world.batch.approved_by) == ("approved", world.users["denis"])
    assert entry_count() == before
    late = sign_in(world.users["claire"]).post(path, {"digest": world.batch.digest})
    assert late.status_code == 409
    assert "Denis Caron has already decided on this batch, on" in text_of(late)


def test_its_preparer_reads_why_and_cannot_approve(play: Play, sign_in: SignIn) -> None:
    world = prepared(play)
    browser = sign_in(world.users["claire"])
    page = browser.get(f"/en/payouts/{world.batch.pk}/")
    assert "You prepared this batch: another treasurer must approve it." in text_of(page)
    assert "/approve/" not in page.content.decode()
    for answer in (
        browser.get(f"/en/payouts/{world.batch.pk}/approve/"),
        browser.post(f"/en/payouts/{world.batch.pk}/approve/", {"digest": world.batch.digest}),
    ):
        assert answer.status_code == 403
        assert "You prepared this batch" in text_of(answer)
    world.batch.refresh_from_db()
    assert world.batch.state == "prepared"


def test_others_do_not_find_a_batch(play: Play, sign_in: SignIn) -> None:
    world = prepared(play)
    for who in ("bo", "sacha", "ana"):
        browser = sign_in(world.users[who])
        for act in ("", "approve/", "refuse/", "file/"):
            assert browser.get(f"/en/payouts/{world.batch.pk}/{act}").status_code == 404
        assert browser.post(f"/en/payouts/{world.batch.pk}/file/").status_code == 404
    world.batch.refresh_from_db()
    assert (world.batch.state, world.batch.downloads) == ("prepared", 0)


def test_refusing_needs_a_reason_and_frees_the_shares(play: Play, sign_in: SignIn) -> None:
    world = prepared(play)
    browser = sign_in(world.users["denis"])
    path = f"/en/payouts/{world.batch.pk}/refuse/"
    assert "Refuse the batch of €95.00 prepared by Claire Moreau?" in text_of(browser.get(path))
    empty = browser.post(path, {"reason": " "})
    assert empty.status_code == 422
    assert "Say why the batch is refused." in text_of(empty)
    assert set(Share.objects.values_list("state", flat=True)) == {"batched"}
    late = browser.post(path, {"reason": "x", "seen": "approved"})
    assert late.status_code == 409
    assert "This batch is “awaiting approval”" in text_of(late)
    for _time in range(2):
        assert browser.post(path, {"reason": "Wrong account", "seen": "prepared"}).status_code == 302
    world.batch.refresh_from_db()
    assert (world.batch.state, world.batch.refused_reason) == ("rejected", "Wrong account")
    assert set(Share.objects.values_list("state", flat=True)) == {"payable"}
    assert "Refused: “Wrong account”." in text_of(browser.get(f"/en/payouts/{world.batch.pk}/"))
    approve = browser.post(f"/en/payouts/{world.batch.pk}/approve/", {"digest": world.batch.digest})
    assert approve.status_code == 409


def test_the_file_waits_for_the_approval(play: Play, sign_in: SignIn) -> None:
    world = prepared(play)
    browser = sign_in(world.users["claire"])
    for answer in (
        browser.get(f"/en/payouts/{world.batch.pk}/file/"),
        browser.post(f"/en/payouts/{world.batch.pk}/file/"),
    ):
        assert answer.status_code == 409
        assert "once another treasurer has approved it" in text_of(answer)
    world.batch.refresh_from_db()
    assert (world.batch.state, world.batch.downloads) == ("prepared", 0)


def test_the_file_is_the_approved_bytes_and_books_once(play: Play, sign_in: SignIn) -> None:
    world = prepared(play)
    sign_in(world.users["denis"]).post(f"/en/payouts/{world.batch.pk}/approve/", {"digest": world.batch.digest})
    browser = sign_in(world.users["claire"])
    path = f"/en/payouts/{world.batch.pk}/file/"
    before = entry_count()
    first_page = text_of(browser.get(path))
    assert "Taking the file books 2 transfers, €95.00 in all" in first_page
    assert entry_count() == before
    answers = [browser.post(path) for _time in range(2)]
    assert answers[0].content == answers[1].content
    assert hashlib.sha256(answers[0].content).hexdigest() == world.batch.digest
    assert answers[0].headers["Content-Type"] == "application/xml"
    assert answers[0].headers["Content-Disposition"] == f'attachment; filename="{world.batch.message_id}.xml"'
    assert entry_count() == before + 1
    assert balance(kind="in_transit", owner=world.account.pk, currency="EUR") == 95_00
    again = text_of(browser.get(path))
    assert "This file was already handed over on" in again
    assert "a bank that gets it twice may pay twice" in again
    assert "Claire Moreau took it first; it was taken 2 times so far." in again
    other = sign_in(world.users["denis"])
    told = other.post(path)
    assert told.status_code == 409
    assert "Claire Moreau took this file on" in text_of(told)
    assert other.post(path, {"again": "yes"}).content == answers[0].content
    assert list(Event.objects.filter(kind="batch.downloaded").values_list("actor__name", flat=True)) == [
        "Claire Moreau", "Denis Caron",
    ]  # fmt: skip


def test_handing_over_asks_for_the_password_when_it_is_old(play: Play, sign_in: SignIn) -> None:
    world = prepared(play)
    sign_in(world.users["denis"]).post(f"/en/payouts/{world.batch.pk}/approve/", {"digest": world.batch.digest})
    browser = sign_in(world.users["claire"])
    grow_old(browser)
    answer = browser.post(f"/en/payouts/{world.batch.pk}/file/")
    assert "/accounts/2fa/reauthenticate/" in answer.headers["Location"]
    world.batch.refresh_from_db()
    assert (world.batch.state, world.batch.downloads) == ("approved", 0)


def test_the_list_of_payouts_tells_what_is_ready_and_what_was_done(play: Play, sign_in: SignIn) -> None:
    world = play("document")
    browser = sign_in(world.users["claire"])
    text = text_of(browser.get("/en/payouts/"))
    assert "€95.00 to 2 payees." in text
    assert "No batch has been prepared yet." in text
    browser.post("/en/payouts/prepare/", {"account": world.account.pk, "form_key": "p-1"})
    after = text_of(browser.get("/en/payouts/"))
    assert "Nothing can be paid now: every approved share is paid, in a batch, or waits." in after
    assert "awaiting approval Claire Moreau nobody €95.00" in after
