"""`/v1/contributions`: work that is declared, amended, waived or taken back by its contributor."""

from collections.abc import Callable, Mapping
from typing import Any

from django.db import transaction
from django.http import HttpResponse
from django.utils import timezone
from django.utils.cache import get_conditional_response
from django.utils.translation import gettext_lazy as _
from rest_framework.request import Request

from backend.api import serialize
from backend.api.auth import caller, held_back, out_of_sight, within
from backend.api.contract import RIGHTS, Operation
from backend.api.contribution_rows import EXPANDING, FILTERS, expanded, loaded, newest
from backend.api.errors import Refused, faults_of
from backend.api.fields import (
    Optional,
    Reader,
    day,
    duration,
    items,
    links,
    money,
    or_null,
    read_fields,
    text,
    text_up_to,
    texts,
    told,
    whole,
)
from backend.api.idempotency import Done, form_key, require_key, write
from backend.api.pagination import page, read_parameters
from backend.api.preconditions import etag, require_match, required_tags
from backend.api.serialize import as_json
from backend.api.shapes import CONTRIBUTION, CONTRIBUTION_IN_FULL, CONTRIBUTIONS, listing
from backend.api.views import Resource, answer
from backend.commons.models import Budget
from backend.commons.services import get_budget
from backend.contributions import own, services
from backend.contributions.facts import MAX_MINUTES
from backend.contributions.models import Contribution
from backend.core.errors import Invalid, NotFound

POINTERS = {"amount": "/amount/value", "currency": "/amount/currency"}
# What a contribution says, as it is declared; `duration` is another way to write `minutes`.
FACTS: dict[str, Reader | Optional] = {
    "worked_on": day,
    "kind": told(text, enum=[kind for kind, _name in Contribution.KINDS]),
    "minutes": Optional(told(whole, minimum=0, maximum=MAX_MINUTES), None),
    "duration": Optional(duration, None),
    "amount": Optional(money, None),
    "description": told(text, minLength=1, maxLength=500),
    "evidence": Optional(told(links, maxItems=10), ()),
    "over_cap_reason": Optional(text_up_to(500), ""),
    "metadata": Optional(texts, None),
}
BODY: dict[str, Reader | Optional] = {"budget": text, **FACTS}
BATCH: dict[str, Reader | Optional] = {"items": told(items(BODY, own.MAX_BATCH), minItems=1)}
ABSENT = object()
CHANGES: dict[str, Reader | Optional] = {
    name: Optional(one.read if isinstance(one, Optional) else one, ABSENT) for name, one in FACTS.items()
}
WAIVER: dict[str, Reader | Optional] = {"amount": Optional(or_null(money), None)}


def no_contribution() -> NotFound:
    """The answer for what is not there, or not theirs to see."""
    return NotFound("contribution_not_found", _("There is no such contribution."))


def require_in_reach(request: Request, contribution_id: str) -> None:
    """Refuse what the caller or the token does not see, whether it is there or not, before the body is looked at."""
    if not within(request, Contribution.visible_to(caller(request))).filter(pk=contribution_id).exists():
        raise no_contribution()


def facts_of(given: Mapping[str, Any], currency: str, *, whole: bool = True) -> dict[str, Any]:
    """The columns of the domain from what a body said.

    Args: given: fields of FACTS; ABSENT for those that stay as they are. whole: absent ones take their defaults.
    Raises: Invalid `duration_twice`, `other_currency`.
    """
    found = {name: value for name, value in given.items() if value is not ABSENT and name in FACTS}
    spoken, minutes = found.pop("duration", None), found.pop("minutes", None)
    if spoken is not None and minutes is not None:
        raise Invalid("duration_twice", _("Give “minutes” or “duration”, not both."), param="duration")
    if spoken is not None or minutes is not None:
        found["minutes"] = minutes if spoken is None else spoken
    if "amount" in found and found["amount"] is not None:
        found["amount"], asked_in = found["amount"]
        if asked_in != currency:
            raise Invalid(
                "other_currency",
                _("This pot is kept in %(currency)s: ask in that currency.") % {"currency": currency},
                param="currency",
            )
    elif "amount" in found:
        found["amount"] = 0
    if whole:
        found = {"minutes": 0, "metadata": None, **found}
        found["metadata"] = found["metadata"] or {}
    return found


_FACTS = (
    "kind_unknown kind_not_in_charter minutes_out_of_range nothing_declared amount_out_of_range other_currency "
    "over_the_cap reason_over_soft_cap description_length evidence_too_many evidence_not_a_link expense_has_no_time "
    "expense_without_amount expense_without_paper day_in_the_future day_outside_period metadata_shape duration_twice"
)
_OWN = f"{RIGHTS} contribution_of_another"


class ContributionList(Resource):
    """The contributions one may see."""

    scopes = {"get": "contributions:read", "post": "contributions:write"}
    held = ("com",)
    pointers = POINTERS
    contract = {
        "get": Operation(
            "list_contributions",
            _("List the contributions that you may see, newest first"),
            listing(CONTRIBUTION),
            parameters=FILTERS,
        ),
        "post": Operation(
            "declare_contribution",
            _("Declare your own work"),
            CONTRIBUTION_IN_FULL,
            status=201,
            body=BODY,
            tagged=True,
            problems={
                403: RIGHTS,
                404: "budget_not_found charter_not_found",
                409: "budget_not_open period_closed form_key_reused account_merged",
                422: _FACTS,
            },
        ),
    }

    def get(self, request: Request) -> HttpResponse:
        """List them, newest first: `from` is the first day of the work, `to` the first day left out."""
        wanted = read_parameters(request._request, FILTERS)
        names = wanted.get("expand", ())

        def rows(size: int) -> list[Contribution]:
            return newest(request, wanted, size)

        def shown(found: list[Contribution]) -> list[dict[str, Any]]:
            body = serialize.contributions(found)
            expanded(body, found, names)
            return body

        body, headers = page(request._request, rows, shown, wanted)
        return answer(body, headers=headers)

    def post(self, request: Request) -> HttpResponse:
        """Declare one's own work."""
        read_parameters(request._request, {})
        require_key(request)
        given = read_fields(request.data, BODY)
        require_budget_in_reach(request, given["budget"])
        now = timezone.now()

        def act() -> Done:
            budget = get_budget(given["budget"])
            row = services.declare(
                actor=caller(request), budget=budget, form_key=form_key(request), now=now,
                **facts_of(given, budget.currency),
            )  # fmt: skip
            return lambda: serialize.whole_contribution(row), f"/v1/contributions/{row.pk}"

        return write(request, now=now, status=201, act=act, tagged=True)


def require_budget_in_reach(request: Request, budget_id: str) -> None:
    """Refuse a budget outside the restriction of the token, or of a commons that is not public."""
    if held_back(request, Budget, budget_id) or out_of_sight(request, Budget, budget_id):
        raise NotFound("budget_not_found", _("There is no such budget."), param="budget")


class Batch(Resource):
    """Many contributions of one's own, all or none."""

    tag = "work"
    scopes = {"post": "contributions:write"}
    held = ("com",)
    contract = {
        "post": Operation(
            "declare_contributions",
            _("Declare up to 500 contributions of your own, all or none"),
            CONTRIBUTIONS,
            status=201,
            body=BATCH,
            problems={403: RIGHTS, 422: "batch_size batch_refused"},
        )
    }

    def post(self, request: Request) -> HttpResponse:
        """Declare up to 500 contributions."""
        read_parameters(request._request, {})
        require_key(request)
        given = read_fields(request.data, BATCH)["items"]
        now = timezone.now()
        faults: list[tuple[int, Invalid | NotFound]] = []
        facts: list[dict[str, Any]] = []
        currencies = dict(Budget.objects.filter(pk__in={one["budget"] for one in given}).values_list("pk", "currency"))
        for place, one in enumerate(given):
            try:
                facts.append({"budget": one["budget"], **facts_of(one, currencies.get(one["budget"], ""))})
            except Invalid as refusal:
                # An unknown budget has no currency: that it is unknown is what the domain says of it.
                if one["budget"] in currencies or refusal.code != "other_currency":
                    faults.append((place, refusal))
                else:
                    facts.append({"budget": one["budget"], **facts_of({**one, "amount": None}, "")})

        def budget_of(name: str) -> Budget:
            require_budget_in_reach(request, name)
            return get_budget(name)

        def act() -> Done:
            if faults:
                raise own.InBatch(faults)
            rows = own.declare_many(
                actor=caller(request), items=facts, form_key=form_key(request), now=now, budget_of=budget_of
            )
            return lambda: {"data": serialize.contributions(rows)}, ""

        try:
            return write(request, now=now, status=201, act=act)
        except own.InBatch as refusal:
            raise Refused(
                "batch_refused",
                refusal.message,
                status=422,
                faults=[
                    told
                    for place, one in refusal.refused[:100]
                    for each in (one, *one.beside)
                    for told in faults_of(each, POINTERS, f"/items/{place}")
                ],
            ) from None


class ContributionOne(Resource):
    """One contribution."""

    scopes = {"get": "contributions:read", "patch": "contributions:write", "delete": "contributions:write"}
    held = ("com",)
    pointers = POINTERS
    contract = {
        "get": Operation(
            "read_contribution",
            _("Read a contribution with all that was said of it"),
            CONTRIBUTION_IN_FULL,
            parameters=EXPANDING,
            tagged=True,
            problems={404: "contribution_not_found"},
        ),
        "patch": Operation(
            "amend_contribution",
            _("Amend your own work before it is validated"),
            CONTRIBUTION_IN_FULL,
            body=CHANGES,
            keyed=False,
            matched=True,
            tagged=True,
            problems={
                403: _OWN,
                404: "contribution_not_found",
                409: "contribution_not_open consent_given budget_not_open period_closed",
                422: _FACTS,
            },
        ),
        "delete": Operation(
            "delete_draft",
            _("Delete a draft of your own"),
            None,
            status=204,
            matched=True,
            problems={403: _OWN, 404: "contribution_not_found", 409: "contribution_not_open"},
        ),
    }

    def get(self, request: Request, contribution_id: str) -> HttpResponse:
        """Show it with what its reviewers said."""
        names = read_parameters(request._request, EXPANDING).get("expand")
        mine = within(request, Contribution.visible_to(caller(request)))
        row = loaded(mine, names).filter(pk=contribution_id).first()
        if row is None:
            raise no_contribution()
        body = serialize.whole_contribution(row)
        tag = etag(as_json(body))
        expanded([body], [row], names)
        found = answer(body, headers={"ETag": tag})
        known = get_conditional_response(request._request, etag=tag, response=found)
        return known or found

    def patch(self, request: Request, contribution_id: str) -> HttpResponse:
        """Amend one's own: approvals of the earlier version no longer count, questions and objections end."""

        def act(row: Contribution) -> Contribution:
            given = read_fields(request.data, CHANGES)
            return own.amend(
                actor=caller(request), contribution_id=row.pk, now=timezone.now(),
                changes=facts_of(given, row.currency, whole=False),
            )  # fmt: skip

        with transaction.atomic():
            row = self._as_read(request, contribution_id)
            body = serialize.whole_contribution(act(row))
        return answer(body, headers={"ETag": etag(as_json(body))})

    def delete(self, request: Request, contribution_id: str) -> HttpResponse:
        """Delete a draft of one's own."""
        with transaction.atomic():
            row = self._as_read(request, contribution_id)
            own.delete_draft(actor=caller(request), contribution_id=row.pk)
        return HttpResponse(status=204)

    def _as_read(self, request: Request, contribution_id: str) -> Contribution:
        """One's own, locked, and still as the header If-Match says that it was read."""
        read_parameters(request._request, {})
        require_in_reach(request, contribution_id)
        row = own.hold_with_periods(caller(request), contribution_id)
        own.require_own(caller(request), row)
        tags = required_tags(request)
        require_match(tags, as_json(serialize.whole_contribution(row)))
        return row


class Act(Resource):
    """One act on one's own contribution: it is answered with the whole of it."""

    tag = "work"
    scopes = {"post": "contributions:write"}
    held = ("com",)
    pointers = POINTERS
    body: Mapping[str, Reader | Optional] = {}
    does: Callable[..., Contribution]

    def post(self, request: Request, contribution_id: str) -> HttpResponse:
        """Do it."""
        read_parameters(request._request, {})
        require_key(request)
        require_in_reach(request, contribution_id)
        given = read_fields(request.data, self.body)
        now = timezone.now()

        def act() -> Done:
            row = type(self).does(actor=caller(request), contribution_id=contribution_id, now=now, **self.words(given))
            return lambda: serialize.whole_contribution(row), f"/v1/contributions/{contribution_id}"

        return write(request, now=now, status=201, act=act, tagged=True)

    def words(self, given: dict[str, Any]) -> dict[str, Any]:
        """What the service takes, from what the body said."""
        return given


class Withdrawal(Act):
    """The end of a contribution that its author takes back."""

    contract = {
        "post": Operation(
            "withdraw_contribution",
            _("Withdraw your own work"),
            CONTRIBUTION_IN_FULL,
            status=201,
            body={},
            tagged=True,
            problems={403: RIGHTS, 404: "contribution_not_found", 409: "contribution_not_open"},
        )
    }
    does = services.withdraw


class Declaration(Act):
    """A draft that its contributor declares."""

    contract = {
        "post": Operation(
            "declare_draft",
            _("Declare a draft of your own"),
            CONTRIBUTION_IN_FULL,
            status=201,
            body={},
            tagged=True,
            problems={
                403: _OWN,
                404: "contribution_not_found",
                409: "contribution_not_open budget_not_open period_closed commit_declared",
                422: f"{_FACTS} kind_to_choose",
            },
        )
    }
    does = own.declare_draft


class Waiver(Act):
    """What a contributor gives up of what they asked."""

    contract = {
        "post": Operation(
            "waive_contribution",
            _("Give up all or part of what you asked"),
            CONTRIBUTION_IN_FULL,
            status=201,
            body=WAIVER,
            tagged=True,
            problems={
                403: _OWN,
                404: "contribution_not_found",
                409: "contribution_not_open expense_not_waived",
                422: "waived_amount other_currency amount_out_of_range",
            },
        )
    }
    body = WAIVER
    does = own.waive

    def post(self, request: Request, contribution_id: str) -> HttpResponse:
        """Give up all that is asked, or a part."""
        return super().post(request, contribution_id)

    def words(self, given: dict[str, Any]) -> dict[str, Any]:
        """All of it, unless an amount says which part."""
        value, currency = given["amount"] or (None, None)
        return {"amount": value, "currency": currency}
