"""The table of what an export holds: for each kind of data its model, how it names the person, and its columns.

A test compares it with the models: a new column that names a person must be in one of the three tables below.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class Part:
    """One kind of data: a model, the paths to the person (their id, or their addresses), the columns written.

    `only` keeps some of the rows.
    """

    model: str
    who: tuple[str, ...]
    columns: tuple[str, ...]
    by_address: bool = False
    only: Mapping[str, Any] = field(default_factory=dict)


PARTS: dict[str, Part] = {
    "account": Part(
        "identity.User", ("pk",),
        ("id", "email", "name", "public_name", "language", "shortcuts", "is_active", "date_joined", "last_login"),
    ),
    "addresses": Part("account.EmailAddress", ("user",), ("email", "verified", "primary")),
    "daily_mail": Part("notifications.Digest", ("user",), ("wanted", "looked_at")),
    "merged_accounts": Part("identity.User", ("merged_into",), ("id", "name", "date_joined")),
    "merges_asked": Part("identity.PersonMerge", ("kept",), ("address", "state", "asked_at", "ended_at")),
    "merges_to_confirm": Part("identity.PersonMerge", ("other",), ("address", "state", "asked_at", "ended_at")),
    "former": Part("privacy.Former", ("user",), ("kind", "text", "noted_at")),
    "second_factors": Part("mfa.Authenticator", ("user",), ("type", "created_at", "last_used_at")),
    "sessions": Part("usersessions.UserSession", ("user",), ("created_at", "last_seen_at", "ip", "user_agent")),
    "devices": Part("identity.KnownDevice", ("user",), ("words", "first_seen_at", "last_seen_at")),
    "tokens": Part(
        "identity.ApiToken", ("user",),
        ("id", "name", "hint", "scopes", "only", "created_at", "expires_at", "last_used_at", "revoked_at"),
    ),
    "roles": Part("identity.Role", ("user",), ("kind", "scope", "created_at")),
    "offers": Part("identity.Offer", ("user",), ("kind", "organisation__name", "email", "created_at")),
    "commit_addresses": Part("contributions.ForgePerson", ("user",), ("address", "created_at")),
    "spending_limits": Part(
        "identity.SpendingLimit", ("user",), ("organisation", "organisation__name", "amount", "currency", "per",
        "created_at"),
    ),
    "contributions": Part(
        "contributions.Contribution", ("contributor",),
        ("id", "budget", "budget__name", "worked_on", "kind", "minutes", "amount", "currency", "description",
        "evidence", "state", "over_cap_reason", "validated_at", "settled_amount", "waived", "corrects", "metadata",
        "version", "created_at"),
    ),
    "imports": Part(
        "contributions.Import", ("made_by",), ("id", "budget", "budget__name", "file_name", "rows", "created_at",
        "undone_at"),
    ),
    "kept_back": Part(
        "contributions.Adjustment", ("contributor",),
        ("id", "contribution", "minutes", "amount", "minutes_left", "amount_left", "reason", "state", "decision",
        "decided_at", "created_at"),
    ),
    "statement_rounds": Part(
        "contributions.RoundAnswer", ("person",),
        ("round", "round__budget__name", "round__first_day", "round__last_day", "state", "missing",
        "answered_at"),
    ),
    "questions_received": Part(
        "contributions.Question", ("contributor",), ("contribution", "text", "answer", "closed_at", "created_at"),
    ),
    "questions_asked": Part(
        "contributions.Question", ("asker",), ("contribution", "text", "answer", "closed_at", "created_at"),
    ),
    "objections_received": Part(
        "contributions.Objection", ("contributor",), ("contribution", "reason", "state", "ended_at", "created_at"),
    ),
    "objections_raised": Part(
        "contributions.Objection", ("objector",), ("contribution", "reason", "state", "ended_at", "created_at"),
    ),
    "objections_decided": Part(
        "contributions.Opinion", ("steward",), ("objection__contribution", "upholds", "reason", "created_at"),
    ),
    "objections_weighed": Part(
        "contributions.Opinion", ("contributor", "objector"),
        ("objection__contribution", "upholds", "reason", "created_at"),
    ),
    "reviews_received": Part(
        "contributions.Review", ("contributor",), ("contribution", "verdict", "minutes", "reason", "created_at"),
    ),
    "reviews_given": Part(
        "contributions.Review", ("reviewer",), ("contribution", "verdict", "minutes", "reason", "created_at"),
    ),
    "shares": Part(
        "distributions.Share", ("contributor",),
        ("id", "distribution", "distribution__period__budget__name", "asked", "amount", "distribution__currency",
        "state"),
    ),
    "distribution_objections": Part(
        "distributions.DistributionObjection", ("objector",),
        ("distribution", "reason", "state", "created_at", "ended_at"),
    ),
    "distribution_objections_decided": Part(
        "distributions.DistributionOpinion", ("steward",),
        ("objection__distribution", "upholds", "reason", "created_at"),
    ),
    "agreed_amounts": Part(
        "distributions.ArbitrationLine", ("person",),
        ("arbitration", "before", "agreed", "answer", "answer_reason", "answered_at"),
    ),
    "directorships": Part("payees.Director", ("user",), ("id", "starts_on", "ends_before", "marked_at")),
    "supporting_documents": Part(
        "distributions.SupportingDocument", ("made_by",),
        ("id", "share", "kind", "state", "number", "dated_on", "total", "currency", "made_at", "decided_at", "reason",
        "corrects"),
    ),
    "payouts": Part(
        "payouts.Payout", ("payee__user",),
        ("id", "amount", "batch__currency", "name", "iban_hint", "end_to_end_id", "state", "batch__sent_at",
        "settled_on"),
    ),
    "pledges": Part(
        "pledges.Pledge", ("made_by", "person"),
        ("id", "budget", "budget__name", "organisation", "organisation__name", "person", "amount", "currency", "rhythm",
        "starts_on", "ends_on", "visibility", "pseudonym", "purchase_order", "paper", "received", "state",
        "pause_reason", "reference", "created_at"),
    ),
    "instalments": Part(
        "pledges.Instalment", ("pledge__person", "pledge__donor__claimed_by"),
        ("id", "pledge", "number", "due_on", "amount", "currency", "received", "state", "called_at", "reminders",
        "document", "written_off_reason"),
    ),
    "surpluses": Part(
        "payments.Surplus", ("pledge__person", "pledge__donor__claimed_by"),
        ("id", "pledge", "amount", "used", "taken_back", "currency", "received_on", "state", "decided_at", "reason"),
    ),
    "refunds": Part(
        "payments.Refund", ("pledge__person", "pledge__donor__claimed_by"),
        ("id", "pledge", "name", "iban_hint", "amount", "currency", "reason", "state", "asked_at"),
    ),
    "cheques_and_cash": Part(
        "payments.PaperPayment", ("pledge__person", "pledge__donor__claimed_by"),
        ("id", "pledge", "kind", "amount", "currency", "drawer", "number", "received_on", "state", "returned_on",
        "returned_reason"),
    ),
    "card_payments": Part(
        "payments.Checkout", ("made_by",),
        ("id", "group", "method", "recurring", "amount", "currency", "state", "failure", "created_at", "finished_at"),
    ),
    "papers": Part(
        "documents.Document", ("person",),
        ("id", "kind", "label", "subject", "language", "currency", "total", "due_on", "issued_on"),
    ),
    "gifts": Part(
        "pledges.Donor", ("claimed_by",),
        ("id", "language", "created_at", "claimed_at"),
    ),
    "given": Part(
        "pledges.Pledge", ("donor__claimed_by",),
        ("id", "budget", "budget__name", "amount", "currency", "rhythm", "starts_on", "received", "state",
        "visibility", "reference", "created_at"),
    ),
    "recorded_for_me": Part(
        "identity.Recording", ("asked", "on_behalf_of"),
        ("subject", "channel", "told_on", "note", "confirm_by", "created_at", "confirmed_at", "contested_at",
        "contested_reason", "retracted_at", "retracted_reason"),
    ),
    "recorded_by_me": Part(
        "identity.Recording", ("recorded_by",), ("subject", "channel", "told_on", "note", "created_at"),
    ),
    "proposals_about_me": Part(
        "identity.Proposal", ("subject",), ("id", "kind", "reason", "state", "proposed_at", "decided_at",
        "decision_reason"),
    ),
    "commons_proposed": Part(
        "commons.Commons", ("proposed_by",),
        ("slug", "name", "summary", "website", "licence", "why", "state", "reason", "created_at", "decided_at"),
    ),
    "moderated_texts": Part("commons.Moderation", ("subject",), ("field", "reason", "moderated_at", "lifted_at")),
    "acceptances": Part("privacy.Acceptance", ("user",), ("document", "version", "accepted_at")),
    "erasures": Part(
        "privacy.Erasure", ("user",), ("id", "cause", "reason", "asked_at", "due_at", "hindered_by", "withdrawn_at"),
    ),
    "mails": Part(
        "notifications.OutgoingMail", ("recipient",), ("subject", "body", "state", "due_at", "sent_at"),
        by_address=True, only={"event__isnull": False},
    ),
    # Their bodies carry links and codes that open the account.
    "account_mails": Part(
        "notifications.OutgoingMail", ("recipient",), ("subject", "state", "due_at", "sent_at"),
        by_address=True, only={"event__isnull": True},
    ),
    "done_by_me": Part(
        "events.Event", ("actor",), ("created_at", "kind", "subject", "on_behalf", "data", "before", "after", "why",
        "origin"),
    ),
    "done_about_me": Part(
        "events.Event", ("subject",), ("created_at", "kind", "data", "before", "after", "why"),
    ),
}  # fmt: skip

# What a person did in a role, told by the id of the thing and the part they had in it: model → columns.
ACTS: dict[str, tuple[str, ...]] = {
    "documents.Document": ("issued_by",),
    "pledges.Instalment": ("written_off_by",),
    "payments.Surplus": ("decided_by",),
    "payments.Refund": ("asked_by",),
    "payments.Deposit": ("prepared_by",),
    "payments.PaperPayment": ("recorded_by",),
    "payments.Operation": ("asked_by", "given_up_by"),
    "payments.ProviderRefund": ("asked_by", "decided_by"),
    "payments.Movement": ("explained_by",),
    "payments.Reconciliation": ("asked_by",),
    "payments.HelloAssoImport": ("made_by", "undone_by"),
    "banking.Statement": ("imported_by", "withdrawn_by"),
    "banking.BankLine": ("matched_by",),
    "payouts.PayoutBatch": ("prepared_by", "approved_by", "second_by", "claimed_by", "refused_by"),
    "payouts.Payout": ("undone_by",),
    "distributions.Distribution": ("prepared_by", "approved_by"),
    "distributions.Arbitration": ("entered_by",),
    "distributions.ArbitrationLine": ("recorded_by",),
    "transfers.Transfer": ("proposed_by", "decided_by"),
    "transfers.Opening": ("proposed_by", "decided_by"),
    "transfers.YearEnd": ("proposed_by", "decided_by", "undone_by"),
    "contributions.Contribution": ("recorded_by",),
    "contributions.Repository": ("created_by", "revoked_by"),
    "contributions.Adjustment": ("proposed_by", "decided_by"),
    "contributions.TimeRate": ("set_by",),
    "contributions.Round": ("opened_by", "closed_by"),
    "commons.Commons": ("decided_by",),
    "commons.Moderation": ("moderated_by", "lifted_by"),
    "commons.Charter": ("created_by",),
    "payees.Payee": ("iban_edited_by",),
    "distributions.SupportingDocument": ("decided_by",),
    "payees.Director": ("marked_by", "ended_by"),
    "payees.DirectorLimit": ("set_by",),
    "ledger.Freeze": ("started_by", "lift_asked_by", "lifted_by"),
    "ledger.Closing": ("asked_by", "locked_by", "withdrawn_by", "unlock_asked_by", "unlocked_by"),
    "identity.Role": ("granted_by",),
    "identity.SpendingLimit": ("set_by",),
    "identity.Offer": ("offered_by",),
    "identity.Proposal": ("proposed_by", "decided_by"),
    "privacy.Erasure": ("asked_by",),
}

# Columns that name a person and are not in the tables above, each with the reason.
ELSEWHERE: dict[str, str] = {
    "payees.Payee.user": "told in full as “payee”: its IBAN is sealed and must be opened",
}
