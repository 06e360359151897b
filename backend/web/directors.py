"""The pages about the host's directors: who they are, what each was paid month by month, what is tolerated."""

from typing import Any

from django.contrib import messages
from django.http import HttpResponseBase
from django.shortcuts import get_object_or_404, redirect
from django.urls import path
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods

from backend.core.money import parse_amount
from backend.identity.permissions import may, require
from backend.identity.services import host_day
from backend.payees.directors import end_director, limit_on, mark_director, set_limit
from backend.payees.models import Director
from backend.payouts.directors import by_month
from backend.web.acts import form_page
from backend.web.forms_payees import DirectorEndForm, DirectorForm, DirectorLimitForm
from backend.web.pages import AuthedRequest, private


@private
@require_http_methods(["GET", "HEAD", "POST"])
def directors(request: AuthedRequest) -> HttpResponseBase:
    """Who directs the host and what each was paid by month; a form notes another one. Moves no money."""
    require(request.user, "director.mark" if request.method == "POST" else "director.read")
    now = timezone.now()
    form = DirectorForm(request.POST or None)

    def act() -> HttpResponseBase:
        mark_director(actor=request.user, now=now, **form.cleaned_data)
        messages.success(request, _("The director is noted. No money moved."))
        return redirect("directors")

    return form_page(request, form, act, "treasury/directors_page.html", _facts(request))


def _facts(request: AuthedRequest) -> dict[str, Any]:
    today = host_day(timezone.now())
    limit, since, source = limit_on(today)
    return {
        "rows": Director.objects.select_related("user").order_by("ends_before", "user__name", "pk"),
        "months": by_month(today=today),
        "limit": limit,
        "since": since,
        "source": source,
        "can_mark": may(request.user, "director.mark"),
    }


@private
@require_http_methods(["GET", "HEAD", "POST"])
def director_end(request: AuthedRequest, director_id: str) -> HttpResponseBase:
    """Note when somebody directs the host no more. Moves no money."""
    require(request.user, "director.mark")
    row = get_object_or_404(Director.objects.select_related("user"), pk=director_id)
    form = DirectorEndForm(request.POST or None)

    def act() -> HttpResponseBase:
        end_director(actor=request.user, director_id=row.pk, now=timezone.now(), **form.cleaned_data)
        messages.success(request, _("The end is noted. No money moved."))
        return redirect("directors")

    return form_page(request, form, act, "treasury/director_end.html", {"director": row})


@private
@require_http_methods(["GET", "HEAD", "POST"])
def director_limit(request: AuthedRequest) -> HttpResponseBase:
    """Set what a director may be paid in a month, from a day on. Moves no money and stops none."""
    require(request.user, "director.mark")
    form = DirectorLimitForm(request.POST or None)

    def act() -> HttpResponseBase:
        typed = dict(form.cleaned_data)
        amount = parse_amount(typed.pop("amount"), "EUR")
        set_limit(actor=request.user, amount=amount, now=timezone.now(), **typed)
        messages.success(request, _("The limit is set. No money moved."))
        return redirect("directors")

    limit, since, source = limit_on(host_day(timezone.now()))
    context = {"limit": limit, "since": since, "source": source}
    return form_page(request, form, act, "treasury/director_limit.html", context)


urlpatterns = [
    path("directors/", directors, name="directors"),
    path("directors/limit/", director_limit, name="director_limit"),
    path("directors/<str:director_id>/end/", director_end, name="director_end"),
]
