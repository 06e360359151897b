"""Says what bank lines are: pledges by their reference, payouts, deposits of cheques; the rest waits in suspense."""

from datetime import datetime

from backend.banking.models import BankLine
from backend.banking.resembling import resembled, said
from backend.commons.services import OPEN_TO_MONEY
from backend.core.failpoints import around_commit
from backend.core.sweep import sweep_rows
from backend.events.services import record
from backend.identity.models import HostBankAccount, User
from backend.ledger import chart
from backend.ledger.services import Line, open_account, post
from backend.payments.models import Deposit, PaperPayment, ProviderPayout
from backend.payments.provider_payouts import locked_payout, payout_named, settle_payout
from backend.payments.purses import Purse
from backend.payments.services import TAKES_MONEY, receive_transfer
from backend.payouts.models import Payout
from backend.payouts.returning import payouts_named
from backend.payouts.services import amounts_awaited, find_payouts, settle
from backend.pledges.models import Pledge
from backend.pledges.services import pledges_in_text
from backend.transfers.openings import opened_on


def match_due(now: datetime) -> int:
    """Book every line that was just imported: to its payment or payouts when a reference says so, else to suspense.

    A provider's payout may be told after the bank shows it: the line that names it leaves suspense then. So does the
    debit of a batch, once a treasurer has said which of its transfers the bank refused.
    """
    new = BankLine.objects.filter(state="new").select_related("account")
    waiting = BankLine.objects.filter(pk__in=_late()).select_related("account")
    debits = BankLine.objects.filter(pk__in=_late_debits()).select_related("account")
    return (
        sweep_rows(new, lambda line: _match(line, now))
        + sweep_rows(waiting, lambda line: _match_late(line, now))
        + sweep_rows(debits, lambda line: _match_debit(line, now))
    )


def _late_debits() -> list[int]:
    """The debits in suspense that are now exactly what some payouts under way add up to, and name them."""
    awaited = [-amount for amount in amounts_awaited()]
    if not awaited:
        return []
    rows = BankLine.objects.filter(state="suggested", amount__in=awaited)
    return [line.pk for line in rows if _paid_by(line)]


def _match_debit(line: BankLine, now: datetime) -> None:
    _settle(line, "suspense", now)


def _paid_by(line: BankLine) -> list[Payout]:
    """The payouts under way that a debit pays, to the cent."""
    references = {value for value in line.references.values() if value}
    return find_payouts(account_id=line.account_id, texts=said(line), references=references, amount=-line.amount)


def _settle(line: BankLine, purse: str, now: datetime) -> bool:
    """Book a debit as the payouts that it pays. Args: purse: where its money is. Returns: whether it pays some."""
    payouts = _paid_by(line)
    if payouts:
        line.entry = settle(
            payouts=payouts, source=line.source, settled_on=line.booked_on, actor=None, now=now, out_of=purse
        )
        matched(line, payouts[0].batch_id, None)
    return bool(payouts)


def _late() -> list[int]:
    """The lines in suspense that name a payout which its provider told since. One that a treasurer took apart waits."""
    sent = ProviderPayout.objects.filter(state="sent", entry="")
    rows = BankLine.objects.filter(state="suggested", amount__in=sent.values("amount"))
    return [line.pk for line in rows if payout_named(all_said(line), line.amount, line.currency) is not None]


def _match_late(line: BankLine, now: datetime) -> None:
    payout = payout_named(all_said(line), line.amount, line.currency)
    if payout is not None:
        paid_out(line, payout, ("suspense", line.account_id), None, now)


def _match(line: BankLine, now: datetime) -> None:
    # Opening balances hold the same row: what they already count is not booked a second time.
    HostBankAccount.objects.select_for_update(no_key=True).get(pk=line.account_id)
    opened = opened_on(line.account_id)
    if opened is not None and line.booked_on <= opened:
        line.state = "duplicate"
        line.save(update_fields=["state"])
        return
    twin = resembled(line)
    if twin is not None:
        # Booked by nobody before a person has said whether it is that one.
        line.state, line.resembles = "suspect", twin
        line.save(update_fields=["state", "resembles"])
        return
    book(line, now)


def book(line: BankLine, now: datetime) -> None:
    """Book a line that is known to be one operation more. The caller holds its account."""
    text = said(line)
    if line.amount > 0:
        payout = payout_named(all_said(line), line.amount, line.currency)
        if payout is not None:
            paid_out(line, payout, ("bank", line.account_id), None, now)
            return
        pledge = None if comes_back(line) else _pledge_named(text, line.currency)
        if pledge is not None and not may_be_paper(line, pledge):
            receive(line, pledge, ("bank", line.account_id), None, now)
            return
    elif _settle(line, "bank", now):
        return
    suspend(line, now)


def comes_back(line: BankLine) -> bool:
    """Whether a credit is money of ours that came back: it is nobody's receipt, whatever reference it repeats."""
    return bool(line.references.get("returned")) or bool(payouts_named(all_said(line)))


def all_said(line: BankLine) -> str:
    """All that a line says, in one text: who, the text, every reference."""
    return " ".join([line.counterparty, line.text, *(str(value) for value in line.references.values() if value)])


def may_be_paper(line: BankLine, pledge: Pledge) -> bool:
    """Whether a credit may be cheques or cash that are counted already: a deposit of its amount is on its way to this
    account, or a cheque of who promised it waits to be seen. Its reference alone then decides nothing."""
    on_its_way = Deposit.objects.filter(account=line.account_id, currency=line.currency, state="prepared")
    papers = PaperPayment.objects.filter(
        account=line.account_id, pledge__reference=pledge.reference, state__in=PaperPayment.OPEN
    )
    return on_its_way.filter(total=line.amount).exists() or papers.exists()


def suspend(line: BankLine, now: datetime) -> None:
    """Put a line that nobody can name into suspense."""
    line.suspense_entry = post(
        kind="bank.unidentified",
        scope="suspense",
        key=line.fact,
        reference=line.statement_id,
        happened_on=line.booked_on,
        late=True,
        lines=[
            Line(open_account(kind="bank", owner=line.account_id, currency=line.currency), line.amount, chart.BANK),
            Line(
                open_account(kind="suspense", owner=line.account_id, currency=line.currency),
                -line.amount,
                chart.SUSPENSE,
            ),
        ],
        now=now,
    ).pk
    line.state = "suggested"
    line.save(update_fields=["state", "suspense_entry"])
    record(
        "bank_line.unidentified",
        actor=None,
        subject=line.statement_id,
        now=now,
        amount=line.amount,
        currency=line.currency,
    )
    around_commit("line.suspended")


def _pledge_named(text: str, currency: str) -> Pledge | None:
    """A pledge whose reference stands in a text and whose pot takes money; None when there is none, or when the text
    names several references."""
    found = pledges_in_text(text, currency=currency)
    return next((one for one in found if one.state in TAKES_MONEY and one.budget.state in OPEN_TO_MONEY), None)


def receive(line: BankLine, pledge: Pledge, purse: Purse, actor: User | None, now: datetime) -> None:
    """Book a credit as paid for a pledge. Args: purse: where its money is. actor: None when a reference said so."""
    receipt = receive_transfer(
        pledge=pledge,
        amount=line.amount,
        source=line.fact,
        purse=purse,
        received_on=line.booked_on,
        payer_index=line.counterparty_index,
        actor=actor,
        now=now,
    )
    line.entry = receipt.entry or line.suspense_entry
    matched(line, receipt.subject, actor)


def paid_out(line: BankLine, payout: ProviderPayout, purse: Purse, actor: User | None, now: datetime) -> None:
    """Book a credit as what a payment provider sent. Args: purse: where its money is. actor: None when it said so."""
    locked = locked_payout(payout.pk)
    line.entry = settle_payout(
        payout=locked, source=line.source, purse=purse, settled_on=line.booked_on, actor=actor, now=now
    ).entry  # fmt: skip
    matched(line, payout.pk, actor)


def matched(line: BankLine, to: str, actor: User | None, state: str = "matched") -> None:
    """Write down what a line was, and who said so."""
    line.state = state
    line.matched_to = to
    line.matched_by = actor
    line.save(update_fields=["state", "entry", "matched_to", "matched_by"])
    around_commit("line.matched")
