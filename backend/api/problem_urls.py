"""Addresses of the catalogue of refusals: pages under the language prefix, and the bare address that leads to them."""

from django.urls import path

from backend.api import problem_pages

pages = [
    path("problems/", problem_pages.catalogue, name="problems"),
    path("problems/<slug:code>", problem_pages.problem_page, name="problem_page"),
]
bare = [
    path("problems/", problem_pages.in_ones_language),
    path("problems/<slug:code>", problem_pages.in_ones_language),
]
