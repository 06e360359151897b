"""Statement rounds: the list, opening one, following it, closing it; and the page on which each person answers."""

from typing import Any

from django.contrib import messages
from django.http import HttpResponse, HttpResponseBase
from django.shortcuts import redirect, render
from django.urls import path, reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from backend.contributions.round_models import RoundAnswer
from backend.contributions.rounds import answer_round, close_round, known_of, open_round, round_for, rounds_of
from backend.core.errors import Conflict, DomainError, Invalid, NotFound
from backend.identity.permissions import require
from backend.web.acts import form_page
from backend.web.forms_days import DayField
from backend.web.forms_work import BudgetChoice, KeyedForm
from backend.web.pages import AuthedRequest, budgets_with, cut, private


class RoundForm(KeyedForm):
    """Which budget, which days, until when."""

    def __init__(self, *args: Any, actor: Any, **kwargs: Any) -> None:
        """The budgets that the actor cares for."""
        super().__init__(*args, **kwargs)
        self.fields["budget"] = BudgetChoice(queryset=budgets_with(actor, "steward"), label=gettext_lazy("Budget"))
        days = {
            "first_day": (gettext_lazy("First day of the work"), ""),
            "last_day": (gettext_lazy("Last day of the work"), gettext_lazy("Today at the latest.")),
            "answer_by": (
                gettext_lazy("Last day to answer"),
                gettext_lazy("Those who have not answered are reminded once, three days before."),
            ),
        }
        for name, (label, hint) in days.items():
            self.fields[name] = DayField(label=label, help_text=hint)


@private
@require_safe
def rounds(request: AuthedRequest) -> HttpResponse:
    """What one is asked, and the rounds that one runs."""
    mine = RoundAnswer.objects.filter(person=request.user).select_related("round__budget__commons")
    run = budgets_with(request.user, "steward").exists()
    context = {
        "answers": mine.order_by("-round__opened_at", "-pk")[:50],
        "page": cut(rounds_of(request.user), request) if run else None,
        "run": run,
    }
    return render(request, "rounds/list.html", context)


@private
@require_http_methods(["GET", "HEAD", "POST"])
def round_new(request: AuthedRequest) -> HttpResponseBase:
    """Open a round. Moves no money."""
    require(request.user, "round.run", scopes=[budget.pk for budget in budgets_with(request.user, "steward")])
    form = RoundForm(request.POST or None, actor=request.user)

    def act() -> HttpResponseBase:
        made = open_round(actor=request.user, now=timezone.now(), **form.cleaned_data)
        messages.success(request, _("The round is open: each person is written to. No money moved."))
        return redirect("round_page", made.pk)

    return form_page(request, form, act, "rounds/new.html", {})


@private
@require_safe
def round_page(request: AuthedRequest, round_id: str) -> HttpResponse:
    """Who confirmed, who said that something is missing, who did not answer; and what changed since."""
    row = round_for(request.user, round_id)
    answers = list(row.answers.select_related("person").order_by("person__name", "pk"))
    known = known_of(row, [one.person for one in answers])
    rows = [
        {
            "answer": one,
            "known": known[one.person_id],
            "changed": bool(one.listed) and one.listed != known[one.person_id].listed,
        }
        for one in answers
    ]
    counts = {state: sum(one.state == state for one in answers) for state in ("complete", "missing", "")}
    context = {
        "row": row, "rows": rows, "complete": counts["complete"], "missing": counts["missing"], "silent": counts[""],
    }  # fmt: skip
    return render(request, "rounds/round.html", context)


@private
@require_POST
def round_close(request: AuthedRequest, round_id: str) -> HttpResponse:
    """Take no more answers. Moves no money."""
    row = close_round(actor=request.user, round_id=round_for(request.user, round_id).pk, now=timezone.now())
    messages.success(request, _("The round is closed. No money moved."))
    return redirect("round_page", row.pk)


@private
@require_http_methods(["GET", "HEAD", "POST"])
def round_answer(request: AuthedRequest, answer_id: str) -> HttpResponseBase:
    """What is known of one's work in a round, and the two answers."""
    rows = RoundAnswer.objects.select_related("round__budget__commons", "person")
    answer = rows.filter(pk=answer_id, person=request.user).first()
    if answer is None:
        raise NotFound("round_not_found", _("There is no such statement round."))
    refusal: DomainError | None = None
    if request.method == "POST":
        said, listed = request.POST.get("answer", ""), request.POST.get("listed", "")[:64]
        words = request.POST.get("missing", "")
        try:
            answer_round(
                actor=request.user, answer_id=answer.pk, state=said, listed=listed, missing=words, now=timezone.now()
            )  # fmt: skip
        except (Invalid, Conflict) as error:
            refusal = error
        else:
            if said == "missing":
                messages.success(request, _("It is noted. Declare what is missing, then answer again."))
                return redirect(f"{reverse('declare')}?round={answer.pk}")
            messages.success(request, _("Thank you: your list is confirmed as it stands. No money moved."))
            return redirect("round_answer", answer.pk)
    known = known_of(answer.round, [request.user])[request.user.pk]
    context = {
        "answer": answer, "row": answer.round, "known": known, "refusal": refusal,
        "words": request.POST.get("missing", answer.missing),
        "changed": bool(answer.listed) and answer.listed != known.listed,
    }  # fmt: skip
    return render(request, "rounds/answer.html", context, status=refusal.status if refusal else 200)


urlpatterns = [
    path("rounds/", rounds, name="rounds"),
    path("rounds/new/", round_new, name="round_new"),
    path("rounds/answers/<slug:answer_id>/", round_answer, name="round_answer"),
    path("rounds/<slug:round_id>/", round_page, name="round_page"),
    path("rounds/<slug:round_id>/close/", round_close, name="round_close"),
]
