"""What each right allows, in words: a refusal names the right that was missing."""

from typing import Any

from django.utils.translation import gettext_lazy as _

# Every action of identity.permissions.ACTIONS has its line: tests/exports/test_audit_words.py.
ACTION_WORDS: dict[str, Any] = {
    "pledge.make": _("pledge for an organisation"),
    "pledge.record": _("record a pledge for somebody"),
    "contribution.record": _("record work for somebody"),
    "organisation.read": _("read the pages of an organisation"),
    "organisation.edit": _("edit the details of an organisation"),
    "organisation.invite": _("invite members of an organisation and set their limits"),
    "organisation.merge": _("merge organisations"),
    "contribution.declare": _("declare work"),
    "contribution.review": _("review work"),
    "budget.read": _("read the pages of a budget"),
    "budget.open": _("open an envelope"),
    "charter.adopt": _("adopt a charter"),
    "transfer.propose": _("propose a transfer"),
    "transfer.decide": _("decide a transfer"),
    "opening.propose": _("propose opening balances"),
    "opening.decide": _("decide opening balances"),
    "period.close": _("close a period"),
    "distribution.arbitrate": _("propose an arbitration"),
    "distribution.approve": _("approve a distribution"),
    "batch.prepare": _("prepare a payout batch"),
    "batch.approve": _("approve a payout batch"),
    "batch.download": _("download a payment file"),
    "bank.read": _("read bank statements"),
    "bank.import": _("import a bank statement"),
    "bank.match": _("match a bank line"),
    "ledger.read": _("read the books"),
    "mail.release": _("release messages that are held"),
    "setup.see": _("see the first set-up"),
    "setup.invite": _("invite people at the first set-up"),
    "setup.bank_account": _("add the bank account at the first set-up"),
    "setup.commons": _("set up a commons"),
    "month.lock": _("lock a month"),
    "freeze.start": _("freeze payouts"),
    "freeze.lift": _("lift the freeze of payouts"),
    "factor.reset": _("remove somebody’s second factors"),
    "personal.erase": _("record an erasure for somebody"),
    "people.read": _("read who holds which role"),
    "role.grant": _("grant roles in the host"),
    "role.grant_pot": _("grant roles in a pot"),
    "role.propose_treasurer": _("propose a treasurer"),
    "role.decide_treasurer": _("decide on a treasurer"),
    "role.remove_treasurer": _("end the role of a treasurer"),
    "host.read": _("read the settings of the host"),
    "host.propose": _("propose a change of the host"),
    "host.decide": _("decide a change of the host"),
    "host.stop": _("stop an accepted change of the host"),
    "commons.propose": _("propose a commons"),
    "commons.approve": _("open or refuse a commons"),
    "commons.hide": _("hide a commons"),
    "commons.archive": _("archive a commons"),
    "budget.suspend": _("suspend a budget"),
    "text.moderate": _("withdraw a public text"),
    "moderation.read": _("read what was withdrawn"),
    "audit.read": _("read the audit trail"),
    "audit.read_all": _("read the whole audit trail"),
    "audit.read_security": _("read what concerns rights and access"),
}


def allowed(action: str) -> str:
    """What a right allows, in the language of the moment; its key when an older version recorded it."""
    return str(ACTION_WORDS.get(action, action))
