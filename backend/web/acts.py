"""A form that acts: shown, sent, refused beside its fields, or done."""

from collections.abc import Callable, Mapping
from typing import Any

from django import forms
from django.http import HttpResponseBase
from django.shortcuts import render

from backend.core.errors import Conflict, Invalid
from backend.web.forms import add_domain_error
from backend.web.pages import AuthedRequest


def form_page(
    request: AuthedRequest,
    form: forms.Form,
    act: Callable[[], HttpResponseBase],
    template: str,
    context: Mapping[str, Any],
) -> HttpResponseBase:
    """Show a form; when it is sent and right, act and answer what the act answers.

    What the domain refuses is shown on the form with its status; who may not do it gets the page of refusals.
    """
    status = 200
    if request.method == "POST":
        status = 422
        if form.is_valid():
            try:
                return act()
            except (Invalid, Conflict) as refusal:
                add_domain_error(form, refusal)
                status = refusal.status
    return render(request, template, {"form": form, **context}, status=status)
