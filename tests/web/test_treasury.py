"""The pages of money out: two people, exactly one file, handed over once; the inbox says what waits."""

import hashlib
import re
from collections.abc import Callable
from datetime import date
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone

from backend.distributions.models import Share
from backend.identity.models import Role
from backend.ledger.services import Line, balance, entry_count, open_account, post
from backend.payees.models import Payee
from backend.payees.services import set_account
from backend.payouts.models import Payout, PayoutBatch
from backend.payouts.services import prepare_batch
from tests.web.test_public import text_of
from tests.web.test_work import grow_old

Play = Callable[..., Any]
SignIn = Callable[..., Client]
IBAN = "FR7630006000011234567890189"


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
        ("document", ["none", "none", "2", "none", "1"]),
        ("pay", ["none", "none", "none", "none", "1"]),
    ],
)
def test_the_inbox_counts_what_waits(play: Play, sign_in: SignIn, step: str, expected: list[str]) -> None:
    world = play(step)
    answer = sign_in(world.users["denis"]).get("/en/treasury/")
    assert list(counters(text_of(answer)).values()) == expected
    assert "no-store" in answer.headers["Cache-Control"]


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
    assert "Bo Nguyen FR14 •••• 2606 1 €57.00 Camille Faure DE89 •••• 3000 1 €38.00 Total €95.00" in text
    assert "Prepare the payment of €95.00 to 2 payees" in text
    sent = {"account": world.account.pk, "form_key": "p-1"}
    answers = [browser.post("/en/payouts/prepare/", sent) for _time in range(2)]
    batch = PayoutBatch.objects.get()
    assert {answer.headers["Location"] for answer in answers} == {f"/en/payouts/{batch.pk}/"}
    assert (batch.total, batch.state, batch.prepared_by) == (95_00, "prepared", world.users["claire"])
    assert entry_count() == before
    other = browser.post("/en/payouts/prepare/", {**sent, "form_key": "p-2"})
    assert other.status_code == 409
    assert "Nothing can be paid now" in text_of(other)
    assert PayoutBatch.objects.count() == 1


def test_who_gave_no_account_is_left_out_and_named(play: Play, sign_in: SignIn) -> None:
    world = play("document")
    Payee.objects.filter(user=world.users["camille"]).update(iban_sealed="", iban_hint="")
    browser = sign_in(world.users["claire"])
    assert "Left out, because they have not given an account: Camille Faure (€38.00)" in text_of(
        browser.get("/en/payouts/prepare/")
    )
    browser.post("/en/payouts/prepare/", {"account": world.account.pk, "form_key": "p-1"})
    assert [payout.name for payout in Payout.objects.all()] == ["Bo Nguyen"]
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
    set_account(actor=world.users["bo"], name="Bo Nguyen", iban=IBAN, now=timezone.now())
    paid = Payout.objects.get(name="Bo Nguyen")
    share = Share.objects.get(contributor=world.users["bo"])
    Share.objects.filter(pk=share.pk).update(state="returned")
    paid.shares.update(live=False)
    owed = [
        Line(open_account(kind=kind, owner=owner, currency="EUR"), amount, "401")
        for kind, owner, amount in (("bank", world.account.pk, 57_00), ("payee", share.payee_id, -57_00))
    ]
    post(
        kind="t", scope="t", key="again", reference=share.pk, happened_on=date(2026, 11, 21), lines=owed,
        now=timezone.now(),
    )  # fmt: skip
    batch = prepare_batch(actor=world.users["claire"], account_id=world.account.pk, now=timezone.now())
    browser = sign_in(world.users["denis"])
    text = text_of(browser.get(f"/en/payouts/{batch.pk}/"))
    assert "first payment since the account changed on" in text
    set_account(actor=world.users["bo"], name="Bo N. Nguyen", iban=IBAN, now=timezone.now())
    late = browser.get(f"/en/payouts/{batch.pk}/")
    assert "account changed after this batch was prepared" in text_of(late)
    assert "changed since this batch was prepared: refuse it and prepare another." in text_of(late)
    assert "/approve/" not in late.content.decode()
    assert browser.post(f"/en/payouts/{batch.pk}/approve/", {"digest": batch.digest}).status_code == 409


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
    assert "Denis Caron has already decided on this batch." in text_of(late)


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
    for _time in range(2):
        assert browser.post(path, {"reason": "Wrong account"}).status_code == 302
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
    assert "Nothing can be paid now: every approved share is paid, in a batch, or waits for an account." in after
    assert "awaiting approval Claire Moreau nobody €95.00" in after
