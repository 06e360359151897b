"""Addresses of the documentation: the contract as a file, beside the API itself and without a token."""

from django.urls import path

from backend.api.contract_file import ContractFile

bare = [path("v1/openapi.json", ContractFile.as_view(), name="openapi")]
