"""The life of a commons: anyone proposes one, others open, refuse, hide, show and archive it; budgets suspended."""

from collections.abc import Callable
from dataclasses import asdict
from typing import Any

from django.contrib import messages
from django.http import Http404, HttpResponse, HttpResponseBase
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import path
from django.utils import timezone
from django.utils.functional import SimpleLazyObject
from django.utils.translation import get_language
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from backend.commons.life import (
    amend_commons,
    approve_commons,
    hide_commons,
    propose_commons,
    refuse_commons,
    reopen_budget,
    show_commons,
    suspend_budget,
    withdraw_commons,
)
from backend.commons.models import Commons
from backend.commons.project_files import read_project_file
from backend.commons.proposed import digest_of
from backend.commons.services import get_budget, tree_of
from backend.core.errors import Conflict, Invalid
from backend.identity.permissions import may, require
from backend.identity.services import host_day, the_host
from backend.operations.commons_end import archive_commons, hindrances
from backend.web.acts import form_page
from backend.web.forms import add_domain_error
from backend.web.forms_forges import ProjectFileForm
from backend.web.forms_people import AppealForm, ApproveForm, ProposeForm, ReasonForm
from backend.web.pages import AuthedRequest, cut, fresh_factor, private

DECIDED = ["refused", "withdrawn"]


# --- proposing --------------------------------------------------------------------------------------------------------


@private
@require_http_methods(["GET", "HEAD", "POST"])
def commons_propose(request: AuthedRequest) -> HttpResponseBase:
    """Propose a commons. Shown to nobody but those who decide."""
    form = ProposeForm(request.POST or None)

    def act() -> HttpResponseBase:
        # A double click proposes once: the person's own waiting proposal of this name is the one just made.
        name = form.cleaned_data["name"].strip()
        twin = Commons.objects.filter(proposed_by=request.user, state="proposed", name=name).first()
        made = twin or propose_commons(actor=request.user, now=timezone.now(), **form.facts)
        messages.success(request, _("It is proposed. You are told by mail what becomes of it."))
        return redirect("proposed_commons", made.pk)

    mine = Commons.objects.filter(proposed_by=request.user).order_by("-created_at")[:20]
    return form_page(request, form, act, "life/propose.html", {"mine": mine, "reading": ProjectFileForm()})


@private
@require_POST
def commons_propose_from(request: AuthedRequest) -> HttpResponseBase:
    """Fill in the form with what a file says of the project. Nothing is kept of it, nothing is fetched."""
    reading = ProjectFileForm(request.POST, request.FILES)
    form, status = ProposeForm(), 422
    if reading.is_valid():
        try:
            found = read_project_file(reading.data_given, language=get_language() or "fr")
        except Invalid as refusal:
            add_domain_error(reading, refusal)
        else:
            form, status = ProposeForm(initial=asdict(found)), 200
    context = {"form": form, "reading": reading, "read": status == 200}
    return render(request, "life/propose.html", context, status=status)


def _proposed(request: AuthedRequest, commons_id: str) -> Commons:
    """A proposal of the reader, or one that the reader may decide."""
    found = Commons.objects.exclude(proposed_by=None).select_related("proposed_by", "decided_by")
    if not may(request.user, "commons.approve"):
        found = found.filter(proposed_by=request.user)
    return get_object_or_404(found, pk=commons_id)


@private
@require_http_methods(["GET", "HEAD", "POST"])
def proposed_commons(request: AuthedRequest, commons_id: str) -> HttpResponseBase:
    """A proposed commons: what it says, what happens next, and taking it back."""
    commons = _proposed(request, commons_id)
    if request.method == "POST":
        withdraw_commons(actor=request.user, commons_id=commons.pk, now=timezone.now())
        messages.success(request, _("The proposal is taken back."))
        return redirect("proposed_commons", commons.pk)
    return render(request, "life/proposed.html", _seen(request, commons))


def _seen(request: AuthedRequest, commons: Commons) -> dict[str, Any]:
    mine = commons.proposed_by_id == request.user.pk
    return {
        "commons": commons,
        "mine": mine,
        "digest": SimpleLazyObject(lambda: digest_of(commons)),
        "may_decide": commons.state == "proposed" and not mine and may(request.user, "commons.approve"),
    }


@private
@require_http_methods(["GET", "HEAD", "POST"])
def proposed_edit(request: AuthedRequest, commons_id: str) -> HttpResponseBase:
    """Write one's own proposal again."""
    commons = get_object_or_404(Commons, pk=commons_id, proposed_by=request.user)
    if commons.state != "proposed":
        return redirect("proposed_commons", commons.pk)
    start = {field: getattr(commons, field) for field in ProposeForm.base_fields}
    form = ProposeForm(request.POST or None, initial=start)

    def act() -> HttpResponseBase:
        amend_commons(actor=request.user, commons_id=commons.pk, now=timezone.now(), **form.facts)
        messages.success(request, _("The proposal is written again."))
        return redirect("proposed_commons", commons.pk)

    return form_page(request, form, act, "life/edit.html", {"commons": commons})


# --- deciding ---------------------------------------------------------------------------------------------------------


@private
@require_safe
def life(request: AuthedRequest) -> HttpResponse:
    """The commons that are proposed, those that are not open to the public, and those that are."""
    require(request.user, "moderation.read")
    found = Commons.objects.select_related("proposed_by", "decided_by")
    context = {
        "waiting": found.filter(state="proposed").order_by("created_at"),
        "page": cut(found.exclude(state__in=["proposed", *DECIDED]).order_by("name"), request),
        "decided": found.filter(state__in=DECIDED).order_by("-created_at")[:50],
        "may_decide": may(request.user, "commons.approve"),
    }
    return render(request, "life/list.html", context)


@private
@fresh_factor
@require_http_methods(["GET", "HEAD", "POST"])
def commons_open(request: AuthedRequest, commons_id: str) -> HttpResponseBase:
    """Open a proposed commons: its pot, first charter, first period. Moves no money."""
    require(request.user, "commons.approve")
    commons = _proposed(request, commons_id)
    currencies = sorted({account.currency for account in the_host().bank_accounts.all()})
    form = ApproveForm(request.POST or None, currencies=currencies, today=host_day(timezone.now()))

    def act() -> HttpResponseBase:
        facts = {"commons_id": commons.pk, "digest": request.POST.get("digest", ""), **form.cleaned_data}
        try:
            made = approve_commons(actor=request.user, now=timezone.now(), **facts)
        except Conflict:
            commons.refresh_from_db()  # the page shows what it says now, and is bound to that
            raise
        messages.success(request, _("%(name)s is open, and its steward is told. No money moved.") % {"name": made.name})
        return redirect("commons_page", made.slug)

    return form_page(request, form, act, "life/open.html", {**_seen(request, commons), "currencies": currencies})


@private
@fresh_factor
@require_http_methods(["GET", "HEAD", "POST"])
def commons_refuse(request: AuthedRequest, commons_id: str) -> HttpResponseBase:
    """Refuse a proposed commons, with a reason."""
    require(request.user, "commons.approve")
    commons = _proposed(request, commons_id)
    form = ReasonForm(request.POST or None)

    def act() -> HttpResponseBase:
        refuse_commons(
            actor=request.user, commons_id=commons.pk, reason=form.cleaned_data["reason"], now=timezone.now()
        )
        messages.success(request, _("The proposal is refused, and its author is told why."))
        return redirect("proposed_commons", commons.pk)

    return form_page(request, form, act, "life/refuse.html", _seen(request, commons))


# --- once it is open --------------------------------------------------------------------------------------------------


def _living(slug: str) -> Commons:
    states = ["open", "hidden", "archived"]
    return get_object_or_404(Commons.objects.select_related("decided_by"), slug=slug, state__in=states)


def _change(request: AuthedRequest, slug: str, act: str) -> HttpResponseBase:
    commons = _living(slug)
    require(request.user, "commons.archive" if act == "archive" else "commons.hide")
    form: Any = (AppealForm if act == "hide" else ReasonForm)(request.POST or None)
    done: dict[str, tuple[Callable[..., Commons], str]] = {
        "hide": (hide_commons, _("%(name)s is withdrawn from the public. No money moved.")),
        "show": (show_commons, _("%(name)s is shown to the public again. No money moved.")),
        "archive": (archive_commons, _("%(name)s is archived. No money moved.")),
    }
    service, said = done[act]

    def run() -> HttpResponseBase:
        service(actor=request.user, commons_id=commons.pk, now=timezone.now(), **form.cleaned_data)
        messages.success(request, said % {"name": commons.name})
        return redirect("life")

    context = {
        "commons": commons,
        "act": act,
        "waits": hindrances(commons) if act == "archive" else [],
        "mine": commons.proposed_by_id == request.user.pk,
    }
    return form_page(request, form, run, "life/change.html", context)


@private
@fresh_factor
@require_http_methods(["GET", "HEAD", "POST"])
def commons_hide(request: AuthedRequest, slug: str) -> HttpResponseBase:
    """Withdraw a commons from the public."""
    return _change(request, slug, "hide")


@private
@fresh_factor
@require_http_methods(["GET", "HEAD", "POST"])
def commons_show(request: AuthedRequest, slug: str) -> HttpResponseBase:
    """Show a hidden commons to the public again."""
    return _change(request, slug, "show")


@private
@fresh_factor
@require_http_methods(["GET", "HEAD", "POST"])
def commons_archive(request: AuthedRequest, slug: str) -> HttpResponseBase:
    """Archive a commons in which nothing waits any more."""
    return _change(request, slug, "archive")


@private
@require_http_methods(["GET", "HEAD", "POST"])
def budget_suspend(request: AuthedRequest, budget_id: str) -> HttpResponseBase:
    """Suspend a budget that is open, or reopen one that is suspended."""
    budget = get_budget(budget_id) if may(request.user, "budget.read") else _own_budget(request, budget_id)
    require(request.user, "budget.suspend", scopes=tree_of(budget))
    if budget.state not in {"open", "suspended"}:
        return redirect("budget_page", budget.pk)
    form = ReasonForm(request.POST or None)
    suspends = budget.state == "open"

    def act() -> HttpResponseBase:
        # The button says what it does: two people at once do not undo each other.
        service = suspend_budget if request.POST.get("act") == "suspend" else reopen_budget
        service(actor=request.user, budget_id=budget.pk, reason=form.cleaned_data["reason"], now=timezone.now())
        messages.success(
            request,
            _("The budget is suspended: it takes no new pledge. No money moved.")
            if service is suspend_budget
            else _("The budget takes pledges again. No money moved."),
        )
        return redirect("budget_page", budget.pk)

    return form_page(request, form, act, "life/suspend.html", {"budget": budget, "suspends": suspends})


def _own_budget(request: AuthedRequest, budget_id: str) -> Any:
    budget = get_budget(budget_id)
    if not may(request.user, "budget.read", scopes=tree_of(budget)):
        raise Http404
    return budget


urlpatterns = [
    path("proposed/", life, name="life"),
    path("proposed/new/", commons_propose, name="commons_propose"),
    path("proposed/new/from-file/", commons_propose_from, name="commons_propose_from"),
    path("proposed/<slug:commons_id>/", proposed_commons, name="proposed_commons"),
    path("proposed/<slug:commons_id>/edit/", proposed_edit, name="proposed_edit"),
    path("proposed/<slug:commons_id>/open/", commons_open, name="commons_open"),
    path("proposed/<slug:commons_id>/refuse/", commons_refuse, name="commons_refuse"),
    path("commons/<slug:slug>/hide/", commons_hide, name="commons_hide"),
    path("commons/<slug:slug>/show/", commons_show, name="commons_show"),
    path("commons/<slug:slug>/archive/", commons_archive, name="commons_archive"),
    path("budgets/<slug:budget_id>/suspend/", budget_suspend, name="budget_suspend"),
]
