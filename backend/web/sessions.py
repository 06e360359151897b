"""One's sessions: where one is signed in, and the means to end any of them at once."""

from typing import Any

from django.contrib import messages
from django.http import HttpResponseBase
from django.shortcuts import redirect, render
from django.urls import path
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import ngettext
from django.views.decorators.http import require_POST, require_safe

from backend.identity.sessions import IDLE, LONGEST, end_session, end_sessions, ends_when_idle, open_sessions
from backend.web.pages import AuthedRequest, private


@private
@require_safe
def sessions(request: AuthedRequest) -> HttpResponseBase:
    """The sessions that are open, this one first."""
    found = open_sessions(request.user, current=request.session.session_key or "")
    context: dict[str, Any] = {
        "sessions": found,
        "others": [one for one in found if not one.here],
        "idle_minutes": IDLE.seconds // 60 if ends_when_idle(request.user) else 0,
        "longest_hours": int(LONGEST.total_seconds()) // 3600,
    }
    return render(request, "sessions/list.html", context)


@private
@require_POST
def end(request: AuthedRequest, session_id: int) -> HttpResponseBase:
    """End one session; one's present one too."""
    end_session(actor=request.user, session_id=session_id, now=timezone.now())
    messages.success(request, _("The session is over: that browser must sign in again."))
    return redirect("sessions")


@private
@require_POST
def end_others(request: AuthedRequest) -> HttpResponseBase:
    """End all the sessions but this one."""
    ended = end_sessions(
        actor=request.user, user=request.user, now=timezone.now(), but=request.session.session_key or ""
    )
    messages.success(
        request,
        ngettext("%(count)s other session is over.", "%(count)s other sessions are over.", ended) % {"count": ended},
    )
    return redirect("sessions")


urlpatterns = [
    path("account/sessions/", sessions, name="sessions"),
    path("account/sessions/<int:session_id>/end/", end, name="session_end"),
    path("account/sessions/end-others/", end_others, name="sessions_end_others"),
]
