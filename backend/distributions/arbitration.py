"""Amounts agreed at a meeting replace the computed ones, once each person they change has confirmed."""

from collections import defaultdict
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from django.db import IntegrityError, transaction
from django.utils.translation import gettext_lazy as _

from backend.allocation import closing as engine
from backend.allocation.kernel import AllocationError
from backend.commons.models import Budget
from backend.commons.services import tree_of
from backend.core.errors import Conflict, DomainError, Forbidden, Invalid, NotFound
from backend.core.ids import new_id
from backend.core.money import format_money, require_amount
from backend.distributions.closing import BATCH, computed, write_parts
from backend.distributions.models import (
    Arbitration,
    ArbitrationLine,
    Distribution,
    DistributionObjection,
    Share,
    SharePart,
)
from backend.events.services import record
from backend.identity.models import User
from backend.identity.permissions import may, require
from backend.identity.services import host_day

Amounts = dict[tuple[str, str], int]  # (person, purse) → minor units


def propose_arbitration(
    *,
    actor: User,
    distribution_id: str,
    digest: str,
    amounts: Mapping[tuple[str, str], int],
    reason: str,
    form_key: str,
    now: datetime,
) -> Arbitration:
    """Enter the amounts that a meeting agreed on; those whose amount changes are asked to confirm. Moves no money.

    Args: digest: that of the computation that was read. amounts: (person, purse) → minor units; what is not named stays
        as it is. reason: shown to everyone in the budget, and kept in the computation. form_key: a repetition gives
        back the first one.
    Raises: NotFound; Forbidden; Invalid `reason_missing`, `amount_out_of_range`, `arbitration_person_unknown`,
        `arbitration_purse_unknown`, `arbitration_changes_nothing`, `arbitration_above_money`; Conflict
        `distribution_not_ready`, `distribution_approved`, `distribution_changed`, `arbitration_waiting`,
        `form_key_reused`.
    """
    reason = " ".join(reason.split())[:500]
    try:
        with transaction.atomic():
            distribution = hold_distribution(actor, distribution_id)
            require(actor, "distribution.arbitrate", scopes=tree_of(distribution.period.budget))
            first = Arbitration.objects.filter(entered_by=actor, form_key=form_key).first()
            if first is not None:
                return _same(first, distribution_id, amounts, reason)
            require_open(distribution)
            if digest != distribution.digest:
                raise Conflict("distribution_changed", _("This is not the computation you read: open the page again."))
            if distribution.arbitrations.filter(state="waiting").exists():
                raise Conflict(
                    "arbitration_waiting", _("Another arbitration awaits its answers: wait for them, or withdraw it.")
                )
            if not reason:
                raise Invalid("reason_missing", _("Say why: everyone in the budget reads it."), param="reason")
            before = _held_now(distribution)
            changes = _changes(distribution, before, amounts)
            arbitration = Arbitration.objects.create(
                id=new_id("arb"), distribution=distribution, digest=digest, reason=reason, entered_by=actor,
                entered_at=now, form_key=form_key,
            )  # fmt: skip
            ArbitrationLine.objects.bulk_create(
                ArbitrationLine(
                    arbitration=arbitration, person_id=person, budget_id=purse, before=before.get((person, purse), 0),
                    agreed=cents,
                )
                for (person, purse), cents in sorted(changes.items())
            )  # fmt: skip
            _tell("arbitration.proposed", arbitration, actor, now)
    except IntegrityError as twin:
        if "one_arbitration_per_form" not in str(twin):
            raise
        return _same(Arbitration.objects.get(entered_by=actor, form_key=form_key), distribution_id, amounts, reason)
    return arbitration


def answer_arbitration(
    *,
    actor: User,
    arbitration_id: str,
    accept: bool,
    now: datetime,
    reason: str = "",
    person_id: str = "",
) -> Arbitration:
    """Confirm, or refuse, the amounts that concern oneself. Moves no money.

    One refusal ends the arbitration: the computed amounts stay. The last acceptance writes the agreed amounts into the
    computation, which gets another digest.
    Args: reason: asked for a refusal. person_id: somebody else, for whom a treasurer who did not enter the arbitration
        records the answer given on paper or by phone; it is marked so.
    Raises: NotFound; Forbidden `not_concerned`, `not_allowed`, `own_arbitration`; Invalid `reason_missing`; Conflict
        `arbitration_ended` naming the state, `already_answered`, `arbitration_above_money`.
    """
    with transaction.atomic():
        arbitration, distribution = _found(actor, arbitration_id)
        person = _answering(actor, arbitration, person_id)
        wanted = "accepted" if accept else "refused"
        mine = arbitration.lines.filter(person=person)
        said = mine.values_list("answer", flat=True).first()
        if said == wanted:
            return arbitration
        if arbitration.state != "waiting":
            raise _ended(arbitration)
        if said:
            raise Conflict("already_answered", _("This answer was already given; it cannot be changed."))
        reason = " ".join(reason.split())[:500]
        if not accept and not reason:
            raise Invalid("reason_missing", _("Say why: the person who entered the amounts reads it."), param="reason")
        mine.update(
            answer=wanted, answer_reason=reason, answered_at=now, recorded_by=None if person == actor.pk else actor
        )
        record(
            "arbitration.answered", actor=actor, subject=arbitration.pk, now=now,
            scopes=[distribution.period.budget_id], on_behalf="" if person == actor.pk else person, why=reason,
            person=person, accepted=accept,
        )  # fmt: skip
        if not accept:
            _end(arbitration, "refused", actor, now)
        elif not arbitration.lines.filter(answer="").exists():
            _apply(arbitration, distribution, now)
            _end(arbitration, "accepted", actor, now)
            # Those it concerns agreed to other amounts: what was said against the former ones is answered.
            standing = distribution.objections.filter(state__in=DistributionObjection.STANDING)
            standing.update(state="arbitrated", ended_at=now)
    return arbitration


def withdraw_arbitration(*, actor: User, arbitration_id: str, now: datetime) -> Arbitration:
    """Take back the arbitration that one entered, while it awaits answers. Moves no money.

    Raises: NotFound; Forbidden `not_your_arbitration`; Conflict `arbitration_ended`.
    """
    with transaction.atomic():
        arbitration, _distribution = _found(actor, arbitration_id)
        if arbitration.entered_by_id != actor.pk:
            raise Forbidden("not_your_arbitration", _("Only the person who entered it can take it back."))
        if arbitration.state != "withdrawn":
            if arbitration.state != "waiting":
                raise _ended(arbitration)
            _end(arbitration, "withdrawn", actor, now)
    return arbitration


def hindrance(*, actor: User, distribution: Distribution) -> DomainError | None:
    """Why this person could not enter an arbitration now, or None: what the page says beforehand."""
    if not may(actor, "distribution.arbitrate", scopes=tree_of(distribution.period.budget)):
        return Forbidden("not_allowed", _("A steward or a treasurer enters what a meeting agreed."))
    try:
        require_open(distribution)
    except DomainError as refusal:
        return refusal
    if distribution.arbitrations.filter(state="waiting").exists():
        return Conflict(
            "arbitration_waiting", _("Another arbitration awaits its answers: wait for them, or withdraw it.")
        )
    return None


def room(distribution: Distribution) -> dict[str, int]:
    """Purse → minor units that its agreed amounts may add up to: what was shared there and what was left."""
    return {purse["id"]: purse["shared"] + purse["left"] for purse in (distribution.trace or {"purses": []})["purses"]}


def hold_distribution(actor: User, distribution_id: str) -> Distribution:
    """The distribution, held until the transaction ends: approvals, answers and objections wait for each other.

    Raises: NotFound `distribution_not_found`.
    """
    found = (
        Distribution.visible_to(actor)
        .select_related("period__budget", "charter", "approved_by")
        .select_for_update(of=("self",))
        .filter(pk=distribution_id)
        .first()
    )
    if found is None:
        raise NotFound("distribution_not_found", _("There is no such distribution."))
    return found


def _found(actor: User, arbitration_id: str) -> tuple[Arbitration, Distribution]:
    known = Arbitration.visible_to(actor).filter(pk=arbitration_id).values_list("distribution", flat=True).first()
    if known is None:
        raise NotFound("arbitration_not_found", _("There is no such arbitration."))
    distribution = hold_distribution(actor, known)
    return Arbitration.objects.select_for_update(of=("self",)).get(pk=arbitration_id), distribution


def _answering(actor: User, arbitration: Arbitration, person_id: str) -> str:
    """Who the answer is of: oneself, or the person a treasurer answers for."""
    person = person_id or actor.pk
    if person != actor.pk:
        require(actor, "distribution.approve", scopes=tree_of(arbitration.distribution.period.budget))
        if arbitration.entered_by_id == actor.pk:
            raise Forbidden(
                "own_arbitration", _("You entered these amounts: another treasurer records the answers of others.")
            )
    if not arbitration.lines.filter(person=person).exists():
        raise Forbidden("not_concerned", _("This arbitration does not change this amount: no answer is needed."))
    return person


def require_open(distribution: Distribution) -> None:
    """Refuse what is done between the computation and the approval only.

    Raises: Conflict `distribution_not_ready`, `distribution_approved` naming who.
    """
    if distribution.state == "booked":
        raise Conflict(
            "distribution_approved",
            _("%(name)s has already approved this distribution. It is booked once.")
            % {"name": distribution.approved_by.name if distribution.approved_by else "?"},
        )
    if distribution.state != "published":
        raise Conflict("distribution_not_ready", _("The computation is not finished: try again in a moment."))


def _held_now(distribution: Distribution) -> Amounts:
    """What holds at present, by person and purse."""
    parts = SharePart.objects.filter(share__distribution=distribution)
    return {
        (person, purse): cents for person, purse, cents in parts.values_list("share__contributor", "budget", "amount")
    }


def _changes(distribution: Distribution, before: Amounts, amounts: Mapping[tuple[str, str], int]) -> Amounts:
    """What changes, once it was checked: known people and purses, no more than each purse holds."""
    people = set(distribution.shares.values_list("contributor_id", flat=True))
    most = room(distribution)
    for (person, purse), cents in amounts.items():
        require_amount(cents, param="amounts", minimum=0)
        if person not in people:
            raise Invalid(
                "arbitration_person_unknown", _("Only people of this distribution can be given an amount."),
                param="amounts",
            )  # fmt: skip
        if purse not in most:
            raise Invalid(
                "arbitration_purse_unknown", _("This distribution does not share the money of that budget."),
                param="amounts",
            )  # fmt: skip
    after: dict[str, int] = defaultdict(int)
    for (_person, purse), cents in {**before, **amounts}.items():
        after[purse] += cents
    for purse, total in sorted(after.items()):
        if total > most[purse]:
            raise Invalid(
                "arbitration_above_money",
                _("%(budget)s: the amounts add up to %(total)s and there are %(money)s to share: lower them.")
                % {
                    "budget": Budget.objects.get(pk=purse).name,
                    "total": format_money(total, distribution.currency),
                    "money": format_money(most[purse], distribution.currency),
                },
                param="amounts",
            )
    changed = {key: cents for key, cents in amounts.items() if cents != before.get(key, 0)}
    if not changed:
        raise Invalid("arbitration_changes_nothing", _("These are the amounts that hold already."), param="amounts")
    return changed


def _apply(arbitration: Arbitration, distribution: Distribution, now: datetime) -> None:
    """Write the agreed amounts, and those of earlier arbitrations that still hold, over what was computed."""
    agreed: dict[tuple[str, str], dict[str, Any]] = {}
    accepted = [*distribution.arbitrations.filter(state="accepted").order_by("ended_at", "pk"), arbitration]
    for one in accepted:
        for line in one.lines.order_by("pk"):
            assert line.answered_at is not None
            agreed[line.person_id, line.budget_id] = {
                "person": line.person_id,
                "purse": line.budget_id,
                "agreed": line.agreed,
                "confirmed_on": host_day(line.answered_at).isoformat(),
            }
    stored = distribution.trace or {"steps": []}
    was: Amounts = defaultdict(int)
    for step in stored["steps"]:
        for row in step["persons"]:
            was[row["id"], step["purse"]] += row["cents"]
    changes = [change for key, change in sorted(agreed.items()) if change["agreed"] != was[key]]
    try:
        found = (
            engine.arbitrate(stored, reason=arbitration.reason, entered_by=arbitration.entered_by_id, changes=changes)
            if changes
            else computed(distribution)  # back to that, by common consent: nothing is arbitrated any more
        )
    except AllocationError as refusal:
        raise Conflict("arbitration_above_money", str(refusal)) from refusal
    distribution.trace, distribution.digest = found, found["result_sha256"]
    distribution.save(update_fields=["trace", "digest"])
    given = {row["id"]: row["cents"] for row in found["persons"]}
    shares = list(distribution.shares.all())
    for share in shares:
        share.amount = given[share.contributor_id]
    Share.objects.bulk_update(shares, ["amount"], batch_size=BATCH)
    SharePart.objects.filter(share__distribution=distribution).delete()
    write_parts(distribution, found["persons"])
    record(
        "distribution.arbitrated", actor=arbitration.entered_by, subject=distribution.pk, now=now,
        scopes=[distribution.period.budget_id], digest=distribution.digest, arbitration=arbitration.pk,
    )  # fmt: skip


def _end(arbitration: Arbitration, state: str, actor: User, now: datetime) -> None:
    arbitration.state, arbitration.ended_at = state, now
    arbitration.save(update_fields=["state", "ended_at"])
    _tell(f"arbitration.{state}", arbitration, actor, now)


def _tell(kind: str, arbitration: Arbitration, actor: User, now: datetime) -> None:
    record(
        kind, actor=actor, subject=arbitration.pk, now=now, scopes=[arbitration.distribution.period.budget_id],
        distribution=arbitration.distribution_id, after={"state": arbitration.state},
        why=arbitration.reason if arbitration.state == "waiting" else "",
    )  # fmt: skip


def _ended(arbitration: Arbitration) -> Conflict:
    return Conflict(
        "arbitration_ended",
        _("This arbitration no longer waits: it is “%(state)s”.") % {"state": arbitration.get_state_display()},
    )


def _same(first: Arbitration, distribution_id: str, amounts: Mapping[tuple[str, str], int], reason: str) -> Arbitration:
    """The arbitration of a form sent twice, when it says the same."""
    known = {(line.person_id, line.budget_id): line.agreed for line in first.lines.all()}
    repeated = known.items() <= dict(amounts).items()
    if (first.distribution_id, first.reason) != (distribution_id, reason) or not repeated:
        raise Conflict(
            "form_key_reused",
            _("This form was already sent with other values. Open a new one to enter other amounts."),
        )
    return first
