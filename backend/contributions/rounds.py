"""Statement rounds: opens one, takes the answers as of a list, reminds once, closes."""

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta

from django.db import transaction
from django.db.models import Q, QuerySet
from django.utils.translation import gettext_lazy as _

from backend.commons.models import Budget
from backend.commons.services import tree_of
from backend.contributions.models import OBJECTED, Contribution
from backend.contributions.round_models import Round, RoundAnswer
from backend.contributions.services import require_budget_open
from backend.core.errors import Conflict, Invalid, NotFound
from backend.core.ids import new_id
from backend.core.sweep import sweep_rows
from backend.core.text import plain
from backend.events.services import record
from backend.identity.models import Host, Role, User
from backend.identity.permissions import ACTIONS, counting, may, require
from backend.identity.services import host_day

LONGEST = 366  # days that a round asks about
MAX_MISSING = 500  # characters
LATEST = 90  # days to answer
# Those who have not answered are reminded so long before the last day to do so, never on the day it was opened.
REMIND = timedelta(days=3)
A_DAY = timedelta(days=1)
NOT_TOLD = ("draft", "withdrawn", "rejected")
VALIDATED = ("validated", "included", "settled")


@dataclass
class Known:
    """What is known of the work of one person in a round: their contributions by day; sums in minutes, minor units."""

    rows: list[Contribution] = field(default_factory=list)

    @property
    def told(self) -> list[Contribution]:
        """Those that the person stands for: neither drafts nor what was withdrawn or rejected."""
        return [row for row in self.rows if row.state not in NOT_TOLD]

    @property
    def drafts(self) -> list[Contribution]:
        """Those that nobody but the person has seen."""
        return [row for row in self.rows if row.state == "draft"]

    @property
    def validated(self) -> int:
        """How many of them peers agreed with."""
        return sum(row.state in VALIDATED for row in self.rows)

    @property
    def minutes(self) -> int:
        """Of what was told."""
        return sum(row.minutes for row in self.told)

    @property
    def amount(self) -> int:
        """Asked for what was told."""
        return sum(row.amount for row in self.told)

    @property
    def listed(self) -> str:
        """SHA-256 of the list of what was told: another one as soon as anything of it is amended, added or taken."""
        lines = (f"{row.pk} {row.version} {row.minutes} {row.amount}" for row in sorted(self.told, key=lambda r: r.pk))
        return hashlib.sha256("\n".join(lines).encode()).hexdigest()


@transaction.atomic
def open_round(
    *, actor: User, budget: Budget, first_day: date, last_day: date, answer_by: date, form_key: str, now: datetime
) -> Round:
    """Ask everybody who works for a budget, or an envelope of it, whether all their work of some days is told.

    Args: last_day: today at the latest. answer_by: a day to come; who has not answered is reminded once before it.
        form_key: a repetition gives back the first round. Moves no money.
    Raises: Forbidden `not_allowed`; Invalid `round_days`, `round_answer_by`; Conflict `budget_not_open`,
        `round_running`, `round_of_nobody`.
    """
    require(actor, "round.run", scopes=tree_of(budget))
    budget = Budget.objects.select_for_update(of=("self",), no_key=True).select_related("parent").get(pk=budget.pk)
    first = Round.objects.filter(opened_by=actor, form_key=form_key).first()
    if first is not None:
        return first
    today = host_day(now)
    if not first_day <= last_day <= today or (last_day - first_day).days >= LONGEST:
        raise Invalid(
            "round_days",
            _("Give a first and a last day, in this order, today at the latest, a year apart at most."),
            param="last_day",
        )
    if not today < answer_by <= today + timedelta(days=LATEST):
        raise Invalid("round_answer_by", _("Give a day to come, within 90 days."), param="answer_by")
    require_budget_open(budget)
    if Round.objects.filter(budget=budget, closed_at=None).exists():
        raise Conflict("round_running", _("A statement round of this budget is open: close it first."))
    people = list(_asked(budget, first_day, last_day))
    if not people:
        raise Conflict("round_of_nobody", _("Nobody works for this budget yet: there is nobody to ask."))
    row = Round.objects.create(
        id=new_id("rnd"), budget=budget, first_day=first_day, last_day=last_day, answer_by=answer_by,
        form_key=form_key, opened_by=actor, opened_at=now,
    )  # fmt: skip
    answers = [RoundAnswer(id=new_id("rna"), round=row, person=person) for person in people]
    RoundAnswer.objects.bulk_create(answers)
    record("round.opened", actor=actor, subject=row.pk, now=now, scopes=[budget.pk], people=len(answers))
    for answer in answers:
        record("round.asked", actor=actor, subject=answer.pk, now=now, scopes=[budget.pk], round=row.pk)
    return row


@transaction.atomic
def answer_round(
    *, actor: User, answer_id: str, state: str, listed: str, now: datetime, missing: str = ""
) -> RoundAnswer:
    """Say of the list that one read that it is complete, or that something is missing; again while the round is open.

    Args: state: `complete` or `missing`. listed: `Known.listed` of the list that was read; another one is refused.
        missing: a few words of what is missing, for whoever runs the round.
    Raises: NotFound `round_not_found`; Invalid `round_answer_unknown`, `said_length`; Conflict `round_closed`,
        `round_list_changed`.
    """
    told = RoundAnswer.objects.filter(pk=answer_id, person=actor).first()
    if told is None:
        raise _unknown()
    if state not in ("complete", "missing"):
        raise Invalid("round_answer_unknown", _("Say that the list is complete, or that something is missing."))
    words = plain(missing).strip() if state == "missing" else ""
    if len(words) > MAX_MISSING:
        raise Invalid("said_length", _("Say it in 500 characters at most."), param="missing")
    row = Round.objects.select_for_update(of=("self",), no_key=True).select_related("budget").get(pk=told.round_id)
    answer = RoundAnswer.objects.get(pk=answer_id)
    if (answer.state, answer.listed, answer.missing) == (state, listed, words):
        return answer
    if row.closed_at is not None:
        raise Conflict("round_closed", _("This round is closed: nothing was changed. Work can still be declared."))
    if known_of(row, [actor])[actor.pk].listed != listed:
        raise Conflict(
            "round_list_changed", _("Your contributions changed since you read this list: read it again, then answer.")
        )
    before = answer.state
    answer.state, answer.listed, answer.missing, answer.answered_at = state, listed, words, now
    answer.save(update_fields=["state", "listed", "missing", "answered_at"])
    record(
        "round.answered", actor=actor, subject=answer.pk, now=now, scopes=[row.budget_id], round=row.pk, listed=listed,
        before={"state": before}, after={"state": state},
    )  # fmt: skip
    return answer


@transaction.atomic
def close_round(*, actor: User, round_id: str, now: datetime) -> Round:
    """Take no more answers; doing it twice changes nothing.

    Raises: NotFound `round_not_found`; Forbidden `not_allowed`.
    """
    told = Round.objects.filter(pk=round_id).first()
    if told is None:
        raise _unknown()
    require(actor, "round.run", scopes=tree_of(told.budget))
    row = Round.objects.select_for_update(of=("self",), no_key=True).get(pk=round_id)
    if row.closed_at is None:
        row.closed_at, row.closed_by = now, actor
        row.save(update_fields=["closed_at", "closed_by"])
        silent = row.answers.filter(state="").count()
        record("round.closed", actor=actor, subject=row.pk, now=now, scopes=[row.budget_id], silent=silent)
    return row


def remind_due(now: datetime) -> int:
    """Remind those who have not answered, once a round; returns how many rounds."""
    return sweep_rows(rounds_to_remind(now), lambda row: _remind(row, now))


def rounds_to_remind(now: datetime) -> "QuerySet[Round]":
    """The open rounds whose last day to answer is near, of which nobody was reminded."""
    if not Host.objects.exists():
        return Round.objects.none()
    near = host_day(now) + REMIND
    return Round.objects.filter(closed_at=None, reminded_at=None, answer_by__lte=near, opened_at__lte=now - A_DAY)


def _remind(row: Round, now: datetime) -> None:
    row.reminded_at = now
    row.save(update_fields=["reminded_at"])
    for answer in row.answers.filter(state="").order_by("pk"):
        record("round.reminded", actor=None, subject=answer.pk, now=now, scopes=[row.budget_id], round=row.pk)


def rounds_of(actor: User) -> "QuerySet[Round]":
    """The rounds that a person runs, whatever their state."""
    scopes = counting(actor).filter(kind__in=ACTIONS["round.run"], scope__startswith="bud_").values("scope")
    rows = Round.objects.select_related("budget__commons", "budget__parent")
    return rows.filter(Q(budget__in=scopes) | Q(budget__parent__in=scopes)).order_by("-opened_at", "-pk")


def round_for(actor: User, round_id: str) -> Round:
    """A round that a person runs. Raises: NotFound `round_not_found`."""
    row = Round.objects.select_related("budget__commons", "budget__parent").filter(pk=round_id).first()
    if row is None or not may(actor, "round.run", scopes=tree_of(row.budget)):
        raise _unknown()
    return row


def known_of(row: Round, people: Iterable[User]) -> dict[str, Known]:
    """What is known of the work of some people in a round, by person; the days in their order."""
    found = {person.pk: Known() for person in people}
    mine = _within(row.budget, row.first_day, row.last_day).filter(contributor__in=found)
    for one in mine.select_related("budget", "period__charter").annotate(**OBJECTED).order_by("worked_on", "pk"):
        found[one.contributor_id].rows.append(one)
    return found


def _within(budget: Budget, first_day: date, last_day: date) -> "QuerySet[Contribution]":
    inside = Q(budget=budget) | Q(budget__parent=budget)
    return Contribution.objects.filter(inside, worked_on__gte=first_day, worked_on__lte=last_day)


def _asked(budget: Budget, first_day: date, last_day: date) -> "QuerySet[User]":
    """The contributors of a budget and of its envelopes, and whoever told or drafted work of these days."""
    scopes = [*tree_of(budget), *Budget.objects.filter(parent=budget).values_list("pk", flat=True)]
    members = Role.objects.filter(kind="contributor", scope__in=scopes).values("user")
    workers = _within(budget, first_day, last_day).values("contributor")
    return User.objects.filter(Q(pk__in=members) | Q(pk__in=workers), is_active=True).order_by("name", "pk")


def to_answer(person: User) -> "QuerySet[RoundAnswer]":
    """The open rounds that wait for the answer of a person, the most urgent first."""
    rows = RoundAnswer.objects.filter(person=person, round__closed_at=None).exclude(state="complete")
    return rows.select_related("round__budget__commons", "round__budget__parent").order_by("round__answer_by", "pk")


def _unknown() -> NotFound:
    return NotFound("round_not_found", _("There is no such statement round."))
