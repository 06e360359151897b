"""Who holds which role, where; giving and taking roles, each with a reason and a fresh factor."""

from dataclasses import dataclass
from typing import Any

from django.contrib import messages
from django.http import Http404, HttpResponse, HttpResponseBase
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import path, reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_safe

from backend.commons.models import Budget
from backend.commons.services import tree_of
from backend.commons.stewards import grant_in_pot, names_first, remove_from_pot, stewards_of
from backend.core.names import name_key
from backend.identity.factors import has_factor
from backend.identity.inviting import accepted
from backend.identity.models import Proposal, Role, User
from backend.identity.permissions import STRONG_ROLES, counting, holds, may, require
from backend.identity.proposals import propose_treasurer
from backend.identity.roles import able_treasurers, grant_host_role, remove_host_role
from backend.identity.services import the_host
from backend.web.acts import form_page
from backend.web.forms_people import GrantForm, ReasonForm
from backend.web.pages import AuthedRequest, fresh_factor, private

RUNNERS = ("administrator", "treasurer", "auditor")


@dataclass(frozen=True)
class Held:
    """A role somebody holds: whether it counts already, and whether the reader may take it away."""

    person: User
    kind: str
    name: str
    scope: str
    invited: bool
    asleep: bool
    removable: bool


def readable_pots(actor: User) -> list[Budget]:
    """The budgets whose people a person may see: those they care for, all of them for who runs the host; by name."""
    found = Budget.objects.select_related("commons", "parent__parent").exclude(state="archived")
    rows = list(found)
    if not holds(actor, *RUNNERS):
        mine = set(counting(actor).filter(kind="steward").values_list("scope", flat=True))
        rows = [row for row in rows if mine & set(tree_of(row))]
    return sorted(rows, key=lambda row: (name_key(row.commons.name), row.parent_id is not None, name_key(row.name)))


def _held(actor: User, kinds: list[str], scope: str, *, removable: set[str]) -> list[Held]:
    names = dict(Role.KINDS)
    rows = Role.objects.filter(kind__in=kinds, scope=scope, user__is_active=True).select_related("user")
    able = set(User.objects.filter(has_factor("pk"), pk__in=rows.values("user")).values_list("pk", flat=True))
    return [
        Held(
            person=row.user,
            kind=row.kind,
            name=str(names[row.kind]),
            scope=scope,
            invited=not accepted(row.user),
            asleep=row.kind in STRONG_ROLES and row.user_id not in able,
            removable=row.kind in removable,
        )
        for row in sorted(rows, key=lambda row: (kinds.index(row.kind), name_key(row.user.name)))
    ]


def removable_kinds(actor: User, budget: Budget) -> set[str]:
    """Which roles of a budget a person may take away."""
    if may(actor, "role.grant_pot", scopes=tree_of(budget)):
        return {"steward", "contributor"}
    return {"steward"} if may(actor, "role.grant") else set()


@private
@require_safe
def people(request: AuthedRequest) -> HttpResponse:
    """Who runs the host, and who works in and cares for each pot."""
    actor, host = request.user, the_host()
    pots = readable_pots(actor)
    require(actor, "people.read", scopes=[row.pk for row in pots])
    runs = holds(actor, *RUNNERS)
    able = {"administrator", "auditor"} if may(actor, "role.grant") else set()
    peopled = set(Role.objects.filter(scope__in=[row.pk for row in pots]).values_list("scope", flat=True))
    able |= {"treasurer"} if may(actor, "role.remove_treasurer") else set()
    context = {
        "host_roles": _held(actor, ["administrator", "treasurer", "auditor"], host.pk, removable=able) if runs else [],
        "runs": runs,
        "may_name": may(actor, "role.grant") or may(actor, "role.propose_treasurer"),
        "able": len(able_treasurers()),
        "waiting": Proposal.visible_to(actor).filter(state="proposed").count(),
        "pots": [
            {
                "budget": row,
                "people": _held(actor, ["steward", "contributor"], row.pk, removable=removable_kinds(actor, row)),
                "may_name": bool(kinds_for(actor, row)),
                "awaits": may(actor, "role.grant") and not stewards_of(row) and not names_first(actor, row),
            }
            for row in pots
            # An envelope has the people of its pot: without its own, it shows to who can name some alone.
            if row.parent_id is None or row.pk in peopled or kinds_for(actor, row)
        ],
    }
    return render(request, "people/people.html", context)


def kinds_for(actor: User, budget: Budget | None) -> list[str]:
    """The roles a person may give, or propose, in a budget or (None) in the host."""
    if budget is None:
        named = ["auditor", "administrator"] if may(actor, "role.grant") else []
        return [*(["treasurer"] if may(actor, "role.propose_treasurer") else []), *named]
    if may(actor, "role.grant_pot", scopes=tree_of(budget)):
        return ["contributor", "steward"]
    return ["steward"] if names_first(actor, budget) else []


@private
@fresh_factor
@require_http_methods(["GET", "HEAD", "POST"])
def role_new(request: AuthedRequest) -> HttpResponseBase:
    """Give somebody a role in the host or in a budget; a treasurer is proposed."""
    budget = _pot(request, request.GET.get("in", "host"))
    kinds = kinds_for(request.user, budget)
    if not kinds:
        require(request.user, "role.grant" if budget is None else "role.grant_pot", scopes=_scopes(budget))
        raise Http404
    form = GrantForm(request.POST or None, kinds=kinds)

    def act() -> HttpResponseBase:
        values = form.cleaned_data
        facts: dict[str, Any] = {
            "actor": request.user, "who": form.named, "reason": values["reason"], "now": timezone.now(),
        }  # fmt: skip
        if budget is None and values["kind"] == "treasurer":
            made = propose_treasurer(**facts)
            messages.success(request, _("The treasurer is proposed. Nothing changed: another person must accept."))
            return redirect("proposal_page", made.pk)
        if budget is None:
            person = grant_host_role(kind=values["kind"], **facts)
        else:
            person = grant_in_pot(kind=values["kind"], budget_id=budget.pk, **facts)
        messages.success(request, _("%(name)s has the role, and is told by mail.") % {"name": person.name})
        return redirect("people")

    return form_page(request, form, act, "people/grant.html", {"budget": budget, "two": "treasurer" in kinds})


@private
@fresh_factor
@require_http_methods(["GET", "HEAD", "POST"])
def role_remove(request: AuthedRequest, person_id: str, kind: str, scope: str) -> HttpResponseBase:
    """Take a role away, at once."""
    budget = None if scope == the_host().pk else _pot(request, scope)
    known = removable_kinds(request.user, budget) if budget else set()
    if budget is None:
        require(request.user, "role.remove_treasurer" if kind == "treasurer" else "role.grant")
    elif kind not in known:
        require(request.user, "role.grant_pot", scopes=_scopes(budget))
    role = get_object_or_404(Role.objects.select_related("user"), user=person_id, kind=kind, scope=scope)
    form = ReasonForm(request.POST or None)

    def act() -> HttpResponseBase:
        facts: dict[str, Any] = {
            "actor": request.user, "person_id": person_id, "kind": kind, "reason": form.cleaned_data["reason"],
            "now": timezone.now(),
        }  # fmt: skip
        if budget is None:
            remove_host_role(**facts)
        else:
            remove_from_pot(budget_id=budget.pk, **facts)
        messages.success(request, _("The role has ended. It counts from the next page on."))
        # Who took their own last role away may not read the list any more.
        return redirect("people" if holds(request.user, *RUNNERS, "steward") else "home")

    context = {
        "role": role, "budget": budget, "mine": role.user_id == request.user.pk,
        "last": budget is not None and kind == "steward" and stewards_of(budget) == [role.user]
        and not may(request.user, "role.grant_pot", scopes=tree_of(budget)),
    }  # fmt: skip
    return form_page(request, form, act, "people/remove.html", context)


def _pot(request: AuthedRequest, scope: str) -> Budget | None:
    """The budget an address names, if the reader may see its people; None for the host."""
    if scope == "host":
        return None
    found = next((row for row in readable_pots(request.user) if row.pk == scope), None)
    if found is None:
        raise Http404
    return found


def _scopes(budget: Budget | None) -> list[str]:
    return tree_of(budget) if budget else []


def grant_address(budget: Budget | None) -> str:
    """Where a role in a budget, or in the host, is given."""
    return f"{reverse('role_new')}?in={budget.pk if budget else 'host'}"


urlpatterns = [
    path("people/", people, name="people"),
    path("people/new/", role_new, name="role_new"),
    path("people/<slug:person_id>/<slug:kind>/<slug:scope>/remove/", role_remove, name="role_remove"),
]
