"""The pages of the catalogue of refusals, in both languages: where the `type` of every problem leads."""

from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import render
from django.urls import reverse
from django.views.decorators.http import require_safe

from backend.api.problems import CATALOGUE


@require_safe
def catalogue(request: HttpRequest) -> HttpResponse:
    """All the codes with their titles."""
    rows = [{"code": code, "title": CATALOGUE[code][0]} for code in sorted(CATALOGUE)]
    return render(request, "api/problems.html", {"problems": rows})


@require_safe
def problem_page(request: HttpRequest, code: str) -> HttpResponse:
    """One code: title, cause, what to do; 404 for a code that does not exist."""
    if code not in CATALOGUE:
        raise Http404
    title, cause, fix = CATALOGUE[code]
    return render(request, "api/problem.html", {"code": code, "title": title, "cause": cause, "fix": fix})


@require_safe
def in_ones_language(request: HttpRequest, code: str = "") -> HttpResponse:
    """Lead the address of a `type`, which has no language, to the page in the reader's language."""
    target = reverse("problem_page", args=[code]) if code else reverse("problems")
    return HttpResponseRedirect(target, headers={"Vary": "Accept-Language, Cookie"})
