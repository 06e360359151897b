"""One's account, the factors of django-allauth our way, and what an administrator does for somebody locked out."""

from typing import Any

from allauth.account.views import password_reset_from_key
from django.contrib import messages
from django.http import HttpResponse, HttpResponseBase
from django.shortcuts import redirect, render
from django.urls import NoReverseMatch, path, re_path, reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_safe

from backend.core.errors import Conflict, Invalid, NotFound
from backend.identity.factor_reset import is_last_treasurer, reset_factors
from backend.identity.factors import codes_left, has_factor, proves
from backend.identity.models import User
from backend.identity.permissions import may, require
from backend.identity.profile import change_profile
from backend.web import factors
from backend.web.forms import add_domain_error
from backend.web.forms_accounts import ProfileForm, ResetForm
from backend.web.pages import AuthedRequest, cut, fresh_factor, private


@private
@require_http_methods(["GET", "HEAD", "POST"])
def my_account(request: AuthedRequest) -> HttpResponseBase:
    """What one says of oneself, and the way to everything else of one's account."""
    person = request.user
    initial = {"name": person.name, "public_name": person.public_name, "language": person.language}
    form = ProfileForm(request.POST or None, initial=initial)
    status = 200
    if request.method == "POST":
        status = 422
        if form.is_valid():
            try:
                changed = change_profile(actor=person, now=timezone.now(), **form.cleaned_data)
            except Invalid as refusal:
                add_domain_error(form, refusal)
            else:
                messages.success(request, _("Your account is up to date.") if changed else _("Nothing was changed."))
                return redirect("my_account")
    context = {
        "form": form, "protected": proves(person), "codes_left": codes_left(person),
        "may_reset": may(person, "factor.reset"), **_elsewhere(),
    }  # fmt: skip
    return render(request, "account/my_account.html", context, status=status)


def _elsewhere() -> dict[str, Any]:
    """The addresses of the pages of other sections, where this instance has them."""
    found = {}
    for name in ("sessions", "personal_data"):
        try:
            found[f"{name}_url"] = reverse(name)
        except NoReverseMatch:
            found[f"{name}_url"] = ""
    return found


@private
@require_safe
def lost_factors(request: AuthedRequest) -> HttpResponse:
    """Those whose second factor an administrator can remove."""
    require(request.user, "factor.reset")
    found = User.objects.filter(has_factor("pk"), is_active=True).exclude(pk=request.user.pk)
    page = cut(found.prefetch_related("roles").order_by("name", "pk"), request)
    return render(request, "account/lost_factors.html", {"page": page})


@private
@fresh_factor
@require_http_methods(["GET", "HEAD", "POST"])
def lost_factor(request: AuthedRequest, person_id: str) -> HttpResponseBase:
    """Remove the second factor of somebody who lost it. Moves no money."""
    require(request.user, "factor.reset")
    person = User.objects.filter(pk=person_id, is_active=True).first()
    if person is None:
        raise NotFound("person_not_found", _("There is nobody by this address here."))
    form, status = ResetForm(request.POST or None), 200
    if request.method == "POST":
        status = 422
        if form.is_valid():
            reason = form.cleaned_data["reason"]
            try:
                reset_factors(actor=request.user, person_id=person.pk, reason=reason, now=timezone.now())
            except (Invalid, Conflict) as refusal:
                add_domain_error(form, refusal)
                status = refusal.status
            else:
                said = _("The second factor of %(name)s is removed and their sessions are over. They are told by mail.")
                messages.success(request, said % {"name": person.name})
                return redirect("lost_factors")
    context = {
        "form": form, "person": person, "protected": proves(person), "own": person.pk == request.user.pk,
        "last": is_last_treasurer(person),
    }  # fmt: skip
    return render(request, "account/lost_factor.html", context, status=status)


# Before allauth's own, at the same addresses.
first = [
    path("accounts/login/code/confirm/", factors.SignInCode.as_view(), name="account_confirm_login_code"),
    path("accounts/2fa/", factors.Factors.as_view(), name="mfa_index"),
    path("accounts/2fa/authenticate/", factors.SecondStep.as_view(), name="mfa_authenticate"),
    path("accounts/2fa/totp/activate/", factors.NewApplication.as_view(), name="mfa_activate_totp"),
    path("accounts/2fa/totp/deactivate/", factors.NoApplication.as_view(), name="mfa_deactivate_totp"),
    path("accounts/2fa/recovery-codes/", factors.Codes.as_view(), name="mfa_view_recovery_codes"),
    path("accounts/2fa/webauthn/login/", factors.PasskeySignIn.as_view(), name="mfa_login_webauthn"),
    path("accounts/2fa/webauthn/reauthenticate/", factors.PasskeyAgain.as_view(), name="mfa_reauthenticate_webauthn"),
    path("accounts/2fa/webauthn/add/", factors.NewPasskey.as_view(), name="mfa_add_webauthn"),
    path("accounts/2fa/webauthn/keys/<int:pk>/remove/", factors.NoPasskey.as_view(), name="mfa_remove_webauthn"),
]
urlpatterns = [
    re_path(
        r"^accounts/password/reset/key/(?P<uidb36>[0-9A-Za-z_]+)-(?P<key>.+)/$",
        password_reset_from_key,
        name="account_reset_password_from_key",
    ),
    path("account/", my_account, name="my_account"),
    path("account/lost/", lost_factors, name="lost_factors"),
    path("account/lost/<slug:person_id>/", lost_factor, name="lost_factor"),
]
