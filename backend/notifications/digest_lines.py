"""What awaits a peer, in the language of the moment: one line a contribution, each of them once."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.db.models import Exists, OuterRef, Q, QuerySet
from django.utils.translation import gettext as _

from backend.contributions.models import Adjustment, Contribution, Objection, Opinion, Question, Review
from backend.contributions.peers import UNDER_REVIEW
from backend.core.dates import date_format
from backend.events.models import Event
from backend.identity.models import User
from backend.identity.permissions import ACTIONS, counting
from backend.identity.services import host_zone
from backend.notifications.letters import link

SHOWN = 20
SOON = timedelta(days=1)


@dataclass(frozen=True)
class Section:
    """A head, the lines under it, how many more there are, and the page that has them all."""

    head: str
    lines: list[str]
    more: int
    page: str


def sections_for(person: User, *, since: datetime, now: datetime) -> list[Section]:
    """What a person should look at; empty when nothing awaits them. What stands in a section stands in none below."""
    theirs = within(person, ACTIONS["contribution.discuss"])
    cared_for = within(person, ACTIONS["contribution.decide"])
    if theirs is None:
        return []
    others = Contribution.visible_to(person).exclude(contributor=person).filter(theirs)
    found = [
        _section(_("Objections that await your decision:"), _to_decide(person, others, cared_for), "reviews/"),
        _section(_("Corrections that await your decision:"), _to_adjust(person, others, cared_for), "reviews/"),
        _section(
            _("Accepted within a day, unless somebody objects:"),
            others.filter(state="declared", accepted_at__gt=now, accepted_at__lte=now + SOON), "reviews/", clock=True,
        ),
        _section(_("Your question was answered:"), _answered(person, others, since), "reviews/"),
        _section(_("Amended since your last mail:"), _amended(others, since), "reviews/"),
        _section(_("To review:"), _to_review(person, others, cared_for), "reviews/"),
        _section(_("Newly declared:"), others.filter(state__in=UNDER_REVIEW, created_at__gt=since), "work/"),
    ]  # fmt: skip
    told: set[str] = set()
    sections = []
    for head, rows, page, clock in found:
        fresh = [row for row in rows if row.pk not in told]
        told |= {row.pk for row in fresh}
        if fresh:
            lines = [_line(row, clock=clock) for row in fresh[:SHOWN]]
            sections.append(Section(head, lines, len(fresh) - len(lines), page))
    return sections


def within(person: User, kinds: Iterable[str]) -> Q | None:
    """The contributions of the budgets in which a person holds one of these roles now; None when they hold none."""
    scopes = set(counting(person).filter(kind__in=kinds).values_list("scope", flat=True))
    if not scopes:
        return None
    if any(scope.startswith("hst_") for scope in scopes):
        return Q()
    return Q(budget__in=scopes) | Q(budget__parent__in=scopes)


_Found = tuple[str, list[Contribution], str, bool]


def _section(head: str, rows: "QuerySet[Contribution]", page: str, *, clock: bool = False) -> _Found:
    ordered = rows.select_related("contributor", "budget").order_by("accepted_at" if clock else "created_at", "pk")
    return head, list(ordered), page, clock


def _to_decide(person: User, rows: "QuerySet[Contribution]", cared_for: Q | None) -> "QuerySet[Contribution]":
    """With an objection that this steward, uninvolved, has not weighed yet."""
    if cared_for is None:
        return rows.none()
    weighed = Opinion.objects.filter(objection=OuterRef("pk"), steward=person)
    standing = Objection.objects.filter(~Exists(weighed), contribution=OuterRef("pk"), state="open")
    open_ones = rows.filter(cared_for, Exists(standing.exclude(objector=person)))
    return open_ones.exclude(recorded_by=person)


def _to_adjust(person: User, rows: "QuerySet[Contribution]", cared_for: Q | None) -> "QuerySet[Contribution]":
    """Of which somebody else says that too much was given; their pages lead to it."""
    if cared_for is None:
        return rows.none()
    standing = Adjustment.objects.filter(contribution=OuterRef("pk"), state="proposed").exclude(proposed_by=person)
    return rows.filter(cared_for, Exists(standing))


def _to_review(person: User, rows: "QuerySet[Contribution]", cared_for: Q | None) -> "QuerySet[Contribution]":
    """Declared, where people and not a clock validate, and not yet reviewed by this steward as it stands."""
    if cared_for is None:
        return rows.none()
    said = Review.objects.filter(contribution=OuterRef("pk"), reviewer=person, version=OuterRef("version"))
    waiting = rows.filter(~Exists(said), cared_for, state="declared", accepted_at=None)
    return waiting.exclude(recorded_by=person)


def _answered(person: User, rows: "QuerySet[Contribution]", since: datetime) -> "QuerySet[Contribution]":
    mine = Question.objects.filter(contribution=OuterRef("pk"), asker=person, closed_at__gt=since)
    return rows.filter(Exists(mine.exclude(answer="")), state__in=UNDER_REVIEW)


def _amended(rows: "QuerySet[Contribution]", since: datetime) -> "QuerySet[Contribution]":
    changed = Event.objects.filter(kind="contribution.amended", subject=OuterRef("pk"), created_at__gt=since)
    # One that was declared since is new, whatever was amended of it.
    return rows.filter(Exists(changed), state__in=UNDER_REVIEW, created_at__lte=since, version__gt=1)


def _line(row: Contribution, *, clock: bool) -> str:
    values = {
        "name": row.contributor.name, "budget": row.budget.name, "what": row.description[:80],
        "link": link(f"contributions/{row.pk}/"),
    }  # fmt: skip
    if clock and row.accepted_at is not None:
        values["when"] = date_format(row.accepted_at.astimezone(host_zone()), "DATETIME_FORMAT")
        return _("%(name)s, %(budget)s: %(what)s, on %(when)s. %(link)s") % values
    return _("%(name)s, %(budget)s: %(what)s. %(link)s") % values
