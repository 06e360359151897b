"""What peers say before they agree: questions, answers, objections and how they end; consent and its clock."""

from datetime import datetime, timedelta

from django.db import transaction
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from backend.commons.services import tree_of
from backend.contributions.following import is_one
from backend.contributions.models import Contribution, Objection, Opinion, Question
from backend.core.errors import Conflict, DomainError, Forbidden, Invalid, NotFound
from backend.core.ids import new_id
from backend.core.text import blank, plain
from backend.events.services import record
from backend.identity.models import User
from backend.identity.permissions import may, require

MAX_SAID = 1000
UNDER_REVIEW = ("declared", "questioned")
SWEPT_AT_ONCE = 500


# --- what the other services call -------------------------------------------------------------------------------------


def hold_contribution(actor: User, contribution_id: str) -> Contribution:
    """A contribution that the actor sees, locked, with its budget and the charter of its period.

    Raises: NotFound `contribution_not_found`.
    """
    held = Contribution.visible_to(actor).select_for_update(of=("self",)).filter(pk=contribution_id)
    if held.only("pk").first() is None:
        raise NotFound("contribution_not_found", _("There is no such contribution."))
    # Read once it is held: a closing that was waited for has put it in another period, and PostgreSQL gives no row of
    # a join that is true no more.
    rows = Contribution.objects.select_related("budget__parent", "period__charter", "contributor")
    return rows.get(pk=contribution_id)


def require_version(contribution: Contribution, version: int | None) -> None:
    """Refuse to speak of a version that was amended meanwhile. `None`: whichever it is.

    Raises: Conflict `contribution_amended`.
    """
    if version is not None and version != contribution.version:
        raise Conflict(
            "contribution_amended",
            _("This contribution was amended meanwhile: read it again. Nothing was changed."),
            param="version",
        )


def require_state(contribution: Contribution, *allowed: str) -> None:
    """Refuse what a state does not allow, naming those that do.

    Raises: Conflict `contribution_not_open`.
    """
    if contribution.state not in allowed:
        names = dict(Contribution.STATES)
        refusal = Conflict(
            "contribution_not_open",
            _("This contribution is “%(state)s”; for this it must be: %(allowed)s. Nothing was changed.")
            % {
                "state": contribution.state_name,
                "allowed": ", ".join(f"“{names[state]}”" for state in allowed),
            },
        )
        refusal.for_programs = f"state: {contribution.state}; allowed: {', '.join(allowed)}"
        raise refusal


def start_clock(contribution: Contribution, *, now: datetime) -> None:
    """Start the clock of consent anew on a row that the caller saves, where its charter has one."""
    days = contribution.period.charter.consent_days
    contribution.seconds_left = None
    contribution.accepted_at = None if days is None else now + timedelta(days=days)


def give_clock(contribution: Contribution, *, now: datetime) -> None:
    """Give its clock to a contribution that comes under a charter by consent: it runs, or waits for what is open."""
    start_clock(contribution, now=now)
    if contribution.state == "questioned" and contribution.accepted_at is not None:
        contribution.seconds_left = round_up(contribution.accepted_at - now)
        contribution.accepted_at = None
    contribution.save(update_fields=["accepted_at", "seconds_left"])


def round_up(left: timedelta) -> int:
    """Whole seconds, none lost."""
    return -(-left // timedelta(seconds=1))


def end_talk(contribution: Contribution, *, now: datetime, how: str) -> None:
    """End the open questions and objections of a contribution, `amended` or `lapsed`; the caller holds the row."""
    Question.objects.filter(contribution=contribution, closed_at=None).update(closed_at=now)
    Objection.objects.filter(contribution=contribution, state="open").update(state=how, ended_at=now)


# --- questions --------------------------------------------------------------------------------------------------------


@transaction.atomic
def ask_question(
    *, actor: User, contribution_id: str, text: str, now: datetime, version: int | None = None
) -> Question:
    """Ask the contributor something before one agrees. It waits for the answer, and so does the clock of consent.

    Raises: NotFound; Forbidden `not_allowed`, `own_contribution`; Invalid `said_length`; Conflict
        `contribution_not_open`, `contribution_amended`.
    """
    contribution = _open_to_talk(actor, contribution_id, version, now)
    row = Question.objects.create(
        id=new_id("qst"), contribution=contribution, contributor_id=contribution.contributor_id, asker=actor,
        text=_said(text, "text"), created_at=now,
    )  # fmt: skip
    _pause(contribution, now=now)
    _tell("contribution.questioned", contribution, actor, now)
    return row


@transaction.atomic
def answer_question(*, actor: User, question_id: str, text: str, now: datetime) -> Question:
    """Answer a question on one's own contribution; with the last one answered it awaits review again.

    Raises: NotFound `question_not_found`; Invalid `said_length`; Conflict `question_closed`.
    """
    asked = Question.objects.filter(pk=question_id, contributor=actor).first()
    if asked is None:
        raise NotFound("question_not_found", _("There is no such question to you."))
    contribution = hold_contribution(actor, asked.contribution_id)
    row = Question.objects.get(pk=question_id)
    if row.closed_at is not None:
        raise Conflict("question_closed", _("This question was answered already, or fell with an amendment."))
    row.answer, row.closed_at = _said(text, "answer"), now
    row.save(update_fields=["answer", "closed_at"])
    _resume(contribution, now=now)
    _tell("contribution.answered", contribution, actor, now)
    return row


# --- objections -------------------------------------------------------------------------------------------------------


@transaction.atomic
def object_to(
    *, actor: User, contribution_id: str, reason: str, now: datetime, version: int | None = None
) -> Objection:
    """Object with a reason: nobody accepts the contribution before the objection has ended.

    Raises: as `ask_question`; Conflict `already_objected`, `objection_settled` (theirs to this version was set aside).
    """
    contribution = _open_to_talk(actor, contribution_id, version, now)
    if contribution.objections.filter(objector=actor, state="open").exists():
        raise Conflict("already_objected", _("You object to it already: lift that objection first."))
    # Also by an account that is this one now; and who lifts it before the last steward decides did not get more time.
    theirs = contribution.objections.filter(Q(objector=actor) | Q(objector__merged_into=actor))
    weighed = Q(state="overruled") | Q(state="lifted", opinions__upholds=False)
    if theirs.filter(weighed, version=contribution.version).exists():
        raise Conflict(
            "objection_settled",
            _(
                "Your objection to this version was set aside by stewards, or you lifted it after one of them had set "
                "it aside. Somebody else may object, and you may again once the contribution is changed. Nothing was "
                "changed."
            ),
        )
    row = Objection.objects.create(
        id=new_id("obj"), contribution=contribution, contributor_id=contribution.contributor_id, objector=actor,
        reason=_said(reason, "reason"), version=contribution.version, created_at=now,
    )  # fmt: skip
    _pause(contribution, now=now)
    _tell("contribution.objected", contribution, actor, now)
    return row


@transaction.atomic
def lift_objection(*, actor: User, objection_id: str, now: datetime) -> Objection:
    """Take back one's own objection.

    Raises: NotFound `objection_not_found`; Conflict `objection_ended`.
    """
    contribution, row = _hold_objection(actor, objection_id)
    if row.objector_id != actor.pk:
        raise Forbidden("objection_of_another", _("Only who raised an objection lifts it. Nothing was changed."))
    _require_standing(row)
    row.state, row.ended_at = "lifted", now
    row.save(update_fields=["state", "ended_at"])
    _resume(contribution, now=now)
    _tell("contribution.objection_lifted", contribution, actor, now)
    return row


@transaction.atomic
def decide_objection(*, actor: User, objection_id: str, upholds: bool, reason: str, now: datetime) -> Objection:
    """Say as an uninvolved steward whether an objection is upheld (the contribution is rejected) or set aside.

    It ends once as many stewards as the charter names said the same.
    Raises: NotFound `objection_not_found`; Forbidden `not_allowed`, `objection_involved`; Invalid `reason_missing`,
        `said_length`; Conflict `objection_ended`, `already_decided`.
    """
    contribution, row = _hold_objection(actor, objection_id)
    require(actor, "contribution.decide", scopes=tree_of(contribution.budget))
    involved = (row.objector_id, row.contributor_id, contribution.recorded_by_id)
    if any(one is not None and is_one(actor, one) for one in involved):
        raise Forbidden(
            "objection_involved",
            _("Whoever declared, recorded or objected does not decide it: another steward does."),
            action="contribution.decide",
        )
    if not isinstance(upholds, bool):
        raise Invalid("upholds_unknown", _("Say whether the objection is upheld: true or false."), param="upholds")
    why = _said(reason, "reason", most=500)
    _require_standing(row)
    if row.opinions.filter(Q(steward=actor) | Q(steward__merged_into=actor)).exists():
        raise Conflict("already_decided", _("You said already what you decide of this objection."))
    Opinion.objects.create(
        id=new_id("opn"), objection=row, contributor_id=row.contributor_id, objector_id=row.objector_id, steward=actor,
        upholds=upholds, reason=why, created_at=now,
    )  # fmt: skip
    if row.opinions.filter(upholds=upholds).count() < contribution.period.charter.settled_by:
        _tell("contribution.objection_weighed", contribution, actor, now, why=why)
        return row
    row.state, row.ended_at = ("upheld" if upholds else "overruled"), now
    row.save(update_fields=["state", "ended_at"])
    if upholds:
        before = contribution.state
        contribution.state, contribution.seconds_left = "rejected", None
        contribution.save(update_fields=["state", "seconds_left"])
        end_talk(contribution, now=now, how="lapsed")
        record(
            "contribution.rejected", actor=actor, subject=contribution.pk, now=now, scopes=[contribution.budget_id],
            why=why, before={"state": before}, after={"state": "rejected"},
        )  # fmt: skip
    else:
        _resume(contribution, now=now)
        _tell("contribution.objection_overruled", contribution, actor, now, why=why)
    return row


# --- consent ----------------------------------------------------------------------------------------------------------


def accept_due(now: datetime) -> int:
    """Validate what nobody objected to for as long as its charter says. One transaction a contribution; a sweep."""
    waiting = Contribution.objects.filter(state="declared", accepted_at__lte=now).order_by("accepted_at", "pk")
    done = 0
    for contribution_id in list(waiting.values_list("pk", flat=True)[:SWEPT_AT_ONCE]):
        with transaction.atomic():
            rows = Contribution.objects.select_for_update(of=("self",), skip_locked=True)
            row = rows.filter(pk=contribution_id, state="declared", accepted_at__lte=now).first()
            if row is not None:
                accept(row, now=now)
                done += 1
    return done


def accept(contribution: Contribution, *, now: datetime) -> None:
    """Validate by consent a contribution whose clock has run out; the caller holds it. It counts from that moment."""
    contribution.state, contribution.validated_at = "validated", contribution.accepted_at
    contribution.accepted_at = None
    contribution.save(update_fields=["state", "validated_at", "accepted_at"])
    record(
        "contribution.validated", actor=None, subject=contribution.pk, now=now, scopes=[contribution.budget_id],
        why="", before={"state": "declared"}, after={"state": "validated"},
    )  # fmt: skip


def may_discuss(actor: User, contribution: Contribution) -> bool:
    """Whether somebody may question a contribution and object to it, whatever its state."""
    return contribution.contributor_id != actor.pk and may(
        actor, "contribution.discuss", scopes=tree_of(contribution.budget)
    )


# --- within -----------------------------------------------------------------------------------------------------------


def _open_to_talk(actor: User, contribution_id: str, version: int | None, now: datetime) -> Contribution:
    contribution = hold_contribution(actor, contribution_id)
    require(actor, "contribution.discuss", scopes=tree_of(contribution.budget))
    if contribution.contributor_id == actor.pk:
        raise Forbidden(
            "own_contribution",
            _("This is your own contribution: others question it or object to it."),
            action="contribution.discuss",
        )
    require_version(contribution, version)
    require_state(contribution, *UNDER_REVIEW)
    if contribution.accepted_at is not None and contribution.accepted_at <= now:
        raise Conflict(
            "consent_given",
            _("The time to object has passed: nobody objected, and the contribution is validated."),
        )
    return contribution


def _said(text: str, field: str, most: int = MAX_SAID) -> str:
    found = plain(text).strip()
    if blank(found) or len(found) > most:
        raise Invalid("said_length", _("Write 1 to %(most)s characters here.") % {"most": most}, param=field)
    return found


def _pause(contribution: Contribution, *, now: datetime) -> None:
    """Stop the clock and mark the contribution as questioned, if it is not yet."""
    if contribution.state == "questioned":
        return
    if contribution.accepted_at is not None:
        contribution.seconds_left = round_up(contribution.accepted_at - now)
        contribution.accepted_at = None
    contribution.state = "questioned"
    contribution.save(update_fields=["state", "accepted_at", "seconds_left"])


def _resume(contribution: Contribution, *, now: datetime) -> None:
    """With nothing open any more, the contribution awaits review again and its clock goes on."""
    if contribution.state != "questioned" or is_held(contribution):
        return
    if contribution.seconds_left is not None:
        contribution.accepted_at = now + timedelta(seconds=contribution.seconds_left)
        contribution.seconds_left = None
    contribution.state = "declared"
    contribution.save(update_fields=["state", "accepted_at", "seconds_left"])


def is_held(contribution: Contribution) -> bool:
    """Whether a question or an objection is open on it."""
    open_questions = Question.objects.filter(contribution=contribution, closed_at=None)
    return open_questions.exists() or contribution.objections.filter(state="open").exists()


def _hold_objection(actor: User, objection_id: str) -> tuple[Contribution, Objection]:
    told = Objection.objects.filter(pk=objection_id).first()
    unknown = NotFound("objection_not_found", _("There is no such objection."))
    if told is None:
        raise unknown
    try:
        contribution = hold_contribution(actor, told.contribution_id)
    except DomainError:
        raise unknown from None
    return contribution, Objection.objects.get(pk=objection_id)


def _require_standing(row: Objection) -> None:
    if row.state != "open":
        raise Conflict(
            "objection_ended",
            _("This objection has ended already: it was %(state)s.") % {"state": row.get_state_display()},
        )


def _tell(kind: str, contribution: Contribution, actor: User, now: datetime, **facts: str) -> None:
    record(kind, actor=actor, subject=contribution.pk, now=now, scopes=[contribution.budget_id], **facts)
