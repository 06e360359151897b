"""The documentation as pages, in both languages: guides, the reference of the API, the changelog. For anybody."""

from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils.translation import get_language
from django.views.decorators.http import require_safe

from backend.api import docs_reference, docs_text

# The first texts of the list, and those that stand elsewhere in it.
FIRST = ("guides/quickstart", "reference", "reference/authentication")
APART = ("changelog",)


@require_safe
def index(request: HttpRequest) -> HttpResponse:
    """All there is to read."""
    language = get_language() or "fr"
    slugs = [*FIRST, *(slug for slug in docs_text.texts() if slug not in {*FIRST, *APART})]
    found = [text for slug in slugs if (text := docs_text.in_language(slug, language))]
    groups = {name: [one for one in found if one.slug.startswith(name)] for name in ("guides/rules/", "reference")}
    apart = {one.slug for rows in groups.values() for one in rows}
    return render(
        request,
        "api/docs.html",
        {
            "guides": [one for one in found if one.slug not in apart],
            "rules": groups["guides/rules/"],
            "notes": groups["reference"],
            "language": language,
        },
    )


@require_safe
def text(request: HttpRequest, slug: str) -> HttpResponse:
    """One text of api_docs; 404 for one that is not there."""
    language = get_language() or "fr"
    found = docs_text.in_language(slug, language)
    if found is None:
        raise Http404
    body = docs_text.as_html(found, language)
    return render(request, "api/docs_text.html", {"text": found, "body": body, "language": language})


@require_safe
def reference(request: HttpRequest) -> HttpResponse:
    """The pages of the reference, and what any operation may answer."""
    return render(
        request, "api/docs_api.html", {"pages": docs_reference.pages(), "everywhere": docs_reference.everywhere()}
    )


@require_safe
def reference_page(request: HttpRequest, tag: str) -> HttpResponse:
    """The operations of one page; 404 for a page that is not there."""
    found = docs_reference.page(tag)
    if found is None:
        raise Http404
    notes = docs_text.in_language(f"reference/{tag}", get_language() or "fr")
    return render(request, "api/docs_api_page.html", {"page": found, "notes": notes})
