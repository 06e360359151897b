"""Pledges and work typed for somebody who came with paper or called, and the letter they sign."""

from typing import Any

from django.conf import settings
from django.contrib import messages
from django.db.models import Q
from django.http import Http404, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import path, reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_safe

from backend.commons.models import Budget, Commons
from backend.commons.services import OPEN_TO_PLEDGES, OPEN_TO_WORK, tree_of
from backend.contributions import recording as of_work
from backend.contributions.models import Contribution
from backend.core.errors import Conflict, Forbidden, Invalid
from backend.identity.models import Recording, User
from backend.identity.permissions import holds, may, require
from backend.identity.recordings import answer_awaited, code_of, send_again
from backend.identity.services import host_day
from backend.pledges import recording as of_pledges
from backend.pledges.models import Pledge
from backend.web.forms import add_domain_error
from backend.web.forms_organisations import AddressForm, LetterForm, ReasonForm, RecordPledgeForm, RecordWorkForm
from backend.web.pages import AuthedRequest, budgets_with, cut, private


def budgets_of(user: User) -> list[Budget]:
    """The budgets for which a person may record something for others."""
    if holds(user, "treasurer"):
        return list(Budget.objects.select_related("commons", "parent").order_by("commons__name", "name"))
    return list(budgets_with(user, "steward"))


def _things(recordings: list[Recording]) -> list[dict[str, Any]]:
    """Recordings with the pledge or the work they are about, and what each is called."""
    ids = [row.subject for row in recordings]
    pledges = Pledge.objects.select_related("organisation", "budget__commons").in_bulk(ids)
    work = Contribution.objects.select_related("contributor", "budget__commons").in_bulk(ids)
    return [{"row": row, "pledge": pledges.get(row.subject), "work": work.get(row.subject)} for row in recordings]


@private
@require_safe
def recordings(request: AuthedRequest) -> HttpResponse:
    """What was recorded for others in the reader's budgets, and where to record more."""
    budgets = budgets_of(request.user)
    if not budgets:
        require(request.user, "pledge.record")
    ids = [row.pk for row in budgets]
    mine = Q(subject__in=Pledge.objects.filter(budget__in=ids).values("pk")) | Q(
        subject__in=Contribution.objects.filter(budget__in=ids).values("pk")
    )
    page = cut(Recording.objects.filter(mine).select_related("recorded_by", "asked").order_by("-created_at"), request)
    commons = {row.commons_id: row.commons for row in budgets}
    context = {"page": page, "things": _things(list(page)), "commons": sorted(commons.values(), key=lambda c: c.name)}
    return render(request, "organisations/recordings.html", context)


def _open_budgets(request: AuthedRequest, commons: Commons, states: Any, action: str) -> list[Budget]:
    """The budgets of a commons where the reader may record, the pot first; Forbidden when there is none."""
    rows = [
        row
        for row in commons.budgets.select_related("parent", "commons").order_by("name")
        if may(request.user, action, scopes=tree_of(row))
    ]
    if not rows:
        require(request.user, action, scopes=[row.pk for row in commons.budgets.all()])
    return sorted((row for row in rows if row.state in states), key=lambda row: row.parent_id is not None)


@private
@require_http_methods(["GET", "HEAD", "POST"])
def record_pledge(request: AuthedRequest, slug: str) -> HttpResponse:
    """Record the pledge of an organisation that came with a paper or a call. Moves no money."""
    commons = get_object_or_404(Commons, slug=slug)
    budgets = _open_budgets(request, commons, OPEN_TO_PLEDGES, "pledge.record")
    now = timezone.now()
    if not budgets:
        return render(request, "organisations/record_pledge.html", {"commons": commons}, status=409)
    form = RecordPledgeForm(
        request.POST if request.method == "POST" else None, budgets=budgets, today=host_day(now),
        organisations=of_pledges.known_organisations(request.user, budgets[0]),
    )  # fmt: skip
    status = 200
    if request.method == "POST":
        status = 422
        if form.is_valid():
            typed = form.cleaned_data
            try:
                pledge = of_pledges.record_pledge(
                    actor=request.user, budget=typed["budget"], amount=typed["minor"],
                    currency=typed["budget"].currency, told=form.told, form_key=typed["form_key"], now=now,
                    organisation_id=typed["organisation"], name=typed["name"], contact=form.contact, terms=form.terms,
                )  # fmt: skip
            except (Invalid, Conflict) as error:
                add_domain_error(form, error)
                status = error.status
            else:
                messages.success(request, _("The pledge is recorded and awaits confirmation. No money moved."))
                return redirect("recording_page", recording_id=Recording.objects.get(subject=pledge.pk).pk)
    return render(request, "organisations/record_pledge.html", {"commons": commons, "form": form}, status=status)


@private
@require_http_methods(["GET", "HEAD", "POST"])
def record_work(request: AuthedRequest, slug: str) -> HttpResponse:
    """Record the work that somebody told on paper or by phone. Moves no money."""
    commons = get_object_or_404(Commons, slug=slug)
    budgets = _open_budgets(request, commons, OPEN_TO_WORK, "contribution.record")
    now = timezone.now()
    if not budgets:
        return render(request, "organisations/record_work.html", {"commons": commons}, status=409)
    form = RecordWorkForm(
        request.POST if request.method == "POST" else None, actor=request.user, today=host_day(now), budgets=budgets,
        people=of_work.known_people(request.user, budgets),
    )  # fmt: skip
    status = 200
    if request.method == "POST":
        status = 422
        if form.is_valid():
            typed = form.cleaned_data
            try:
                made = of_work.record_contribution(
                    actor=request.user, budget=typed["budget"], facts=form.facts, told=form.told,
                    form_key=typed["form_key"], now=now, contributor_id=typed["contributor"], somebody=form.somebody,
                )  # fmt: skip
            except (Invalid, Conflict) as error:
                add_domain_error(form, error)
                status = error.status
            else:
                messages.success(
                    request, _("The work is recorded: it awaits confirmation and its review. No money moved.")
                )
                return redirect("recording_page", recording_id=Recording.objects.get(subject=made.pk).pk)
    return render(request, "organisations/record_work.html", {"commons": commons, "form": form}, status=status)


def _found(request: AuthedRequest, recording_id: str) -> dict[str, Any]:
    """A recording with what it is about, for those who may record there; else 404."""
    pledge = of_pledges.visible_recording(request.user, recording_id)
    if pledge is not None:
        return {"recording": pledge[0], "pledge": pledge[1], "commons": pledge[1].budget.commons}
    work = of_work.visible_recording(request.user, recording_id)
    if work is not None:
        return {"recording": work[0], "work": work[1], "commons": work[1].budget.commons}
    raise Http404


@private
@require_http_methods(["GET", "HEAD", "POST"])
def recording_page(request: AuthedRequest, recording_id: str) -> HttpResponse:
    """What was recorded and what became of it.

    A signed letter that came back, or the address of somebody who had none, is typed in here, and whoever recorded
    something by mistake takes it back.
    """
    context = _found(request, recording_id)
    row = context["recording"]
    act = request.POST.get("act", "letter")
    forms = {
        name: kind(request.POST if request.method == "POST" and name == act else None)
        for name, kind in {"letter": LetterForm, "retract": ReasonForm, "address": AddressForm}.items()
    }
    status, form = 200, forms.get(act, forms["letter"])
    if request.method == "POST":
        status = 422
        if form.is_valid():
            try:
                done = _act(request, act, row, form.cleaned_data, "pledge" in context)
            except (Invalid, Conflict) as error:
                add_domain_error(form, error)
                status = error.status
            else:
                messages.success(request, done)
                return redirect("recording_page", recording_id=row.pk)
    awaited = answer_awaited(row)
    context |= {
        "form": form, "forms": forms, "awaited": awaited, "mine": awaited and row.recorded_by_id == request.user.pk,
    }  # fmt: skip
    return render(request, "organisations/recording.html", context, status=status)


def _act(request: AuthedRequest, act: str, row: Recording, typed: dict[str, Any], pledge: bool) -> str:
    """Do what a form of the page asks; returns the sentence that says it is done."""
    facts: dict[str, Any] = {"actor": request.user, "recording_id": row.pk, "now": timezone.now()}
    if act == "retract":
        (of_pledges.retract_pledge if pledge else of_work.retract_contribution)(reason=typed["reason"], **facts)
        return _("It is taken back, and the person reads your reason. No money moved.")
    if act == "address":
        (of_pledges.give_contact_address if pledge else of_work.give_contributor_address)(email=typed["email"], **facts)
        return _("Their address is noted: mail about it goes there from now on. Nothing else changed.")
    confirm = of_pledges.confirm_pledge if pledge else of_work.confirm_contribution
    confirm(how="letter", letter_on=typed["letter_on"], **facts)
    return _("The signed letter is noted: keep the paper. No money moved.")


@private
@require_http_methods(["POST"])
def recording_again(request: AuthedRequest, recording_id: str) -> HttpResponse:
    """Send the mail that asks to confirm again."""
    row = _found(request, recording_id)["recording"]
    send_again(actor=request.user, recording_id=row.pk, now=timezone.now())
    messages.success(request, _("The mail leaves again; twice within a minute sends it once."))
    return redirect("recording_page", recording_id=row.pk)


@private
@require_safe
def recording_letter(request: AuthedRequest, recording_id: str) -> HttpResponse:
    """The letter to print: what was recorded, the code, the line to sign."""
    context = _found(request, recording_id)
    row = context["recording"]
    if row.confirm_by != "letter":
        raise Http404  # the code of a mail is for its reader alone
    if not answer_awaited(row):
        return redirect("recording_page", recording_id=row.pk)
    context |= {"code": code_of(row), "page": settings.BASE_URL + reverse("confirm"), "today": timezone.now()}
    return render(request, "organisations/letter.html", context)


def require_not_recorder(user: Any, row: Recording) -> None:
    """Refuse that whoever typed something confirms it. Raises Forbidden `own_recording`."""
    if getattr(user, "pk", None) == row.recorded_by_id:
        raise Forbidden(
            "own_recording", _("You recorded this yourself: the person it is for confirms it."), action="pledge.record"
        )


urlpatterns = [
    path("recordings/", recordings, name="recordings"),
    path("recordings/<slug:recording_id>/", recording_page, name="recording_page"),
    path("recordings/<slug:recording_id>/again/", recording_again, name="recording_again"),
    path("recordings/<slug:recording_id>/letter/", recording_letter, name="recording_letter"),
    path("commons/<slug:slug>/record-pledge/", record_pledge, name="record_pledge"),
    path("commons/<slug:slug>/record-work/", record_work, name="record_work"),
]
