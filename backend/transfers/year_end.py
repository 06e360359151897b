"""The end of a fiscal year: dedicated funds of each budget, and volunteering valued, computed from the books.

One treasurer proposes, another books, once. Moves no money: each entry has both sides in one purse.
"""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime

from django.db import transaction
from django.utils.translation import gettext_lazy as _

from backend.contributions.volunteering import figures as time_given
from backend.core.errors import Conflict, DomainError, Forbidden, Invalid, NotFound
from backend.core.idempotency import fingerprint
from backend.core.ids import new_id
from backend.events.services import record
from backend.identity.models import Host, User
from backend.identity.permissions import may, require
from backend.identity.services import fiscal_year, host_day, the_host
from backend.ledger import chart
from backend.ledger.posting import reverse
from backend.ledger.services import Line, open_account, post
from backend.ledger.yearly import YearSum, year_sums
from backend.transfers.year_models import YearEnd, YearEndLine

POTS = ("budget", "reserve", "deficit")
FIRST_YEAR, LAST_YEAR = 2000, 2998
WRITTEN = "year."  # how the kinds of these entries begin
FIGURES = ("opening", "received", "spent", "earlier", "used", "set_aside", "closing")
BOOKED_OPENING = ("opening", "opening.reversed")


@dataclass(frozen=True)
class Dedicated:
    """The dedicated funds of one budget in a fiscal year, in minor units.

    `opening`: what was set aside before. `received` − `spent`: what came in and was moved to it, less what was spent.
    `earlier`: of years whose end was not written. `closing`: what the budget holds with its reserve, less its deficit,
    at the end of the year, none below zero = `opening` + `set_aside` − `used`.
    """

    budget: str
    currency: str
    opening: int
    received: int
    spent: int
    earlier: int
    used: int
    set_aside: int
    closing: int


@dataclass(frozen=True)
class Valued:
    """The volunteering of a fiscal year in one currency: minutes, and their value in minor units."""

    currency: str
    minutes: int
    amount: int


def days_of(year: int) -> tuple[date, date]:
    """The first and the last day of a fiscal year of the host. Raises: Invalid `year_unknown`."""
    if not FIRST_YEAR <= year <= LAST_YEAR:
        raise Invalid("year_unknown", _("Give a year with four figures."), param="year")
    return fiscal_year(year, starts_on=the_host().fiscal_year_starts_on)


def dedicated_funds(year: int) -> list[Dedicated]:
    """What each budget had set aside, received, spent and holds, from the ledger; budgets without any are left out.

    What the ends of years themselves wrote moves nothing in a purse and is not counted as received or spent.
    """
    first, last = days_of(year)
    groups: dict[tuple[str, str], list[YearSum]] = defaultdict(list)
    for row in year_sums(kinds=POTS, first=first, last=last):
        groups[row.owner, row.currency].append(row)
    found = [_dedicated(owner, currency, rows) for (owner, currency), rows in groups.items()]
    return [one for one in found if one.opening or one.used or one.set_aside or one.closing]


def _dedicated(owner: str, currency: str, rows: Sequence[YearSum]) -> Dedicated:
    known = [row for row in rows if row.chart == chart.EARMARKED]
    opening = -sum(row.before for row in known) - sum(row.during for row in known if row.entry in BOOKED_OPENING)
    opening = max(0, opening)
    year = [row for row in rows if not row.entry.startswith(WRITTEN) and row.entry not in BOOKED_OPENING]
    spent = sum(row.during for row in year if row.chart[0] == "6")
    received = spent - sum(row.during for row in year)
    held = -sum(row.before + row.during for row in rows)
    closing = max(0, held)
    # First what was set aside is used; what is left of it at the end can be no more than what is held.
    used = max(min(opening, max(0, spent)), opening - closing)
    return Dedicated(
        owner, currency, opening, received, spent, held - opening - received + spent, used,
        closing - opening + used, closing,
    )  # fmt: skip


@dataclass(frozen=True)
class Origin:
    """A part of a figure of `Dedicated`: from the lines under one number and kind of entry, or computed from the other
    figures (both empty). The parts of a figure add up to it; minor units."""

    budget: str
    currency: str
    figure: str
    chart: str
    entry: str
    amount: int


def origins(year: int) -> list[Origin]:
    """Where each figure of a year comes from, budget by budget, to the cent."""
    first, last = days_of(year)
    rows = year_sums(kinds=POTS, first=first, last=last)
    found: list[Origin] = []
    for one in dedicated_funds(year):
        sums: dict[tuple[str, str, str], int] = defaultdict(int)
        for row in rows:
            if (row.owner, row.currency) != (one.budget, one.currency):
                continue
            if row.chart == chart.EARMARKED:
                opened = row.during if row.entry in BOOKED_OPENING else 0
                sums["opening", row.chart, row.entry] -= row.before + opened
            elif not row.entry.startswith(WRITTEN) and row.entry not in BOOKED_OPENING:
                spent = row.chart[0] == "6"
                sums["spent" if spent else "received", row.chart, row.entry] += row.during if spent else -row.during
        parts = [Origin(one.budget, one.currency, *key, amount) for key, amount in sorted(sums.items()) if amount]
        told = {name: sum(part.amount for part in parts if part.figure == name) for name in FIGURES}
        parts += [
            Origin(one.budget, one.currency, name, "", "", getattr(one, name) - told[name])
            for name in FIGURES if getattr(one, name) != told[name]
        ]  # fmt: skip
        found += sorted(parts, key=lambda part: FIGURES.index(part.figure))
    return found


def volunteering(*, actor: User, year: int) -> list[Valued]:
    """The value of the time given in a fiscal year, a currency each. Raises: Conflict `rate_missing`; Forbidden."""
    sums: dict[str, tuple[int, int]] = defaultdict(lambda: (0, 0))
    for one in time_given(actor=actor, year=year):
        if one.amount is None:
            raise Conflict(
                "rate_missing", _("Set what an hour of volunteering is valued at first: nothing can be written.")
            )
        minutes, amount = sums[one.currency]
        sums[one.currency] = (minutes + one.minutes, amount + one.amount)
    return [Valued(currency, *sums[currency]) for currency in sorted(sums) if sums[currency][1]]


def propose_year_end(*, actor: User, kind: str, year: int, now: datetime) -> YearEnd:
    """Write down what the end of a year gives, for another treasurer to approve. Books nothing, moves no money.

    Args: kind: dedicated or volunteering.
    Returns: the proposal; the same figures asked again while it waits give it back.
    Raises: Forbidden; Invalid `year_unknown`, `year_end_unknown`; Conflict `year_not_over`, `year_written`,
        `year_waits`, `later_year_written`, `year_nothing`, `rate_missing`.
    """
    require(actor, "year_end.propose")
    if kind not in dict(YearEnd.KINDS):
        raise Invalid("year_end_unknown", _("Choose dedicated funds or volunteering."), param="kind")
    _first, last = days_of(year)
    if host_day(now) <= last:
        raise Conflict("year_not_over", _("This year is not over: its end is written from the next day on."))
    with transaction.atomic():
        _alone()
        _require_last(kind, year)
        lines = _lines(actor, kind, year)
        digest = _digest(kind, year, lines)
        known = YearEnd.objects.filter(kind=kind, year=year, state__in=YearEnd.LIVE).first()
        if known is not None:
            if known.state == "proposed" and known.digest == digest:
                return known
            if known.state == "booked":
                raise Conflict("year_written", _("This is in the books already: nothing was written a second time."))
            raise Conflict(
                "year_waits", _("Other figures wait to be decided: take them back, or have them refused first.")
            )
        if not lines:
            raise Conflict("year_nothing", _("There is nothing to write for this year."))
        made = YearEnd.objects.create(
            id=new_id("yen"), kind=kind, year=year, last_day=last, digest=digest, proposed_by=actor, proposed_at=now
        )
        for line in lines:
            line.year_end = made
        YearEndLine.objects.bulk_create(lines)
        record("year_end.proposed", actor=actor, subject=made.pk, now=now, of=kind, year=year, digest=digest)
    return made


def decide_year_end(
    *, actor: User, year_end_id: str, accept: bool, digest: str, reason: str = "", now: datetime
) -> YearEnd:
    """Book a proposal, or refuse it; who made it may take it back, never book it. Moves no money.

    Args: digest: that of the figures that were read. reason: asked for a refusal.
    Raises: NotFound; Forbidden `own_year_end`; Invalid `reason_missing`; Conflict `year_end_not_waiting`,
        `year_end_changed`, `month_locked`.
    """
    with transaction.atomic():
        _alone()
        found = _locked(actor, year_end_id)
        require(actor, "year_end.decide")
        state = "booked" if accept else "withdrawn" if found.proposed_by_id == actor.pk else "refused"
        if found.state == state and found.decided_by_id == actor.pk:
            return found
        if found.state != "proposed":
            raise _not_waiting(found)
        lines = list(found.lines.order_by("pk"))
        if accept:
            if found.proposed_by_id == actor.pk:
                raise Forbidden("own_year_end", _("You proposed these figures: another treasurer must approve them."))
            if not digest == found.digest == _digest(found.kind, found.year, _lines(actor, found.kind, found.year)):
                raise Conflict(
                    "year_end_changed",
                    _("The books say other figures by now. Nothing was booked: refuse these, then propose anew."),
                )
            for line in lines:
                line.entry = _book(found, line, now)
                line.save(update_fields=["entry"])
        else:
            found.decision_reason = " ".join(reason.split())[:500]
            if state == "refused" and not found.decision_reason:
                raise Invalid("reason_missing", _("Say why: the person who proposed them reads it."), param="reason")
            found.lines.update(live=False)
        found.state, found.decided_by, found.decided_at = state, actor, now
        found.save(update_fields=["state", "decided_by", "decided_at", "decision_reason"])
        record(
            f"year_end.{state}", actor=actor, subject=found.pk, now=now, why=found.decision_reason,
            before={"state": "proposed"}, after={"state": state}, of=found.kind, year=found.year, digest=found.digest,
        )  # fmt: skip
    return found


def undo_year_end(*, actor: User, year_end_id: str, reason: str, now: datetime) -> YearEnd:
    """Undo what was booked at the end of a year by its mirror, on the same day; then it can be proposed anew.

    Raises: NotFound; Forbidden; Invalid `reason_missing`; Conflict `year_end_not_booked`, `later_year_written`,
        `month_locked`. Moves no money.
    """
    why = " ".join(reason.split())[:500]
    with transaction.atomic():
        _alone()
        found = _locked(actor, year_end_id)
        require(actor, "year_end.decide")
        if not why:
            raise Invalid("reason_missing", _("Say why it is undone."), param="reason")
        if found.state == "undone" and found.undone_by_id == actor.pk:
            return found
        if found.state != "booked":
            raise Conflict("year_end_not_booked", _("This is not in the books: there is nothing to undo."))
        _require_last(found.kind, found.year)
        for line in found.lines.order_by("pk"):
            reverse(entry_id=line.entry, reference=found.pk, happened_on=found.last_day, now=now)
        found.lines.update(live=False)
        found.state, found.undone_by, found.undone_at, found.undone_reason = "undone", actor, now, why
        found.save(update_fields=["state", "undone_by", "undone_at", "undone_reason"])
        record(
            "year_end.undone", actor=actor, subject=found.pk, now=now, why=why, before={"state": "booked"},
            after={"state": "undone"}, of=found.kind, year=found.year,
        )  # fmt: skip
    return found


def year_end_hindrance(*, actor: User, year_end: YearEnd) -> DomainError | None:
    """Why this person could not book a proposal now, or None."""
    if not may(actor, "year_end.decide"):
        return Forbidden("not_allowed", _("A treasurer must approve these figures."))
    if year_end.proposed_by_id == actor.pk:
        return Forbidden("own_year_end", _("You proposed these figures: another treasurer must approve them."))
    return None


def still_true(*, actor: User, year_end: YearEnd) -> bool:
    """Whether the books still give the figures that were proposed or booked."""
    try:
        return _digest(year_end.kind, year_end.year, _lines(actor, year_end.kind, year_end.year)) == year_end.digest
    except Conflict:
        return False


def _alone() -> None:
    """One treasurer at a time writes the end of a year."""
    Host.objects.select_for_update(no_key=True).get()


def _locked(actor: User, year_end_id: str) -> YearEnd:
    rows = YearEnd.visible_to(actor).select_related("proposed_by", "decided_by").select_for_update(of=("self",))
    found = rows.filter(pk=year_end_id).first()
    if found is None:
        raise NotFound("year_end_not_found", _("There is no such end of year."))
    return found


def _require_last(kind: str, year: int) -> None:
    later = YearEnd.objects.filter(kind=kind, year__gt=year, state__in=YearEnd.LIVE).order_by("year").first()
    if kind == "dedicated" and later is not None:
        raise Conflict(
            "later_year_written",
            _("The end of %(year)s is written or proposed already, from this one: undo it first.")
            % {"year": later.year},
        )


def _lines(actor: User, kind: str, year: int) -> list[YearEndLine]:
    if kind == "volunteering":
        return [
            YearEndLine(kind=kind, year=year, currency=one.currency, set_aside=one.amount, minutes=one.minutes)
            for one in volunteering(actor=actor, year=year)
        ]
    return [
        YearEndLine(
            kind=kind, year=year, budget_id=one.budget, currency=one.currency, opening=one.opening,
            received=one.received, spent=one.spent, earlier=one.earlier, used=one.used, set_aside=one.set_aside,
            closing=one.closing,
        )
        for one in dedicated_funds(year) if one.used or one.set_aside
    ]  # fmt: skip


def _digest(kind: str, year: int, lines: Sequence[YearEndLine]) -> str:
    rows = sorted(
        [
            line.budget_id or "", line.currency, line.opening, line.received, line.spent, line.earlier, line.used,
            line.set_aside, line.closing, line.minutes,
        ]
        for line in lines
    )  # fmt: skip
    return fingerprint("year_end", kind, year, rows)


def _book(found: YearEnd, line: YearEndLine, now: datetime) -> str:
    """The entry of one line; its key is of the year and the budget, and of how often it was undone."""
    undone = YearEnd.objects.filter(kind=found.kind, year=found.year, state="undone").count()
    key = f"{found.kind}:{found.year}:{line.budget_id or 'host'}:{line.currency}:{undone}"
    if found.kind == "volunteering":
        purse = open_account(kind="host_fees", owner=the_host().pk, currency=line.currency)
        return post(
            kind="year.volunteering", scope="year_end", key=key, reference=found.pk, happened_on=found.last_day,
            lines=[Line(purse, line.set_aside, chart.TIME_GIVEN), Line(purse, -line.set_aside, chart.TIME_VALUED)],
            now=now,
        ).pk  # fmt: skip
    purse = open_account(kind="budget", owner=str(line.budget_id), currency=line.currency)
    lines = []
    if line.used:
        lines += [Line(purse, line.used, chart.EARMARKED), Line(purse, -line.used, chart.EARMARKED_USED)]
    if line.set_aside:
        lines += [Line(purse, line.set_aside, chart.SET_ASIDE), Line(purse, -line.set_aside, chart.EARMARKED)]
    return post(
        kind="year.dedicated", scope="year_end", key=key, reference=found.pk, happened_on=found.last_day, lines=lines,
        now=now,
    ).pk  # fmt: skip


def _not_waiting(found: YearEnd) -> Conflict:
    return Conflict(
        "year_end_not_waiting",
        _("These figures no longer wait: they are “%(state)s”.") % {"state": found.get_state_display()},
    )
