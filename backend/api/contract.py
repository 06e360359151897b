"""What each operation of the API takes and answers: one line of the table for each handler.

A new handler gets an Operation here, its answer a shape in api/shapes.py, its readers their schema (`fields.says`).
Then `./run manage openapi` writes api_docs/openapi.json anew; tests hold every answer of the tests to it.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

from backend.api import (
    budgets,
    contributions,
    events,
    ledger,
    log,
    me,
    payments,
    pledges,
    reviews,
    shares,
)
from backend.api.fields import Optional, Reader, day
from backend.api.pagination import PAGING

Readers = Mapping[str, Reader | Optional]
NOTHING: Readers = {}


@dataclass(frozen=True)
class Operation:
    """One handler. tag: the page of the reference. answer: a shape, or `[Shape]` for a page of a list; empty for none.

    refusals: the codes it answers besides those that every operation of its kind does (api/openapi.py).
    """

    tag: str
    answer: str
    status: int = 200
    body: Readers | None = None
    parameters: Readers = field(default_factory=dict)
    refusals: tuple[tuple[int, str], ...] = ()
    tagged: bool = False  # whether an ETag comes with the answer


def _said(*codes: str) -> tuple[tuple[int, str], ...]:
    """(status, code) from texts like “409 period_closed”."""
    return tuple((int(text[:3]), text[4:]) for text in codes)


_NO_WORK = ("404 contribution_not_found",)
_FACTS = (
    "422 kind_unknown", "422 minutes_out_of_range", "422 amount_out_of_range", "422 expense_has_no_time",
    "422 expense_without_amount", "422 expense_without_paper", "422 nothing_declared", "422 description_length",
    "422 evidence_too_many", "422 evidence_not_a_link", "422 metadata_shape", "422 duration_twice",
    "422 other_currency", "422 day_in_the_future", "422 day_outside_period", "422 kind_not_in_charter",
    "422 over_the_cap", "422 reason_over_soft_cap", "409 period_closed", "409 budget_not_open",
)  # fmt: skip
_TALK = _said(
    *_NO_WORK, "403 not_allowed", "403 own_contribution", "409 contribution_not_open", "409 contribution_amended",
    "409 consent_given", "422 said_length",
)  # fmt: skip
_OBJECTION = _said(*_NO_WORK, "404 objection_not_found", "409 objection_ended", "403 not_allowed")
_OWN = _said(*_NO_WORK, "403 contribution_of_another", "409 contribution_not_open")
_BUDGET = _said("404 budget_not_found")
_PLEDGE = _said("404 pledge_not_found", "403 not_allowed")
_TERMS = (
    "422 other_currency", "422 amount_out_of_range", "422 rhythm_unknown", "422 visibility_unknown",
    "422 pseudonym_missing", "422 paper_unknown", "422 starts_out_of_range", "422 ends_out_of_range",
    "422 text_too_long",
    "409 above_spending_limit", "403 above_spending_limit",
)  # fmt: skip
_BOOKS = _said("403 not_allowed")


def _act(*refusals: tuple[int, str], body: Readers = NOTHING) -> Operation:
    return Operation("contributions", "Contribution", 201, body=body, refusals=(*_OWN, *refusals), tagged=True)


def _talk(body: Readers, refusals: tuple[tuple[int, str], ...]) -> Operation:
    return Operation("contributions", "Contribution", 201, body=body, refusals=refusals, tagged=True)


# (module.Class, method) → what it takes and answers
OPERATIONS: dict[tuple[str, str], Operation] = {
    ("me.Me", "get"): Operation("me", "Me"),
    ("me.Statement", "get"): Operation("me", "Statement", parameters=me.STATEMENT),
    ("events.EventList", "get"): Operation("events", "[Event]", parameters=events.FEED),
    ("commons.CommonsList", "get"): Operation("commons", "[Commons]", parameters=PAGING),
    ("commons.CommonsOne", "get"): Operation("commons", "Commons", refusals=_said("404 commons_not_found")),
    ("budgets.BudgetList", "get"): Operation("budgets", "[BudgetInList]", parameters=budgets.BUDGETS),
    ("budgets.BudgetOne", "get"): Operation("budgets", "Budget", refusals=_BUDGET),
    ("budgets.PeriodList", "get"): Operation(
        "budgets", "[PeriodOfBudget]", parameters=budgets.PERIODS, refusals=_BUDGET
    ),
    ("budgets.EstimateOne", "get"): Operation(
        "budgets", "Estimate", parameters=budgets.ESTIMATE,
        refusals=(*_BUDGET, *_said("403 not_allowed", "409 no_open_period", *_FACTS)),
    ),
    ("charters.Schema", "get"): Operation("charters", "JsonSchema"),
    ("charters.InForce", "get"): Operation(
        "charters", "CharterInForce", refusals=(*_BUDGET, *_said("404 charter_not_found"))
    ),
    ("charters.Versions", "get"): Operation("charters", "[Charter]", parameters=PAGING, refusals=_BUDGET),
    ("pledges.PledgeList", "get"): Operation("pledges", "[PledgeInList]", parameters=PAGING),
    ("pledges.PledgeList", "post"): Operation(
        "pledges", "Pledge", 201, body=pledges.BODY,
        refusals=_said(
            "403 not_allowed", "404 budget_not_found", "404 organisation_not_found", "409 budget_not_open",
            "409 form_key_reused", "409 organisation_merged", "422 parts_or_budget", "422 parts_missing",
            "422 too_many_parts", "422 budgets_repeated", "422 unknown_currency", *_TERMS,
        ),
    ),
    ("pledges.PledgeOne", "get"): Operation("pledges", "Pledge", refusals=_said("404 pledge_not_found")),
    ("pledges.Change", "post"): Operation(
        "pledges", "Pledge", 201, body=pledges.CHANGES,
        refusals=(
            *_PLEDGE, *_said("409 pledge_over", "409 pledge_paid_once", "409 pledge_taken_by_provider", *_TERMS)
        ),
    ),
    ("pledges.Cancellation", "post"): Operation(
        "pledges", "Pledge", 201, body=NOTHING, refusals=(*_PLEDGE, *_said("409 pledge_not_cancellable"))
    ),
    ("pledges.Pause", "post"): Operation(
        "pledges", "Pledge", 201, body=pledges.PAUSE,
        refusals=(*_PLEDGE, *_said("409 pledge_over", "409 pledge_paid_once", "422 reason_missing")),
    ),
    ("pledges.Resumption", "post"): Operation(
        "pledges", "Pledge", 201, body=NOTHING, refusals=(*_PLEDGE, *_said("409 pledge_over"))
    ),
    ("payments.PaymentList", "get"): Operation(
        "pledges", "[Payment]", parameters=PAGING, refusals=_said("404 pledge_not_found")
    ),
    ("payments.PaymentList", "post"): Operation(
        "pledges", "Payment", 201, body=payments.BODY,
        refusals=(
            *_PLEDGE,
            *_said(
                "409 no_provider", "409 nothing_awaited", "409 payment_on_its_way", "409 period_partly_paid",
                "409 subscription_lives", "422 method_not_offered",
            ),
        ),
    ),
    ("payments.PaymentOne", "get"): Operation(
        "pledges", "Payment", refusals=_said("404 pledge_not_found", "404 payment_not_found")
    ),
    ("contributions.ContributionList", "get"): Operation(
        "contributions", "[ContributionInList]", parameters=contributions.FILTERS
    ),
    ("contributions.ContributionList", "post"): Operation(
        "contributions", "Contribution", 201, body=contributions.BODY, tagged=True,
        refusals=_said("404 budget_not_found", "403 not_allowed", "409 form_key_reused", *_FACTS),
    ),
    ("contributions.Batch", "post"): Operation(
        "contributions", "ContributionBatch", 201, body=contributions.BATCH,
        refusals=_said("422 batch_size", "422 batch_refused"),
    ),
    ("contributions.ContributionOne", "get"): Operation(
        "contributions", "Contribution", parameters=contributions.EXPANDING, refusals=_said(*_NO_WORK), tagged=True
    ),
    ("contributions.ContributionOne", "patch"): Operation(
        "contributions", "Contribution", body=contributions.CHANGES, tagged=True,
        refusals=(*_OWN, *_said("409 consent_given", *_FACTS)),
    ),
    ("contributions.ContributionOne", "delete"): Operation("contributions", "", 204, refusals=_OWN),
    ("contributions.Withdrawal", "post"): _act(),
    ("contributions.Declaration", "post"): _act(*_said("403 not_allowed", *_FACTS)),
    ("contributions.Waiver", "post"): _act(
        *_said("409 expense_not_waived", "422 waived_amount", "422 other_currency", "422 amount_out_of_range"),
        body=contributions.WAIVER,
    ),
    ("reviews.ReviewList", "post"): Operation(
        "contributions", "ReviewGiven", 201, body=reviews.REVIEW,
        refusals=_said(
            *_NO_WORK, "403 not_allowed", "403 own_contribution", "403 own_recording", "409 contribution_not_open",
            "409 contribution_amended", "409 already_reviewed", "409 validated_by_consent", "422 verdict_unknown",
            "422 reason_missing", "422 validated_minutes",
        ),
    ),
    ("reviews.QuestionList", "post"): _talk(reviews.QUESTION, _TALK),
    ("reviews.Answer", "post"): _talk(
        reviews.ANSWER, _said(*_NO_WORK, "404 question_not_found", "409 question_closed", "422 said_length")
    ),
    ("reviews.ObjectionList", "post"): _talk(reviews.OBJECTION, (*_TALK, *_said("409 already_objected"))),
    ("reviews.Lifting", "post"): _talk(NOTHING, (*_OBJECTION, *_said("403 objection_of_another"))),
    ("reviews.OpinionList", "post"): _talk(
        reviews.OPINION,
        (*_OBJECTION, *_said("403 objection_involved", "409 already_decided", "422 said_length")),
    ),
    ("periods.PeriodOne", "get"): Operation("periods", "PeriodOne", refusals=_said("404 period_not_found")),
    ("periods.Closure", "post"): Operation(
        "periods", "Distribution", 202, body=NOTHING,
        refusals=_said(
            "404 period_not_found", "403 not_allowed", "409 period_not_open", "409 period_not_begun",
            "409 earlier_period_open", "409 distribution_pending",
        ),
    ),
    ("distributions.DistributionOne", "get"): Operation(
        "distributions", "Distribution", refusals=_said("404 distribution_not_found")
    ),
    ("distributions.TraceOne", "get"): Operation(
        "distributions", "Trace", refusals=_said("404 distribution_not_found", "409 distribution_not_ready")
    ),
    ("shares.ShareList", "get"): Operation("distributions", "[Share]", parameters=shares.FILTERS),
    ("shares.ShareOne", "get"): Operation("distributions", "Share", refusals=_said("404 share_not_found")),
    ("log.HeadList", "get"): Operation("log", "[Head]", parameters=log.PAGES),
    ("log.HeadLatest", "get"): Operation("log", "Head", refusals=_said("404 head_not_found")),
    ("log.Keys", "get"): Operation("log", "Keys"),
    ("log.EntryProof", "get"): Operation(
        "log", "EntryProof", parameters=log.SIZE,
        refusals=_said("404 entry_not_found", "404 entry_not_sealed", "404 head_not_found"),
    ),
    ("log.Consistency", "get"): Operation(
        "log", "ConsistencyProof", parameters=log.SIZES, refusals=_said("404 head_not_found", "422 size_missing")
    ),
    ("ledger.TrialBalance", "get"): Operation(
        "ledger", "TrialBalance", parameters={"on": day}, refusals=_BOOKS
    ),
    ("ledger.PurseList", "get"): Operation("ledger", "[Purse]", parameters=ledger.FILTERS, refusals=_BOOKS),
    ("ledger.PostingList", "get"): Operation(
        "ledger", "[Posting]", parameters=ledger.POSTINGS, refusals=(*_BOOKS, *_said("404 purse_not_found"))
    ),
    ("ledger.EntryOne", "get"): Operation("ledger", "Entry", refusals=(*_BOOKS, *_said("404 entry_not_found"))),
}  # fmt: skip
