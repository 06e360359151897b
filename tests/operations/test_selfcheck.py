"""The self-check finds what only a superuser could have done, names it, and freezes payouts."""

import json
import os
from collections.abc import Callable
from datetime import timedelta
from io import StringIO
from typing import Any

import psycopg
import pytest
from django.core.management import call_command
from django.db import connection
from django.utils import timezone, translation

from backend.allocation.trace import digest, sha256
from backend.commons.models import Charter
from backend.core.errors import Conflict
from backend.distributions.models import Distribution
from backend.distributions.services import answer_arbitration, propose_arbitration
from backend.events.models import Event
from backend.identity.models import Role
from backend.ledger.models import Freeze, JournalEntry, Posting
from backend.ledger.services import ask_lift, freeze, frozen, last_seal, lift, seal_due
from backend.notifications.models import OutgoingMail
from backend.notifications.services import compose_due
from backend.operations import demo, selfcheck
from backend.operations.figures import Figures, figures_of
from backend.operations.findings import TEXTS, in_words
from backend.operations.models import SelfCheckRun
from backend.operations.thaw import lift_freeze
from backend.transfers.services import propose_transfer
from tests import databases
from tests.concurrency import at_once
from tests.distributions.pots import Pots, held

Play = Callable[..., Any]
BANK = "(SELECT id FROM ledger_account WHERE kind = 'bank')"
BUDGET = "(SELECT id FROM ledger_account WHERE kind = 'budget' AND id <> 'acc_x')"
SUSPENSE = "(SELECT id FROM ledger_account WHERE kind = 'suspense')"
HOST = "(SELECT id FROM ledger_account WHERE kind = 'host_fees')"
RECEIPT = "(SELECT entry FROM payments_payment)"


def plant(name: str, *statements: str) -> None:
    """Do as a superuser what every guard forbids: no trigger, no foreign key is looked at."""
    with psycopg.connect(databases.named(os.environ["DATABASE_ADMIN_URL"], name)) as raw:
        raw.execute("SET session_replication_role = replica")
        for statement in statements:
            raw.execute(statement)  # type: ignore[call-overload]


UNSEALED = (
    "DELETE FROM ledger_seal", "DELETE FROM ledger_numbering", "DELETE FROM ledger_block",
    "DELETE FROM events_event WHERE kind = 'log.head_signed'",
    "DELETE FROM events_sealedevent", "DELETE FROM events_eventseal",
    "DELETE FROM ledger_unsealed", "INSERT INTO ledger_unsealed SELECT id FROM ledger_journalentry",
)  # fmt: skip
AGED_LINES = (
    "UPDATE ledger_posting posting SET booked_at = entry.booked_at FROM ledger_journalentry entry "
    "WHERE entry.id = posting.entry_id"
)


def codes(findings: list[Any]) -> set[str]:
    """The codes found, without repetition."""
    return {one.code for one in findings}


def insert(entry: str, account: str, amount: int, chart: str = "512") -> str:
    """SQL that adds a line."""
    return (
        "INSERT INTO ledger_posting (entry_id, line, account_id, currency, amount, chart, happened_on, booked_at) "
        f"SELECT {entry}, 1 + count(*), {account}, 'EUR', {amount}, '{chart}', '2026-11-21', "
        f"(SELECT booked_at FROM ledger_journalentry WHERE id = {entry}) FROM ledger_posting WHERE entry_id = {entry}"
    )


@pytest.mark.parametrize("step", [act.__name__ for act in demo.STEPS])
def test_nothing_is_found_at_any_step_of_the_journey(play: Play, committed: str, step: str) -> None:
    play(step)
    assert selfcheck.check() == []


def test_nothing_is_found_with_envelopes_transfers_and_a_reserve(play: Play, committed: str) -> None:
    world = play("receive")
    claire = world.users["claire"]
    for kind, amount in (("to_reserve", 30_00), ("from_reserve", 10_00)):
        made = propose_transfer(
            actor=claire, kind=kind, source=world.budget, target=None, amount=amount, reason="prudence",
            form_key=kind, now=world.now,
        )  # fmt: skip
        from backend.transfers.services import decide_transfer

        decide_transfer(actor=world.users["denis"], transfer_id=made.pk, accept=True, now=world.now)
    assert selfcheck.check() == []


def test_nothing_is_found_when_money_goes_through_purses(play: Play, committed: str) -> None:
    pots = Pots(play("make_house"))
    library = pots.pot("Biblio", "cy", reserve={"bp": 1000, "target": None})
    application = pots.pot(
        "Appli", "ana", "bo", upstream=[{"to": library.pk, "bp": 1000}], reserve={"bp": 500, "target": 40_00},
        earmarks={"weights": "add", "leftover": "release"}, unpaid={"carry_periods": 1},
    )  # fmt: skip
    inside = pots.envelope(application, "Ticket")
    pots.fund(application, 1_000_00)
    pots.fund(inside, 300_00)
    pots.work(inside, "ana", 200_00)
    pots.work(application, "bo", 2_000_00)
    made = pots.close(application)
    assert selfcheck.check() == []
    entered = propose_arbitration(
        actor=pots.person("sacha"), distribution_id=made.pk, digest=made.digest, reason="Réunion", form_key="k",
        amounts={(pots.person("bo").pk, application.pk): 900_00}, now=pots.now,
    )  # fmt: skip
    answer_arbitration(actor=pots.person("bo"), arbitration_id=entered.pk, accept=True, now=pots.now)
    made.refresh_from_db()
    pots.approve(made)
    assert selfcheck.check() == []
    pots.work(library, "cy", 50_00)
    pots.approve(pots.close(library))
    assert selfcheck.check() == []
    kept = [held(one, kind) for one in (application, inside, library) for kind in ("budget", "reserve")]
    assert kept == [1_000_00 - 100_00 - 40_00 + 100_00 - 900_00, 40_00, 0, 0, 40_00, 10_00]
    assert figures_of([application])[application.pk] == Figures("EUR", 0, 960_00, 0, 900_00, 60_00)
    assert figures_of([library])[library.pk] == Figures("EUR", 0, 90_00, 0, 50_00, 40_00)


LOCKED = (
    "INSERT INTO ledger_closing (id, first_day, ends_before, asked_by_id, asked_at, locked_by_id, locked_at, "
    "last_posting, unlock_reason) SELECT 'clo_x', '2199-01-01', '2199-02-01', min(id), now(), max(id), now(), 1000000, "
    "'' FROM identity_user"
)
KEPT = (
    "INSERT INTO ledger_closingbalance (closing_id, account_id, ends_before, balance, booked) "
    "SELECT 'clo_x', account_id, '2199-02-01', {balance}, {booked} FROM ledger_balance WHERE account_id = " + BUDGET
)
MOVED = (
    "INSERT INTO distributions_distributionmove (kind, distribution_id, source_id, target_id, amount) "
    "SELECT '{}', distribution.id, period.budget_id, {}, 100 FROM distributions_distribution distribution "
    "JOIN commons_period period ON period.id = distribution.period_id"
)
AGREED = (
    "INSERT INTO distributions_arbitration (id, distribution_id, digest, reason, entered_by_id, entered_at, state, "
    "ended_at, form_key) SELECT 'arb_x', id, digest, 'x', prepared_by_id, now(), 'accepted', now(), 'x' "
    "FROM distributions_distribution",
    "INSERT INTO distributions_arbitrationline (arbitration_id, person_id, budget_id, before, agreed, answer, "
    "answer_reason, answered_at) SELECT 'arb_x', contributor_id, budget_id, part.amount, 1, 'accepted', '', now() "
    "FROM distributions_share share JOIN distributions_sharepart part ON part.share_id = share.id "
    "WHERE part.amount = 5700",
)
TRACE = "UPDATE distributions_distribution SET trace = jsonb_set(trace, '{}', '{}')"
COPIED = (
    "INSERT INTO commons_charter (id, budget_id, version, document, sha256, created_by_id, created_at) "
    "SELECT 'cha_x', budget_id, 99, document, sha256, created_by_id, created_at FROM commons_charter LIMIT 1"
)
# What is planted → the codes that must be found, exactly.
PLANTED: dict[str, tuple[tuple[str, ...], set[str]]] = {
    "a cent vanished from a pot": (
        ("UPDATE ledger_posting SET amount = amount + 1 WHERE account_id = " + BUDGET + " AND amount = -9500",),
        {"I1.pot", "I1.kind", "I2.entry_unbalanced", "I2.balance", "I2.wrong_side", "I3.leaf"},
    ),
    "a balance was edited": (
        ("UPDATE ledger_balance SET balance = balance + 100 WHERE account_id = " + BANK,),
        {"I2.balance"},
    ),
    "a line was removed": (
        ("DELETE FROM ledger_posting WHERE account_id = " + HOST,),
        {"I1.host", "I2.entry_unbalanced", "I2.entry_lines", "I2.balance", "I3.leaf"},
    ),
    "a receipt was moved to the host by an entry of its own": (
        (
            "INSERT INTO ledger_journalentry (id, kind, happened_on, booked_at, scope, key, fingerprint, reference, "
            "lines) VALUES ('ent_x', 'payment.received', '2026-11-21', now(), 'x', 'x', 'f', 'r', 2)",
            insert("'ent_x'", SUSPENSE, 500),
            insert("'ent_x'", HOST, -500),
            "UPDATE ledger_balance SET balance = balance + 500 WHERE account_id = " + SUSPENSE,
            "UPDATE ledger_balance SET balance = balance - 500 WHERE account_id = " + HOST,
        ),
        {"I1.host", "I3.fingerprint", "I6.suspense"},
    ),
    "money was moved between pots by an unknown kind of entry": (
        (
            "INSERT INTO ledger_account SELECT 'acc_x', 'budget', 'bud_x', currency, normal_side, guarded "
            "FROM ledger_account WHERE kind = 'budget'",
            "INSERT INTO ledger_balance (account_id, currency, balance, held, normal_side, guarded) "
            "SELECT 'acc_x', currency, 500, 0, normal_side, false FROM ledger_balance WHERE account_id = " + BUDGET,
            "INSERT INTO ledger_journalentry (id, kind, happened_on, booked_at, scope, key, fingerprint, reference, "
            "lines) VALUES ('ent_x', 'gift', '2026-11-21', now(), 'x', 'x', 'f', 'r', 2)",
            insert("'ent_x'", "'acc_x'", 500),
            insert("'ent_x'", BUDGET, -500),
            "UPDATE ledger_balance SET balance = balance - 500 WHERE account_id = " + BUDGET,
        ),
        {"I1.pot", "I2.wrong_side", "I3.fingerprint"},
    ),
    "a payment was raised": (
        ("UPDATE payments_payment SET amount = amount + 100",),
        {"I1.pot", "I1.kind", "I1.pledge", "I1.global"},
    ),
    "a pledge says more than its payments": (
        ("UPDATE pledges_pledge SET received = received + 1 WHERE received > 0",),
        {"I1.pledge"},
    ),
    "a share was raised after it was booked": (
        ("UPDATE distributions_share SET asked = asked + 1, amount = amount + 1 WHERE amount = 5700",),
        {"I1.payee", "I1.share", "I1.global", "I1.given", "I5.amount"},
    ),
    "what a purse gave to a share was raised": (
        ("UPDATE distributions_sharepart SET amount = amount + 1 WHERE amount = 5700",),
        {"I1.pot", "I1.kind", "I1.share", "I1.global"},
    ),
    "a share lost its parts": (
        ("DELETE FROM distributions_sharepart WHERE amount = 5700",),
        {"I1.pot", "I1.kind", "I1.share", "I1.global"},
    ),
    "a cent of a trace was moved": (
        (TRACE.format("{persons,0,cents}", "1"),),
        {"I3.trace"},
    ),
    "the digest of a distribution was zeroed": (
        ("UPDATE distributions_distribution SET digest = repeat('0', 64)",),
        {"I3.trace"},
    ),
    "the digest inside a trace was zeroed": (
        (TRACE.format("{result_sha256}", '"' + "0" * 64 + '"'),),
        {"I3.trace"},
    ),
    "a trace was forgotten": (
        ("UPDATE distributions_distribution SET trace = NULL",),
        {"I3.trace"},
    ),
    "what was frozen was changed": (
        ("UPDATE distributions_distribution SET inputs = jsonb_set(inputs, '{purses,0,held}', '1')",),
        {"I3.inputs"},
    ),
    "the document of a charter was changed": (
        ("UPDATE commons_charter SET document = jsonb_set(document, '{soft_cap}', '100')",),
        {"I3.charter", "I3.ruled"},
    ),
    "the document of a charter and its digest were changed": (
        ("UPDATE commons_charter SET document = jsonb_set(document, '{soft_cap}', '100'), sha256 = '%s'",),
        {"I3.ruled"},
    ),
    "a closed period was put under another charter": (
        (COPIED, "UPDATE commons_period SET charter_id = 'cha_x' WHERE state = 'booked'"),
        {"I3.period"},
    ),
    "a closed period and its distribution were put under another charter": (
        (
            COPIED,
            "UPDATE commons_period SET charter_id = 'cha_x' WHERE state = 'booked'",
            "UPDATE distributions_distribution SET charter_id = 'cha_x'",
        ),
        {"I3.ruled"},
    ),
    "a share and its part were removed": (
        (
            "DELETE FROM distributions_sharepart WHERE amount = 5700",
            "DELETE FROM distributions_share WHERE amount = 5700",
        ),
        {"I1.pot", "I1.payee", "I1.kind", "I1.given", "I5.amount"},
    ),
    "an amount was said to be agreed": (
        AGREED,
        {"I1.agreed"},
    ),
    "a contribution was said to be given more": (
        ("UPDATE contributions_contribution SET settled_amount = settled_amount + 100 WHERE settled_amount = 5700",),
        {"I1.settled"},
    ),
    "a contribution was said not to be settled": (
        (
            "UPDATE contributions_contribution SET state = 'validated', settled_amount = NULL "
            "WHERE settled_amount = 5700",
        ),
        {"I1.settled"},
    ),
    "a contribution was said to be settled in an open period": (
        (
            "UPDATE contributions_contribution SET period_id = (SELECT id FROM commons_period WHERE state = 'open' "
            "LIMIT 1) WHERE settled_amount = 5700",
        ),
        {"I1.settled"},
    ),
    "a contribution that no distribution gave anything was said to be settled": (
        (
            "INSERT INTO contributions_contribution SELECT (jsonb_populate_record(one, jsonb_build_object("
            "'id', 'ctr_x', 'form_key', 'x', 'period_id', (SELECT id FROM commons_period WHERE state = 'open' LIMIT 1)"
            "))).* "
            "FROM contributions_contribution one WHERE settled_amount = 5700",
        ),
        {"I1.settled"},
    ),
    "money was said to have gone upstream": (
        (MOVED.format("upstream", "'bud_x'"),),
        {"I1.pot"},
    ),
    "money was said to be in the reserve": (
        (MOVED.format("reserve", "period.budget_id"),),
        {"I1.reserve"},
    ),
    "a payout was said to have left": (
        ("UPDATE payouts_payout SET state = 'cancelled' WHERE amount = 5700",),
        {"I1.payee", "I1.global", "I4.bank", "I5.line"},
    ),
    "a share left twice": (
        (
            "INSERT INTO payouts_payout (id, batch_id, payee_id, amount, name, iban_hint, end_to_end_id, state) "
            "SELECT 'pyt_x', batch_id, payee_id, amount, name, iban_hint, 'x', 'sent' FROM payouts_payout "
            "WHERE amount = 5700",
            "INSERT INTO payouts_paidshare (share_id, payout_id, live) SELECT share_id, 'pyt_x', false "
            "FROM payouts_paidshare WHERE payout_id <> 'pyt_x' AND share_id IN (SELECT id FROM distributions_share "
            "WHERE amount = 5700)",
        ),
        {"I1.payee", "I6.in_transit", "I4.twice"},
    ),
    "the bank shows a transfer leaving a second time": (
        (
            "INSERT INTO banking_bankline (statement_id, account_id, fingerprint, booked_on, amount, currency, "
            'counterparty, counterparty_hint, text, "references", state, suspense_entry, entry, matched_to) '
            "SELECT statement_id, account_id, 'x', booked_on, amount, currency, '', '', '', \"references\", "
            "'suggested', '', '', '' FROM banking_bankline WHERE amount = -5700",
        ),
        {"I1.bank", "I6.suspense", "I4.bank"},
    ),
    "a payout was raised": (
        ("UPDATE payouts_payout SET amount = amount + 1 WHERE amount = 5700",),
        {"I1.payee", "I1.global", "I5.amount", "I5.line"},
    ),
    "a batch was approved by whom it pays": (
        (
            "UPDATE payouts_payoutbatch SET approved_by_id = (SELECT user_id FROM payees_payee payee "
            "JOIN payouts_payout payout ON payout.payee_id = payee.id WHERE payout.amount = 5700)",
        ),
        {"I5.approved"},
    ),
    "a payout was said to be on a line of another batch": (
        ("UPDATE banking_bankline SET matched_to = 'bat_x' WHERE amount = -5700",),
        {"I5.line"},
    ),
    "a bank line was raised": (
        ("UPDATE banking_bankline SET amount = amount + 100 WHERE amount = 4250",),
        {"I1.bank", "I6.suspense"},
    ),
    "a line to identify was forgotten": (
        ("UPDATE banking_bankline SET state = 'matched' WHERE amount = 4250",),
        {"I6.suspense", "I1.global"},
    ),
    "a payout left the bank for nobody": (
        ("UPDATE payouts_payout SET state = 'sent' WHERE amount = 5700",),
        {"I6.in_transit", "I1.global", "I5.line"},
    ),
    "a surplus that no line brought": (
        (
            "INSERT INTO payments_surplus (id, pledge_id, account_id, source, amount, used, currency, method, "
            "payer_index, received_on, state, reason, entry, created_at) SELECT 'sur_x', pledge.id, account.id, "
            "'line:x', 500, 0, 'EUR', 'bank_transfer', '', '2026-11-21', 'waiting', '', '', now() "
            "FROM (SELECT id FROM pledges_pledge LIMIT 1) pledge, "
            "(SELECT id FROM identity_hostbankaccount LIMIT 1) account",
        ),
        {"I6.suspense", "I1.global"},
    ),
    "a cheque that nobody booked": (
        (
            "INSERT INTO payments_paperpayment (id, kind, pledge_id, account_id, amount, currency, drawer, number, "
            "received_on, state, form_key, recorded_by_id, recorded_at, returned_reason) SELECT 'ppr_x', 'cheque', "
            "pledge.id, account.id, 500, 'EUR', '', '', '2026-11-21', 'received', 'x', pledge.made_by_id, now(), '' "
            "FROM (SELECT id, made_by_id FROM pledges_pledge LIMIT 1) pledge, "
            "(SELECT id FROM identity_hostbankaccount LIMIT 1) account",
        ),
        {"I6.clearing", "I1.global"},
    ),
    "a refund that was taken from nobody": (
        (
            "INSERT INTO payments_refund (id, pledge_id, payment_id, name, iban_sealed, iban_index, iban_hint, amount, "
            "currency, reason, state, form_key, asked_by_id, asked_at, entry) SELECT 'rfd_x', pledge.id, payment.id, "
            "'X', '', '', '', 500, 'EUR', 'x', 'owed', 'x', pledge.made_by_id, now(), '' "
            "FROM (SELECT id, made_by_id FROM pledges_pledge LIMIT 1) pledge, "
            "(SELECT id FROM payments_payment LIMIT 1) payment",
        ),
        {"I1.payee", "I1.global"},
    ),
    "a clearing purse that nothing explains": (
        (
            "UPDATE ledger_account SET kind = 'clearing', normal_side = 1 WHERE kind = 'suspense'",
            "UPDATE ledger_balance SET normal_side = 1 WHERE account_id = "
            "(SELECT id FROM ledger_account WHERE kind = 'clearing')",
        ),
        {"I6.suspense", "I6.clearing"},
    ),
    "an entry was dated otherwise": (
        (f"UPDATE ledger_journalentry SET happened_on = happened_on - 400 WHERE id = {RECEIPT}",),
        {"I2.dates", "I3.leaf"},
    ),
    "the lines of an entry were dated otherwise": (
        (f"UPDATE ledger_posting SET happened_on = happened_on - 40 WHERE entry_id = {RECEIPT}",),
        {"I2.dates"},
    ),
    "more was said to be set aside": (
        ("UPDATE ledger_balance SET held = held + 1 WHERE account_id = " + BANK,),
        {"I2.held"},
    ),
    "a guard was taken off": (
        ("UPDATE ledger_balance SET guarded = false WHERE account_id = " + BUDGET,),
        {"I2.nature"},
    ),
    "the last number of a journal was forgotten": (
        ("UPDATE ledger_numbering SET last = 0",),
        {"I3.number"},
    ),
    "what a locked month kept was removed": (
        (LOCKED,),
        {"I2.closing"},
    ),
    "a hold was added": (
        (
            "INSERT INTO ledger_hold (id, account_id, currency, amount, scope, key, reference, made_at) "
            f"VALUES ('hld_x', {BUDGET}, 'EUR', 5, 'x', 'x', 'r', now())",
        ),
        {"I2.held"},
    ),
    "what a locked month kept was edited": (
        (
            LOCKED,
            KEPT.format(balance=-1, booked="balance"),
        ),
        {"I2.closing"},
    ),
    "what was booked when a month was locked was edited": (
        (
            LOCKED,
            KEPT.format(balance="balance", booked=-1),
        ),
        {"I2.closing"},
    ),
    "an entry was said to be booked at another time": (
        (f"UPDATE ledger_journalentry SET booked_at = booked_at - interval '1 minute' WHERE id = {RECEIPT}",),
        {"I2.dates", "I3.leaf"},
    ),
    "a line was given another number": (
        (f"UPDATE ledger_posting SET chart = '706' WHERE entry_id = {RECEIPT} AND account_id = {BUDGET}",),
        {"I3.leaf"},
    ),
    "a seal was removed": (
        ("DELETE FROM ledger_seal WHERE position = 2",),
        {"I3.gap", "I3.number", "I3.block"},
    ),
    "a journal number was given twice": (
        ("UPDATE ledger_seal SET number = 1 WHERE journal = 'BQ'",),
        {"I3.number"},
    ),
    "a head was replaced": (
        ("UPDATE ledger_block SET root = sha256('x')",),
        {"I3.root"},
    ),
    "a note says another root": (
        ("UPDATE ledger_block SET note = replace(note, E'\\nblock ', E'\\nblock 1')",),
        {"I3.root"},
    ),
    "the log was begun again": (
        (
            "UPDATE events_event SET data = jsonb_set(data, '{root}', '\"00\"') WHERE kind = 'log.head_signed'",
            "DELETE FROM events_sealedevent",
            "DELETE FROM events_eventseal",
        ),
        {"I3.forked"},
    ),
    "a line was added to a note": (
        ("UPDATE ledger_block SET note = note || E'all is well\\n'",),
        {"I3.signature"},
    ),
    "a note was signed by another": (
        ("UPDATE ledger_block SET note = regexp_replace(note, '.{8}=?=?\\n$', E'AAAAAAAA\\n')",),
        {"I3.signature"},
    ),
    "the block of a head was removed": (
        ("UPDATE ledger_block SET number = number + 1 WHERE number = (SELECT max(number) FROM ledger_block)",),
        {"I3.block"},
    ),
    "a key was replaced": (
        ("UPDATE ledger_sealkey SET public = sha256('x')",),
        {"I3.key", "I3.signature"},
    ),
    "a stored hash was added": (
        ("INSERT INTO ledger_subtree (level, index, hash) VALUES (8, 0, sha256('x'))",),
        {"I3.subtree"},
    ),
    "an entry and its seal were swapped for others": (
        (
            f"UPDATE ledger_journalentry SET booked_at = booked_at - interval '1 minute' WHERE id = {RECEIPT}",
            f"UPDATE ledger_posting SET booked_at = booked_at - interval '1 minute' WHERE entry_id = {RECEIPT}",
            f"UPDATE ledger_seal SET leaf = ledger_leaf(entry_id) WHERE entry_id = {RECEIPT}",
        ),
        {"I3.root"},
    ),
    "a pledge awaits what no instalment does": (
        ("UPDATE pledges_pledge SET expected = expected + 1",),
        {"I1.expected"},
    ),
    "an instalment says more than its pledge received": (
        ("UPDATE pledges_instalment SET amount = amount + 1, received = received + 1",),
        {"I1.instalments"},
    ),
    "an instalment is due on another day": (
        ("UPDATE pledges_instalment SET due_on = due_on + 1",),
        {"I1.instalment_day"},
    ),
    "an invoice was credited beyond what it asked for": (
        (
            "INSERT INTO documents_documentseries (kind, year, last) VALUES ('invoice', 2020, 1), "
            "('credit_note', 2020, 1)",
            "INSERT INTO documents_document (id, kind, year, number, label, key, subject, language, currency, total, "
            "body_sealed, pdf_sealed, sha256, issued_on, issued_at, corrects_id) VALUES ('doc_i', 'invoice', 2020, 1, "
            "'F-2020-0001', 'i', 'x', 'fr', 'EUR', 100, 'x', 'x', 'x', '2020-01-01', now(), NULL), ('doc_c', "
            "'credit_note', 2020, 1, 'AV-2020-0001', 'c', 'x', 'fr', 'EUR', 101, 'x', 'x', 'x', '2020-01-01', now(), "
            "'doc_i')",
        ),
        {"I1.credited"},
    ),
    "a payment says that money was taken back": (
        ("UPDATE payments_payment SET taken_back = 100",),
        {"I1.pledge", "I1.taken_back"},
    ),
    "a refund is said to be paid": (
        (
            "INSERT INTO payments_refund (id, pledge_id, payment_id, name, iban_sealed, iban_index, iban_hint, amount, "
            "currency, reason, state, form_key, asked_by_id, asked_at, entry) SELECT 'rfd_x', pledge_id, id, 'x', '', "
            "'', '', 100, currency, 'x', 'paid', 'x', (SELECT min(id) FROM identity_user), now(), '' "
            "FROM payments_payment",
        ),
        {"I1.refund", "I1.payee", "I1.global"},
    ),
    "a deposit is said to have cleared": (
        (
            "INSERT INTO payments_deposit (id, account_id, kind, total, currency, state, slip, form_key, "
            "prepared_by_id, prepared_on, prepared_at, line, entry, cleared_on) SELECT 'dep_x', id, 'cheque', 100, "
            "'EUR', 'cleared', '', 'x', (SELECT min(id) FROM identity_user), '2026-11-21', now(), 'line:x:y', '', "
            "'2026-11-21' FROM identity_hostbankaccount",
        ),
        {"I1.deposit"},
    ),
    "the papers of a series are gone": (
        ("INSERT INTO documents_documentseries (kind, year, last) VALUES ('yearly', 2026, 3)",),
        {"I3.papers"},
    ),
}


def soft_capped() -> str:
    """The digest that a version of the charter would have with a soft cap of 1.00."""
    return sha256({**Charter.objects.earliest("version").document, "soft_cap": 100})


@pytest.mark.parametrize("what", PLANTED)
def test_what_is_planted_is_found_and_freezes(play: Play, committed: str, what: str) -> None:
    world = play("settle")
    seal_due(world.now)
    assert last_seal().position == 6
    statements, expected = PLANTED[what]
    plant(committed, *[statement.replace("%s", soft_capped()) for statement in statements])
    made = selfcheck.run(now=world.now)
    assert {one["code"] for one in made.findings} - {"I3.gap"} >= expected - {"I3.gap"}
    assert {one["code"] for one in made.findings} == expected, made.findings
    held = frozen()
    assert held is not None
    assert (held.cause, held.data["findings"], made.ok) == ("selfcheck", made.findings, False)
    for language in ("en", "fr"):
        with translation.override(language):
            assert all(one["thing"] in in_words(one) for one in made.findings)
    with pytest.raises(Conflict, match=r"Payouts are frozen \(a self-check failed\)"):
        demo.pay(world)


def test_every_finding_that_exists_is_planted_above() -> None:
    planted = set.union(*[expected for _statements, expected in PLANTED.values()])
    elsewhere = {"I3.unsealed", "I3.key_missing", "I3.events"}  # test_seal_key.py, tests/events/test_sealing.py
    elsewhere |= {"I1.charge", "I1.provider_fees", "I6.balance", "I6.provider"}  # test_selfcheck_provider.py
    elsewhere |= {"I6.helloasso"}  # tests/payments/test_helloasso.py
    elsewhere |= {"I1.waived"}  # tests/distributions/test_waiving.py
    assert planted | elsewhere == set(TEXTS)


def rewrite(name: str, change: Callable[[dict[str, Any]], object]) -> None:
    """Change the only trace there is and give it the digest it then has, there and on its distribution."""
    row = Distribution.objects.get()
    trace = json.loads(json.dumps(row.trace))
    change(trace)
    trace["result_sha256"] = digest(trace)
    plant(
        name,
        f"UPDATE distributions_distribution SET digest = '{trace['result_sha256']}', "
        f"trace = '{json.dumps(trace)}'::jsonb",
    )


def test_a_forged_trace_with_its_own_digest_is_held_against_the_rows(play: Play, committed: str) -> None:
    play("settle")
    row = Distribution.objects.get()
    assert row.trace is not None
    person = row.trace["persons"][0]

    def restore(trace: dict[str, Any]) -> None:
        trace.clear()
        trace.update(row.trace or {})

    changes: dict[str, tuple[Callable[[dict[str, Any]], object], set[tuple[str, str, int, int]]]] = {
        "cents": (
            lambda trace: trace["persons"][0].update(cents=1),
            {("I1.given", row.shares.get(contributor=person["id"]).pk, 1, person["cents"])},
        ),
        "snapshot": (lambda trace: trace.update(snapshot_sha256="0" * 64), {("I3.inputs", row.pk, 0, 0)}),
        "inputs": (lambda trace: trace["inputs"].update(owed={"usr_x": 1}), {("I3.inputs", row.pk, 0, 0)}),
        "version": (lambda trace: trace["charter"].update(version=9), {("I3.ruled", row.pk, 0, 0)}),
        "rules": (lambda trace: trace["charter"]["document"].update(soft_cap=1), {("I3.ruled", row.pk, 0, 0)}),
        "nobody": (lambda trace: trace.pop("persons"), {("I3.trace", row.pk, 0, 0)}),
        "engine": (lambda trace: trace.update(engine="tronc-allocation/0"), {("I3.trace", row.pk, 0, 0)}),
        "agreed": (
            lambda trace: trace.update(
                arbitration={"changes": [{"person": person["id"], "purse": row.period.budget_id, "agreed": 7}]}
            ),
            {("I1.agreed", row.pk, person["cents"], 7)},
        ),
        "earlier": (lambda trace: (trace.update(engine="tronc-allocation/1"), trace.pop("persons")), set()),
    }
    for change, expected in changes.values():
        rewrite(committed, change)
        assert {(one.code, one.thing, one.expected, one.found) for one in selfcheck.check()} == expected
        rewrite(committed, restore)
        assert selfcheck.check() == []
    rewrite(committed, changes["earlier"][0])
    plant(committed, TRACE.format("{totals}", "{}"))
    assert {(one.code, one.thing) for one in selfcheck.check()} == {("I3.trace", row.pk)}


def test_a_published_distribution_and_what_was_agreed_on_it_are_looked_at(play: Play, committed: str) -> None:
    pots = Pots(play("make_house"))
    budget = pots.pot("Réunion", "ana", "bo")
    pots.fund(budget, 100_00)
    pots.work(budget, "ana", 90_00)
    pots.work(budget, "bo", 60_00)
    made = pots.close(budget)
    assert pots.shares(made) == {"ana": 60_00, "bo": 40_00}
    bo = pots.person("bo")
    for number, cents in enumerate((30_00, 20_00)):  # the last one holds
        made.refresh_from_db()
        entered = propose_arbitration(
            actor=pots.person("sacha"), distribution_id=made.pk, digest=made.digest, reason="Réunion",
            form_key=f"k{number}", amounts={(bo.pk, budget.pk): cents}, now=pots.now,
        )  # fmt: skip
        answer_arbitration(actor=bo, arbitration_id=entered.pk, accept=True, now=pots.now)
        assert selfcheck.check() == []
    plant(committed, "UPDATE distributions_arbitrationline SET agreed = agreed + 100")
    said = [(one.code, one.thing, one.expected, one.found) for one in selfcheck.check()]
    assert said == [("I1.agreed", entered.pk, 21_00, 20_00)]
    plant(
        committed,
        "UPDATE distributions_arbitrationline SET agreed = agreed - 100",
        "UPDATE distributions_share SET amount = 1 WHERE amount = 2000",
        "UPDATE distributions_sharepart SET amount = 1 WHERE amount = 2000",
    )
    said = [(one.code, one.thing, one.expected, one.found) for one in selfcheck.check()]
    assert said == [("I1.given", made.shares.get(contributor=bo).pk, 20_00, 1)]


def test_of_each_kind_a_few_findings_are_named(play: Play, committed: str) -> None:
    play("settle")
    plant(
        committed,
        "INSERT INTO commons_charter (id, budget_id, version, document, sha256, created_by_id, created_at) "
        "SELECT 'cha_' || number, budget_id, 100 + number, document, repeat('0', 64), created_by_id, created_at "
        "FROM commons_charter, generate_series(1, 30) number",
    )
    assert [one.code for one in selfcheck.check()] == ["I3.charter"] * 20


def test_an_entry_that_cannot_be_sealed_is_found(play: Play, committed: str) -> None:
    play("receive")
    assert JournalEntry.objects.filter(booked_at__lt=timezone.now() - timedelta(minutes=11)).count() == 0
    plant(
        committed,
        *UNSEALED,
        "UPDATE ledger_journalentry SET booked_at = now() - interval '11 minutes'",
        AGED_LINES,
        "CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RAISE EXCEPTION ''no''; END'",
        "CREATE TRIGGER refuse BEFORE INSERT ON ledger_seal FOR EACH ROW EXECUTE FUNCTION refuse()",
    )
    assert codes(selfcheck.check()) == {"I3.unsealed"}


def test_another_sealer_at_work_is_not_a_fault(play: Play, committed: str) -> None:
    play("receive")
    aged = "UPDATE ledger_journalentry SET booked_at = now() - interval '{}'"
    plant(committed, *UNSEALED, aged.format("11 minutes"), AGED_LINES)
    with psycopg.connect(databases.named(os.environ["DATABASE_ADMIN_URL"], committed)) as raw:
        raw.execute("SELECT pg_advisory_xact_lock(hashtextextended('tronc.seal', 0))")
        with connection.cursor() as cursor:
            cursor.execute("SET lock_timeout = '200ms'")
        assert selfcheck.check() == []
        plant(committed, aged.format("61 minutes"), AGED_LINES)
        assert codes(selfcheck.check()) == {"I3.unsealed"}
    assert selfcheck.check() == []


def test_entries_of_the_past_are_sealed_by_the_check_itself(play: Play, committed: str) -> None:
    play("receive", now=timezone.now() - timedelta(days=3))
    assert selfcheck.check() == []
    assert seal_due(timezone.now()) == 0


def test_it_runs_every_ten_minutes_and_keeps_a_thousand_runs(play: Play, committed: str) -> None:
    world = play("receive")
    now = world.now + timedelta(hours=1)
    SelfCheckRun.objects.all().delete()
    minutes = [selfcheck.check_due(now + timedelta(minutes=minute)) for minute in (0, 5, 9, 10, 19, 21)]
    assert minutes == [1, 0, 0, 1, 0, 1]
    extent = SelfCheckRun.objects.values_list("ok", "findings", "entries", "postings").distinct().get()
    assert extent == (True, [], JournalEntry.objects.count(), Posting.objects.count())
    last = SelfCheckRun.objects.order_by("-pk")[0]
    SelfCheckRun.objects.bulk_create(
        SelfCheckRun(started_at=now, ended_at=now, ok=True, entries=0, postings=0) for _ in range(1000)
    )
    selfcheck.run(now=now)
    assert SelfCheckRun.objects.count() == 1000
    assert not SelfCheckRun.objects.filter(pk=last.pk).exists()


def test_two_at_once_run_once(play: Play, committed: str) -> None:
    world = play("receive")
    SelfCheckRun.objects.all().delete()
    assert sorted(at_once(lambda _number: selfcheck.check_due(world.now), 3))[-1] == 1
    assert SelfCheckRun.objects.count() == 1


def test_nothing_is_found_while_money_moves(play: Play, committed: str) -> None:
    world = play("make_house")

    def act(number: int) -> Any:
        if number % 2:
            return [selfcheck.check() for _turn in range(4)]
        return demo.make_promise(world) or demo.receive(world)

    results = at_once(act, 2)
    assert results[1] == [[], [], [], []]
    assert selfcheck.check() == []


def test_treasurers_and_administrators_are_told_once_per_failure(play: Play, committed: str) -> None:
    world = play("receive")
    Role.objects.create(user=world.users["ana"], kind="administrator", scope=world.host.pk, created_at=world.now)
    OutgoingMail.objects.all().delete()
    compose_due(world.now)
    OutgoingMail.objects.all().delete()
    plant(committed, "UPDATE ledger_balance SET balance = balance + 100 WHERE account_id = " + BANK)
    for _turn in range(3):
        selfcheck.run(now=world.now)
        compose_due(world.now)
    told = sorted(OutgoingMail.objects.filter(event__kind="selfcheck.failed").values_list("recipient", flat=True))
    assert told == ["ana@example.org", "claire@example.org", "denis@example.org"]
    mail = OutgoingMail.objects.filter(event__kind="selfcheck.failed", recipient="claire@example.org").get()
    assert "/fr/status/" in mail.body
    plant(committed, f"UPDATE ledger_journalentry SET happened_on = happened_on - 1 WHERE id = {RECEIPT}")
    selfcheck.run(now=world.now)
    assert Event.objects.filter(kind="selfcheck.failed").count() == 2


def test_a_freeze_is_lifted_once_the_check_passes(play: Play, committed: str) -> None:
    world = play("receive")
    plant(committed, "UPDATE ledger_balance SET balance = balance + 100 WHERE account_id = " + BANK)
    selfcheck.run(now=world.now)
    held = Freeze.objects.get()
    ask_lift(actor=world.users["claire"], freeze_id=held.pk, reason="Corrected", now=world.now)
    with pytest.raises(Conflict) as refusal:
        lift_freeze(actor=world.users["denis"], freeze_id=held.pk, now=world.now)
    assert refusal.value.code == "selfcheck_still_fails"
    assert frozen() == held
    plant(committed, "UPDATE ledger_balance SET balance = balance - 100 WHERE account_id = " + BANK)
    selfcheck.run(now=world.now)
    lift_freeze(actor=world.users["denis"], freeze_id=held.pk, now=world.now)
    assert frozen() is None


def test_a_check_that_fails_while_a_freeze_is_lifted_keeps_it(
    play: Play, committed: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    world = play("receive")
    plant(committed, "UPDATE ledger_balance SET balance = balance + 100 WHERE account_id = " + BANK)
    selfcheck.run(now=world.now)
    held = Freeze.objects.get()
    plant(committed, "UPDATE ledger_balance SET balance = balance - 100 WHERE account_id = " + BANK)
    selfcheck.run(now=world.now)
    ask_lift(actor=world.users["claire"], freeze_id=held.pk, reason="Corrected", now=world.now)
    real = lift

    def meanwhile(**values: Any) -> Any:
        plant(committed, "UPDATE ledger_balance SET balance = balance + 100 WHERE account_id = " + BANK)
        assert not selfcheck.run(now=world.now).ok
        return real(**values)

    monkeypatch.setattr("backend.operations.thaw.lift", meanwhile)
    with pytest.raises(Conflict) as refusal:
        lift_freeze(actor=world.users["denis"], freeze_id=held.pk, now=world.now)
    assert refusal.value.code == "selfcheck_still_fails"
    assert frozen() == held


def test_lifting_and_a_failing_check_at_once_end_frozen(play: Play, committed: str) -> None:
    world = play("receive")
    selfcheck.run(now=world.now)
    held = freeze(actor=None, cause="selfcheck", reason="Faults", now=world.now)
    ask_lift(actor=world.users["claire"], freeze_id=held.pk, reason="Corrected", now=world.now)
    plant(committed, "UPDATE ledger_balance SET balance = balance + 100 WHERE account_id = " + BANK)
    acts: list[Callable[[], Any]] = [
        lambda: selfcheck.run(now=world.now).ok,
        lambda: lift_freeze(actor=world.users["denis"], freeze_id=held.pk, now=world.now).pk,
    ]
    results = at_once(lambda number: acts[number](), 2)
    assert results[0] is False
    assert results[1] in {held.pk, "selfcheck_still_fails"}
    assert frozen() is not None


def command(*arguments: str) -> tuple[int, str]:
    """Exit code and output of `selfcheck`."""
    out = StringIO()
    try:
        call_command("selfcheck", *arguments, stdout=out)
    except SystemExit as left:
        return int(str(left.code)), out.getvalue()
    return 0, out.getvalue()


def test_the_command_says_what_it_found_and_leaves_with_one(play: Play, committed: str) -> None:
    play("receive")
    assert command()[0] == 0
    assert command()[1].startswith("Nothing is wrong.\n2 entries and 5 lines checked in ")
    plant(committed, "UPDATE ledger_balance SET balance = balance + 100 WHERE account_id = " + BANK)
    code, said = command("--json", "--no-freeze")
    facts = json.loads(said)
    assert (code, facts["ok"], frozen()) == (1, False, None)
    (finding,) = facts["findings"]
    assert (finding["code"], finding["expected"], finding["found"]) == ("I2.balance", 142_50, 143_50)
    assert "its lines sum to €142.50, its stored balance is €143.50" in finding["sentence"]
    code, said = command()
    assert code == 1
    assert "Payouts are frozen" in said
    assert frozen() is not None
