"""On behalf of whom one acts: chosen once, shown on every page, checked against one's roles each time."""

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import path
from django.utils.http import url_has_allowed_host_and_scheme
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods

from backend.identity.models import Organisation, User
from backend.identity.permissions import MEMBERS, counting
from backend.web.pages import AuthedRequest, private

KEY = "acting_for"  # in the session: the id of an organisation, or empty for one's own name


def organisations_of(user: User) -> list[Organisation]:
    """Those a person may act for now, by name."""
    scopes = counting(user).filter(kind__in=MEMBERS).values("scope")
    return list(Organisation.objects.filter(pk__in=scopes, merged_into=None).order_by("name"))


def acting_for(request: HttpRequest, mine: list[Organisation]) -> Organisation | None:
    """The organisation the reader acts for, among theirs; None in their own name.

    With one organisation it is that one unless they chose their own name; with several, none until they choose. Whoever
    chose one and acts for it no more is told so, once, and goes on in their own name.
    """
    chosen = request.session.get(KEY)
    if chosen is None:
        if len(mine) != 1:
            return None
        chosen = request.session[KEY] = mine[0].pk  # kept, so that its end is told
    found = next((row for row in mine if row.pk == chosen), None)
    if chosen and found is None:
        gone = Organisation.objects.select_related("merged_into").filter(pk=chosen).first()
        kept = gone.merged_into if gone else None
        if kept in mine:
            request.session[KEY] = kept.pk if kept else ""
            return kept
        request.session[KEY] = ""
        text = _("You no longer act for %(organisation)s: your role there has ended. You now act in your own name.")
        messages.warning(request, text % {"organisation": gone.name if gone else chosen})
    return found


@private
@require_http_methods(["GET", "HEAD", "POST"])
def acting(request: AuthedRequest) -> HttpResponse:
    """Choose on behalf of whom one acts; nothing else changes."""
    mine = organisations_of(request.user)
    back = request.POST.get("next") or request.GET.get("next", "")
    if not url_has_allowed_host_and_scheme(back, allowed_hosts={request.get_host()}, require_https=request.is_secure()):
        back = ""
    status = 200
    if request.method == "POST":
        chosen = request.POST.get("organisation")
        row = next((one for one in mine if one.pk == chosen), None)
        if row is not None or chosen == "":
            request.session[KEY] = row.pk if row else ""
            if row:
                messages.success(request, _("You now act for %(organisation)s.") % {"organisation": row.name})
            else:
                messages.success(request, _("You now act in your own name."))
            return redirect(back or "welcome")
        status = 422
    context = {"organisations": mine, "next": back, "wrong": status != 200, "current": acting_for(request, mine)}
    return render(request, "organisations/acting.html", context, status=status)


urlpatterns = [path("acting/", acting, name="acting")]
