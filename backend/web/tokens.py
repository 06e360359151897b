"""The pages of API tokens: make one with a fresh factor, see it once, see what it may do, revoke it at once."""

from typing import Any

from django import forms
from django.conf import settings
from django.contrib import messages
from django.http import HttpResponseBase
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import path
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext
from django.views.decorators.http import require_http_methods

from backend.commons.models import Commons
from backend.core.errors import Conflict, Invalid
from backend.core.idempotency import fingerprint, once
from backend.identity.models import ApiToken, Organisation, User
from backend.identity.permissions import counting
from backend.identity.tokens import LIVES, create_token, revoke_token
from backend.web.forms import add_domain_error, new_form_key
from backend.web.forms_work import KeyedForm
from backend.web.pages import AuthedRequest, fresh_factor, private

# What the command line asks for; made in one click, for ninety days, wherever the person may go.
QUICK_SCOPES = ("contributions:read", "contributions:write")


class TokenForm(KeyedForm):
    """A new API token: its name, what it may do, where, and for how long."""

    name = forms.CharField(
        label=gettext_lazy("Name"),
        help_text=gettext_lazy("To recognise it later, for instance “my laptop”."),
        max_length=80,
        error_messages={"required": gettext_lazy("Give the token a name, to recognise it later.")},
    )
    scopes = forms.MultipleChoiceField(
        label=gettext_lazy("What it may do"),
        choices=ApiToken.SCOPES,
        widget=forms.CheckboxSelectMultiple,
        error_messages={
            "required": gettext_lazy("Choose what the token may do."),
            "invalid_choice": gettext_lazy("Choose what the token may do from the list."),
        },
    )
    only = forms.ChoiceField(
        label=gettext_lazy("Where"),
        help_text=gettext_lazy("Held to one commons or organisation, the token finds nothing else."),
        required=False,
        error_messages={"invalid_choice": gettext_lazy("Choose one of your commons or organisations.")},
    )
    days = forms.TypedChoiceField(
        label=gettext_lazy("For how long"),
        help_text=gettext_lazy("A mail tells you seven days before it ends."),
        coerce=int,
        initial=90,
        error_messages={
            "required": gettext_lazy("Choose how long the token lives: a year at most."),
            "invalid_choice": gettext_lazy("Choose how long the token lives: a year at most."),
        },
    )

    def __init__(self, *args: Any, actor: User, **kwargs: Any) -> None:
        """Offer what is this person's. actor: who makes the token."""
        super().__init__(*args, **kwargs)
        self.fields["only"].choices = [("", _("Everywhere I may go")), *_places(actor)]  # type: ignore[attr-defined]
        self.fields["days"].choices = [  # type: ignore[attr-defined]
            (days, ngettext("%(count)s day", "%(count)s days", days) % {"count": days}) for days in LIVES
        ]


def _places(actor: User) -> list[tuple[str, list[tuple[str, str]]]]:
    """The commons and organisations where a person has a role, in two groups; a role of the host is everywhere."""
    scopes = set(counting(actor).values_list("scope", flat=True))
    commons = Commons.objects.filter(state__in=["open", "hidden", "archived"]).order_by("name")
    if not any(scope.startswith("hst_") for scope in scopes):
        commons = commons.filter(budgets__in=scopes).distinct()
    organisations = Organisation.visible_to(actor).filter(pk__in=scopes).order_by("name")
    groups = [
        (_("Commons"), [(one.pk, one.name) for one in commons]),
        (_("Organisations"), [(one.pk, one.name) for one in organisations]),
    ]
    return [(label, rows) for label, rows in groups if rows]


@private
@fresh_factor
@require_http_methods(["GET", "HEAD", "POST"])
def tokens(request: AuthedRequest) -> HttpResponseBase:
    """One's API tokens, and the form that makes one; the text of a new token is shown by this answer alone."""
    now = timezone.now()
    form = TokenForm(request.POST or None, actor=request.user)
    status, made = 200, ""
    if request.method == "POST":
        status = 422
        if form.is_valid():
            try:
                made = _make_token(request, form.cleaned_data)
            except (Invalid, Conflict) as refusal:
                add_domain_error(form, refusal)
                status = refusal.status
            else:
                status, form = (201 if made else 409), TokenForm(actor=request.user)
    mine = list(ApiToken.visible_to(request.user).order_by("-created_at"))
    live = [one for one in mine if one.revoked_at is None and one.expires_at > now]
    context = {
        "form": form,
        "made": made,
        "address": settings.BASE_URL,
        "twice": status == 409 and not form.is_bound,
        "quick": {
            "form_key": new_form_key(),
            "name": _("Command line"),
            "scopes": [(scope, name) for scope, name in ApiToken.SCOPES if scope in QUICK_SCOPES],
        },
        "tokens": _with_places(live),
        "ended": [one for one in mine if one not in live][:20],
    }
    return render(request, "work/tokens.html", context, status=status)


def _with_places(rows: list[ApiToken]) -> list[tuple[ApiToken, str]]:
    """Each token with the name of the commons or organisation it is held to; empty when it is held to none."""
    wanted = {row.only for row in rows if row.only}
    names = dict(Commons.objects.filter(pk__in=wanted).values_list("pk", "name"))
    names |= dict(Organisation.objects.filter(pk__in=wanted).values_list("pk", "name"))
    return [(row, names.get(row.only, row.only)) for row in rows]


def _make_token(request: AuthedRequest, facts: dict[str, Any]) -> str:
    """The text of a new token; empty when this form had already made one."""
    now = timezone.now()
    text = ""
    wanted = {name: facts[name] for name in ("name", "scopes", "only", "days")}

    def act() -> tuple[int, Any]:
        nonlocal text
        token, text = create_token(user=request.user, now=now, **wanted)
        return 201, {"token": token.pk}

    asked = fingerprint("tokens", facts["name"], sorted(facts["scopes"]), facts["only"], facts["days"])
    once(scope=f"page:{request.user.pk}", key=facts["form_key"], request=asked, now=now, act=act)
    return text


@private
@require_http_methods(["GET", "HEAD", "POST"])
def token_revoke(request: AuthedRequest, token_id: str) -> HttpResponseBase:
    """Revoke one's own token."""
    token = get_object_or_404(ApiToken.visible_to(request.user), pk=token_id)
    if request.method == "POST":
        revoke_token(actor=request.user, token_id=token.pk, now=timezone.now())
        messages.success(request, _("The token “%(name)s” no longer opens anything.") % {"name": token.name})
        return redirect("tokens")
    return render(request, "work/token_revoke.html", {"token": token})


urlpatterns = [
    path("tokens/", tokens, name="tokens"),
    path("tokens/<str:token_id>/revoke/", token_revoke, name="token_revoke"),
]
