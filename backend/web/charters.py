"""The pages of charters: the rules of a budget in words, their history, the form that changes them, and its preview."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any

from django import forms
from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import path
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from backend.commons.charter_schema import charter_schema
from backend.commons.charters import CharterInvalid, read_document, valid_document
from backend.commons.life import concealed
from backend.commons.models import Budget, Charter, Period
from backend.commons.services import adopt_charter, charter_of, ruling_budget, tree_of
from backend.contributions.models import Contribution
from backend.core.errors import Invalid
from backend.distributions.models import Distribution
from backend.distributions.services import last_day
from backend.distributions.simulation import simulate
from backend.identity.models import User
from backend.identity.permissions import may, require
from backend.identity.services import host_day
from backend.web.charter_words import Change, Section, budget_names, changes, sections
from backend.web.forms_charter import CharterForm
from backend.web.forms_charter_document import DocumentForm
from backend.web.pages import AuthedRequest, fresh_factor, private
from backend.web.side_by_side import Comparison, compare
from backend.web.templatetags.tronc import day

A_DAY = "public, max-age=86400"
COMPARABLE = 6  # periods offered to a preview


@dataclass(frozen=True)
class Version:
    """One version in the history: who adopted it and when, what changed, and since when it holds."""

    charter: Charter
    changes: list[Change]
    holds_from: date | None


def _budget(budget_id: str, reader: Any) -> Budget:
    """A budget that the reader may read: not that of a commons withdrawn from the public, but for its people."""
    found = Budget.objects.select_related("commons", "parent__parent")
    budget = get_object_or_404(found, pk=budget_id)
    if concealed(reader, budget.commons):
        raise Http404
    return budget


def _knows(reader: Any, budget: Budget) -> bool:
    """Whether a reader sees the names of those who adopted the versions."""
    return isinstance(reader, User) and may(reader, "budget.read", scopes=tree_of(budget))


def _adopts(reader: Any, budget: Budget) -> bool:
    return isinstance(reader, User) and may(reader, "charter.adopt", scopes=tree_of(budget))


def _in_words(document: Mapping[str, Any], budget: Budget) -> list[Section]:
    return sections(document, budget.currency, budget_names([document]))


def applies_from(budget: Budget, today: date) -> date:
    """The first day that a version adopted today would rule, unless the running period is closed before its end."""
    coming = Period.objects.filter(budget=budget, state="open", starts_on__gt=today).order_by("starts_on").first()
    if coming is not None:
        return coming.starts_on
    return Period.objects.filter(budget=budget).latest("starts_on").ends_before


def _history(budget: Budget) -> list[Version]:
    """The versions of a charter, newest first."""
    versions = list(budget.charters.select_related("created_by").order_by("version"))
    starts: dict[str, date] = {}
    for held, first in budget.periods.order_by("-starts_on").values_list("charter", "starts_on"):
        starts[held] = first
    found: list[Version] = []
    before: Charter | None = None
    for charter in versions:
        changed = changes(before.document, charter.document, budget.currency) if before else []
        found.append(Version(charter, changed, starts.get(charter.pk)))
        before = charter
    return found[::-1]


@require_safe
def charter_page(request: HttpRequest, budget_id: str) -> HttpResponse:
    """The rules that hold for a budget, section by section, what comes next, and all their versions. Public."""
    budget = _budget(budget_id, request.user)
    ruling = ruling_budget(budget)
    charter = charter_of(budget)
    history = _history(ruling)
    latest = history[0].charter
    running = Period.objects.filter(budget=ruling, state="open", charter=charter).order_by("starts_on").first()
    context = {
        "budget": budget,
        "ruling": ruling,
        "charter": charter,
        "sections": _in_words(charter.document, ruling),
        "history": history,
        "running": running,
        "last_day": last_day(running) if running else None,
        "coming": latest if latest.pk != charter.pk else None,
        "coming_changes": changes(charter.document, latest.document, ruling.currency),
        "coming_from": applies_from(ruling, host_day(timezone.now())),
        "known": _knows(request.user, budget),
        "can_adopt": _adopts(request.user, ruling),
    }
    return render(request, "charters/charter.html", context)


def _version(budget: Budget, version: int) -> Charter:
    return get_object_or_404(Charter.objects.select_related("created_by"), budget=budget, version=version)


@require_safe
def charter_version(request: HttpRequest, budget_id: str, version: int) -> HttpResponse:
    """One version in words, whether it holds or not. Public."""
    budget = _budget(budget_id, request.user)
    charter = _version(budget, version)
    latest = budget.charters.latest("version")
    context = {
        "budget": budget,
        "charter": charter,
        "sections": _in_words(charter.document, budget),
        "periods": [(one, last_day(one)) for one in charter.periods.order_by("starts_on")],
        "known": _knows(request.user, budget),
        "older": charter.sha256 != latest.sha256,
        "can_adopt": _adopts(request.user, budget),
    }
    return render(request, "charters/version.html", context)


@require_safe
def charter_json(request: HttpRequest, budget_id: str, version: int) -> HttpResponse:
    """The document of a version as a file: it never changes. Public."""
    charter = _version(_budget(budget_id, request.user), version)
    body = json.dumps(charter.document, ensure_ascii=False, indent=2, sort_keys=True) + "\n"
    name = f"{charter.budget.commons.slug}-charter-{version}.json"
    return HttpResponse(
        body,
        content_type="application/json",
        headers={"Content-Disposition": f'attachment; filename="{name}"', "Cache-Control": A_DAY},
    )


@require_safe
def schema(request: HttpRequest) -> HttpResponse:
    """The JSON Schema of the documents. Public."""
    body = json.dumps(charter_schema(), ensure_ascii=False, indent=2) + "\n"
    headers = {"Cache-Control": A_DAY, "Access-Control-Allow-Origin": "*"}
    return HttpResponse(body, content_type="application/schema+json", headers=headers)


def _changeable(request: AuthedRequest, budget_id: str) -> Budget:
    """The budget whose charter may be changed here by this person."""
    budget = _budget(budget_id, request.user)
    require(request.user, "charter.adopt", scopes=tree_of(budget))
    if not budget.charters.exists():
        raise Http404
    return budget


def _pots(budget: Budget) -> list[Budget]:
    """The budgets to which this one could send a part of what it receives."""
    others = Budget.objects.filter(state="open", currency=budget.currency).exclude(commons=budget.commons_id)
    return list(others.select_related("commons").order_by("commons__name", "name"))


@private
@require_http_methods(["GET", "HEAD", "POST"])
def charter_edit(request: AuthedRequest, budget_id: str) -> HttpResponseBase:
    """The rules as a form; its preview is computed over a period, and adopting goes to a page that asks again."""
    budget = _changeable(request, budget_id)
    latest = budget.charters.latest("version")
    form = CharterForm(
        request.POST or None, document=latest.document, budget=budget, pots=_pots(budget),
        initial={"after": latest.version},
    )  # fmt: skip
    return _edited(request, budget, latest, form, "charters/edit.html")


@private
@require_http_methods(["GET", "HEAD", "POST"])
def charter_document(request: AuthedRequest, budget_id: str) -> HttpResponseBase:
    """The rules as a JSON document, for who writes it elsewhere; the rest is as with the form."""
    budget = _changeable(request, budget_id)
    latest = budget.charters.latest("version")
    shown = json.dumps(latest.document, ensure_ascii=False, indent=2)
    form = DocumentForm(request.POST or None, initial={"document": shown, "after": latest.version})
    return _edited(request, budget, latest, form, "charters/document.html")


def _edited(
    request: AuthedRequest, budget: Budget, latest: Charter, form: CharterForm | DocumentForm, template: str
) -> HttpResponseBase:
    """Read the form; then show it again with its preview, or ask to confirm."""
    status, preview, draft = 200, None, None
    periods = _comparable(budget)
    over = request.POST.get("over") or _telling(periods)
    if request.method == "POST":
        status = 422
        draft = _draft(form, budget) if form.is_valid() else None
        if draft is not None:
            status = 200
            if request.POST.get("act") == "adopt":
                return _confirm(request, budget, latest, draft, form.cleaned_data["after"])
            chosen = next((one for one in periods if one.pk == over), None)
            preview = _preview(request.user, chosen, latest.document, draft) if chosen else None
    context = {
        "budget": budget,
        "latest": latest,
        "form": form,
        "periods": [(one, last_day(one)) for one in periods],
        "over": over,
        "previewed": draft is not None,
        "preview": preview,
        "changes": changes(latest.document, draft, budget.currency) if draft is not None else [],
    }
    return render(request, template, context, status=status)


def _draft(form: CharterForm | DocumentForm, budget: Budget) -> dict[str, Any] | None:
    """The complete document that the form says; None when it has faults, which the form then shows."""
    try:
        if isinstance(form, CharterForm):
            return valid_document(form.document(), budget=budget)
        return valid_document(read_document(form.cleaned_data["document"]), budget=budget)
    except CharterInvalid as refusal:
        if isinstance(form, CharterForm):
            form.say(refusal)
        else:
            form.add_error("document", forms.ValidationError([_placed(*fault) for fault in refusal.faults]))
        return None


def _placed(place: str, sentence: str) -> str:
    """A fault with its path in front."""
    return _("%(path)s: %(sentence)s") % {"path": place, "sentence": sentence} if place else sentence


def _comparable(budget: Budget) -> list[Period]:
    """The periods over which two charters can be compared: those that have begun, the running one first."""
    begun = Period.objects.filter(budget=budget, starts_on__lte=host_day(timezone.now())).select_related("budget")
    shared = begun.filter(pk__in=Distribution.objects.exclude(state="frozen").values("period")).order_by("-starts_on")
    return [*begun.filter(state="open").order_by("starts_on"), *shared][:COMPARABLE]


def _telling(periods: list[Period]) -> str:
    """The first of these periods that has validated work, else the first; empty for none."""
    validated = Contribution.objects.filter(period__in=periods, state__in=["validated", "included", "settled"])
    worked = set(validated.values_list("period", flat=True).distinct())
    return next((one.pk for one in periods if one.pk in worked), periods[0].pk if periods else "")


def _preview(actor: User, period: Period, present: Mapping[str, Any], draft: Mapping[str, Any]) -> Comparison | str:
    """Who would receive what under the present charter and under the draft, or why that cannot be computed."""
    try:
        traces = simulate(actor=actor, period_id=period.pk, documents=[present, draft], now=timezone.now())
    except Invalid as refusal:
        return str(refusal)
    return compare(traces, [_("Present rules"), _("Your draft")])


def _confirm(
    request: AuthedRequest, budget: Budget, latest: Charter, draft: Mapping[str, Any], after: int
) -> HttpResponse:
    """What will change and from when; adopting is one more button."""
    return render(
        request,
        "charters/confirm.html",
        {
            "budget": budget,
            "latest": latest,
            "document": json.dumps(draft, ensure_ascii=False),
            "after": after,
            "changes": changes(latest.document, draft, budget.currency),
            "from": applies_from(budget, host_day(timezone.now())),
            "moved_on": after != latest.version,
        },
    )


@private
@require_safe
def charter_again(request: AuthedRequest, budget_id: str, version: int) -> HttpResponse:
    """Come back to an older version: it is adopted again, as the next one, once it is confirmed."""
    budget = _changeable(request, budget_id)
    latest = budget.charters.latest("version")
    return _confirm(request, budget, latest, _version(budget, version).document, latest.version)


@private
@fresh_factor
@require_POST
def charter_adopt(request: AuthedRequest, budget_id: str) -> HttpResponseBase:
    """Adopt the document that the page before showed. Moves no money."""
    budget = _changeable(request, budget_id)
    read = request.POST.get("after", "")
    after = int(read) if read.isdecimal() and len(read) < 9 else None
    document = read_document(request.POST.get("document", ""))
    now = timezone.now()
    made = adopt_charter(actor=request.user, budget=budget, document=document, now=now, after=after)
    said = _("Version %(version)s is adopted. It holds from %(day)s on; no money moved.")
    messages.success(request, said % {"version": made.version, "day": day(applies_from(budget, host_day(now)))})
    return redirect("charter_page", budget.pk)


urlpatterns = [
    path("charters/<str:budget_id>/", charter_page, name="charter_page"),
    path("charters/<str:budget_id>/edit/", charter_edit, name="charter_edit"),
    path("charters/<str:budget_id>/document/", charter_document, name="charter_document"),
    path("charters/<str:budget_id>/adopt/", charter_adopt, name="charter_adopt"),
    path("charters/<str:budget_id>/<int:version>/", charter_version, name="charter_version"),
    path("charters/<str:budget_id>/<int:version>/adopt/", charter_again, name="charter_again"),
    path("charters/<str:budget_id>/<int:version>/charter.json", charter_json, name="charter_json"),
]
bare = [path("charter.schema.json", schema, name="charter_schema")]
