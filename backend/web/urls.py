"""The addresses of the pages: each section brings its own."""

from django.urls import URLPattern

from backend.web import (
    accounts,
    bank,
    books,
    demo,
    distributions,
    exports,
    log,
    months,
    organisations,
    periods,
    public,
    reviews,
    setup,
    status,
    transfers,
    treasury,
    work,
)

SECTIONS = (
    public,
    accounts,
    setup,
    organisations,
    work,
    reviews,
    periods,
    distributions,
    transfers,
    treasury,
    bank,
    books,
    months,
    exports,
    demo,
    status,
    log,
)
urlpatterns: list[URLPattern] = [pattern for section in SECTIONS for pattern in section.urlpatterns]
