"""Objections to a published distribution: raised with a reason, and ended, before anybody approves it."""

from datetime import datetime

from django.db import transaction
from django.utils.translation import gettext_lazy as _

from backend.commons.services import tree_of
from backend.core.errors import Conflict, Forbidden, Invalid, NotFound
from backend.core.ids import new_id
from backend.core.text import blank, plain
from backend.distributions.arbitration import hold_distribution, require_open
from backend.distributions.models import Distribution, DistributionObjection, DistributionOpinion
from backend.events.services import record
from backend.identity.models import User
from backend.identity.permissions import may, require

MAX_REASON = 1000
MAX_DECISION = 500


@transaction.atomic
def object_to_distribution(
    *, actor: User, distribution_id: str, digest: str, reason: str, now: datetime
) -> DistributionObjection:
    """Object with a reason: nobody approves the distribution before the objection has ended. Moves no money.

    Args: digest: that of the computation that was read.
    Raises: NotFound; Forbidden; Invalid `said_length`; Conflict `distribution_not_ready`, `distribution_approved`,
        `distribution_changed`, `already_objected`, `objection_decided`.
    """
    distribution = hold_distribution(actor, distribution_id)
    require(actor, "distribution.object", scopes=tree_of(distribution.period.budget))
    require_open(distribution)
    if digest != distribution.digest:
        raise Conflict("distribution_changed", _("This is not the computation you read: open the page again."))
    said = _said(reason, MAX_REASON)
    if refusal := _heard(actor, distribution):
        raise refusal
    row = DistributionObjection.objects.create(
        id=new_id("dob"), distribution=distribution, objector=actor, digest=digest, reason=said, created_at=now
    )
    _tell("distribution.objected", row, actor, now)
    return row


@transaction.atomic
def lift_distribution_objection(*, actor: User, objection_id: str, now: datetime) -> DistributionObjection:
    """Take back one's own objection, be it upheld. Twice is once. Moves no money.

    Raises: NotFound `objection_not_found`; Forbidden `objection_of_another`; Conflict `objection_ended`.
    """
    _distribution, row = _hold(actor, objection_id)
    if row.objector_id != actor.pk:
        raise Forbidden("objection_of_another", _("Only who raised an objection lifts it. Nothing was changed."))
    if row.state == "lifted":
        return row
    _require_state(row, *DistributionObjection.STANDING)
    _end(row, "lifted", now)
    _tell("distribution.objection_lifted", row, actor, now)
    return row


@transaction.atomic
def decide_distribution_objection(
    *, actor: User, objection_id: str, upholds: bool, reason: str, now: datetime
) -> DistributionObjection:
    """Say as an uninvolved steward whether an objection is upheld (other amounts must be agreed) or set aside.

    It is decided once as many stewards as the charter names said the same. Moves no money.
    Raises: NotFound `objection_not_found`; Forbidden `not_allowed`, `objection_involved`; Invalid `said_length`;
        Conflict `objection_ended`, `already_decided`.
    """
    distribution, row = _hold(actor, objection_id)
    require(actor, "distribution.settle", scopes=tree_of(distribution.period.budget))
    if actor.pk == row.objector_id or involved(actor, distribution):
        raise Forbidden(
            "objection_involved",
            _("Whoever objected, closed the period, entered amounts or is paid does not decide: another steward does."),
            action="distribution.settle",
        )
    why = _said(reason, MAX_DECISION)
    _require_state(row, "open")
    if row.opinions.filter(steward=actor).exists():
        raise Conflict("already_decided", _("You said already what you decide of this objection."))
    DistributionOpinion.objects.create(
        id=new_id("dop"), objection=row, steward=actor, upholds=upholds, reason=why, created_at=now
    )
    if row.opinions.filter(upholds=upholds).count() < distribution.charter.settled_by:
        _tell("distribution.objection_weighed", row, actor, now, why=why)
        return row
    if upholds:
        row.state = "upheld"
        row.save(update_fields=["state"])
        _tell("distribution.objection_upheld", row, actor, now, why=why)
    else:
        _end(row, "overruled", now)
        _tell("distribution.objection_overruled", row, actor, now, why=why)
    return row


def may_object(actor: User, distribution: Distribution) -> bool:
    """Whether this person may object to this distribution now."""
    return (
        distribution.state == "published"
        and may(actor, "distribution.object", scopes=tree_of(distribution.period.budget))
        and _heard(actor, distribution) is None
    )


def may_settle(actor: User, objection: DistributionObjection) -> bool:
    """Whether this person may still say what they decide of an objection; its distribution is loaded."""
    distribution = objection.distribution
    return (
        objection.state == "open"
        and objection.objector_id != actor.pk
        and may(actor, "distribution.settle", scopes=tree_of(distribution.period.budget))
        and not involved(actor, distribution)
        and not objection.opinions.filter(steward=actor).exists()
    )


def involved(person: User, distribution: Distribution) -> bool:
    """Whether somebody closed the period, wrote amounts of its distribution, or is paid by it."""
    return (
        distribution.prepared_by_id == person.pk
        or distribution.shares.filter(contributor=person, amount__gt=0).exists()
        or distribution.arbitrations.filter(state__in=["waiting", "accepted"], entered_by=person).exists()
    )


def _heard(actor: User, distribution: Distribution) -> Conflict | None:
    """What keeps somebody who objected before from objecting again."""
    mine = distribution.objections.filter(objector=actor)
    if mine.filter(state__in=DistributionObjection.STANDING).exists():
        return Conflict("already_objected", _("You object to it already: lift that objection first."))
    if mine.filter(state="overruled", digest=distribution.digest).exists():
        return Conflict(
            "objection_decided",
            _("Stewards decided your objection to these amounts. You may object again if the amounts change."),
        )
    return None


def _said(text: str, most: int) -> str:
    found = plain(text).strip()
    if blank(found) or len(found) > most:
        raise Invalid("said_length", _("Write 1 to %(most)s characters here.") % {"most": most}, param="reason")
    return found


def _hold(actor: User, objection_id: str) -> tuple[Distribution, DistributionObjection]:
    """An objection to a distribution that the actor sees; the distribution is held, so that approvals wait."""
    told = DistributionObjection.objects.filter(pk=objection_id, distribution__in=Distribution.visible_to(actor))
    known = told.values_list("distribution", flat=True).first()
    if known is None:
        raise NotFound("objection_not_found", _("There is no such objection."))
    distribution = hold_distribution(actor, known)
    return distribution, DistributionObjection.objects.select_related("objector").get(pk=objection_id)


def _require_state(row: DistributionObjection, *allowed: str) -> None:
    if row.state not in allowed:
        raise Conflict(
            "objection_ended",
            _("This objection has ended already: it was %(state)s.") % {"state": row.get_state_display()},
        )


def _end(row: DistributionObjection, state: str, now: datetime) -> None:
    row.state, row.ended_at = state, now
    row.save(update_fields=["state", "ended_at"])


def _tell(kind: str, row: DistributionObjection, actor: User, now: datetime, why: str = "") -> None:
    record(
        kind, actor=actor, subject=row.distribution_id, now=now, scopes=[row.distribution.period.budget_id], why=why,
        objection=row.pk, after={"state": row.state},
    )  # fmt: skip
