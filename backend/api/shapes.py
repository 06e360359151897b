"""The shapes of what the API answers, as JSON Schema, by their names in the contract; tests hold answers to them."""

from typing import Any

Schema = dict[str, Any]

TEXT: Schema = {"type": "string"}
WHOLE: Schema = {"type": "integer"}
FLAG: Schema = {"type": "boolean"}
DAY: Schema = {"type": "string", "format": "date"}
MOMENT: Schema = {"type": "string", "format": "date-time"}
HASH: Schema = {"type": "string", "pattern": "^[0-9a-f]{64}$"}


def an_id(*prefixes: str) -> Schema:
    """An id with one of these prefixes, or with any."""
    return {"type": "string", "pattern": f"^({'|'.join(prefixes) or '[a-z]{3,4}'})_[0-9A-Z]{{36}}$"}


def ref(name: str) -> Schema:
    """One of the shapes below."""
    return {"$ref": f"#/components/schemas/{name}"}


def null(schema: Schema) -> Schema:
    """The same, or null."""
    return {"anyOf": [schema, {"type": "null"}]}


def many(schema: Schema) -> Schema:
    """A list of them."""
    return {"type": "array", "items": schema}


def shape(*sometimes: str, **members: Schema) -> Schema:
    """An object with these members and no other; all are there but `sometimes`. A trailing `_` is left out of names."""
    found = {name.rstrip("_"): schema for name, schema in members.items()}
    required = [name for name in found if name not in sometimes]
    return {"type": "object", "properties": found, "required": required, "additionalProperties": False}


def with_(name: str, **members: Schema) -> Schema:
    """One of the shapes below with more members."""
    base = SHAPES[name]
    return {
        **base,
        "properties": {**base["properties"], **members},
        "required": [*base["required"], *(one for one in members if one not in base["required"])],
    }


def page_of(name: str) -> Schema:
    """One page of a list."""
    return shape(data=many(ref(name)), has_more=FLAG, next_cursor=null(TEXT))


MONEY, PERSON, PERIOD = ref("Money"), ref("Person"), ref("Period")
DOCUMENT: Schema = {"type": "object", "description": "See /charter.schema.json."}
FREE: Schema = {"type": "object", "description": "A computation, see the guide on checking us."}

SHAPES: dict[str, Schema] = {
    "Money": {
        **shape(value=WHOLE, currency={"type": "string", "pattern": "^[A-Z]{3}$"}),
        "description": "Minor units (cents) and the ISO 4217 code of the currency.",
        "examples": [{"value": 4500, "currency": "EUR"}],
    },
    "Person": shape(id=an_id("usr"), name=TEXT),
    "Figures": shape(expected=MONEY, received=MONEY, committed=MONEY, paid=MONEY, available=MONEY),
    "Period": shape(id=an_id("per"), budget=an_id("bud"), starts_on=DAY, ends_before=DAY, state=TEXT),
    "CommonsRef": shape(id=an_id("com"), slug=TEXT, name=TEXT),
    "CharterRef": shape(id=an_id("cha"), version=WHOLE, rule=TEXT),
}
SHAPES["PeriodWithCharter"] = with_("Period", charter_version=WHOLE)
SHAPES["PeriodOfBudget"] = with_("PeriodWithCharter", distribution=null(an_id("dis")))
SHAPES["PeriodOne"] = with_("Period", distribution=null(an_id("dis")))
SHAPES["BudgetOfCommons"] = shape(
    id=an_id("bud"), parent=null(an_id("bud")), name=TEXT, currency=TEXT, state=TEXT, figures=ref("Figures"),
    open_period=null(PERIOD),
)  # fmt: skip
SHAPES["BudgetInList"] = with_("BudgetOfCommons", commons=ref("CommonsRef"))
SHAPES["Budget"] = with_(
    "BudgetInList", charter=ref("CharterRef"), open_periods=many(ref("PeriodWithCharter"))
)  # fmt: skip
SHAPES["Commons"] = shape(
    id=an_id("com"), slug=TEXT, name=TEXT, summary=TEXT, website=TEXT, licence=TEXT, created_at=MOMENT,
    budgets=many(ref("BudgetOfCommons")),
)  # fmt: skip
SHAPES["Charter"] = shape(
    id=an_id("cha"), budget=an_id("bud"), version=WHOLE, document=DOCUMENT, sha256=HASH, adopted_at=MOMENT,
    adopted_by=null(PERSON),
)  # fmt: skip
SHAPES["CharterInForce"] = with_("Charter", latest_version=WHOLE, open_periods=many(ref("PeriodWithCharter")))
SHAPES["Me"] = shape(
    id=an_id("usr"), name=TEXT,
    token=shape(id=an_id("tok"), name=TEXT, scopes=many(TEXT), only=null(TEXT), expires_at=null(MOMENT)),
    roles=many(shape(kind=TEXT, scope=TEXT)),
    budgets=many(shape(id=an_id("bud"), name=TEXT, currency=TEXT, commons=ref("CommonsRef"))),
)  # fmt: skip
SHAPES["Estimate"] = shape(
    estimate={"const": True}, label=TEXT, at=MOMENT, budget=an_id("bud"), period=ref("PeriodWithCharter"),
    kind=null(TEXT), minutes=WHOLE, amount=MONEY, available=MONEY, asked=MONEY, share=MONEY, of_this=MONEY,
    share_of_asked_ppm=null(WHOLE),
)  # fmt: skip
SHAPES["Recorded"] = shape(
    by=null(PERSON), channel=TEXT, told_on=DAY, confirmed_at=null(MOMENT), contested_at=null(MOMENT),
    retracted_at=null(MOMENT),
)  # fmt: skip
SHAPES["PledgeInList"] = shape(
    id=an_id("plg"), budget=an_id("bud"), organisation=null(an_id("org")), person=null(an_id("usr")), amount=MONEY,
    received=MONEY, expected=MONEY, state=TEXT, rhythm=TEXT, starts_on=DAY, ends_on=null(DAY), next_due_on=null(DAY),
    paused_at=null(MOMENT), visibility=TEXT, pseudonym=TEXT, purchase_order=TEXT, paper=TEXT, group=TEXT,
    reference=TEXT, made_by=null(an_id("usr")), created_at=MOMENT, recorded=null(ref("Recorded")),
)  # fmt: skip
SHAPES["Instalment"] = shape(
    id=an_id(), number=WHOLE, due_on=DAY, pay_by=null(DAY), amount=MONEY, received=MONEY, state=TEXT,
    called_at=null(MOMENT), document=null(TEXT),
)  # fmt: skip
SHAPES["Pledge"] = with_(
    "PledgeInList",
    parts=many(shape(pledge=an_id("plg"), budget=an_id("bud"), amount=MONEY)),
    instalments=many(ref("Instalment")),
    payment_instructions=null(
        shape(method=TEXT, holder=TEXT, iban=TEXT, bic=TEXT, reference=TEXT, reference_printed=TEXT, amount=MONEY)
    ),
)
SHAPES["Payment"] = shape(
    id=an_id("cko"), group=TEXT, method=TEXT, recurring=FLAG, amount=MONEY, state=TEXT, address=null(TEXT),
    failure=TEXT, created_at=MOMENT, expires_at=null(MOMENT), finished_at=null(MOMENT),
)  # fmt: skip
SHAPES["ContributionInList"] = shape(
    id=an_id("ctr"),
    budget={
        "anyOf": [
            an_id("bud"), shape(id=an_id("bud"), name=TEXT, currency=TEXT, state=TEXT, commons=ref("CommonsRef")),
        ],
        "description": "The id; with `expand=budget` the budget.",
    },
    period={"anyOf": [an_id("per"), PERIOD], "description": "The id; with `expand=period` the period."},
    contributor=PERSON, worked_on=DAY, kind=TEXT, minutes=WHOLE, amount=MONEY, waived=MONEY, description=TEXT,
    evidence=many(TEXT), over_cap_reason=TEXT, metadata={"type": "object", "additionalProperties": TEXT},
    version=WHOLE, source=null(TEXT), source_gone_at=null(MOMENT), remainder_of=null(an_id("ctr")),
    accepted_at=null(MOMENT), seconds_left=null(WHOLE), validated_at=null(MOMENT), state=TEXT,
    settled_amount=null(MONEY), created_at=MOMENT, description_withdrawn=FLAG, recorded=null(ref("Recorded")),
)  # fmt: skip
SHAPES["Review"] = shape(
    id=an_id("rev"), contribution=an_id("ctr"), reviewer=PERSON, verdict=TEXT, reason=TEXT, minutes=null(WHOLE),
    version=WHOLE, created_at=MOMENT,
)  # fmt: skip
SHAPES["ReviewGiven"] = with_("Review", contribution_state=TEXT)
SHAPES["Question"] = shape(
    id=an_id("qst"), asker=PERSON, text=TEXT, answer=null(TEXT), closed_at=null(MOMENT), created_at=MOMENT
)
SHAPES["Objection"] = shape(
    id=an_id("obj"), objector=PERSON, reason=TEXT, state=TEXT, ended_at=null(MOMENT), created_at=MOMENT,
    opinions=many(shape(steward=PERSON, upholds=FLAG, reason=TEXT, created_at=MOMENT)),
)  # fmt: skip
SHAPES["Contribution"] = with_(
    "ContributionInList", reviews=many(ref("Review")), questions=many(ref("Question")),
    objections=many(ref("Objection")),
)  # fmt: skip
SHAPES["ContributionBatch"] = shape(data=many(ref("ContributionInList")))
PARTS = many(shape(budget=an_id("bud"), amount=MONEY))
SHAPES["Share"] = shape(
    id=an_id("shr"), distribution=an_id("dis"), period=an_id("per"), budget=an_id("bud"), contributor=PERSON,
    asked=MONEY, amount=MONEY, parts=PARTS, distribution_state=TEXT, state=TEXT,
)  # fmt: skip
SHAPES["Arbitration"] = shape(
    id=an_id("arb"), state=TEXT, reason=TEXT, digest=TEXT, entered_by=null(PERSON), entered_at=MOMENT,
    ended_at=null(MOMENT),
    lines=many(
        shape(
            person=PERSON, budget=an_id("bud"), before=MONEY, agreed=MONEY, answer=null(TEXT), answered_at=null(MOMENT),
            recorded_by=null(PERSON),
        )
    ),
)  # fmt: skip
SHAPES["Distribution"] = shape(
    id=an_id("dis"), period=an_id("per"), budget=an_id("bud"), charter=ref("CharterRef"), state=TEXT, pot=MONEY,
    prepared_by=null(PERSON), prepared_at=MOMENT, published_at=null(MOMENT), approvable_from=null(DAY),
    approved_by=null(PERSON), approved_at=null(MOMENT), digest=null(TEXT),
    shares=many(
        shape(id=an_id("shr"), contributor=PERSON, asked=MONEY, amount=MONEY, parts=PARTS, state=TEXT)
    ),
    moves=many(shape(kind=TEXT, from_=TEXT, to=TEXT, amount=MONEY)), arbitration=null(ref("Arbitration")),
    trace=null(FREE),
)  # fmt: skip
SHAPES["Event"] = shape(id=an_id("evt"), kind=TEXT, subject=TEXT, scopes=many(TEXT), created_at=MOMENT)
SHAPES["Posting"] = shape(
    entry=an_id("ent"), kind=TEXT, happened_on=DAY, booked_at=MOMENT, reference=TEXT, account=TEXT, amount=MONEY,
    balance=MONEY,
)  # fmt: skip
SHAPES["Statement"] = shape(
    currency=TEXT, currencies=many(TEXT), opening=MONEY, closing=MONEY, data=many(ref("Posting")), has_more=FLAG,
    next_cursor=null(TEXT),
)  # fmt: skip
SHAPES["TrialBalance"] = shape(
    on=null(DAY),
    currencies=many(
        shape(
            currency=TEXT, debit=MONEY, credit=MONEY, ties=FLAG,
            accounts=many(shape(account=TEXT, debit=MONEY, credit=MONEY, balance=MONEY)),
        )
    ),
)  # fmt: skip
SHAPES["Purse"] = shape(id=TEXT, kind=TEXT, owner=TEXT, balance=MONEY, held=MONEY, free=MONEY)
SHAPES["Entry"] = shape(
    id=an_id("ent"), kind=TEXT, happened_on=DAY, booked_at=MOMENT, reference=TEXT, reverses=null(an_id("ent")),
    reversed_by=null(an_id("ent")),
    lines=many(shape(purse=TEXT, kind=TEXT, owner=TEXT, account=TEXT, debit=null(MONEY), credit=null(MONEY))),
    seal=null(
        shape(
            position=WHOLE, journal=TEXT, number=WHOLE, fiscal_year=WHOLE, leaf=HASH, block=null(WHOLE),
            sealed_at=null(MOMENT),
        )
    ),
)  # fmt: skip
SHAPES["Head"] = shape(block=WHOLE, size=WHOLE, root=HASH, sealed_at=MOMENT, note=TEXT)
SHAPES["Key"] = shape(
    name=TEXT, key_id=TEXT, public_key=TEXT, pem=TEXT, since=MOMENT, endorsed_by=null(TEXT), endorsement=null(TEXT),
    endorsed_text=null(TEXT),
)  # fmt: skip
SHAPES["Keys"] = shape(data=many(ref("Key")))
SHAPES["EntryProof"] = shape(
    "content", format=TEXT, entry=an_id("ent"), position=WHOLE, size=WHOLE, leaf=HASH, path=many(TEXT), root=HASH,
    head=TEXT, content=TEXT,
)  # fmt: skip
SHAPES["ConsistencyProof"] = shape(format=TEXT, from_=WHOLE, to=WHOLE, path=many(TEXT), from_root=HASH, to_root=HASH)
SHAPES["JsonSchema"] = {"type": "object", "description": "A JSON Schema, Draft 2020-12."}
SHAPES["Trace"] = FREE
SHAPES["Problem"] = {
    **shape(
        "errors", type={"type": "string", "format": "uri"}, title=TEXT, status=WHOLE, code=TEXT, detail=TEXT,
        request_id=TEXT,
        errors=many(
            shape("pointer", "parameter", "header", pointer=TEXT, parameter=TEXT, header=TEXT, code=TEXT, detail=TEXT)
        ),
    ),
    "description": "RFC 9457. `type` leads to a page about the code; `errors` names the fields, parameters or headers.",
}  # fmt: skip
