"""The ledger's doors: what other apps may call. post() and post_many() are the only ways in."""

from backend.ledger.closing import (
    ask_lock,
    ask_unlock,
    closings,
    keep_locked,
    lock,
    next_month,
    open_from,
    unlock,
    withdraw,
)
from backend.ledger.drawing import ChartRow, chart_count, chart_currencies, chart_rows
from backend.ledger.freezing import ask_lift, find_freeze, freeze, frozen, in_force, lift, require_thawed
from backend.ledger.holding import (
    Reservation,
    expire_due,
    held,
    hold,
    hold_all,
    holds_due,
    holds_of,
    release,
)
from backend.ledger.journal import (
    JournalLine,
    Movement,
    SealedEntry,
    StatementPage,
    StatementRow,
    TrialRow,
    balance,
    balance_known,
    balance_on,
    balances,
    charted,
    charted_by_owner,
    entry_count,
    first_day,
    movements,
    sealed_entries,
    statement,
    trial_balance,
)
from backend.ledger.lookup import Place, Receipts, WholeEntry, purses, receipts_of, unsealed, whole_entry, years_booked
from backend.ledger.models import Account, Closing, Freeze, Hold
from backend.ledger.posting import Booked, Entry, Line, open_account, open_accounts, post, post_many, reverse
from backend.ledger.sealing import (
    Head,
    consistency_proof,
    heads,
    inclusion_proof,
    keys,
    last_block,
    last_seal,
    latest_heads,
    leaf_text,
    leaves,
    rotate_key,
    seal_due,
)

__all__ = [
    "Account", "Booked", "ChartRow", "Closing", "Entry", "Freeze", "Head", "Hold", "JournalLine", "Line", "Movement",
    "Place", "Receipts", "Reservation", "SealedEntry", "StatementPage", "StatementRow", "TrialRow", "WholeEntry",
    "ask_lift", "ask_lock", "ask_unlock", "balance", "balance_known", "balance_on", "balances", "chart_count",
    "chart_currencies", "chart_rows", "charted", "charted_by_owner", "closings", "consistency_proof", "entry_count",
    "expire_due", "find_freeze", "first_day", "freeze", "frozen", "heads", "held", "hold", "hold_all", "holds_due",
    "holds_of", "in_force", "inclusion_proof", "keep_locked", "keys", "last_block", "last_seal", "latest_heads",
    "leaf_text", "leaves", "lift", "lock", "movements", "next_month", "open_account", "open_accounts", "open_from",
    "post", "post_many", "purses", "receipts_of", "release", "require_thawed", "reverse", "rotate_key", "seal_due",
    "sealed_entries", "statement", "trial_balance", "unlock", "unsealed", "whole_entry", "withdraw", "years_booked",
]  # fmt: skip
