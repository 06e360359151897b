"""The pages of the first run: set the instance up, see what is left to do, invite; and those of who is invited."""

from collections.abc import Callable
from typing import Any
from urllib.parse import urlencode

from allauth.account.adapter import get_adapter
from allauth.account.internal.flows.login import record_authentication
from django.conf import settings
from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import redirect, render
from django.urls import path, reverse
from django.utils import timezone, translation
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.debug import sensitive_post_parameters
from django.views.decorators.http import require_http_methods, require_safe

from backend.commons.models import Commons
from backend.core.errors import Conflict, DomainError, Invalid, NotFound
from backend.core.idempotency import fingerprint, once
from backend.identity.factors import has_key
from backend.identity.finishing import finish_account, unfinished
from backend.identity.inviting import (
    Named,
    accept_invitation,
    invited_by,
    name_administrator,
    require_setup_token,
    set_up_instance,
)
from backend.identity.models import Role, User
from backend.identity.offers import offers_to
from backend.identity.permissions import dormant, holds, may, require
from backend.identity.services import host_day, the_host
from backend.identity.waiting import (
    invitation_not_found,
    replace_invited,
    resend_invitation,
    show_invitation,
    waits,
    why_not_shown,
)
from backend.notifications.services import comes_back, mail_figures
from backend.operations.setup import add_envelope, progress, register_account, start_commons
from backend.privacy.notices import accept_notices
from backend.web.factors import AFTER
from backend.web.forms import add_domain_error, new_form_key
from backend.web.forms_invitation import FinishForm, InvitationForm
from backend.web.forms_setup import (
    AccountForm,
    AdministratorForm,
    CommonsForm,
    EnvelopeForm,
    InviteForm,
    SetUpForm,
)
from backend.web.pages import AuthedRequest, fresh_factor, private
from backend.web.session_life import UNFINISHED, keep_session

secret = sensitive_post_parameters("password1", "password2")


def waiting(request: HttpRequest, *, status: int = 503) -> HttpResponse:
    """The page that stands everywhere until the instance has its host."""
    answer = render(request, "setup/waiting.html", {"demo": _demo()}, status=status)
    answer.headers["Cache-Control"] = "no-store"
    return answer


def _demo() -> bool:
    """Whether this instance may load the demonstration instead of being set up."""
    return bool(getattr(settings, "DEMO", False))


def _enter(request: HttpRequest, user: User) -> None:
    """Sign in who has just typed their password: it counts as fresh."""
    get_adapter().login(request, user)
    record_authentication(request, user, "password", email=user.email)


def _through_factor(request: HttpRequest, user: User, then: str) -> HttpResponse:
    """Lead to a page, through the one where a second factor is added when a role of this person waits for it."""
    if not dormant(user):
        return redirect(then)
    request.session[AFTER] = reverse(then)
    return redirect("mfa_index")


# --- the one-time address ---------------------------------------------------------------------------------------------


@secret
@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
def start(request: HttpRequest, token: str) -> HttpResponse:
    """Name the administrator, the host and two treasurers at once; or the administrator alone when a host is there."""
    now = timezone.now()
    host = getattr(request, "host_row", None)
    form: AdministratorForm = (SetUpForm if host is None else AdministratorForm)(request.POST or None)
    try:
        require_setup_token(token, now=now)
    except Conflict:
        return _administered(request)
    if request.method == "POST" and "demo" in request.POST:
        return _load_demonstration(request)
    if request.method == "POST" and form.is_valid():
        try:
            user = _set_up(form, token)
        except Conflict as refusal:
            if refusal.code != "already_set_up":
                raise
            return _administered(request)  # another browser, or a first click, was faster
        except Invalid as refusal:
            refusal.param = FIELDS.get(refusal.param, refusal.param)
            add_domain_error(form, refusal)
        else:
            _enter(request, user)
            messages.success(request, _("You are the administrator of this instance. Here is what comes next."))
            return _through_factor(request, user, "setup")
    status = 422 if form.errors else 200
    return render(request, "setup/start.html", {"form": form, "named": host, "demo": _demo()}, status=status)


FIELDS = {"fee_bp": "fee", "treasurers": "treasurer2_email"}


def _set_up(form: AdministratorForm, token: str) -> User:
    values, now = form.cleaned_data, timezone.now()
    if not isinstance(form, SetUpForm):
        return name_administrator(token=token, administrator=form.administrator, password=values["password1"], now=now)
    return set_up_instance(
        token=token, administrator=form.administrator, password=values["password1"], name=values["host_name"],
        siren=values["siren"], time_zone=values["time_zone"], fee_bp=values["fee"], treasurers=form.treasurers,
        fiscal_year_starts_on=int(values["fiscal_year"]), now=now,
    )  # fmt: skip


def _administered(request: HttpRequest) -> HttpResponse:
    """Lead on where there is an administrator already: nobody signs in here, only where attempts are counted."""
    if request.user.is_authenticated and holds(request.user, "administrator"):
        return redirect("setup")
    messages.info(request, _("This instance is set up: its administrator signs in here and goes on."))
    return redirect(f"{reverse('account_login')}?{urlencode({'next': reverse('setup')})}")


def _load_demonstration(request: HttpRequest) -> HttpResponse:
    """Fill an empty instance with the demonstration instead, where that is allowed."""
    if not _demo():
        raise Http404
    from backend.operations.demonstration import load

    if not load(timezone.now()):
        raise Conflict("host_exists", _("This instance already has its host: the demonstration was not loaded."))
    messages.success(request, _("The demonstration is loaded. None of its people or amounts is real."))
    return redirect("home")


# --- what is left to do -----------------------------------------------------------------------------------------------


@require_safe
def setup(request: HttpRequest) -> HttpResponseBase:
    """The steps of the first run, each done, awaiting somebody, or to do; to strangers, that it is under way."""
    if getattr(request, "host_row", None) is None:
        return waiting(request, status=200)
    return checklist(request)


@private
def checklist(request: AuthedRequest) -> HttpResponse:
    """The list itself."""
    state = progress(actor=request.user)
    context = {
        "state": state,
        "may_invite": may(request.user, "setup.invite"),
        "may_open": may(request.user, "opening.propose"),
        "mail": mail_figures(),
        "currencies": sorted({account.currency for account in state.accounts}),
    }
    return render(request, "setup/checklist.html", context)


def _steps(
    request: AuthedRequest, form: Any, act: Callable[[], str], template: str, context: dict[str, Any]
) -> HttpResponse:
    """Show a form; when it is sent and right, act, say what was done and go back to the list."""
    status = 200
    if request.method == "POST":
        status = 422
        if form.is_valid():
            try:
                messages.success(request, act())
            except (Invalid, Conflict) as refusal:
                add_domain_error(form, refusal)
                status = refusal.status
            else:
                return redirect("setup")
    return render(request, template, {"form": form, **context}, status=status)


@private
@fresh_factor
@require_http_methods(["GET", "HEAD", "POST"])
def account_new(request: AuthedRequest) -> HttpResponseBase:
    """Register a bank account of the host. Moves no money."""
    require(request.user, "setup.bank_account")
    form = AccountForm(request.POST or None)

    def act() -> str:
        row = register_account(actor=request.user, now=timezone.now(), **form.cleaned_data)
        return _("The account “%(name)s” is registered. No money moved.") % {"name": row.name}

    return _steps(request, form, act, "setup/account.html", {})


@private
@require_http_methods(["GET", "HEAD", "POST"])
def commons_new(request: AuthedRequest) -> HttpResponseBase:
    """Create a commons and invite its steward. Moves no money."""
    require(request.user, "setup.commons")
    now = timezone.now()
    currencies = sorted({account.currency for account in the_host().bank_accounts.all()})
    if not currencies:
        messages.warning(request, _("Register a bank account first: a commons keeps its money in its currency."))
        return redirect("setup")
    form = CommonsForm(
        request.POST or None, currencies=currencies, today=host_day(now), initial={"form_key": new_form_key()}
    )

    def act() -> str:
        values = dict(form.cleaned_data)
        key, steward = values.pop("form_key"), _steward(values)

        def make() -> tuple[int, Any]:
            return 201, start_commons(actor=request.user, steward=steward, now=now, **values).name

        _code, name, _again = once(
            scope=request.user.pk, key=f"commons:{key}", request=fingerprint(form.data.get("name")), now=now, act=make
        )
        return _("%(name)s is created, and its steward is invited. No money moved.") % {"name": name}

    return _steps(request, form, act, "setup/commons.html", {})


def _steward(values: dict[str, Any]) -> Named:
    """Take the steward's three fields out of a form's values."""
    return Named(*(values.pop(f"steward_{name}") for name in ("name", "email", "language")))


@private
@require_http_methods(["GET", "HEAD", "POST"])
def envelope_new(request: AuthedRequest, slug: str) -> HttpResponseBase:
    """Open an envelope below a common pot. Moves no money."""
    require(request.user, "setup.commons")
    commons = Commons.objects.filter(slug=slug).first()
    if commons is None:
        raise Http404
    form = EnvelopeForm(request.POST or None)

    def act() -> str:
        envelope = add_envelope(
            actor=request.user, slug=slug, name=form.cleaned_data["name"], now=timezone.now(),
            own_rules=form.cleaned_data["rules"] != "follow",
        )  # fmt: skip
        return _("The envelope “%(name)s” is open. No money moved.") % {"name": envelope.name}

    return _steps(request, form, act, "setup/envelope.html", {"commons": commons})


@private
@fresh_factor
@require_http_methods(["GET", "HEAD", "POST"])
def person(request: AuthedRequest, person_id: str) -> HttpResponseBase:
    """Somebody who was invited and has not accepted: send again, show the link, or invite another in their place."""
    require(request.user, "setup.invite")
    who = User.objects.filter(pk=person_id).first()
    if who is None or not waits(who):
        raise invitation_not_found()
    now, act = timezone.now(), request.POST.get("act", "")
    form = InviteForm(
        request.POST if act == "replace" else None,
        initial={"name": who.name, "email": who.email, "language": who.language},
    )
    context: dict[str, Any] = {
        "person": who, "link": "", "comes_back": comes_back(who, now=now), "hidden": why_not_shown(request.user, who),
    }  # fmt: skip
    if act == "resend":
        resend_invitation(actor=request.user, person_id=who.pk, now=now)
        messages.success(request, _("The invitation leaves again for %(email)s.") % {"email": who.email})
        return redirect("setup")
    if act == "link":
        _who, token = show_invitation(actor=request.user, person_id=who.pk, now=now)
        with translation.override(who.language):
            context["link"] = f"{settings.BASE_URL}{reverse('invitation', args=[token])}"

    def replace() -> str:
        named = replace_invited(actor=request.user, person_id=who.pk, who=form.named, now=now)
        return _("%(name)s is invited.") % {"name": named.name}

    if act == "replace":
        return _steps(request, form, replace, "setup/person.html", context)
    return render(request, "setup/person.html", {"form": form, **context})


# --- who is invited ---------------------------------------------------------------------------------------------------


@secret
@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
def invitation(request: HttpRequest, token: str) -> HttpResponse:
    """Choose a password through a one-time link, then be signed in."""
    form = InvitationForm(request.POST or None)
    try:
        who = invited_by(token, now=timezone.now())
        if request.method == "POST" and form.is_valid():
            who = accept_invitation(token=token, password=form.cleaned_data["password1"], now=timezone.now())
            accept_notices(user=who, now=timezone.now())
            _enter(request, who)
            return _through_factor(request, who, "welcome")
    except NotFound as refusal:
        return render(request, "setup/over.html", {"refusal": refusal}, status=refusal.status)
    except DomainError as refusal:
        add_domain_error(form, refusal)
    status = 422 if form.errors else 200
    return render(request, "setup/invitation.html", {"form": form, "person": who, "roles": _roles(who)}, status=status)


@secret
@private
@require_http_methods(["GET", "HEAD", "POST"])
def finish(request: AuthedRequest) -> HttpResponse:
    """What the page of an invitation asks, of who came in by another door: a password, and the notices."""
    person, now = request.user, timezone.now()
    if not unfinished(person):
        request.session.pop(UNFINISHED, None)
        return redirect("home")
    key_there = has_key(person)
    form = FinishForm(request.POST if request.method == "POST" else None, has_key=key_there)
    if request.method == "POST" and form.is_valid():
        try:
            person = finish_account(actor=person, password=form.cleaned_data.get("password1", ""), now=now)
        except Invalid as refusal:
            add_domain_error(form, refusal)
        else:
            accept_notices(user=person, now=now)
            if not key_there:
                keep_session(request, person)
                record_authentication(request, person, "password", email=person.email)
            request.session.pop(UNFINISHED, None)
            request.session.pop(AFTER, None)
            return _through_factor(request, person, "welcome")
    request.session[AFTER] = reverse("account_finish")  # where who adds a passkey instead comes back
    context = {"form": form, "person": person, "roles": _roles(person), "key_there": key_there}
    return render(request, "setup/finish.html", context, status=422 if form.errors else 200)


@private
@require_safe
def welcome(request: AuthedRequest) -> HttpResponse:
    """What the reader is here, and what they may do."""
    return render(request, "setup/welcome.html", {"roles": _roles(request.user)})


def _roles(user: User) -> set[str]:
    """The kinds of role a person holds, or is offered."""
    held = Role.objects.filter(user=user).values_list("kind", flat=True)
    return set(held.union(offers_to(user).order_by().values_list("kind", flat=True)))


urlpatterns = [
    path("setup/", setup, name="setup"),
    path("first/<str:token>/", start, name="setup_start"),
    path("setup/accounts/new/", account_new, name="setup_account"),
    path("setup/commons/new/", commons_new, name="setup_commons"),
    path("setup/commons/<slug:slug>/envelopes/new/", envelope_new, name="setup_envelope"),
    path("setup/people/<slug:person_id>/", person, name="setup_person"),
    path("invitations/<str:token>/", invitation, name="invitation"),
    path("account/finish/", finish, name="account_finish"),
    path("welcome/", welcome, name="welcome"),
]
