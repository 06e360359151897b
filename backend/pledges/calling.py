"""The background work of pledges: writes the next instalment, calls it with its paper, reminds of what is late.

Every row treated leaves the set of due ones, so that a sweep may run a hundred times, and beside itself.
"""

from datetime import date, datetime, timedelta
from typing import Any

from django.db.models import Exists, F, OuterRef, Q, QuerySet, Subquery, Sum
from django.db.models.functions import Coalesce

from backend.commons.services import OPEN_TO_MONEY
from backend.core.ids import new_id
from backend.core.sweep import sweep_rows
from backend.documents.models import Document
from backend.events.services import record
from backend.identity.models import Host
from backend.identity.services import host_day
from backend.pledges.calendar import covers_until, next_due, pay_by
from backend.pledges.models import Instalment, Pledge
from backend.pledges.papers import paper_for

# How long before its day an instalment is written and called. A month ahead, monthly ones would ask for two at once.
LEAD = timedelta(days=30)
LEADS = {"once": LEAD, "monthly": timedelta(days=7), "quarterly": LEAD, "yearly": LEAD}
# Days after which a late instalment is recalled, and how far apart two reminders are at least.
REMINDERS = (7, 21, 45)
APART = timedelta(days=7)
# Budgets whose pledges go on: one that is closing takes what was called, and calls nothing more.
GOING_ON = {"open", "suspended"}
CALLED = ("called", "partly_received", "failed")
# Somebody else may have typed the address of a gift: until money comes, it is told once how to pay and left in peace.
NEVER_PAID = {"donor__isnull": False, "donor__claimed_by": None, "received": 0}


def call_due(now: datetime) -> int:
    """Write the instalments that come soon, and call those of which the payer was not told; returns how many."""
    if not Host.objects.exists():
        return 0
    today = host_day(now)
    written = sweep_rows(_to_write(today), lambda pledge: _write_next(pledge, today, now))
    return written + sweep_rows(_to_call(today), lambda pledge: _call(pledge, today, now))


def remind_due(now: datetime) -> int:
    """Remind of what is late, three times; returns how many acts of promising somebody was reminded of."""
    if not Host.objects.exists():
        return 0
    today = host_day(now)
    return sweep_rows(_leaders(_to_remind(today, now)), lambda pledge: _remind(pledge, today, now))


def calls_waiting(now: datetime) -> int:
    """How many pledges and acts of promising `call_due` would treat now."""
    if not Host.objects.exists():
        return 0
    today = host_day(now)
    return _to_write(today).count() + _to_call(today).count()


def reminders_waiting(now: datetime) -> int:
    """How many acts of promising `remind_due` would treat now."""
    return _leaders(_to_remind(host_day(now), now)).count() if Host.objects.exists() else 0


def unpaid(today: date) -> "QuerySet[Instalment]":
    """What is still awaited after the last reminder: people now speak with whoever promised, or write it off."""
    longest = today - timedelta(days=REMINDERS[-1])
    rows = _running(_late(state__in=CALLED, reminders__gte=len(REMINDERS), late_from__lte=longest))
    return rows.select_related("pledge__budget__commons", "pledge__organisation", "pledge__person", "pledge__donor")


def _late(*conditions: Q, **more: Any) -> "QuerySet[Instalment]":
    """Instalments by the day up to which they could be paid, as `late_from`."""
    return Instalment.objects.annotate(late_from=Coalesce("pay_by", "due_on")).filter(*conditions, **more)


def _running(rows: "QuerySet[Instalment]") -> "QuerySet[Instalment]":
    """Those of pledges that stand, are not paused, and whose budget takes money."""
    return rows.filter(
        _asked_by_us(), pledge__state="active", pledge__paused_at=None, pledge__budget__state__in=OPEN_TO_MONEY
    )  # fmt: skip


def _asked_by_us() -> Q:
    """What a provider's subscription takes is neither called nor recalled; its invoice is owed once it came."""
    return Q(pledge__means="transfer") | Q(state="received")


def _leaders(rows: "QuerySet[Instalment]") -> "QuerySet[Pledge]":
    """The first pledge of each act of promising that has such rows: it is held for all of them, so that one acts."""
    earlier = Pledge.objects.filter(group=OuterRef("group"), pk__lt=OuterRef("pk"))
    return Pledge.objects.filter(~Exists(earlier), group__in=rows.values("pledge__group"))


def _to_write(today: date) -> "QuerySet[Pledge]":
    """Recurring pledges whose next day, the one before which their last instalment ends, comes soon."""
    last = Instalment.objects.filter(pledge=OuterRef("pk")).order_by("-number").values("covers_until")[:1]
    soon = Q()
    for rhythm, lead in LEADS.items():
        soon |= Q(rhythm=rhythm, next_on__lte=today + lead)
    return (
        Pledge.objects.filter(state="active", paused_at=None, means="transfer", budget__state__in=GOING_ON)
        .exclude(rhythm="once")
        .exclude(**NEVER_PAID)
        .annotate(next_on=Subquery(last))
        .filter(soon)
        .filter(Q(ends_on=None) | Q(ends_on__gte=F("next_on")))
    )


def _write_next(pledge: Pledge, today: date, now: datetime) -> None:
    """The next instalment of a pledge, at its present amount; one a turn, the sweep comes again for the ones after."""
    last = pledge.instalments.order_by("-number").first()
    assert last is not None, f"{pledge.pk} has no first instalment"
    found = next_due(pledge.starts_on, pledge.rhythm, after=last.due_on, ends_on=pledge.ends_on)
    if found is None or found[1] > today + LEADS[pledge.rhythm]:
        return  # another sweep wrote it while this one waited for the pledge
    number, day = found
    Instalment.objects.create(
        id=new_id("ins"), pledge=pledge, number=number, due_on=day, amount=pledge.amount, currency=pledge.currency,
        covers_until=covers_until(pledge.starts_on, pledge.rhythm, number), created_at=now,
    )  # fmt: skip


def _to_call(today: date) -> "QuerySet[Pledge]":
    """Acts of which an instalment comes soon and is not called, or was called and has no paper yet."""
    soon = Q()
    for rhythm, lead in LEADS.items():
        soon |= Q(pledge__rhythm=rhythm, due_on__lte=today + lead)
    return _leaders(_running(Instalment.objects.filter(_without_paper() | (Q(state="due") & soon))))


def _without_paper() -> Q:
    """Called without its paper, or with an invoice of which nothing stands any more.

    What came before its call was written needs none; an invoice is owed all the same. Gifts without an account have
    none: their own page says how to pay.
    """
    owed = Q(state__in=CALLED) | Q(state="received", pledge__paper="invoice")
    invoices = Document.objects.filter(pk=OuterRef("document"), kind="invoice")
    credited = invoices.annotate(cancelled=Sum("corrections__total")).filter(cancelled__gte=F("total"))
    return (Q(document="") | Q(Exists(credited))) & _has_papers() & owed


def _has_papers() -> Q:
    return Q(pledge__donor=None) | Q(pledge__donor__claimed_by__isnull=False)


def _call(leader: Pledge, today: date, now: datetime) -> None:
    """Call the instalments of one act, a paper a day. The leader is held; so are the other pledges from here on."""
    held = Pledge.objects.select_for_update(of=("self",)).filter(group=leader.group).order_by("pk")
    keys = [pledge.pk for pledge in held]
    rows = _running(Instalment.objects.select_for_update(of=("self",)).filter(pledge__in=keys))
    rows = rows.select_related(
        "pledge__budget__commons", "pledge__organisation", "pledge__person", "pledge__donor", "pledge__made_by"
    )
    by_day: dict[date, list[Instalment]] = {}
    for row in rows.filter(_without_paper() | Q(state="due")).order_by("due_on", "pledge_id"):
        if row.state != "due" or row.due_on <= today + LEADS[row.pledge.rhythm]:
            by_day.setdefault(row.due_on, []).append(row)
    for together in by_day.values():
        _call_day(together, today, now)


def _call_day(rows: list[Instalment], today: date, now: datetime) -> None:
    donor = rows[0].pledge.donor
    for row in rows:
        if row.state == "due":
            organisation = row.pledge.organisation_id is not None
            row.pay_by = pay_by(row.due_on, called_on=today, organisation=organisation)
    paper = paper_for(rows, now=now) if donor is None or donor.claimed_by_id is not None else None
    news = [row for row in rows if row.state == "due"]
    for row in rows:
        row.document = paper.pk if paper is not None else ""
        if row.state == "due":
            row.state, row.called_at = "called", now
        row.save(update_fields=["document", "state", "called_at", "pay_by"])
    if news:  # the first one was told when the pledge was made
        pledge = news[0].pledge
        record(
            "pledge.called", actor=None, subject=pledge.pk, now=now, scopes=_scopes(rows),
            amount=sum(row.amount for row in rows), currency=pledge.currency,
            due_on=(news[0].pay_by or news[0].due_on).isoformat(),
            document=paper.pk if paper is not None else "", label=paper.label if paper is not None else "",
        )  # fmt: skip


def _scopes(rows: list[Instalment]) -> list[str]:
    return [*dict.fromkeys(row.pledge.budget_id for row in rows), rows[0].pledge.payer_id]


def _to_remind(today: date, now: datetime) -> "QuerySet[Instalment]":
    late = Q()
    for done, days in enumerate(REMINDERS):
        late |= Q(reminders=done, late_from__lte=today - timedelta(days=days))
    rows = _late(late, state__in=CALLED)
    rows = rows.exclude(**{f"pledge__{name}": value for name, value in NEVER_PAID.items()})
    return _running(rows.filter(Q(reminded_at=None) | Q(reminded_at__lte=now - APART)))


def _remind(leader: Pledge, today: date, now: datetime) -> None:
    """One message for all that is late of one act."""
    held = Pledge.objects.select_for_update(of=("self",)).filter(group=leader.group).order_by("pk")
    keys = [pledge.pk for pledge in held]
    rows = list(
        _to_remind(today, now)
        .select_for_update(of=("self",))
        .filter(pledge__in=keys)
        .select_related("pledge")
        .order_by("due_on", "pledge_id")
    )
    if not rows:
        return
    for row in rows:
        row.reminders, row.reminded_at = row.reminders + 1, now
        row.save(update_fields=["reminders", "reminded_at"])
    told: dict[str, Any] = {
        "amount": sum(row.awaited for row in rows), "currency": rows[0].currency,
        "due_on": (rows[0].pay_by or rows[0].due_on).isoformat(),
        "reminder": max(row.reminders for row in rows), "instalments": [row.pk for row in rows],
    }  # fmt: skip
    record("pledge.reminded", actor=None, subject=rows[0].pledge_id, now=now, scopes=_scopes(rows), **told)
    if told["reminder"] == len(REMINDERS):
        record("pledge.unpaid", actor=None, subject=rows[0].pledge_id, now=now, scopes=_scopes(rows), **told)
