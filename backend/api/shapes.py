"""The shapes of the answers: named schemas of the contract, as serialize.py and the handlers write them.

A shape names every member of an answer, and all are always there unless said otherwise. Clients must take members and
words that they do not know: an object is open, and a state or a kind lists the words of today (`x-known-values`)
without closing the list. What each member means is in words.py, by its name.
"""

from collections.abc import Collection, Iterable, Mapping
from typing import Any

from backend.api.fields import Schema
from backend.commons.models import Budget, Period
from backend.commons.words import KINDS
from backend.contributions.models import Contribution, Objection, Review
from backend.distributions.models import Arbitration, Distribution, DistributionMove, DistributionObjection, Share
from backend.identity.models import Recording
from backend.ledger.chart import NATURE
from backend.payments.provider_models import Checkout
from backend.pledges.models import Instalment, Pledge

COMPONENTS: dict[str, Schema] = {}
TEXT: Schema = {"type": "string"}
WHOLE: Schema = {"type": "integer", "format": "int64"}
TRUTH: Schema = {"type": "boolean"}
DAY: Schema = {"type": "string", "format": "date"}
MOMENT: Schema = {"type": "string", "format": "date-time"}
ADDRESS: Schema = {"type": "string", "format": "uri"}
SHA256: Schema = {"type": "string", "pattern": "^[0-9a-f]{64}$"}
OBJECT: Schema = {"type": "object", "additionalProperties": True}


def ident(prefix: str) -> Schema:
    """An id of one kind of thing."""
    return {"type": "string", "pattern": f"^{prefix}_[0-9A-Z]{{36}}$"}


def word(known: Iterable[Any]) -> Schema:
    """A word of a list that may grow; `known` as Django's choices, or the words alone."""
    words = [one if isinstance(one, str) else one[0] for one in known]
    return {"type": "string", "x-known-values": [one for one in words if one]}


def or_null(schema: Schema) -> Schema:
    """The same, or null."""
    if set(schema) & {"$ref"}:
        return {"anyOf": [schema, {"type": "null"}]}
    return {**schema, "type": [schema["type"], "null"]}


def many(schema: Schema) -> Schema:
    """A list of them."""
    return {"type": "array", "items": schema}


def shape(name: str, members: Mapping[str, Schema], *, optional: Collection[str] = (), closed: bool = False) -> Schema:
    """Name a shape. optional: members that may be absent. closed: no other member will ever come.

    Returns: the reference to it.
    """
    assert name not in COMPONENTS, name
    COMPONENTS[name] = {
        "type": "object",
        "properties": dict(members),
        "required": [one for one in members if one not in optional],
        **({"additionalProperties": False} if closed else {}),
    }
    return {"$ref": f"#/components/schemas/{name}"}


def listing(of: Schema) -> Schema:
    """A page of a list of these shapes."""
    name = of["$ref"].rpartition("/")[2] + "List"
    if name in COMPONENTS:
        return {"$ref": f"#/components/schemas/{name}"}
    return shape(name, {"data": many(of), "has_more": TRUTH, "next_cursor": or_null(TEXT)})


FAULT = shape(
    "Fault",
    {"pointer": TEXT, "parameter": TEXT, "header": TEXT, "code": TEXT, "detail": TEXT},
    optional={"pointer", "parameter", "header"},
)
PROBLEM = shape(
    "Problem",
    {
        "type": ADDRESS, "title": TEXT, "status": {"type": "integer", "minimum": 400, "maximum": 599}, "code": TEXT,
        "detail": TEXT, "request_id": TEXT, "errors": many(FAULT),
    },
    optional={"errors"},
)  # fmt: skip

MONEY = shape("Money", {"value": WHOLE, "currency": {"type": "string", "examples": ["EUR"]}}, closed=True)
PERSON = shape("Person", {"id": ident("usr"), "name": TEXT})
RECORDED = shape(
    "Recorded",
    {
        "by": PERSON, "channel": word(Recording.CHANNELS), "told_on": DAY, "confirmed_at": or_null(MOMENT),
        "contested_at": or_null(MOMENT), "retracted_at": or_null(MOMENT),
    },
)  # fmt: skip

# --- commons, periods, charters ------------------------------------------------------------------------------------
FIGURES = shape("Figures", dict.fromkeys(("expected", "received", "committed", "paid", "available"), MONEY))
_PERIOD: dict[str, Schema] = {
    "id": ident("per"), "budget": ident("bud"), "starts_on": DAY, "ends_before": DAY,
    "state": word(Period.STATES),
}  # fmt: skip
PERIOD = shape("Period", _PERIOD)
PERIOD_IN_FULL = shape("PeriodInFull", {**_PERIOD, "distribution": or_null(ident("dis"))})
BUDGET = shape(
    "Budget",
    {
        "id": ident("bud"), "parent": or_null(ident("bud")), "name": TEXT, "currency": TEXT,
        "state": word(Budget.STATES), "figures": FIGURES, "open_period": or_null(PERIOD),
    },
)  # fmt: skip
COMMONS_NAMED = shape("CommonsNamed", {"id": ident("com"), "slug": TEXT, "name": TEXT})
COMMONS = shape(
    "Commons",
    {
        "id": ident("com"), "slug": TEXT, "name": TEXT, "summary": TEXT, "website": TEXT, "licence": TEXT,
        "created_at": MOMENT, "budgets": many(BUDGET),
    },
)  # fmt: skip
_CHARTER: dict[str, Schema] = {
    "id": ident("cha"), "budget": ident("bud"), "version": WHOLE, "document": OBJECT, "sha256": SHA256,
    "adopted_at": MOMENT, "adopted_by": or_null(PERSON),
}  # fmt: skip
CHARTER = shape("Charter", _CHARTER)
PERIOD_OF_CHARTER = shape("PeriodOfCharter", {**_PERIOD, "charter_version": WHOLE})
CHARTER_IN_FORCE = shape(
    "CharterInForce", {**_CHARTER, "latest_version": WHOLE, "open_periods": many(PERIOD_OF_CHARTER)}
)

CHARTER_USED = shape("CharterUsed", {"id": ident("cha"), "version": WHOLE, "rule": TEXT})
_BUDGET_LISTED: dict[str, Schema] = {
    "id": ident("bud"), "parent": or_null(ident("bud")), "name": TEXT, "currency": TEXT,
    "state": word(Budget.STATES), "figures": FIGURES, "open_period": or_null(PERIOD), "commons": COMMONS_NAMED,
}  # fmt: skip
BUDGET_LISTED = shape("BudgetListed", _BUDGET_LISTED)
BUDGET_IN_FULL = shape(
    "BudgetInFull", {**_BUDGET_LISTED, "charter": CHARTER_USED, "open_periods": many(PERIOD_OF_CHARTER)}
)
PERIOD_LISTED = shape("PeriodListed", {**_PERIOD, "charter_version": WHOLE, "distribution": or_null(ident("dis"))})
ESTIMATE = shape(
    "Estimate",
    {
        "estimate": {"type": "boolean", "const": True}, "label": TEXT, "at": MOMENT, "budget": ident("bud"),
        "period": PERIOD_OF_CHARTER, "kind": or_null(word(KINDS)), "minutes": WHOLE, "amount": MONEY,
        "amounts_count": {"type": "boolean"}, "available": MONEY, "asked": MONEY, "share": MONEY, "of_this": MONEY,
        "held_back": MONEY,
        "minutes_held": WHOLE, "share_of_asked_ppm": or_null(WHOLE),
    },
)  # fmt: skip
TOKEN = shape(
    "Token",
    {
        "id": ident("tok"), "name": TEXT, "scopes": many(TEXT), "only": or_null(TEXT),
        "expires_at": or_null(MOMENT),
    },
)  # fmt: skip
ROLE = shape("Role", {"kind": TEXT, "scope": TEXT})
OWN_BUDGET = shape("OwnBudget", {"id": ident("bud"), "name": TEXT, "currency": TEXT, "commons": COMMONS_NAMED})
ME = shape(
    "Me",
    {
        "id": ident("usr"),
        "name": TEXT,
        "token": TOKEN,
        "roles": many(ROLE),
        "budgets": many(OWN_BUDGET),
        "more_budgets": TRUTH,
    },
)
EVENT = shape("Event", {"id": ident("evt"), "kind": TEXT, "subject": TEXT, "scopes": many(TEXT), "created_at": MOMENT})

# --- contributions --------------------------------------------------------------------------------------------------
BUDGET_NAMED = shape(
    "BudgetNamed",
    {"id": ident("bud"), "name": TEXT, "currency": TEXT, "state": word(Budget.STATES), "commons": COMMONS_NAMED},
)
_CONTRIBUTION: dict[str, Schema] = {
    "id": ident("ctr"), "budget": {"anyOf": [ident("bud"), BUDGET_NAMED]}, "period": {"anyOf": [ident("per"), PERIOD]},
    "contributor": PERSON, "worked_on": DAY,
    "kind": word(KINDS), "minutes": WHOLE, "amount": MONEY, "waived": MONEY, "description": TEXT,
    "evidence": many(TEXT), "over_cap_reason": TEXT,
    "metadata": {"type": "object", "additionalProperties": TEXT}, "version": WHOLE, "source": or_null(TEXT),
    "source_gone_at": or_null(MOMENT), "remainder_of": or_null(ident("ctr")),
    "corrects": or_null(ident("ctr")), "held_back": MONEY, "minutes_held": WHOLE, "accepted_at": or_null(MOMENT),
    "seconds_left": or_null(WHOLE), "validated_at": or_null(MOMENT),
    "state": word(Contribution.STATES), "settled_amount": or_null(MONEY), "created_at": MOMENT,
    "description_withdrawn": TRUTH, "recorded": or_null(RECORDED),
}  # fmt: skip
CONTRIBUTION = shape("Contribution", _CONTRIBUTION)
_REVIEW: dict[str, Schema] = {
    "id": ident("rev"), "contribution": ident("ctr"), "reviewer": PERSON, "verdict": word(Review.VERDICTS),
    "reason": TEXT, "minutes": or_null(WHOLE), "version": WHOLE, "created_at": MOMENT,
}  # fmt: skip
REVIEW = shape("Review", _REVIEW)
REVIEW_DONE = shape("ReviewDone", {**_REVIEW, "contribution_state": word(Contribution.STATES)})
QUESTION = shape(
    "Question",
    {
        "id": ident("qst"), "asker": PERSON, "text": TEXT, "answer": or_null(TEXT), "closed_at": or_null(MOMENT),
        "created_at": MOMENT,
    },
)  # fmt: skip
OPINION = shape("Opinion", {"steward": PERSON, "upholds": TRUTH, "reason": TEXT, "created_at": MOMENT})
OBJECTION = shape(
    "Objection",
    {
        "id": ident("obj"), "objector": PERSON, "reason": TEXT, "state": word(Objection.STATES),
        "ended_at": or_null(MOMENT), "created_at": MOMENT, "opinions": many(OPINION),
    },
)  # fmt: skip
CONTRIBUTION_IN_FULL = shape(
    "ContributionInFull",
    {**_CONTRIBUTION, "reviews": many(REVIEW), "questions": many(QUESTION), "objections": many(OBJECTION)},
)
CONTRIBUTIONS = shape("Contributions", {"data": many(CONTRIBUTION)})

# --- pledges and payments -------------------------------------------------------------------------------------------
_PLEDGE: dict[str, Schema] = {
    "id": ident("plg"), "budget": ident("bud"), "organisation": or_null(ident("org")), "person": or_null(ident("usr")),
    "amount": MONEY, "received": MONEY, "expected": MONEY, "state": word(Pledge.STATES),
    "rhythm": word(Pledge.RHYTHMS), "starts_on": DAY, "ends_on": or_null(DAY), "next_due_on": or_null(DAY),
    "paused_at": or_null(MOMENT), "visibility": word(Pledge.VISIBILITIES), "pseudonym": TEXT, "purchase_order": TEXT,
    "paper": word(Pledge.PAPERS), "group": TEXT, "reference": TEXT, "made_by": or_null(ident("usr")),
    "created_at": MOMENT, "recorded": or_null(RECORDED),
}  # fmt: skip
PLEDGE = shape("Pledge", _PLEDGE)
PLEDGE_PART = shape("PledgePart", {"pledge": ident("plg"), "budget": ident("bud"), "amount": MONEY})
INSTALMENT = shape(
    "Instalment",
    {
        "id": ident("ins"), "number": WHOLE, "due_on": DAY, "pay_by": or_null(DAY), "amount": MONEY, "received": MONEY,
        "state": word(Instalment.STATES), "called_at": or_null(MOMENT), "document": or_null(ident("doc")),
    },
)  # fmt: skip
INSTRUCTIONS = shape(
    "PaymentInstructions",
    {
        "method": word(("bank_transfer",)), "holder": TEXT, "iban": TEXT, "bic": TEXT, "reference": TEXT,
        "reference_printed": TEXT, "amount": MONEY,
    },
)  # fmt: skip
PLEDGE_IN_FULL = shape(
    "PledgeInFull",
    {
        **_PLEDGE, "parts": many(PLEDGE_PART), "instalments": many(INSTALMENT),
        "payment_instructions": or_null(INSTRUCTIONS),
    },
)  # fmt: skip
PAYMENT = shape(
    "Payment",
    {
        "id": ident("cko"), "group": TEXT, "method": word(Checkout.METHODS), "recurring": TRUTH, "amount": MONEY,
        "state": word(Checkout.STATES), "address": or_null(ADDRESS), "failure": TEXT, "created_at": MOMENT,
        "expires_at": or_null(MOMENT), "finished_at": or_null(MOMENT),
    },
)  # fmt: skip

# --- distributions --------------------------------------------------------------------------------------------------
SHARE_PART = shape("SharePart", {"budget": ident("bud"), "amount": MONEY})
SHARE = shape(
    "Share",
    {
        "id": ident("shr"), "contributor": PERSON, "asked": MONEY, "amount": MONEY, "waived": MONEY,
        "parts": many(SHARE_PART), "state": word(Share.STATES),
    },
)  # fmt: skip
WAIVER = shape("Waiver", {"id": ident("wai"), "amount": MONEY, "made_at": MOMENT, "parts": many(SHARE_PART)})
SHARE_IN_FULL = shape(
    "ShareInFull",
    {
        "id": ident("shr"), "distribution": ident("dis"), "period": ident("per"), "budget": ident("bud"),
        "contributor": PERSON, "asked": MONEY, "amount": MONEY, "waived": MONEY, "parts": many(SHARE_PART),
        "waivers": many(WAIVER), "distribution_state": word(Distribution.STATES), "state": word(Share.STATES),
    },
)  # fmt: skip
MOVE = shape("Move", {"kind": word(DistributionMove.KINDS), "from": ident("bud"), "to": ident("bud"), "amount": MONEY})
ARBITRATION_LINE = shape(
    "ArbitrationLine",
    {
        "person": PERSON, "budget": ident("bud"), "before": MONEY, "agreed": MONEY,
        "answer": or_null(word(("accepted", "refused"))), "answered_at": or_null(MOMENT),
        "recorded_by": or_null(PERSON),
    },
)  # fmt: skip
ARBITRATION = shape(
    "Arbitration",
    {
        "id": ident("arb"), "state": word(Arbitration.STATES), "reason": TEXT, "digest": TEXT, "entered_by": PERSON,
        "entered_at": MOMENT, "ended_at": or_null(MOMENT), "lines": many(ARBITRATION_LINE),
    },
)  # fmt: skip
DISTRIBUTION_OBJECTION = shape(
    "DistributionObjection",
    {
        "id": ident("dob"), "objector": PERSON, "digest": TEXT, "reason": TEXT,
        "state": word(DistributionObjection.STATES), "ended_at": or_null(MOMENT), "created_at": MOMENT,
        "opinions": many(OPINION),
    },
)  # fmt: skip
DISTRIBUTION = shape(
    "Distribution",
    {
        "id": ident("dis"), "period": ident("per"), "budget": ident("bud"), "charter": CHARTER_USED,
        "state": word(Distribution.STATES), "pot": MONEY, "prepared_by": or_null(PERSON), "prepared_at": MOMENT,
        "published_at": or_null(MOMENT), "approvable_from": or_null(DAY), "approved_by": or_null(PERSON),
        "approved_at": or_null(MOMENT), "digest": or_null(TEXT), "shares": many(SHARE), "moves": many(MOVE),
        "arbitration": or_null(ARBITRATION), "objections": many(DISTRIBUTION_OBJECTION), "trace": or_null(OBJECT),
    },
)  # fmt: skip

# --- the books and the public log -----------------------------------------------------------------------------------
TRIAL_ACCOUNT = shape("TrialAccount", {"account": TEXT, "debit": MONEY, "credit": MONEY, "balance": MONEY})
TRIAL_CURRENCY = shape(
    "TrialCurrency",
    {"currency": TEXT, "debit": MONEY, "credit": MONEY, "ties": TRUTH, "accounts": many(TRIAL_ACCOUNT)},
)
TRIAL_BALANCE = shape("TrialBalance", {"on": or_null(DAY), "currencies": many(TRIAL_CURRENCY)})
PURSE = shape(
    "Purse",
    {"id": ident("acc"), "kind": word(NATURE), "owner": TEXT, "balance": MONEY, "held": MONEY, "free": MONEY},
)
POSTING = shape(
    "Posting",
    {
        "entry": ident("ent"), "kind": TEXT, "happened_on": DAY, "booked_at": MOMENT, "reference": TEXT,
        "account": TEXT, "amount": MONEY, "balance": MONEY,
    },
)  # fmt: skip
STATEMENT = shape(
    "Statement",
    {
        "payee": or_null(ident("pye")), "payees": many(ident("pye")),
        "currency": TEXT, "currencies": many(TEXT), "opening": MONEY, "closing": MONEY, "data": many(POSTING),
        "has_more": TRUTH, "next_cursor": or_null(TEXT),
    },
)  # fmt: skip
ENTRY_LINE = shape(
    "EntryLine",
    {
        "purse": ident("acc"), "kind": word(NATURE), "owner": TEXT, "account": TEXT, "debit": or_null(MONEY),
        "credit": or_null(MONEY),
    },
)  # fmt: skip
SEAL = shape(
    "Seal",
    {
        "position": WHOLE, "journal": TEXT, "number": WHOLE, "fiscal_year": WHOLE, "leaf": SHA256,
        "block": or_null(WHOLE), "sealed_at": MOMENT,
    },
)  # fmt: skip
ENTRY = shape(
    "Entry",
    {
        "id": ident("ent"), "kind": TEXT, "happened_on": DAY, "booked_at": MOMENT, "reference": TEXT,
        "reverses": or_null(ident("ent")), "reversed_by": or_null(ident("ent")), "lines": many(ENTRY_LINE),
        "seal": or_null(SEAL),
    },
)  # fmt: skip
HEAD = shape("Head", {"block": WHOLE, "size": WHOLE, "root": SHA256, "sealed_at": MOMENT, "note": TEXT})
KEY = shape(
    "Key",
    {
        "name": TEXT, "key_id": TEXT, "public_key": TEXT, "pem": TEXT, "since": MOMENT,
        "endorsed_by": or_null(TEXT), "endorsement": or_null(TEXT), "endorsed_text": or_null(TEXT),
    },
)  # fmt: skip
KEYS = shape("KeyList", {"data": many(KEY)})
INCLUSION = shape(
    "InclusionProof",
    {
        "format": word(("tronc-proof-1",)), "entry": ident("ent"), "position": WHOLE, "size": WHOLE, "leaf": SHA256,
        "path": many(SHA256), "root": SHA256, "head": TEXT, "content": or_null(TEXT),
    },
    optional={"content"},
)  # fmt: skip
CONSISTENCY = shape(
    "ConsistencyProof",
    {
        "format": word(("tronc-consistency-1",)), "from": WHOLE, "to": WHOLE, "path": many(SHA256),
        "from_root": SHA256, "to_root": SHA256,
    },
)  # fmt: skip
