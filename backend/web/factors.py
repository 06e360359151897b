"""The pages of second factors where those of django-allauth lack something, and what is told of each change."""

from typing import Any

from allauth.account.adapter import get_adapter
from allauth.account.internal.flows.login import record_authentication
from allauth.account.mixins import NextRedirectMixin
from allauth.account.views import ConfirmLoginCodeView
from allauth.mfa import app_settings, signals
from allauth.mfa.adapter import get_adapter as get_factor_adapter
from allauth.mfa.base.forms import AuthenticateForm, ReauthenticateForm
from allauth.mfa.base.views import AuthenticateView, IndexView
from allauth.mfa.models import Authenticator
from allauth.mfa.recovery_codes.views import ViewRecoveryCodesView
from allauth.mfa.totp.forms import ActivateTOTPForm
from allauth.mfa.totp.internal.auth import TOTP
from allauth.mfa.totp.views import ActivateTOTPView, DeactivateTOTPView
from allauth.mfa.webauthn.forms import AddWebAuthnForm
from allauth.mfa.webauthn.internal import auth
from allauth.mfa.webauthn.views import (
    AddWebAuthnView,
    LoginWebAuthnView,
    ReauthenticateWebAuthnView,
    RemoveWebAuthnView,
)
from django import forms
from django.core.cache import cache
from django.db import transaction
from django.dispatch import receiver
from django.http import HttpRequest, HttpResponseBase
from django.shortcuts import render
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from backend.events.services import record
from backend.identity.factors import PROOFS, codes_left
from backend.identity.models import User
from backend.identity.sessions import end_with

AFTER = "after_factor"  # session: the page that waited for the first factor
_LIFE = app_settings.TOTP_PERIOD * (2 * app_settings.TOTP_TOLERANCE + 1)  # seconds during which a code could serve


# --- forms: a code serves once ----------------------------------------------------------------------------------------


def _used(person: User, code: str) -> bool:
    """Remember a code of the application as used for as long as it would be taken; whether it was new."""
    name = TOTP(Authenticator(user=person))._get_used_cache_key(code)
    return bool(cache.add(name, "y", timeout=_LIFE))


def _keep_used(person: User, code: str) -> None:
    """Make allauth's own memory of a used code last: with the clock's tolerance a code lives longer than its period."""
    cache.touch(TOTP(Authenticator(user=person))._get_used_cache_key(code), timeout=_LIFE)


class CodeForm(AuthenticateForm):  # type: ignore[misc]  # allauth ships no types
    """The code at sign-in: of the application, or a recovery code."""

    def clean_code(self) -> str:
        """Take a code once."""
        code = str(super().clean_code())
        _keep_used(self.user, code)
        return code


class CodeAgainForm(ReauthenticateForm):  # type: ignore[misc]  # allauth ships no types
    """The code before an act that needs it fresh."""

    def clean_code(self) -> str:
        """Take a code once."""
        code = str(super().clean_code())
        _keep_used(self.user, code)
        return code


class FirstCodeForm(ActivateTOTPForm):  # type: ignore[misc]  # allauth ships no types
    """The code that shows that the application has the secret: it has served, then."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        """Call the code what the sign-in page calls it."""
        super().__init__(*args, **kwargs)
        self.fields["code"].label = _("Code")

    def clean_code(self) -> str:
        """Take a code once."""
        code = str(super().clean_code())
        if not _used(self.user, code):
            raise get_factor_adapter().validation_error("incorrect_code")
        return code


class PasskeyForm(AddWebAuthnForm):  # type: ignore[misc]  # allauth ships no types
    """A new passkey: its name, and whether it opens the account by itself."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        """Say things our way; a passkey opens the account by itself unless the person says no."""
        super().__init__(*args, **kwargs)
        self.fields["name"].label = _("A name to know it by")
        self.fields["name"].widget.attrs.update({"autocomplete": "off", "maxlength": "60"})
        self.fields["name"].max_length = 60
        box = self.fields["passwordless"]
        box.initial = True
        box.label = _("Sign in with it alone, without typing the password")
        box.help_text = ""

    def clean_name(self) -> str:
        """Cut what is too long to be a name."""
        return str(super().clean_name())[:60]


# --- pages ------------------------------------------------------------------------------------------------------------


def _kinds(user: User) -> set[str]:
    return set(Authenticator.objects.filter(user_id=user.pk).values_list("type", flat=True))


class SecondStep(AuthenticateView):  # type: ignore[misc]  # allauth ships no types
    """The second step of signing in: a code, without script; or the passkey, on a page of its own."""

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        """Say which page it is and what else there is."""
        kinds = _kinds(self.stage.login.user)
        asked = self.request.GET.get("with")
        only_passkey = "totp" not in kinds and asked != "code" and "code" not in self.request.POST
        context = super().get_context_data(**kwargs)
        passkey = "webauthn" in kinds and (asked == "passkey" or only_passkey)
        form = self.webauthn_form if passkey else self.auth_form
        return {**context, "kinds": kinds, "passkey": passkey, "form": form}


class PasskeySignIn(NextRedirectMixin, LoginWebAuthnView):  # type: ignore[misc]  # allauth ships no types
    """Signing in with a passkey alone: a page of its own, since it needs a script."""

    template_name = "mfa/webauthn/login.html"

    def get(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        """Show the button, with what the browser must sign."""
        options = auth.begin_authentication(user=None)
        context = {"js_data": {"request_options": options}, "form": self.get_form()}
        return render(request, self.template_name, {**self.get_context_data(), **context})

    def form_invalid(self, form: forms.Form) -> HttpResponseBase:
        """Say why, on this same page."""
        options = auth.begin_authentication(user=None)
        context = {**self.get_context_data(), "js_data": {"request_options": options}, "form": form}
        return render(self.request, self.template_name, context, status=422)


class PasskeyAgain(ReauthenticateWebAuthnView):  # type: ignore[misc]  # allauth ships no types
    """The passkey before an act that needs it fresh."""

    def form_invalid(self, form: forms.Form) -> HttpResponseBase:
        """Say why, on this same page."""
        return render(self.request, self.template_name, self.get_context_data(form=form), status=422)

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        """Keep the form that was refused: allauth makes another."""
        context = super().get_context_data()
        return {**context, **kwargs}


class Factors(IndexView):  # type: ignore[misc]  # allauth ships no types
    """What protects the account: the application, the passkeys, the recovery codes."""

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        """Add how many recovery codes are left."""
        context = super().get_context_data(**kwargs)
        return {**context, "codes_left": codes_left(self.request.user), "codes": app_settings.RECOVERY_CODE_COUNT}


class _Proving:
    """A page that adds a factor: who adds it has just shown it, so the session counts from then on."""

    factor = ""

    def form_valid(self, form: forms.Form) -> HttpResponseBase:
        """Add it, and remember that it was given."""
        answer: HttpResponseBase = super().form_valid(form)  # type: ignore[misc]  # of the page it is mixed into
        request: HttpRequest = self.request  # type: ignore[attr-defined]
        added = Authenticator.objects.filter(user_id=request.user.pk, type=self.factor).order_by("-pk").first()
        if added is not None:
            record_authentication(request, request.user, "mfa", id=added.pk, type=self.factor, reauthenticated=True)
        return answer


class NewApplication(_Proving, ActivateTOTPView):  # type: ignore[misc]  # allauth ships no types
    """Adding an authenticator application."""

    factor = Authenticator.Type.TOTP


class NewPasskey(_Proving, AddWebAuthnView):  # type: ignore[misc]  # allauth ships no types
    """Adding a passkey."""

    factor = Authenticator.Type.WEBAUTHN

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        """Keep the form that was refused: allauth makes another."""
        return {**super().get_context_data(), **kwargs}


class _OneAtATime:
    """A page that removes a factor: two clicks at once must not remove the last two."""

    def post(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        """Wait for the other click."""
        with transaction.atomic():
            User.objects.select_for_update().get(pk=request.user.pk)
            answer: HttpResponseBase = super().post(request, *args, **kwargs)  # type: ignore[misc]
        return answer


class NoApplication(_OneAtATime, DeactivateTOTPView):  # type: ignore[misc]  # allauth ships no types
    """Removing the authenticator application."""


class NoPasskey(_OneAtATime, RemoveWebAuthnView):  # type: ignore[misc]  # allauth ships no types
    """Removing a passkey; the last factor of somebody trusted stays."""

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        """Say beforehand that it cannot go."""
        context = super().get_context_data(**kwargs)
        adapter = get_factor_adapter()
        may_go = adapter.can_delete_authenticator(self.object)
        return {**context, "why_not": "" if may_go else adapter.error_messages["cannot_delete_authenticator"]}

    def form_valid(self, form: forms.Form) -> HttpResponseBase:
        """Remove it if it may go."""
        if not get_factor_adapter().can_delete_authenticator(self.get_object()):
            form.add_error(None, get_factor_adapter().validation_error("cannot_delete_authenticator"))
            return render(self.request, self.template_name, self.get_context_data(form=form), status=422)
        answer: HttpResponseBase = super().form_valid(form)
        return answer


class Codes(ViewRecoveryCodesView):  # type: ignore[misc]  # allauth ships no types
    """The recovery codes, shown once."""

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        """Add where to go next: the page that waited for the first factor, else the factors."""
        after = self.request.session.get(AFTER, "")
        return {**super().get_context_data(**kwargs), "after": after or reverse("mfa_index")}


class SignInCode(ConfirmLoginCodeView):  # type: ignore[misc]  # allauth ships no types
    """The code of a sign-in link: the link fills it in, the person still presses the button."""

    def get_initial(self) -> dict[str, Any]:
        """The code of the address: a mail scanner that opens the link uses nothing up."""
        return {**super().get_initial(), "code": self.request.GET.get("code", "")[:20]}


# --- what is told -----------------------------------------------------------------------------------------------------


@receiver(signals.authenticator_added)
def _added(request: HttpRequest, user: User, authenticator: Authenticator, **_extra: Any) -> None:
    """Whoever was signed in elsewhere, with the password alone or not, comes again with the factor."""
    if authenticator.type not in PROOFS:
        return  # recovery codes come with the first factor: one act, one event
    ended = end_with(user=user, but=request.session.session_key or "")
    record(
        "factor.added", actor=user, subject=user.pk, now=timezone.now(), type=str(authenticator.type), sessions=ended
    )


@receiver(signals.authenticator_removed)
def _removed(request: HttpRequest, user: User, authenticator: Authenticator, **_extra: Any) -> None:
    """Whoever holds what was removed may be signed in with it: every other session ends."""
    if authenticator.type not in PROOFS:
        return
    ended = end_with(user=user, but=request.session.session_key or "")
    record(
        "factor.removed", actor=user, subject=user.pk, now=timezone.now(), type=str(authenticator.type), sessions=ended
    )


@receiver(signals.authenticator_reset)
def _renewed(user: User, **_extra: Any) -> None:
    record("recovery_codes.renewed", actor=user, subject=user.pk, now=timezone.now())


@receiver(signals.authenticator_used)
def _recovered(request: HttpRequest, user: User, authenticator: Authenticator, **_extra: Any) -> None:
    """A recovery code stands for a lost factor, or for a stolen one: its person hears of it."""
    if authenticator.type != Authenticator.Type.RECOVERY_CODES:
        return
    left = codes_left(user)
    record("recovery_code.used", actor=user, subject=user.pk, now=timezone.now(), left=left)
    get_adapter(request).send_notification_mail("mfa/email/recovery_code_used", user, {"left": left, "user": user})
