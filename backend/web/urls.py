"""The addresses of the pages: each section brings its own."""

from django.urls import URLPattern

from backend.web import (
    accounts,
    arbitrations,
    bank,
    books,
    charters,
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
    simulations,
    status,
    transfers,
    treasury,
    work,
)

SECTIONS = (
    public,
    charters,
    accounts,
    setup,
    organisations,
    work,
    reviews,
    periods,
    simulations,
    distributions,
    arbitrations,
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
