"""Public texts that are withdrawn: the list, the texts of a commons, withdrawing one and giving it back."""

from collections.abc import Iterable

from django.contrib import messages
from django.http import HttpResponse, HttpResponseBase
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import path
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_safe

from backend.commons.models import Commons, Moderation
from backend.identity.permissions import may, require
from backend.operations.moderation import give_back, owner_of, public_text, texts_of, withdraw_text
from backend.web.acts import form_page
from backend.web.forms_people import AppealForm
from backend.web.pages import AuthedRequest, cut, private


@private
@require_safe
def moderation(request: AuthedRequest) -> HttpResponse:
    """What is withdrawn, and what was: who, when, why."""
    require(request.user, "moderation.read")
    rows = Moderation.objects.select_related("moderated_by", "lifted_by")
    page = cut(rows.exclude(lifted_at=None).order_by("-id"), request)
    _about(page)
    context = {
        "waiting": _about(rows.filter(lifted_at=None).order_by("-id")),
        "page": page,
        "commons": Commons.objects.filter(state__in=["open", "hidden", "archived"]).order_by("name"),
        "may_moderate": may(request.user, "text.moderate"),
    }
    return render(request, "moderation/list.html", context)


def _about(rows: Iterable[Moderation]) -> list[Moderation]:
    """Say of each whose text it is, by the names that those who run the host read."""
    found = list(rows)
    for row in found:
        row.about = owner_of(row.subject)  # type: ignore[attr-defined]
    return found


@private
@require_safe
def commons_texts(request: AuthedRequest, slug: str) -> HttpResponse:
    """The public texts of a commons, each with the way to withdraw it."""
    require(request.user, "text.moderate")
    commons = get_object_or_404(Commons, slug=slug, state__in=["open", "hidden", "archived"])
    names = dict(Moderation.FIELDS)
    found = texts_of(commons)
    hidden = set(
        Moderation.objects.filter(subject__in={line[0] for line in found}, lifted_at=None).values_list(
            "subject", "field"
        )
    )
    rows = [
        {
            "subject": subject,
            "field": field,
            "what": names[field],
            "of": of,
            "text": text,
            "hidden": (subject, field) in hidden,
        }
        for subject, field, of, text in found
    ]
    return render(request, "moderation/texts.html", {"commons": commons, "rows": rows})


@private
@require_http_methods(["GET", "HEAD", "POST"])
def text_withdraw(request: AuthedRequest, subject: str, field: str) -> HttpResponseBase:
    """Read the text again, then withdraw it with a reason. Moves no money."""
    require(request.user, "text.moderate")
    _row, text = public_text(subject, field)
    form = AppealForm(request.POST or None)

    def act() -> HttpResponseBase:
        withdraw_text(actor=request.user, subject=subject, field=field, now=timezone.now(), **form.cleaned_data)
        messages.success(request, _("The text is withdrawn from the public pages, and its author is told."))
        return redirect("moderation")

    return form_page(
        request, form, act, "moderation/withdraw.html", {"what": dict(Moderation.FIELDS)[field], "text": text}
    )


@private
@require_http_methods(["POST"])
def text_restore(request: AuthedRequest, moderation_id: str) -> HttpResponseBase:
    """Show a withdrawn text again."""
    give_back(actor=request.user, moderation_id=moderation_id, now=timezone.now())
    messages.success(request, _("The text is public again, and its author is told."))
    return redirect("moderation")


urlpatterns = [
    path("moderation/", moderation, name="moderation"),
    path("moderation/commons/<slug:slug>/", commons_texts, name="commons_texts"),
    path("moderation/<slug:subject>/<slug:field>/withdraw/", text_withdraw, name="text_withdraw"),
    path("moderation/<slug:moderation_id>/restore/", text_restore, name="text_restore"),
]
