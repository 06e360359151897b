"""`/v1/pledges`: promises of money, how to pay them, how they change and end. A promise moves no money."""

from typing import Any, cast

from django.http import HttpResponse
from django.utils import timezone
from django.utils.translation import gettext_lazy as _
from rest_framework.request import Request

from backend.api import serialize
from backend.api.auth import caller, held_back, held_to_organisation, out_of_sight, within
from backend.api.contract import RIGHTS, Operation
from backend.api.fields import Optional, Reader, day, items, money, or_null, read_fields, text, text_up_to, told
from backend.api.idempotency import Done, form_key, require_key, write
from backend.api.pagination import PAGING, page, read_parameters
from backend.api.shapes import PLEDGE, PLEDGE_IN_FULL, listing
from backend.api.views import Resource, answer
from backend.commons.models import Budget
from backend.commons.services import get_budget
from backend.core.errors import Invalid, NotFound
from backend.identity.models import HostBankAccount, Organisation, User
from backend.pledges.making import MOST_PARTS
from backend.pledges.models import Instalment, Pledge
from backend.pledges.services import (
    Changes,
    Terms,
    cancel_pledge,
    change_pledge,
    make_pledges,
    pause_pledge,
    resume_pledge,
)
from backend.pledges.terms import REASON_LENGTH

SHOWN = told(text, enum=[visibility for visibility, _name in Pledge.VISIBILITIES])
PAPER = told(text, enum=[paper for paper, _name in Pledge.PAPERS])
PART: dict[str, Reader | Optional] = {"budget": text, "amount": money}
BODY: dict[str, Reader | Optional] = {
    "budget": Optional(text, None),
    "amount": Optional(money, None),
    "parts": Optional(told(items(PART), minItems=1, maxItems=MOST_PARTS), None),
    "organisation": or_null(text),
    "rhythm": Optional(told(text, enum=[rhythm for rhythm, _name in Pledge.RHYTHMS]), "once"),
    "starts_on": Optional(or_null(day), None),
    "ends_on": Optional(or_null(day), None),
    "visibility": Optional(SHOWN, "visible"),
    "pseudonym": Optional(text_up_to(80), ""),
    "purchase_order": Optional(text_up_to(60), ""),
    "paper": Optional(PAPER, "call"),
}
# What change_pledge and make_pledges check of the same fields, after their readers.
TERMS_REFUSED = (
    "amount_out_of_range other_currency ends_out_of_range visibility_unknown pseudonym_missing pseudonym_not_wanted "
    "paper_unknown text_too_long"
)
KEPT = object()  # a field of a change that was not sent
CHANGES: dict[str, Reader | Optional] = {
    "amount": Optional(money, KEPT),
    "ends_on": Optional(or_null(day), KEPT),
    "visibility": Optional(SHOWN, KEPT),
    "pseudonym": Optional(text_up_to(80), KEPT),
    "purchase_order": Optional(text_up_to(60), KEPT),
    "paper": Optional(PAPER, KEPT),
}
# Who may not pause it is told so before the reason they did not give.
PAUSE: dict[str, Reader | Optional] = {
    "reason": Optional(told(text_up_to(REASON_LENGTH), minLength=1), "", needed=True)
}
POINTERS = {"amount": "/amount/value", "currency": "/amount/currency"}


def _in_full(request: Request, pledge: Pledge) -> dict[str, Any]:
    """A pledge with its instalments, those made in the same act, and what its payer types in the bank's form.

    A token that is held back from some of those sees the others, and no instructions: the transfer is for all.
    """
    account = HostBankAccount.objects.select_related("host").filter(currency=pledge.currency).order_by("pk").first()
    act = Pledge.objects.filter(group=pledge.group).order_by("pk")
    group = list(within(request, act))
    whole = len(group) == act.count()
    rows = Instalment.objects.filter(pledge__in=group).order_by("number", "pledge_id")
    called = sum(row.awaited for row in rows if row.state != "due")
    return {
        **serialize.pledges([pledge])[0],
        "parts": [serialize.part(one) for one in group],
        "instalments": [serialize.instalment(row) for row in rows if row.pledge_id == pledge.pk],
        "payment_instructions": (
            serialize.payment_instructions(pledge, account, called) if account and whole else None
        ),
    }


def _organisation(actor: User, organisation_id: str) -> Organisation:
    """One of the organisations this person may see."""
    found = Organisation.visible_to(actor).filter(pk=organisation_id).first()
    if found is None:
        raise _no_organisation()
    return found


def _no_organisation() -> NotFound:
    return NotFound("organisation_not_found", _("There is no such organisation among yours."), param="organisation")


def _no_pledge() -> NotFound:
    return NotFound("pledge_not_found", _("There is no such pledge."))


def _parts(given: dict[str, Any]) -> list[tuple[str, int, str]]:
    """(budget, minor units, currency) of each part: of `parts`, or of `budget` and `amount`, not of both.

    Raises: Invalid `parts_or_budget`, `parts_missing`, `other_currency`.
    """
    single = given["budget"] is not None and given["amount"] is not None
    if single == (given["parts"] is not None) or (given["parts"] is not None and (given["budget"] or given["amount"])):
        raise Invalid(
            "parts_or_budget", _("Name a budget and an amount, or several in “parts”: one of the two."), param="parts"
        )
    rows = [{"budget": given["budget"], "amount": given["amount"]}] if single else given["parts"]
    if not rows:
        raise Invalid("parts_missing", _("“parts” is empty: name at least one budget with its amount."), param="parts")
    found = [(row["budget"], *row["amount"]) for row in rows]
    if len({currency for _budget, _value, currency in found}) > 1:
        raise Invalid("other_currency", _("One transfer pays all parts: name them in one currency."), param="parts")
    return found


class PledgeList(Resource):
    """The pledges of one's organisations, and one's own."""

    scopes = {"get": "pledges:read", "post": "pledges:write"}
    held = ("com", "org")
    pointers = POINTERS
    contract = {
        "get": Operation(
            "list_pledges", _("List the pledges that you may see, newest first"), listing(PLEDGE), parameters=PAGING
        ),
        "post": Operation(
            "make_pledge",
            _("Promise money to one budget or several"),
            PLEDGE_IN_FULL,
            status=201,
            body=BODY,
            problems={
                403: RIGHTS,
                404: "budget_not_found organisation_not_found",
                409: "budget_not_open form_key_reused above_spending_limit organisation_merged "
                "invoice_host_incomplete invoice_party_incomplete",
                422: f"parts_or_budget parts_missing budgets_repeated too_many_parts unknown_currency rhythm_unknown "
                f"starts_out_of_range {TERMS_REFUSED}",
            },
        ),
    }

    def get(self, request: Request) -> HttpResponse:
        """List them, newest first."""
        wanted = read_parameters(request._request, PAGING)
        body, headers = page(
            request._request,
            within(request, Pledge.visible_to(caller(request))),
            serialize.pledges,
            wanted,
        )
        return answer(body, headers=headers)

    def post(self, request: Request) -> HttpResponse:
        """Promise amounts to budgets, in the name of an organisation or in one's own."""
        read_parameters(request._request, {})
        require_key(request)
        given = read_fields(request.data, BODY)
        parts = _parts(given)
        named = held_to_organisation(request)
        for budget, _value, _currency in parts:
            if (not named and held_back(request, Budget, budget)) or out_of_sight(request, Budget, budget):
                raise NotFound("budget_not_found", _("There is no such budget."), param="budget")
        mine = given["organisation"]
        if named and (mine is None or held_back(request, Organisation, mine)):
            raise _no_organisation()
        now = timezone.now()
        terms = Terms(**{name: given[name] for name in Terms.__dataclass_fields__})

        def act() -> Done:
            actor = caller(request)
            made = make_pledges(
                actor=actor,
                parts=[(get_budget(budget), value) for budget, value, _currency in parts],
                currency=parts[0][2],
                organisation=_organisation(actor, mine) if mine is not None else None,
                person=actor,
                terms=terms,
                form_key=form_key(request),
                now=now,
            )
            return lambda: _in_full(request, made[0]), f"/v1/pledges/{made[0].pk}"

        return write(request, now=now, status=201, act=act)


class PledgeOne(Resource):
    """One pledge."""

    scopes = {"get": "pledges:read"}
    held = ("com", "org")
    contract = {
        "get": Operation(
            "read_pledge",
            _("Read a pledge with its instalments and how to pay it"),
            PLEDGE_IN_FULL,
            problems={404: "pledge_not_found"},
        )
    }

    def get(self, request: Request, pledge_id: str) -> HttpResponse:
        """Show it with its payment instructions."""
        read_parameters(request._request, {})
        pledge = within(request, Pledge.visible_to(caller(request))).filter(pk=pledge_id).first()
        if pledge is None:
            raise _no_pledge()
        return answer(_in_full(request, pledge))


class Change(Resource):
    """A change of a pledge, from its next instalment on."""

    scopes = {"post": "pledges:write"}
    held = ("com", "org")
    pointers = POINTERS
    contract = {
        "post": Operation(
            "change_pledge",
            _("Change a pledge from its next instalment on"),
            PLEDGE_IN_FULL,
            status=201,
            body=CHANGES,
            problems={
                403: RIGHTS,
                404: "pledge_not_found",
                409: "pledge_over pledge_called pledge_taken_by_provider above_spending_limit invoice_host_incomplete "
                "invoice_party_incomplete",
                422: TERMS_REFUSED,
            },
        )
    }

    def post(self, request: Request, pledge_id: str) -> HttpResponse:
        """Change what is named; what is not stays."""
        read_parameters(request._request, {})
        require_key(request)
        given = {name: value for name, value in read_fields(request.data, CHANGES).items() if value is not KEPT}
        if held_back(request, Pledge, pledge_id) or out_of_sight(request, Pledge, pledge_id):
            raise _no_pledge()
        now = timezone.now()

        def act() -> Done:
            actor = caller(request)
            if "amount" in given:
                value, currency = given["amount"]
                if Pledge.visible_to(actor).filter(pk=pledge_id).exclude(currency=currency).exists():
                    raise Invalid("other_currency", _("A pledge keeps its currency."), param="currency")
                changes = cast(Changes, {**given, "amount": value})
            else:
                changes = cast(Changes, given)
            pledge = change_pledge(actor=actor, pledge_id=pledge_id, changes=changes, now=now)
            return lambda: _in_full(request, pledge), f"/v1/pledges/{pledge_id}"

        return write(request, now=now, status=201, act=act)


class Cancellation(Resource):
    """The end of a pledge before its next instalment."""

    scopes = {"post": "pledges:write"}
    held = ("com", "org")
    contract = {
        "post": Operation(
            "cancel_pledge",
            _("Cancel what is still awaited of a pledge"),
            PLEDGE_IN_FULL,
            status=201,
            body={},
            problems={403: RIGHTS, 404: "pledge_not_found", 409: "pledge_not_cancellable"},
        )
    }

    def post(self, request: Request, pledge_id: str) -> HttpResponse:
        """Cancel what is still awaited of a pledge."""
        read_parameters(request._request, {})
        require_key(request)
        read_fields(request.data, {})
        if held_back(request, Pledge, pledge_id) or out_of_sight(request, Pledge, pledge_id):
            raise _no_pledge()
        now = timezone.now()

        def act() -> Done:
            pledge = cancel_pledge(actor=caller(request), pledge_id=pledge_id, now=now)
            return lambda: _in_full(request, pledge), f"/v1/pledges/{pledge_id}"

        return write(request, now=now, status=201, act=act)


class Pause(Resource):
    """A pledge that is not called for a while."""

    scopes = {"post": "pledges:write"}
    held = ("com", "org")
    contract = {
        "post": Operation(
            "pause_pledge",
            _("Pause a pledge: nothing more of it is called"),
            PLEDGE_IN_FULL,
            status=201,
            body=PAUSE,
            problems={403: RIGHTS, 404: "pledge_not_found", 409: "pledge_over pledge_paid_once", 422: "reason_missing"},
        )
    }

    def post(self, request: Request, pledge_id: str) -> HttpResponse:
        """Pause a pledge: nothing more of it is called until it is taken up again."""
        read_parameters(request._request, {})
        require_key(request)
        if held_back(request, Pledge, pledge_id) or out_of_sight(request, Pledge, pledge_id):
            raise _no_pledge()
        given = read_fields(request.data, PAUSE)
        now = timezone.now()

        def act() -> Done:
            pledge = pause_pledge(actor=caller(request), pledge_id=pledge_id, reason=given["reason"], now=now)
            return lambda: _in_full(request, pledge), f"/v1/pledges/{pledge_id}"

        return write(request, now=now, status=201, act=act)


class Resumption(Resource):
    """The end of a pause."""

    scopes = {"post": "pledges:write"}
    held = ("com", "org")
    contract = {
        "post": Operation(
            "resume_pledge",
            _("Take a paused pledge up again"),
            PLEDGE_IN_FULL,
            status=201,
            body={},
            problems={403: RIGHTS, 404: "pledge_not_found", 409: "pledge_over pledge_paid_once above_spending_limit"},
        )
    }

    def post(self, request: Request, pledge_id: str) -> HttpResponse:
        """Take a paused pledge up again from its next day on."""
        read_parameters(request._request, {})
        require_key(request)
        if held_back(request, Pledge, pledge_id) or out_of_sight(request, Pledge, pledge_id):
            raise _no_pledge()
        read_fields(request.data, {})
        now = timezone.now()

        def act() -> Done:
            pledge = resume_pledge(actor=caller(request), pledge_id=pledge_id, now=now)
            return lambda: _in_full(request, pledge), f"/v1/pledges/{pledge_id}"

        return write(request, now=now, status=201, act=act)
