"""The pot of a commons on another site: a snippet without script, and the picture that it shows."""

from django.conf import settings
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, render
from django.template.loader import render_to_string
from django.urls import path, reverse
from django.utils import translation
from django.views.decorators.http import require_safe

from backend.commons.models import Commons
from backend.core.money import format_money
from backend.core.text import UNREADABLE
from backend.web import story
from backend.web.figures import figures_of, total
from backend.web.public import veiled

KEPT = 300  # seconds a picture may be kept by browsers and proxies
LONGEST = 30  # characters of a name: what the picture has room for


def _shown(slug: str) -> Commons:
    commons = get_object_or_404(Commons.listed(), slug=slug)
    return veiled([commons])[0]


@require_safe
def embed(request: HttpRequest, slug: str) -> HttpResponse:
    """The snippet, in each language, with the picture it shows."""
    commons = _shown(slug)
    snippets = []
    for code, name in (("fr", "Français"), ("en", "English")):
        with translation.override(code):
            page = settings.BASE_URL + reverse("commons_page", args=[commons.slug])
            picture = reverse("badge", args=[commons.slug])
            words = render_to_string("giving/alt.txt", {"commons": commons}).strip()
            values = {"page": page, "picture": settings.BASE_URL + picture, "words": words}
            html = render_to_string("giving/snippet.html", values).strip()
        snippets.append({"name": name, "code": code, "html": html, "picture": picture, "words": words})
    return render(request, "giving/embed.html", {"commons": commons, "snippets": snippets})


@require_safe
def badge(_request: HttpRequest, slug: str) -> HttpResponse:
    """The picture: the name, what was received and by how many; any site may show it, for five minutes without asking.

    Nobody is named in it. Raises 404 for a commons that everybody does not read.
    """
    commons = _shown(slug)
    budgets = list(commons.budgets.all())
    if not budgets:
        raise Http404
    figures = total(list(figures_of(budgets).values()))
    name = UNREADABLE.sub(" ", commons.name)  # one that was kept before they were refused makes no drawing
    name = name if len(name) <= LONGEST else name[: LONGEST - 1].rstrip() + "…"
    context = {
        "name": name,
        "received": format_money(figures.received, figures.currency),
        "supporters": story.funders([budget.pk for budget in budgets]).count,
    }
    body = render_to_string("giving/badge.html", context)
    headers = {
        "Cache-Control": f"public, max-age={KEPT}",
        "Cross-Origin-Resource-Policy": "cross-origin",
        "X-Content-Type-Options": "nosniff",
        # Opened by itself, it is a drawing and nothing else.
        "Content-Security-Policy": "default-src 'none'; sandbox",
    }
    return HttpResponse(body, content_type="image/svg+xml; charset=utf-8", headers=headers)


urlpatterns = [
    path("commons/<slug:slug>/embed/", embed, name="embed"),
    path("commons/<slug:slug>/badge.svg", badge, name="badge"),
]
