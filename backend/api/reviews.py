"""What peers say of a contribution: `/v1/contributions/{id}/reviews`, `/questions`, `/objections`."""

from typing import Any

from django.http import HttpResponse
from django.utils import timezone
from django.utils.translation import gettext_lazy as _
from rest_framework.request import Request

from backend.api import serialize
from backend.api.auth import caller
from backend.api.contract import RIGHTS, Operation
from backend.api.contributions import require_in_reach
from backend.api.fields import Optional, Reader, flag, read_fields, text, text_up_to, told, whole
from backend.api.idempotency import Done, require_key, write
from backend.api.pagination import read_parameters
from backend.api.shapes import CONTRIBUTION_IN_FULL, REVIEW_DONE
from backend.api.views import Resource
from backend.contributions import peers, services
from backend.contributions.models import Contribution, Objection, Question, Review
from backend.core.errors import NotFound

FIRST = 1  # the version that is meant where none is named: nobody approves an amendment that they did not read
REVIEW: dict[str, Reader | Optional] = {
    "verdict": told(text, enum=[verdict for verdict, _name in Review.VERDICTS]),
    "reason": Optional(text_up_to(500), ""),
    "minutes": Optional(told(whole, minimum=0), None),
    "version": Optional(whole, FIRST),
}
SAID = told(text_up_to(1000), minLength=1)
QUESTION: dict[str, Reader | Optional] = {"text": SAID, "version": Optional(whole, FIRST)}
ANSWER: dict[str, Reader | Optional] = {"text": SAID}
OBJECTION: dict[str, Reader | Optional] = {"reason": SAID, "version": Optional(whole, FIRST)}
OPINION: dict[str, Reader | Optional] = {"upholds": flag, "reason": told(text_up_to(500), minLength=1)}


class Said(Resource):
    """What one says of a contribution: it is answered with the contribution as it is then."""

    scopes = {"post": "contributions:review"}
    held = ("com",)
    pointers = {"answer": "/text"}

    def say(
        self, request: Request, contribution_id: str, fields: dict[str, Reader | Optional], act: Any
    ) -> HttpResponse:
        """Check what every one of them checks, then do it once."""
        read_parameters(request._request, {})
        require_key(request)
        require_in_reach(request, contribution_id)
        given = read_fields(request.data, fields)
        now = timezone.now()

        def shown() -> dict[str, Any]:
            rows = Contribution.visible_to(caller(request)).select_related("contributor")
            return serialize.whole_contribution(rows.get(pk=contribution_id))

        def once() -> Done:
            act(actor=caller(request), now=now, **given)
            return shown, f"/v1/contributions/{contribution_id}"

        return write(request, now=now, status=201, act=once, tagged=True)


class ReviewList(Resource):
    """Approvals and rejections."""

    scopes = {"post": "contributions:review"}
    held = ("com",)
    contract = {
        "post": Operation(
            "review_contribution",
            _("Approve the work of somebody else, or reject it with a reason"),
            REVIEW_DONE,
            status=201,
            body=REVIEW,
            problems={
                403: f"{RIGHTS} own_contribution own_recording",
                404: "contribution_not_found",
                409: "contribution_not_open contribution_amended already_reviewed validated_by_consent",
                422: "verdict_unknown reason_missing validated_minutes",
            },
        )
    }

    def post(self, request: Request, contribution_id: str) -> HttpResponse:
        """Approve someone else's contribution, or reject it with a reason."""
        read_parameters(request._request, {})
        require_key(request)
        require_in_reach(request, contribution_id)
        given = read_fields(request.data, REVIEW)
        now = timezone.now()

        def act() -> Done:
            said = services.review(actor=caller(request), contribution_id=contribution_id, now=now, **given)

            def shown() -> dict[str, Any]:
                state = Contribution.objects.values_list("state", flat=True).get(pk=contribution_id)
                return {**serialize.review(said), "contribution_state": state}

            return shown, f"/v1/contributions/{contribution_id}"

        return write(request, now=now, status=201, act=act)


class QuestionList(Said):
    """Questions about a contribution."""

    contract = {
        "post": Operation(
            "ask_question",
            _("Ask the contributor something before you agree"),
            CONTRIBUTION_IN_FULL,
            status=201,
            body=QUESTION,
            tagged=True,
            problems={
                403: f"{RIGHTS} own_contribution",
                404: "contribution_not_found",
                409: "contribution_not_open contribution_amended consent_given",
                422: "said_length",
            },
        )
    }

    def post(self, request: Request, contribution_id: str) -> HttpResponse:
        """Ask its contributor something; it waits for the answer."""

        def act(**given: Any) -> None:
            peers.ask_question(contribution_id=contribution_id, **given)

        return self.say(request, contribution_id, QUESTION, act)


class Answer(Said):
    """The answer to a question."""

    scopes = {"post": "contributions:write"}
    contract = {
        "post": Operation(
            "answer_question",
            _("Answer a question about your own work"),
            CONTRIBUTION_IN_FULL,
            status=201,
            body=ANSWER,
            tagged=True,
            problems={
                403: RIGHTS,
                404: "contribution_not_found question_not_found",
                409: "question_closed",
                422: "said_length",
            },
        )
    }

    def post(self, request: Request, contribution_id: str, question_id: str) -> HttpResponse:
        """Answer a question about one's own contribution."""
        if not Question.objects.filter(pk=question_id, contribution=contribution_id).exists():
            raise NotFound("question_not_found", _("There is no such question to you."))

        def act(**given: Any) -> None:
            peers.answer_question(question_id=question_id, **given)

        return self.say(request, contribution_id, ANSWER, act)


class ObjectionList(Said):
    """Objections to a contribution."""

    contract = {
        "post": Operation(
            "object_to_contribution",
            _("Object to the work of somebody else, with a reason"),
            CONTRIBUTION_IN_FULL,
            status=201,
            body=OBJECTION,
            tagged=True,
            problems={
                403: f"{RIGHTS} own_contribution",
                404: "contribution_not_found",
                409: "contribution_not_open contribution_amended consent_given already_objected objection_settled",
                422: "said_length",
            },
        )
    }

    def post(self, request: Request, contribution_id: str) -> HttpResponse:
        """Object with a reason: it is not accepted before the objection has ended."""

        def act(**given: Any) -> None:
            peers.object_to(contribution_id=contribution_id, **given)

        return self.say(request, contribution_id, OBJECTION, act)


class Lifting(Said):
    """The end of an objection by whoever raised it."""

    contract = {
        "post": Operation(
            "lift_objection",
            _("Take your objection back"),
            CONTRIBUTION_IN_FULL,
            status=201,
            body={},
            tagged=True,
            problems={
                403: f"{RIGHTS} objection_of_another",
                404: "contribution_not_found objection_not_found",
                409: "objection_ended",
            },
        )
    }

    def post(self, request: Request, contribution_id: str, objection_id: str) -> HttpResponse:
        """Take back one's own objection."""
        require_of(contribution_id, objection_id)

        def act(**given: Any) -> None:
            peers.lift_objection(objection_id=objection_id, **given)

        return self.say(request, contribution_id, {}, act)


class OpinionList(Said):
    """What stewards decide of an objection."""

    contract = {
        "post": Operation(
            "decide_objection",
            _("Decide of an objection, as a steward who is not involved"),
            CONTRIBUTION_IN_FULL,
            status=201,
            body=OPINION,
            tagged=True,
            problems={
                403: f"{RIGHTS} objection_involved",
                404: "contribution_not_found objection_not_found",
                409: "objection_ended already_decided",
                422: "said_length",
            },
        )
    }

    def post(self, request: Request, contribution_id: str, objection_id: str) -> HttpResponse:
        """Say as an uninvolved steward that it is upheld, or set aside, with the reason."""
        require_of(contribution_id, objection_id)

        def act(**given: Any) -> None:
            peers.decide_objection(objection_id=objection_id, **given)

        return self.say(request, contribution_id, OPINION, act)


def require_of(contribution_id: str, objection_id: str) -> None:
    """Refuse an objection that is not of this contribution."""
    if not Objection.objects.filter(pk=objection_id, contribution=contribution_id).exists():
        raise NotFound("objection_not_found", _("There is no such objection."))
