"""What each finding of the self-check means, in words."""

from collections.abc import Mapping
from typing import Any

from django.utils.translation import gettext_lazy as _

from backend.core.money import format_money

TEXTS: dict[str, object] = {
    "I1.pot": _("Budget %(thing)s: what came in and went out gives %(expected)s, the ledger holds %(found)s."),
    "I1.reserve": _(
        "Reserve of %(thing)s: what was set aside and taken back gives %(expected)s, the ledger holds %(found)s."
    ),
    "I1.share": _("Share %(thing)s is of %(expected)s and its parts by budget add up to %(found)s."),
    "I1.payee": _("Payee %(thing)s: shares and payouts give %(expected)s owed, the ledger says %(found)s."),
    "I1.waived": _("Share %(thing)s says that %(expected)s was given back; its waivers add up to %(found)s."),
    "I1.given": _("Share %(thing)s: its computation gives %(expected)s, it is of %(found)s."),
    "I1.agreed": _("Agreement %(thing)s: %(expected)s was accepted, the computation says %(found)s."),
    "I1.settled": _("Contribution %(thing)s: its distribution gave it %(expected)s, it says %(found)s."),
    "I1.bank": _("Bank account %(thing)s: its lines give %(expected)s, the ledger says %(found)s."),
    "I1.host": _("Host fees %(thing)s: receipts give %(expected)s, the ledger says %(found)s."),
    "I1.provider_fees": _("Fees of providers: their movements give %(expected)s, the ledger says %(found)s."),
    "I1.charge": _(
        "Payment %(thing)s: the provider moved %(expected)s, its payments and what waits of it give %(found)s."
    ),
    "I1.kind": _("%(thing)s: the rows behind these entries give %(expected)s, the ledger moved %(found)s."),
    "I1.pledge": _("Pledge %(thing)s: its payments give %(expected)s, it says %(found)s."),
    "I1.expected": _("Pledge %(thing)s: its instalments await %(expected)s, it says %(found)s."),
    "I1.instalments": _("Pledge %(thing)s received %(expected)s, and its instalments say %(found)s."),
    "I1.instalment_day": _("Instalment %(thing)s does not fall due on the day that its pledge says."),
    "I1.credited": _("Invoice %(thing)s is of %(expected)s, and its credit notes come to %(found)s."),
    "I1.taken_back": _("Payment %(thing)s: what was taken back of it gives %(expected)s, it says %(found)s."),
    "I1.refund": _("Refund %(thing)s of %(found)s: its state is not that of the payouts that pay it."),
    "I1.deposit": _("Deposit %(thing)s: what is in it, and the bank, give %(expected)s; it says %(found)s."),
    "I1.global": _("All together: at the bank %(expected)s, in pots, owed, kept and waiting %(found)s."),
    "I2.entry_unbalanced": _("Entry %(thing)s does not balance: its lines sum to %(found)s."),
    "I2.entry_lines": _("Entry %(thing)s announces %(expected)s lines and has %(found)s."),
    "I2.balance": _("Purse %(thing)s: its lines sum to %(expected)s, its stored balance is %(found)s."),
    "I2.nature": _("Purse %(thing)s: its balance row does not say its currency, its side or its guard."),
    "I2.wrong_side": _("Purse %(thing)s is on its wrong side: %(found)s."),
    "I2.dates": _("Entry %(thing)s and its lines do not say the same dates."),
    "I2.held": _("Purse %(thing)s: the holds in force sum to %(expected)s, it says %(found)s."),
    "I2.closing": _("%(thing)s: the lines give %(expected)s, the locked month kept %(found)s."),
    "I3.fingerprint": _("Entry %(thing)s is not what was booked: its fingerprint differs."),
    "I3.leaf": _("Entry %(thing)s is not what was sealed at position %(found)s."),
    "I3.number": _("Journal %(thing)s: its last number is %(expected)s, %(found)s numbers are where they must be."),
    "I3.block": _("Block %(expected)s of the log is missing, or does not follow: block %(found)s was found."),
    "I3.root": _("Block %(expected)s: the leaves up to position %(found)s do not give its root."),
    "I3.forked": _("Block %(expected)s is not the head of %(found)s entries that was signed: the log was begun again."),
    "I3.signature": _("Block %(expected)s is not signed by its key."),
    "I3.subtree": _("The stored hashes of level %(expected)s are not those of the leaves (%(found)s expected)."),
    "I3.key": _("The key %(thing)s of the seals is not what it says, or was not handed over by the one before."),
    "I3.gap": _("Seals are missing: the last position is %(expected)s, %(found)s seals are there."),
    "I3.key_missing": _(
        "Entries wait to be sealed: %(found)s. The private key of the seals (%(thing)s) cannot be used: put its file "
        "back in the folder TRONC_SEAL_KEYS of the worker, or run “manage.py rotate_seal_key --lost”."
    ),
    "I3.charter": _("Charter %(thing)s is not what was adopted: its digest differs."),
    "I3.trace": _("Distribution %(thing)s: the computation that is kept is not the one that was published."),
    "I3.inputs": _("Distribution %(thing)s: what was frozen at closing is not what it was computed from."),
    "I3.ruled": _("Distribution %(thing)s: its charter is not the one it was computed under."),
    "I3.period": _("Period %(thing)s: its charter is not that of its distribution."),
    "I3.events": _("Seal %(thing)s of the audit trail is not that of its events: one was changed or removed."),
    "I3.papers": _("Papers %(thing)s: their last number is %(expected)s, %(found)s are there or one is there twice."),
    "I3.unsealed": _("Entry %(thing)s has not been sealed for more than ten minutes."),
    "I4.twice": _("%(thing)s left with %(found)s payouts at once: it is to be paid %(expected)s time."),
    "I4.bank": _(
        "Payout %(thing)s of %(expected)s: the bank shows %(found)s leaving for it, more than once or although it was "
        "refused."
    ),
    "I5.amount": _("Payout %(thing)s: what it pays is of %(expected)s, it is of %(found)s."),
    "I5.approved": _("Payout %(thing)s of %(found)s left without the approval of another person."),
    "I5.line": _("Batch %(thing)s: its payouts seen on a bank line sum to %(expected)s, the line says %(found)s."),
    "I6.suspense": _(
        "Suspense of %(thing)s: lines to identify and surpluses sum to %(expected)s, the ledger holds %(found)s."
    ),
    "I6.in_transit": _(
        "In transit of %(thing)s: the payouts not settled sum to %(expected)s, the ledger says %(found)s."
    ),
    "I6.provider": _(
        "Provider %(thing)s: its movements less what the bank showed give %(expected)s, the ledger holds %(found)s."
    ),
    "I6.balance": _("Provider %(thing)s: it says that it holds %(expected)s, the books say %(found)s."),
    "I6.helloasso": _("HelloAsso, %(thing)s: its imports that stand come to %(expected)s, the books say %(found)s."),
    "I6.clearing": _(
        "Clearing %(thing)s: cheques and cash on their way sum to %(expected)s, the ledger holds %(found)s."
    ),
}


def in_words(finding: Mapping[str, Any]) -> str:
    """A finding as a sentence in the language of the moment.

    Args: finding: code, thing, currency, expected, found (minor units, or counts when there is no currency).
    """
    money = str(finding.get("currency") or "")
    values = {"thing": finding["thing"]}
    for name in ("expected", "found"):
        values[name] = format_money(finding[name], money) if money else str(finding[name])
    return str(TEXTS.get(finding["code"], finding["code"])) % values
