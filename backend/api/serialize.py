"""Rows as JSON-ready dicts: plain functions, every field named, money as minor units with its currency."""

import json
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, date, datetime
from typing import Any

from django.db.models import Prefetch
from django.utils import timezone

from backend.commons.life import Veil
from backend.commons.models import Budget, Charter, Commons, Period
from backend.contributions.models import Contribution, Objection, Opinion, Question, Review
from backend.core.reads import Read
from backend.distributions.models import Arbitration, Distribution, DistributionMove, DistributionObjection, Share
from backend.distributions.services import approvable_from
from backend.identity.models import HostBankAccount, Recording, User
from backend.identity.recordings import recordings_of
from backend.identity.services import host_day
from backend.ledger.services import StatementRow, TrialRow, WholeEntry
from backend.operations.figures import Figures
from backend.pledges.coming import next_days
from backend.pledges.models import Instalment, Pledge
from backend.pledges.references import printed


def as_json(body: Any) -> str:
    """JSON as it is sent: compact, accents as they are, members in the order given here."""
    return json.dumps(body, ensure_ascii=False, separators=(",", ":"))


def money(value: int, currency: str) -> dict[str, Any]:
    """An amount in minor units."""
    return {"value": value, "currency": currency}


def moment(value: datetime | None) -> str | None:
    """A moment in RFC 3339, UTC, to the second."""
    return value.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ") if value else None


def person(user: User | None) -> dict[str, str] | None:
    """A person, to those who share a budget with them."""
    return {"id": user.pk, "name": user.name} if user else None


def figures(found: Figures) -> dict[str, Any]:
    """The five figures of a budget."""
    return {
        "expected": money(found.expected, found.currency),
        "received": money(found.received, found.currency),
        "committed": money(found.committed, found.currency),
        "paid": money(found.paid, found.currency),
        "available": money(found.available, found.currency),
    }


def commons(row: Commons, known: Mapping[str, Figures]) -> dict[str, Any]:
    """A commons with its budgets; `budgets` and their open periods are prefetched by the caller."""
    return {
        "id": row.pk,
        "slug": row.slug,
        "name": row.name,
        "summary": row.summary,
        "website": row.website,
        "licence": row.licence,
        "created_at": moment(row.created_at),
        "budgets": [budget(one, known[one.pk]) for one in row.budgets.all()],
    }


def budget(row: Budget, known: Figures) -> dict[str, Any]:
    """A budget with its five figures and its open period; `periods` is prefetched by the caller."""
    current = next((one for one in row.periods.all() if one.state == "open"), None)
    return {
        "id": row.pk,
        "parent": row.parent_id,
        "name": row.name,
        "currency": row.currency,
        "state": row.state,
        "figures": figures(known),
        "open_period": period(current) if current else None,
    }


def period(row: Period) -> dict[str, Any]:
    """A period; `ends_before` is the first day that is not in it."""
    return {
        "id": row.pk,
        "budget": row.budget_id,
        "starts_on": row.starts_on.isoformat(),
        "ends_before": row.ends_before.isoformat(),
        "state": row.state,
    }


def recorded(row: Recording | None) -> dict[str, Any] | None:
    """How somebody else typed a thing, and what the person it is for answered; None for what they did themselves."""
    if row is None:
        return None
    return {
        "by": person(row.recorded_by),
        "channel": row.channel,
        "told_on": row.told_on.isoformat(),
        "confirmed_at": moment(row.confirmed_at),
        "contested_at": moment(row.contested_at),
        "retracted_at": moment(row.retracted_at),
    }


def pledges(rows: Sequence[Pledge]) -> list[dict[str, Any]]:
    """Pledges, without their payment instructions."""
    known = recordings_of([row.pk for row in rows])
    days = next_days(rows, today=host_day(timezone.now())) if rows else {}
    return [{**_pledge(row, days.get(row.pk)), "recorded": recorded(known.get(row.pk))} for row in rows]


def _pledge(row: Pledge, next_due_on: date | None) -> dict[str, Any]:
    return {
        "id": row.pk,
        "budget": row.budget_id,
        "organisation": row.organisation_id,
        "person": row.person_id,
        "amount": money(row.amount, row.currency),
        "received": money(row.received, row.currency),
        "expected": money(row.expected, row.currency),
        "state": row.state,
        "rhythm": row.rhythm,
        "starts_on": row.starts_on.isoformat(),
        "ends_on": row.ends_on.isoformat() if row.ends_on else None,
        "next_due_on": next_due_on.isoformat() if next_due_on else None,
        "paused_at": moment(row.paused_at),
        "visibility": row.visibility,
        "pseudonym": row.pseudonym,
        "purchase_order": row.purchase_order,
        "paper": row.paper,
        "group": row.group,
        "reference": row.reference,
        "made_by": row.made_by_id,
        "created_at": moment(row.created_at),
    }


def part(row: Pledge) -> dict[str, Any]:
    """One of the pledges made in one act."""
    return {"pledge": row.pk, "budget": row.budget_id, "amount": money(row.amount, row.currency)}


def instalment(row: Instalment) -> dict[str, Any]:
    """What a pledge promises for one period; `document` is the id of the paper that called it."""
    return {
        "id": row.pk,
        "number": row.number,
        "due_on": row.due_on.isoformat(),
        "pay_by": row.pay_by.isoformat() if row.pay_by else None,
        "amount": money(row.amount, row.currency),
        "received": money(row.received, row.currency),
        "state": row.state,
        "called_at": moment(row.called_at),
        "document": row.document or None,
    }


def payment_instructions(row: Pledge, account: HostBankAccount, called: int) -> dict[str, Any]:
    """What to type in the bank's form. Args: called: minor units called and not received, of all pledges of the act."""
    return {
        "method": "bank_transfer",
        "holder": account.host.name,
        "iban": account.iban,
        "bic": account.bic,
        "reference": row.reference,
        "reference_printed": printed(row.reference),
        "amount": money(called, row.currency),
    }


def charter(row: Charter, *, adopted_by: User | None) -> dict[str, Any]:
    """A version of a charter. `document` is complete; `adopted_by` is for those who may know."""
    return {
        "id": row.pk,
        "budget": row.budget_id,
        "version": row.version,
        "document": row.document,
        "sha256": row.sha256,
        "adopted_at": moment(row.created_at),
        "adopted_by": person(adopted_by),
    }


def contributions(rows: Sequence[Contribution]) -> list[dict[str, Any]]:
    """Contributions, whose people work together: a withdrawn description is theirs to read, and marked."""
    known = recordings_of([row.pk for row in rows if row.recorded_by_id])
    marked = {row.pk: getattr(row, "withdrawn", None) for row in rows}  # lists read it with the row
    veil = Veil([pk for pk, withdrawn in marked.items() if withdrawn is None])
    return [
        {
            **_contribution(row),
            "description_withdrawn": bool(marked[row.pk]) or veil.hides(row.pk, "description"),
            "recorded": recorded(known.get(row.pk)),
        }
        for row in rows
    ]


def _contribution(row: Contribution) -> dict[str, Any]:
    settled = row.settled_amount
    return {
        "id": row.pk,
        "budget": row.budget_id,
        "period": row.period_id,
        "contributor": {"id": row.contributor_id, "name": row.contributor_name},
        "worked_on": row.worked_on.isoformat(),
        "kind": row.kind,
        "minutes": row.minutes,
        "amount": money(row.amount, row.currency),
        "waived": money(row.waived, row.currency),
        "description": row.description,
        "evidence": row.evidence,
        "over_cap_reason": row.over_cap_reason,
        "metadata": row.metadata,
        "version": row.version,
        "source": row.source or None,
        "source_gone_at": moment(row.source_gone_at),
        "remainder_of": row.remainder_of_id,
        "corrects": row.corrects_id,
        "held_back": money(row.held_back, row.currency),
        "minutes_held": row.minutes_held,
        "accepted_at": moment(row.accepted_at),
        "seconds_left": row.seconds_left,
        "validated_at": moment(row.validated_at),
        "state": row.state,
        "settled_amount": None if settled is None else money(settled, row.currency),
        "created_at": moment(row.created_at),
    }


def review(row: Review) -> dict[str, Any]:
    """A review; its reviewer is loaded by the caller."""
    return {
        "id": row.pk,
        "contribution": row.contribution_id,
        "reviewer": person(row.reviewer),
        "verdict": row.verdict,
        "reason": row.reason,
        "minutes": row.minutes,
        "version": row.version,
        "created_at": moment(row.created_at),
    }


def question(row: Question) -> dict[str, Any]:
    """A question and its answer; who asked is loaded by the caller."""
    return {
        "id": row.pk,
        "asker": person(row.asker),
        "text": row.text,
        "answer": row.answer or None,
        "closed_at": moment(row.closed_at),
        "created_at": moment(row.created_at),
    }


def objection(row: Objection | DistributionObjection) -> dict[str, Any]:
    """An objection with what stewards decided; objector and opinions with their stewards are loaded by the caller."""
    return {
        "id": row.pk,
        "objector": person(row.objector),
        "reason": row.reason,
        "state": row.state,
        "ended_at": moment(row.ended_at),
        "created_at": moment(row.created_at),
        "opinions": [
            {
                "steward": person(one.steward),
                "upholds": one.upholds,
                "reason": one.reason,
                "created_at": moment(one.created_at),
            }
            for one in row.opinions.all()
        ],
    }


_reviews = Read("of", rows=lambda of: Review.objects.filter(contribution=of).select_related("reviewer").order_by("pk"))
_questions = Read("of", rows=lambda of: Question.objects.filter(contribution=of).select_related("asker").order_by("pk"))
_objections = Read(
    "of",
    rows=lambda of: (
        Objection.objects.filter(contribution=of)
        .select_related("objector")
        .prefetch_related(Prefetch("opinions", Opinion.objects.select_related("steward").order_by("pk")))
        .order_by("pk")
    ),
)


def whole_contribution(row: Contribution) -> dict[str, Any]:
    """A contribution with all that was said of it, in the order it was said: what its ETag is computed of."""
    return {
        **contributions([row])[0],
        "reviews": [review(one) for one in _reviews(of=row.pk)],
        "questions": [question(one) for one in _questions(of=row.pk)],
        "objections": [objection(one) for one in _objections(of=row.pk)],
    }


def distribution(
    row: Distribution,
    shares: Iterable[Share],
    moves: Iterable[DistributionMove],
    arbitrated: Arbitration | None,
    objections: Iterable[DistributionObjection],
) -> dict[str, Any]:
    """A distribution with its shares and its whole computation; `shares`, `moves`, `trace` and `digest` come once
    computed, `arbitration` when amounts were entered after a meeting, `objections` loaded as `objection` wants them."""
    first = approvable_from(row)
    return {
        "id": row.pk,
        "period": row.period_id,
        "budget": row.period.budget_id,
        "charter": {"id": row.charter_id, "version": row.charter.version, "rule": row.charter.rule},
        "state": row.state,
        "pot": money(row.pot, row.currency),
        "prepared_by": None if row.prepared_by is None else person(row.prepared_by),
        "prepared_at": moment(row.prepared_at),
        "published_at": moment(row.published_at),
        "approvable_from": first.isoformat() if first else None,
        "approved_by": person(row.approved_by),
        "approved_at": moment(row.approved_at),
        "digest": row.digest or None,
        "shares": [
            {
                "id": share.pk,
                "contributor": person(share.contributor),
                "asked": money(share.asked, row.currency),
                "amount": money(share.amount, row.currency),
                "waived": money(share.waived, row.currency),
                "parts": [
                    {"budget": part.budget_id, "amount": money(part.amount, row.currency)}
                    for part in sorted(share.parts.all(), key=lambda part: part.budget_id)
                ],
                "state": share.state,
            }
            for share in shares
        ],
        "moves": [
            {
                "kind": move.kind,
                "from": move.source_id,
                "to": move.target_id,
                "amount": money(move.amount, row.currency),
            }
            for move in moves
        ],
        "arbitration": arbitration(arbitrated, row.currency) if arbitrated else None,
        "objections": [{**objection(one), "digest": one.digest} for one in objections],
        "trace": row.trace,
    }


def arbitration(row: Arbitration, currency: str) -> dict[str, Any]:
    """Amounts agreed at a meeting, with the answer of each person they change; its lines are loaded by the caller."""
    return {
        "id": row.pk,
        "state": row.state,
        "reason": row.reason,
        "digest": row.digest,
        "entered_by": person(row.entered_by),
        "entered_at": moment(row.entered_at),
        "ended_at": moment(row.ended_at),
        "lines": [
            {
                "person": person(line.person),
                "budget": line.budget_id,
                "before": money(line.before, currency),
                "agreed": money(line.agreed, currency),
                "answer": line.answer or None,
                "answered_at": moment(line.answered_at),
                "recorded_by": person(line.recorded_by),
            }
            for line in sorted(row.lines.all(), key=lambda line: line.pk)
        ],
    }


def trial_balance(rows: Iterable[TrialRow], on: date | None) -> dict[str, Any]:
    """A trial balance, one part a currency; `balance` is debit less credit, `ties` whether debits equal credits."""
    by_currency: dict[str, list[TrialRow]] = {}
    for row in rows:
        by_currency.setdefault(row.currency, []).append(row)
    parts = []
    for currency, found in sorted(by_currency.items()):
        debit, credit = sum(row.debit for row in found), sum(row.credit for row in found)
        accounts = [
            {
                "account": row.chart,
                "debit": money(row.debit, currency),
                "credit": money(row.credit, currency),
                "balance": money(row.balance, currency),
            }
            for row in found
        ]
        parts.append(
            {
                "currency": currency,
                "debit": money(debit, currency),
                "credit": money(credit, currency),
                "ties": debit == credit,
                "accounts": accounts,
            }
        )
    return {"on": on.isoformat() if on else None, "currencies": parts}


def purse(row: Any) -> dict[str, Any]:
    """A purse, its account loaded by the caller. Amounts on its normal side: what a pot holds, a payee is owed."""
    account, held = row.account, row.balance * row.normal_side
    return {
        "id": account.pk,
        "kind": account.kind,
        "owner": account.owner,
        "balance": money(held, row.currency),
        "held": money(row.held, row.currency),
        "free": money(held - row.held, row.currency),
    }


def posting(row: StatementRow, currency: str, side: int) -> dict[str, Any]:
    """A line of the statement of a purse, and what the purse holds after it; both on the purse's normal side."""
    return {
        "entry": row.entry,
        "kind": row.kind,
        "happened_on": row.happened_on.isoformat(),
        "booked_at": moment(row.booked_at),
        "reference": row.reference,
        "account": row.chart,
        "amount": money(row.amount * side, currency),
        "balance": money(row.balance * side, currency),
    }


def entry(row: WholeEntry) -> dict[str, Any]:
    """An entry with its lines and its seal. A line has a debit or a credit, the other is null."""
    place = row.place
    return {
        "id": row.id,
        "kind": row.kind,
        "happened_on": row.happened_on.isoformat(),
        "booked_at": moment(row.booked_at),
        "reference": row.reference,
        "reverses": row.reverses,
        "reversed_by": row.reversed_by,
        "lines": [
            {
                "purse": line.account,
                "kind": line.kind,
                "owner": line.owner,
                "account": line.chart,
                "debit": money(line.amount, line.currency) if line.amount > 0 else None,
                "credit": money(-line.amount, line.currency) if line.amount < 0 else None,
            }
            for line in row.lines
        ],
        "seal": {
            "position": place.position,
            "journal": place.journal,
            "number": place.number,
            "fiscal_year": place.year,
            "leaf": place.leaf,
            "block": place.block,
            "sealed_at": moment(place.sealed_at),
        }
        if place
        else None,
    }
