"""The addresses of the pages: each section brings its own."""

from django.urls import URLPattern

from backend.web import accounts, bank, books, organisations, periods, public, reviews, treasury, work

SECTIONS = (public, accounts, organisations, work, reviews, periods, treasury, bank, books)
urlpatterns: list[URLPattern] = [pattern for section in SECTIONS for pattern in section.urlpatterns]
