"""The assistant that leads a period to its end: what to look at, a dry run, the closing, then each stage to payment.

It keeps nothing of its own: every stage is read from the period, its distribution and its shares.
"""

from datetime import datetime
from typing import Any

from django import forms
from django.contrib import messages
from django.db.models import Count, F, Q, Sum
from django.http import HttpResponseBase
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import path, reverse
from django.utils import timezone
from django.utils.translation import gettext, ngettext
from django.utils.translation import gettext_lazy as _
from django.views.decorators.http import require_http_methods

from backend.banking.models import BankLine
from backend.commons.models import Period
from backend.commons.services import following, tree_of
from backend.contributions.models import Contribution
from backend.core.errors import Conflict
from backend.core.money import format_money
from backend.distributions.models import Distribution, DistributionObjection, Share
from backend.distributions.services import (
    approvable_from,
    approval_hindrance,
    close_period,
    failed_to_close,
    last_day,
    simulate,
)
from backend.identity.models import User
from backend.identity.permissions import dormant, may, require
from backend.identity.services import host_day, people_with
from backend.operations.models import SelfCheckRun
from backend.pledges.donations import believed
from backend.pledges.models import Pledge
from backend.pledges.references import find_references
from backend.web.forms import add_domain_error
from backend.web.pages import AuthedRequest, private
from backend.web.periods import readable_periods
from backend.web.side_by_side import validated_minutes
from backend.web.status import LATE

LINES_READ = 1000  # bank lines that wait to be matched, of which the assistant reads the texts
UNMATCHED = ("new", "suspect", "suggested")


def _without_signs(name: str) -> list[str]:
    return name.replace("›", " ").replace(">", " ").casefold().split()


class CloseForm(forms.Form):
    """The name of the pot, typed: closing cannot be undone."""

    name = forms.CharField(
        label=_("To confirm, type the name of the budget"), max_length=200,
        widget=forms.TextInput(attrs={"autocomplete": "off"}),
        error_messages={"required": _("Type the name of the budget.")},
    )  # fmt: skip

    def __init__(self, *args: Any, expected: str, **kwargs: Any) -> None:
        """Say what is to be typed."""
        super().__init__(*args, **kwargs)
        self.expected = expected
        self.fields["name"].help_text = expected

    def clean_name(self) -> str:
        """Capitals and spaces do not matter, nor does the sign between a commons and its budget: no keyboard has it."""
        typed: str = self.cleaned_data["name"].strip()
        if _without_signs(typed) != _without_signs(self.expected):
            raise forms.ValidationError(
                gettext("Type “%(name)s”, as it stands here. Nothing was closed.") % {"name": self.expected}
            )
        return typed


@private
@require_http_methods(["GET", "HEAD", "POST"])
def period_close(request: AuthedRequest, period_id: str) -> HttpResponseBase:
    """Where a period stands on its way from open to paid, and its closing. Moves no money."""
    periods = readable_periods(request.user).select_related("charter", "budget__parent")
    period, now = get_object_or_404(periods, pk=period_id), timezone.now()
    form, status = CloseForm(request.POST or None, expected=period.budget.full_name), 200
    if request.method == "POST":
        require(request.user, "period.close", scopes=tree_of(period.budget))
        status = 422
        if form.is_valid():
            try:
                close_period(actor=request.user, period_id=period.pk, now=now)
            except Conflict as refusal:
                add_domain_error(form, refusal)
                status = refusal.status
            else:
                messages.success(
                    request,
                    gettext("The period is closed. Nothing is paid now: another person must approve the distribution."),
                )
                return redirect("period_close", period.pk)
    distribution = (
        Distribution.visible_to(request.user)
        .select_related("charter", "prepared_by", "approved_by", "period__budget")
        .defer("inputs")
        .filter(period=period)
        .first()
    )
    begun = period.starts_on <= host_day(now)
    context: dict[str, Any] = {
        "period": period,
        "budget": period.budget,
        "last_day": last_day(period),
        "distribution": distribution,
        "form": form,
        "begun": begun,
        "can_close": begun
        and period.state == "open"
        and may(request.user, "period.close", scopes=tree_of(period.budget)),
    }
    if distribution is not None:
        context["stages"] = stages(request.user, distribution, now)
    elif period.state == "open":
        context |= before_closing(request.user, period, now)
        context["early"] = begun and context["last_day"] > host_day(now)
    return render(request, "periods/close.html", context, status=status)


# --- before it is closed ----------------------------------------------------------------------------------------------


def before_closing(actor: User, period: Period, now: datetime) -> dict[str, Any]:
    """What to look at, and what each person would receive beside what the last period gave."""
    (trace,) = simulate(actor=actor, period_id=period.pk, documents=[period.charter.document], now=now)
    paid = {row["id"] for row in trace["persons"] if row["cents"]}
    budgets = [one.pk for one in following(period.budget)]
    return {
        "checks": [
            *_work(period, budgets),
            *_money(actor, period, budgets),
            *_by_itself(period),
            _soundness(now),
            *_people(actor, period, paid),
        ],
        **_dry_run(period, trace),
    }


def _check(fine: bool, text: str, link: str = "", more: list[str] | None = None) -> dict[str, Any]:
    return {"fine": fine, "text": text, "link": link, "more": more or []}


def _work(period: Period, budgets: list[str]) -> list[dict[str, Any]]:
    """Work that is not reviewed, talked about, or still a draft: none of it is shared by this closing."""
    counts = Contribution.objects.filter(period=period).aggregate(
        declared=Count("pk", filter=Q(state="declared")), questioned=Count("pk", filter=Q(state="questioned"))
    )
    drafts = Contribution.objects.filter(state="draft", budget__in=budgets).count()
    queue, declared, questioned = reverse("reviews"), counts["declared"], counts["questioned"]
    return [
        _check(not declared, ngettext(
            "%(count)s contribution is not reviewed: it will go into the next period.",
            "%(count)s contributions are not reviewed: they will go into the next period.", declared,
        ) % {"count": declared} if declared else gettext("All declared work is reviewed."), queue if declared else ""),
        _check(not questioned, ngettext(
            "%(count)s contribution has an open question or objection: it goes into the next period.",
            "%(count)s contributions have an open question or objection: they go into the next period.", questioned,
        ) % {"count": questioned} if questioned else gettext("No question or objection is open."),
            queue if questioned else ""),
        _check(not drafts, ngettext(
            "%(count)s draft was not declared: remind its author, it counts for nothing yet.",
            "%(count)s drafts were not declared: remind their authors, they count for nothing yet.", drafts,
        ) % {"count": drafts} if drafts else gettext("No draft is left.")),
    ]  # fmt: skip


def _money(actor: User, period: Period, budgets: list[str]) -> list[dict[str, Any]]:
    """Money that may be here and is not in the pot, and money that is promised and has not come."""
    pledges = Pledge.objects.filter(believed(), budget__in=budgets)
    ours = set(pledges.values_list("reference", flat=True))
    texts = BankLine.objects.filter(state__in=UNMATCHED, amount__gt=0).order_by("-pk")
    waiting = texts.values_list("text", flat=True)[:LINES_READ]
    lines = sum(1 for text in waiting if ours.intersection(find_references(text)))
    unpaid = pledges.filter(expected__gt=0, state="active").aggregate(count=Count("pk"), total=Sum("expected"))
    told = {"count": unpaid["count"], "amount": format_money(unpaid["total"] or 0, period.budget.currency)}
    return [
        _check(not lines, ngettext(
            "%(count)s bank line names a pledge to this budget and is not matched: its money is not in the pot.",
            "%(count)s bank lines name pledges to this budget and are not matched: their money is not in the pot.",
            lines,
        ) % {"count": lines} if lines else gettext("No bank line that names a pledge to this budget is unmatched."),
            reverse("bank") if lines and may(actor, "bank.read") else ""),
        _check(not unpaid["count"], ngettext(
            "%(count)s pledge awaits its payment: %(amount)s will count in a later period.",
            "%(count)s pledges await their payment: %(amount)s will count in a later period.", unpaid["count"],
        ) % told if unpaid["count"] else gettext("No pledge awaits its payment."),
            reverse("budget_page", args=[period.budget.pk]) if unpaid["count"] else ""),
    ]  # fmt: skip


def _by_itself(period: Period) -> list[dict[str, Any]]:
    """What is told of a period that its charter should have closed."""
    if not failed_to_close(period):
        return []
    said = gettext(
        "This period should have closed by itself and an error kept it from it: close it by hand, or ask who "
        "keeps the service. It is tried again each minute."
    )
    return [_check(False, said)]


def _soundness(now: datetime) -> dict[str, Any]:
    last, link = SelfCheckRun.objects.order_by("-pk").first(), reverse("status")
    if last is None or last.started_at < now - LATE:
        return _check(False, gettext("The self-check of the books has not run lately."), link)
    if not last.ok:
        return _check(False, gettext("The self-check of the books found faults: have them explained first."), link)
    return _check(True, gettext("The self-check found the books sound."), link)


def _people(actor: User, period: Period, paid: set[str]) -> list[dict[str, Any]]:
    """Who could settle an objection and who could approve, if this person closed the period; and who could not."""
    stewards, unable = _sorted_out(actor, people_with("steward", tree_of(period.budget)), paid, "steward")
    needed = period.charter.settled_by
    treasurers, barred = _sorted_out(actor, people_with("treasurer", []), paid, "treasurer")
    settles = gettext("Could settle an objection: %(names)s.") % {"names": ", ".join(stewards) or gettext("nobody")}
    if len(stewards) < needed:
        settles += " " + gettext("The charter wants %(count)s: name another steward.") % {"count": needed}
    approves = gettext("Could approve: %(names)s.") % {"names": ", ".join(treasurers) or gettext("nobody")}
    if not treasurers:
        approves += " " + gettext("Let somebody close it who does not approve, or name another treasurer.")
    return [_check(len(stewards) >= needed, settles, "", unable), _check(bool(treasurers), approves, "", barred)]


def _sorted_out(actor: User, people: list[User], paid: set[str], role: str) -> tuple[list[str], list[str]]:
    """The names of those who could act, and for each other why not."""
    able: list[str] = []
    unable: list[str] = []
    for one in people:
        if one.pk == actor.pk:
            unable.append(gettext("%(name)s: would have closed the period") % {"name": one.name})
        elif one.pk in paid:
            unable.append(gettext("%(name)s: would be paid by it") % {"name": one.name})
        elif role in dormant(one):
            unable.append(gettext("%(name)s: has no second factor yet") % {"name": one.name})
        else:
            able.append(one.name)
    return able, unable


def _dry_run(period: Period, trace: dict[str, Any]) -> dict[str, Any]:
    """Person by person: asked, time, what a closing would give now, what the last booked period gave."""
    last = (
        Distribution.objects.filter(
            state="booked", period__budget=period.budget, period__starts_on__lt=period.starts_on
        )
        .select_related("period")
        .defer("inputs", "trace")
        .order_by("-period__starts_on")
        .first()
    )
    before = dict(last.shares.values_list("contributor", "amount")) if last else {}
    now_given = {row["id"]: row for row in trace["persons"]}
    minutes = validated_minutes(trace)
    people = User.objects.in_bulk(sorted({*before, *now_given}))
    rows = [
        {
            "name": people[person].name,
            "asked": now_given[person]["claim"] if person in now_given else 0,
            "minutes": minutes.get(person, 0),
            "now": now_given[person]["cents"] if person in now_given else 0,
            "before": before.get(person, 0),
            "difference": (now_given[person]["cents"] if person in now_given else 0) - before.get(person, 0),
        }
        for person in people
    ]
    uses, charter = trace["totals"]["uses"], period.charter
    by_request = all(charter.reads_requests(kind) for kind in charter.kinds)
    asked = sum(row["claim"] for row in trace["persons"])
    return {
        "rows": sorted(rows, key=lambda row: str(row["name"]).casefold()),
        "last": last.period if last else None,
        "last_ends": last_day(last.period) if last else None,
        "held": trace["totals"]["sources"]["held"],
        "shared": uses["shares"],
        "left": uses["left"],
        "set_aside": uses["upstream"] + uses["reserve"],
        "shared_before": sum(before.values()),
        "asked": asked,
        "minutes": sum(row["minutes"] for row in rows),
        "difference": sum(row["difference"] for row in rows),
        "short": max(0, asked - uses["shares"]) if by_request else 0,
    }


# --- once it is closed ------------------------------------------------------------------------------------------------


def stages(actor: User, distribution: Distribution, now: datetime) -> list[dict[str, Any]]:
    """The stages of a closed period, in their order: what is done, what is next, who may do it, where."""
    published, booked = distribution.state != "frozen", distribution.state == "booked"
    page = reverse("distribution_page", args=[distribution.pk])
    standing = distribution.objections.filter(state__in=DistributionObjection.STANDING).count()
    raised = distribution.objections.count()
    waiting = distribution.arbitrations.filter(state="waiting").first()
    first = approvable_from(distribution)
    over = first is not None and host_day(now) >= first
    answered = published and not standing and waiting is None
    paid = _paid(distribution)
    rows = [
        _stage(
            gettext("Closed, inputs frozen"), True,
            distribution.prepared_by.name if distribution.prepared_by else gettext("By itself, as its charter says."),
            distribution.prepared_at,
        ),
        _stage(
            gettext("Computed and published"), published, gettext("The computer does it, within a minute."),
            distribution.published_at, link=page,
        ),
        _stage(
            gettext("Time for objections"), published and (over or booked),
            gettext("Anybody of the budget may object, with a reason, until it is approved."), day=first, link=page,
        ),
        _stage(
            gettext("Objections answered"), booked or (answered and over), _objections(raised, standing, waiting),
            link=reverse("arbitration_page", args=[waiting.pk]) if waiting else f"{page}#objections" if raised else "",
        ),
        _stage(
            gettext("Approved by another person, and booked"), booked,
            distribution.approved_by.name if distribution.approved_by else _approvers(distribution, now),
            distribution.approved_at,
            link=page if booked else reverse("distribution_approve", args=[distribution.pk])
            if published and approval_hindrance(actor=actor, distribution=distribution, now=now) is None else page,
        ),
        _stage(gettext("Paid"), booked and not paid["left"], _payments(distribution, paid) if booked else "",
               link=reverse("payouts") if booked and paid["left"] and may(actor, "batch.prepare") else ""),
    ]  # fmt: skip
    following_one = next((row for row in rows if not row["done"]), None)
    if following_one is not None:
        following_one["next"] = True
    return rows


def _stage(
    name: str, done: bool, who: str, at: datetime | None = None, *, day: Any = None, link: str = ""
) -> dict[str, Any]:
    return {"name": name, "done": done, "who": who, "at": at if done else None, "day": day, "link": link, "next": False}


def _objections(raised: int, standing: int, waiting: Any) -> str:
    if waiting is not None:
        return gettext("Other amounts were entered: those they change are asked to answer.")
    if standing:
        return ngettext(
            "%(count)s objection stands: its author lifts it, uninvolved stewards decide, or a meeting agrees "
            "on other amounts.",
            "%(count)s objections stand: their authors lift them, uninvolved stewards decide, or a meeting "
            "agrees on other amounts.",
            standing,
        ) % {"count": standing}
    return gettext("All objections are answered.") if raised else gettext("Nobody objected.")


def _approvers(distribution: Distribution, now: datetime) -> str:
    """The treasurers who may approve, whatever else is waited for; or that there is nobody."""
    personal = {"own_distribution", "paid_by_distribution", "own_arbitration", "not_allowed"}
    able = []
    for one in people_with("treasurer", []):
        refusal = approval_hindrance(actor=one, distribution=distribution, now=now)
        if distribution.state == "published" and (refusal is None or refusal.code not in personal):
            able.append(one.name)
    if distribution.state != "published":
        return gettext("A treasurer who did not close the period and is not paid by it.")
    if not able:
        return gettext("No treasurer may approve it: name another one.")
    return gettext("May approve: %(names)s.") % {"names": ", ".join(able)}


def _paid(distribution: Distribution) -> dict[str, int]:
    due = Sum(F("amount") - F("waived"))
    rows = distribution.shares.filter(amount__gt=0).aggregate(
        all=Count("pk"), gone=Count("pk", filter=Q(state__in=["paid", "waived"])),
        left=due, over=Sum(F("amount") - F("waived"), filter=Q(state="paid")),
    )  # fmt: skip
    return {
        "all": rows["all"], "gone": rows["gone"], "left": (rows["left"] or 0) - (rows["over"] or 0),
    }  # fmt: skip


def _payments(distribution: Distribution, paid: dict[str, int]) -> str:
    told = {
        "gone": paid["gone"],
        "all": paid["all"],
        "left": format_money(paid["left"], distribution.currency),
    }
    said = gettext("%(gone)s of %(all)s shares are paid or given back; %(left)s is still due.") % told
    waits = Share.objects.filter(distribution=distribution, state__in=Share.DUE).exclude(amount=F("waived"))
    return said + (" " + gettext("Treasurers prepare a payout batch of what is due.") if waits.exists() else "")


urlpatterns = [path("periods/<str:period_id>/close/", period_close, name="period_close")]
