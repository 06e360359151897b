"""What each kind of event is called, by subject: for the audit page, its filter and its export."""

from typing import Any

from django.utils.translation import gettext_lazy as _

# Kinds that an administrator reads, whatever they are about: rights and access, never money.
SECURITY = (
    "act.", "role.", "person.", "invitation.", "token.", "factor.", "recovery_code", "session.", "device.", "proposal.",
    "host.", "erasure.", "personal.", "audit.", "freeze.", "payouts.frozen", "mail.", "instance.", "member.",
)  # fmt: skip

# Subject → kind → what happened. Every kind that the code records has its line: tests/exports/test_audit_words.py.
WORDS: list[tuple[Any, dict[str, Any]]] = [
    (
        _("Money in"),
        {
            "pledge.made": _("Pledge made"),
            "pledge.recorded": _("Pledge recorded for somebody"),
            "pledge.cancelled": _("Pledge cancelled"),
            "pledge.fulfilled": _("Pledge paid in full"),
            "payment.received": _("Payment received"),
            "payment.taken_back": _("Payment taken back"),
            "statement.imported": _("Statement imported"),
            "statement.imported_again": _("Statement imported again"),
            "bank_line.unidentified": _("Bank line that nobody can name"),
        },
    ),
    (
        _("Work"),
        {
            "contribution.declared": _("Contribution declared"),
            "contribution.recorded": _("Contribution recorded for somebody"),
            "contribution.reviewed": _("Contribution approved by one person, more are needed"),
            "contribution.validated": _("Contribution validated"),
            "contribution.contested": _("Contribution contested"),
            "contribution.rejected": _("Contribution rejected"),
            "contribution.withdrawn": _("Contribution withdrawn"),
            "contribution.carried_over": _("Contribution carried over to the next period"),
            "confirmation.asked": _("Confirmation asked for"),
            "recording.confirmed": _("Record confirmed by the person"),
            "recording.contested": _("Record contested by the person"),
        },
    ),
    (
        _("Sharing and payouts"),
        {
            "period.closed": _("Period closed"),
            "distribution.published": _("Distribution computed"),
            "distribution.arbitrated": _("Distribution changed by an arbitration"),
            "distribution.approved": _("Distribution approved"),
            "arbitration.proposed": _("Arbitration proposed"),
            "arbitration.answered": _("Arbitration answered"),
            "arbitration.accepted": _("Arbitration accepted"),
            "arbitration.refused": _("Arbitration refused"),
            "arbitration.withdrawn": _("Arbitration withdrawn"),
            "arbitration.lapsed": _("Arbitration lapsed"),
            "batch.prepared": _("Payout batch prepared"),
            "batch.approved": _("Payout batch approved"),
            "batch.refused": _("Payout batch refused"),
            "batch.sent": _("Payout batch handed to the bank"),
            "batch.downloaded": _("Payment file downloaded again"),
            "payout.settled": _("Payout seen on the statement"),
            "payee.account_changed": _("Account to be paid on changed"),
            "payouts.frozen": _("Payouts frozen"),
            "freeze.lift_asked": _("End of the freeze asked for"),
            "freeze.lifted": _("Freeze of payouts lifted"),
        },
    ),
    (
        _("Commons and budgets"),
        {
            "commons.proposed": _("Commons proposed"),
            "commons.amended": _("Proposed commons amended"),
            "commons.approved": _("Commons approved"),
            "commons.refused": _("Commons refused"),
            "commons.withdrawn": _("Proposed commons withdrawn"),
            "commons.created": _("Commons created"),
            "commons.set_up": _("Commons set up"),
            "commons.hidden": _("Commons hidden"),
            "commons.shown": _("Commons shown again"),
            "commons.archived": _("Commons archived"),
            "budget.opened": _("Budget opened"),
            "budget.suspended": _("Budget suspended"),
            "budget.reopened": _("Budget reopened"),
            "charter.adopted": _("Charter adopted"),
            "transfer.proposed": _("Transfer proposed"),
            "transfer.booked": _("Transfer booked"),
            "transfer.refused": _("Transfer refused"),
            "transfer.withdrawn": _("Transfer withdrawn"),
            "text.withdrawn": _("Public text withdrawn"),
            "text.restored": _("Public text restored"),
        },
    ),
    (
        _("Books"),
        {
            "opening.proposed": _("Opening balances proposed"),
            "opening.booked": _("Opening balances booked"),
            "opening.refused": _("Opening balances refused"),
            "opening.withdrawn": _("Opening balances withdrawn"),
            "month.lock_asked": _("Lock of a month asked for"),
            "month.locked": _("Month locked"),
            "month.lock_withdrawn": _("Lock of a month withdrawn"),
            "month.unlock_asked": _("Unlocking of a month asked for"),
            "month.unlocked": _("Month unlocked"),
            "month.kept_locked": _("Month kept locked"),
            "books.exported": _("Books exported"),
            "log.head_signed": _("Head of the log signed"),
            "log.key_rotated": _("Key of the seals changed"),
            "selfcheck.failed": _("Check of the books failed"),
            "audit.exported": _("Audit trail exported"),
        },
    ),
    (
        _("Organisations"),
        {
            "organisation.created": _("Organisation created"),
            "organisation.recorded": _("Organisation recorded for somebody"),
            "organisation.edited": _("Organisation edited"),
            "organisation.merged": _("Organisations merged"),
            "member.invited": _("Member invited"),
            "member.changed": _("Role of a member changed"),
            "member.removed": _("Member removed"),
            "member.left": _("Member left"),
            "limit.set": _("Spending limit set"),
            "limit.removed": _("Spending limit removed"),
        },
    ),
    (
        _("People and rights"),
        {
            "act.refused": _("Act refused"),
            "role.granted": _("Role granted"),
            "role.withdrawn": _("Role withdrawn"),
            "person.invited": _("Person invited"),
            "person.profile_changed": _("Profile changed"),
            "invitation.shown": _("Invitation link shown"),
            "invitation.accepted": _("Invitation accepted"),
            "proposal.made": _("Proposal made, which takes two people"),
            "proposal.accepted": _("Proposal accepted"),
            "proposal.refused": _("Proposal refused"),
            "proposal.withdrawn": _("Proposal withdrawn"),
            "proposal.stopped": _("Accepted proposal stopped"),
            "proposal.applied": _("Accepted proposal applied"),
        },
    ),
    (
        _("Sign-in and tokens"),
        {
            "factor.added": _("Second factor added"),
            "factor.removed": _("Second factor removed"),
            "factor.reset": _("Second factors reset"),
            "recovery_code.used": _("Recovery code used"),
            "recovery_codes.renewed": _("Recovery codes renewed"),
            "device.new": _("Sign-in from a new device"),
            "session.ended": _("Session ended"),
            "token.created": _("API token created"),
            "token.ending": _("API token about to end"),
            "token.revoked": _("API token revoked"),
        },
    ),
    (
        _("Personal data"),
        {
            "personal.exported": _("Personal data exported"),
            "erasure.asked": _("Erasure asked for"),
            "erasure.hindered": _("Erasure held back"),
            "erasure.withdrawn": _("Erasure withdrawn"),
            "erasure.done": _("Person erased"),
            "retention.applied": _("Old personal data removed"),
            "notices.accepted": _("Terms and notice accepted"),
        },
    ),
    (
        _("Host and service"),
        {
            "host.created": _("Host created"),
            "host.changed": _("Settings of the host changed"),
            "bank_account.added": _("Bank account added"),
            "bank_account.changed": _("Bank account changed"),
            "mail.bounced": _("Message came back"),
            "mail.held": _("Messages held back"),
            "mail.released": _("Messages released"),
            "instance.restored": _("Instance restored from a backup"),
        },
    ),
]

KINDS: dict[str, Any] = {kind: words for _group, kinds in WORDS for kind, words in kinds.items()}


def said(kind: str) -> str:
    """The name of a kind in the language of the moment; the kind itself when an older version recorded it."""
    return str(KINDS.get(kind, kind))
