"""The bank's answer to a payment file (pain.002): what it refused is owed again, once; nonsense is refused."""

from collections.abc import Callable
from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client

from backend.banking.answers import take_answer, weigh_answer
from backend.core.errors import Conflict, DomainError, Forbidden
from backend.events.models import Event
from backend.ledger.services import balance, entry_count
from backend.payouts.models import Payout, PayoutBatch
from backend.payouts.services import prepare_batch
from backend.payouts.undoing import bank_refused, doubt
from tests.concurrency import at_once
from tests.payouts.test_undoing import again, in_transit, owed, pays, sound, statement
from tests.web.test_public import text_of
from tests.web.test_work import grow_old

Play = Callable[..., Any]
SignIn = Callable[..., Client]
IMPORT = "/en/bank/import/"


def reasoned(code: str = "", words: str = "") -> str:
    """The element that says why."""
    rsn = f"<Rsn><Cd>{code}</Cd></Rsn>" if code else ""
    more = f"<AddtlInf>{words}</AddtlInf>" if words else ""
    return f"<StsRsnInf>{rsn}{more}</StsRsnInf>" if rsn or more else ""


def transfer(end_to_end: str, status: str, code: str = "", amount: str = "", currency: str = "EUR") -> str:
    """What the bank says of one transfer."""
    told = f'<OrgnlTxRef><Amt><InstdAmt Ccy="{currency}">{amount}</InstdAmt></Amt></OrgnlTxRef>' if amount else ""
    named = f"<OrgnlEndToEndId>{end_to_end}</OrgnlEndToEndId>"
    return f"<TxInfAndSts>{named}<TxSts>{status}</TxSts>{reasoned(code)}{told}</TxInfAndSts>"


def answer(
    message: str, *transfers: str, group: str = "", why: str = "", block: str = "", payment: str = "", facts: str = "",
    version: str = "03",
) -> bytes:  # fmt: skip
    """A pain.002 about a message of ours."""
    status = f"<GrpSts>{group}</GrpSts>" if group else ""
    inside = f"<PmtInfSts>{block}</PmtInfSts>" if block else ""
    blocks = f"<OrgnlPmtInfAndSts><OrgnlPmtInfId>{payment or message}</OrgnlPmtInfId>{inside}{''.join(transfers)}"
    blocks = blocks + "</OrgnlPmtInfAndSts>" if transfers or block or payment else ""
    return (
        f'<?xml version="1.0"?><Document xmlns="urn:iso:std:iso:20022:tech:xsd:pain.002.001.{version}">'
        f"<CstmrPmtStsRpt><GrpHdr><MsgId>BANK-1</MsgId><CreDtTm>2026-03-27T09:00:00</CreDtTm></GrpHdr>"
        f"<OrgnlGrpInfAndSts><OrgnlMsgId>{message}</OrgnlMsgId><OrgnlMsgNmId>pain.001</OrgnlMsgNmId>{facts}{status}{why}"
        f"</OrgnlGrpInfAndSts>{blocks}</CstmrPmtStsRpt></Document>"
    ).encode()


def written(amount: int) -> str:
    """Minor units as a bank writes them."""
    return f"{amount // 100}.{amount % 100:02d}"


def take(world: Any, data: bytes, who: str = "denis") -> Any:
    """Take an answer on behalf of a treasurer."""
    return take_answer(actor=world.users[who], data=data, now=world.now)


@pytest.mark.parametrize("version", ["03", "10", "14"])
def test_a_refused_transfer_of_a_file_is_owed_again_once(play: Play, committed: str, version: str) -> None:
    world = play("pay")
    payout, other = pays(world), Payout.objects.exclude(name="Bo Nguyen").get()
    key = payout.end_to_end_id
    data = answer(
        world.batch.message_id, transfer(key, "RJCT", "AC04", written(payout.amount)),
        transfer(other.end_to_end_id, "ACSP"), group="PART", version=version,
        facts=f"<OrgnlNbOfTxs>2</OrgnlNbOfTxs><OrgnlCtrlSum>{written(world.batch.total)}</OrgnlCtrlSum>",
    )  # fmt: skip
    before, transit = entry_count(), in_transit(world)
    with pytest.raises(Forbidden):
        take(world, data, "ana")
    seen = weigh_answer(actor=world.users["denis"], data=data)
    assert ([one.becomes for one in seen.said if one.payout == payout], entry_count()) == (["undo"], before)
    for _twice in range(2):
        take(world, data)
    payout.refresh_from_db()
    other.refresh_from_db()
    assert (payout.state, payout.undone_code, payout.undone_reason, other.state) == (
        "rejected", "AC04", "pain.002 BANK-1", "sent",
    )  # fmt: skip
    assert (entry_count(), in_transit(world), owed(payout)) == (before + 1, transit - payout.amount, payout.amount)
    assert Event.objects.filter(kind="batch.answered").count() == 1
    assert sound(world)


def test_a_file_refused_whole_gives_its_reason_to_each_transfer(play: Play, committed: str) -> None:
    world = play("pay")
    transit = in_transit(world)
    done = take(world, answer(world.batch.message_id, group="RJCT", why=reasoned("XT99", "host unknown")))
    assert (done.total, len(done.undone)) == (transit, 2)
    assert (in_transit(world), PayoutBatch.objects.get().state) == (0, "returned")
    # A code that is not in the list keeps its letters beside what the bank wrote.
    assert set(Payout.objects.values_list("state", "undone_code", "undone_reason")) == {
        ("rejected", "NARR", "pain.002 BANK-1 · XT99 · host unknown")
    }
    assert sound(world)
    second = again(world)  # by two people, in a new batch
    assert second.total == transit


def test_whichever_comes_first_it_is_undone_once(play: Play, committed: str) -> None:
    world = play("pay")
    payout = pays(world)
    data = answer(world.batch.message_id, transfer(payout.end_to_end_id, "RJCT", "MS03"), group="PART")
    bank_refused(
        actor=world.users["claire"], payout_id=payout.pk, code="AC04", reason="telephone", now=world.now
    )  # fmt: skip
    before = entry_count()
    done = take(world, data)
    payout.refresh_from_db()
    assert ([one.becomes for one in done.said if one.payout == payout], done.changes) == (["undone"], False)
    assert (payout.undone_code, payout.undone_reason, entry_count()) == ("AC04", "telephone", before)
    # What the statement showed leaving is not owed again by an answer: it must be seen coming back.
    rest = Payout.objects.get(state="sent")
    assert statement(world, (-rest.amount, "LOT", world.batch.message_id, "")).state == "matched"
    before = entry_count()
    late = take(world, answer(world.batch.message_id, transfer(rest.end_to_end_id, "RJCT", "AC04"), group="PART"))
    rest.refresh_from_db()
    assert ([one.becomes for one in late.said if one.payout == rest], rest.state, entry_count()) == (
        ["left"], "settled", before,
    )  # fmt: skip
    assert sound(world)


def test_an_answer_ends_a_doubt(play: Play, committed: str) -> None:
    world = play("pay")
    doubt(actor=world.users["claire"], batch_id=world.batch.pk, reason="line was cut", now=world.now)
    before = entry_count()
    assert take(world, answer(world.batch.message_id, group="PDNG")).found is False
    assert PayoutBatch.objects.get().state == "unknown"  # looked at is not taken
    assert take(world, answer(world.batch.message_id, group="ACSP")).found is True
    assert (PayoutBatch.objects.get().state, entry_count()) == ("sent", before)
    assert take(world, answer(world.batch.message_id, group="ACSC")).changes is False


def test_what_an_answer_cannot_mean_is_refused_and_changes_nothing(play: Play) -> None:
    world = play("pay")
    ours, payout = world.batch.message_id, pays(world)
    key, other = payout.end_to_end_id, Payout.objects.exclude(pk=payout.pk).get().end_to_end_id
    refused = transfer(key, "RJCT", "AC04")
    wrong = {
        "answer_unknown_batch": answer("TRONC-00000000000000000000", refused, group="PART"),
        "answer_differs": answer(ours, transfer(key, "RJCT", "AC04", written(payout.amount + 1)), group="PART"),
        "answer_differs currency": answer(ours, transfer(key, "RJCT", "", written(payout.amount), "CHF"), group="PART"),
        "answer_differs count": answer(ours, refused, group="PART", facts="<OrgnlNbOfTxs>3</OrgnlNbOfTxs>"),
        "answer_differs sum": answer(ours, refused, group="PART", facts="<OrgnlCtrlSum>1.00</OrgnlCtrlSum>"),
        "answer_differs block": answer(ours, refused, group="PART", payment="OTHER"),
        "answer_other_transfer": answer(ours, transfer("P-000000000000000000000000", "RJCT"), group="PART"),
        "answer_other_transfer twice": answer(ours, refused, refused, group="PART"),
        "answer_contradicts": answer(ours, refused, group="ACSP"),
        "answer_contradicts all": answer(ours, transfer(key, "ACSP"), group="RJCT"),
        "answer_contradicts block": answer(ours, refused, block="ACCP"),
        "answer_contradicts blocks": answer(ours, refused, group="RJCT", block="PART"),
        "answer_part_unnamed": answer(ours, group="PART"),
        "answer_part_unnamed all": answer(ours, refused, transfer(other, "RJCT"), group="PART"),
        "answer_says_nothing": answer(ours),
        "answer_status": answer(ours, transfer(key, "NOPE"), group="PART"),
        "answer_amount": answer(ours, transfer(key, "RJCT", "", "1,00"), group="PART"),
        "answer_version": answer(ours, refused, group="PART", version="02"),
        "answer_not_one": answer(ours).replace(b"<OrgnlGrpInfAndSts>", b"<Other>").replace(
            b"</OrgnlGrpInfAndSts>", b"</Other>"
        ),
        "answer_too_large": answer(ours, refused, group="PART") + b" " * 2_000_000,
        "statement_damaged": answer(ours, refused, group="PART")[:-20],
        "statement_dtd": answer(ours, refused, group="PART").replace(
            b"<Document", b'<!DOCTYPE x [<!ENTITY a "b">]><Document'
        ),
    }  # fmt: skip
    before = entry_count()
    for name, data in wrong.items():
        with pytest.raises(DomainError) as refusal:
            take(world, data)
        assert (name, refusal.value.code) == (name, name.split()[0])
        assert refusal.value.param == "file"
    assert set(Payout.objects.values_list("state", flat=True)) == {"sent"}
    assert entry_count() == before


def test_an_answer_about_a_batch_that_nobody_handed_over_is_refused(play: Play) -> None:
    world = play("document")
    batch = prepare_batch(actor=world.users["claire"], account_id=world.account.pk, now=world.now)
    with pytest.raises(Conflict) as refusal:
        take(world, answer(batch.message_id, group="RJCT"))
    assert refusal.value.code == "answer_before_handover"


def test_two_treasurers_take_the_same_answer(play: Play, committed: str) -> None:
    world = play("pay")
    payout = pays(world)
    data = answer(world.batch.message_id, transfer(payout.end_to_end_id, "RJCT", "AC04"), group="PART")
    before = entry_count()
    at_once(lambda number: take(world, data, ("claire", "denis")[number % 2]), 4)
    assert (entry_count(), owed(payout)) == (before + 1, payout.amount)
    assert Event.objects.filter(kind="payout.rejected").count() == 1
    assert balance(kind="in_transit", owner=world.account.pk, currency="EUR") == in_transit(world)
    assert sound(world)


def test_the_page_says_it_in_words_and_books_it_behind_a_fresh_factor(
    play: Play, sign_in: SignIn, committed: str
) -> None:
    world = play("pay")
    payout = pays(world)
    data = answer(world.batch.message_id, transfer(payout.end_to_end_id, "RJCT", "AC04"), group="PART")
    denis = sign_in(world.users["denis"])

    def upload(file: bytes) -> Any:
        return denis.post(IMPORT, {"file": SimpleUploadedFile("answer.xml", file)}, follow=True)

    wrong = upload(answer("TRONC-00000000000000000000", group="RJCT"))
    assert (wrong.status_code, "which is none of ours" in text_of(wrong)) == (422, True)
    before = entry_count()
    shown = upload(data)
    words = text_of(shown)
    assert "the account is closed" in words
    assert "Book that the bank refused 1 transfer" in words
    assert entry_count() == before
    stash = shown.context["stash"]
    grow_old(denis)
    assert denis.post("/en/bank/answer/", {"stash": stash}).status_code == 302
    assert (Payout.objects.get(pk=payout.pk).state, entry_count()) == ("sent", before)
    denis = sign_in(world.users["denis"])
    done = denis.post("/en/bank/answer/", {"stash": upload(data).context["stash"]}, follow=True)
    assert "1 transfer that the bank refused is owed again" in text_of(done)
    assert (Payout.objects.get(pk=payout.pk).state, entry_count()) == ("rejected", before + 1)
    again_seen = upload(data)
    assert "This answer changes nothing here" in text_of(again_seen)
    # A page left open, or made up: the file is asked for again.
    assert denis.get("/en/bank/answer/?stash=nothing").status_code == 302
    assert denis.post("/en/bank/answer/", {"stash": "nothing"}).status_code == 422
    assert entry_count() == before + 1


def test_a_refused_transfer_that_the_bank_shows_leaving_and_coming_back_is_owed_once(
    play: Play, committed: str
) -> None:
    world = play("pay")
    payout, rest = pays(world), Payout.objects.exclude(name="Bo Nguyen").get()
    take(world, answer(world.batch.message_id, transfer(payout.end_to_end_id, "RJCT", "AC04"), group="PART"))
    assert owed(payout) == payout.amount
    before = balance(kind="suspense", owner=world.account.pk, currency="EUR")
    # The whole batch leaves in one debit, and what was refused comes back in a line of its own.
    debit = statement(world, (-world.batch.total, "LOT", world.batch.message_id, ""))
    assert debit.state == "suggested"
    # Another amount gives nothing back.
    other = statement(world, (payout.amount - 1, "BO NGUYEN", "RETOUR", payout.end_to_end_id), returned="AC04")
    debit.refresh_from_db()
    assert (debit.state, other.state) == ("suggested", "suggested")
    credit = statement(world, (payout.amount, "BO NGUYEN", "RETOUR", payout.end_to_end_id), returned="AC04")
    for row in (debit, credit, payout, rest):
        row.refresh_from_db()
    assert (debit.state, credit.state, payout.state, rest.state) == ("matched", "matched", "rejected", "settled")
    assert (payout.line, payout.returned_line) == (debit.source, credit.source)
    suspense = balance(kind="suspense", owner=world.account.pk, currency="EUR")
    assert (in_transit(world), owed(payout), suspense) == (0, payout.amount, before + payout.amount - 1)
    assert sound(world)
    # Told once more, it is a line like any other: nothing is given back twice.
    more = statement(world, (payout.amount, "BO NGUYEN", "RETOUR 2", payout.end_to_end_id), returned="AC04")
    assert (more.state, owed(payout)) == ("suggested", payout.amount)
    assert sound(world)
