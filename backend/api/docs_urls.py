"""Addresses of the documentation: pages under the language prefix, and the contract as a file, without a token."""

from django.urls import path

from backend.api import docs_pages
from backend.api.contract_file import ContractFile

pages = [
    path("docs/", docs_pages.index, name="docs"),
    path("docs/api/", docs_pages.reference, name="docs_api"),
    path("docs/api/<slug:tag>/", docs_pages.reference_page, name="docs_api_page"),
    path("docs/<path:slug>/", docs_pages.text, name="docs_text"),
]
bare = [path("v1/openapi.json", ContractFile.as_view(), name="openapi")]
