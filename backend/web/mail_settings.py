"""What one is written to about: the daily mail, which can be switched off."""

from django import forms
from django.contrib import messages
from django.http import HttpResponseBase
from django.shortcuts import redirect, render
from django.urls import path
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.http import require_http_methods

from backend.notifications.digests import set_digest, wants_digest
from backend.web.pages import AuthedRequest, private


class MailForm(forms.Form):
    """Which mail one wants."""

    digest = forms.BooleanField(
        label=gettext_lazy("Write to me once a day of the work of others that awaits me"),
        help_text=gettext_lazy("What is new, amended or answered, what you decide. No mail when nothing awaits you."),
        required=False,
    )  # fmt: skip


@private
@require_http_methods(["GET", "HEAD", "POST"])
def mail_settings(request: AuthedRequest) -> HttpResponseBase:
    """Switch the daily mail on or off. What concerns one's own work and money is always written."""
    form = MailForm(request.POST or None, initial={"digest": wants_digest(request.user)})
    if request.method == "POST":
        # An unticked box sends nothing: a form is valid in any case.
        wanted = bool(form.is_valid() and form.cleaned_data["digest"])
        changed = set_digest(actor=request.user, wanted=wanted, now=timezone.now())
        messages.success(request, _("Your account is up to date.") if changed else _("Nothing was changed."))
        return redirect("mail_settings")
    return render(request, "account/mail.html", {"form": form})


urlpatterns = [path("account/mail/", mail_settings, name="mail_settings")]
