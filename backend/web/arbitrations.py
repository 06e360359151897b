"""Pages of an arbitration: a meeting's amounts are entered, each person they change confirms. Moves no money."""

from collections import defaultdict
from typing import Any

from django import forms
from django.contrib import messages
from django.http import HttpResponseBase
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import path
from django.utils import timezone
from django.utils.translation import get_language, gettext_lazy
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_POST

from backend.commons.models import Budget
from backend.commons.services import tree_of
from backend.core.errors import Conflict, DomainError, Invalid
from backend.core.money import format_money, parse_amount, to_decimal
from backend.distributions.models import Arbitration, Distribution
from backend.distributions.services import (
    answer_arbitration,
    last_day,
    propose_arbitration,
    withdraw_arbitration,
)
from backend.identity.models import User
from backend.identity.permissions import holds, may, require
from backend.web.forms import add_domain_error
from backend.web.forms_work import KeyedForm
from backend.web.pages import AuthedRequest, private

DECIMAL = {"inputmode": "decimal", "autocomplete": "off"}


def typed(amount: int, currency: str) -> str:
    """Minor units as the reader would type them."""
    text = str(to_decimal(amount, currency))
    return text if (get_language() or "fr").startswith("en") else text.replace(".", ",")


def _computed_words(line: dict[str, Any], currency: str) -> str:
    told = _("Computed: %(amount)s") % {"amount": format_money(line["computed"], currency)}
    if not line["asked"]:
        return told
    return told + " · " + _("Asked: %(amount)s") % {"amount": format_money(line["asked"], currency)}


class AgreedForm(KeyedForm):
    """One amount for each person and purse, as computed until it is changed; and why.

    More than somebody asked is not taken without a word: whoever enters it says that it is meant.
    """

    def __init__(self, *args: Any, lines: list[dict[str, Any]], currency: str, **kwargs: Any) -> None:
        """Args: lines: {"person": User, "budget": Budget, "computed", "asked": minor units}."""
        super().__init__(*args, **kwargs)
        self.lines, self.currency = lines, currency
        purses = {line["budget"].pk for line in lines}
        for number, line in enumerate(lines):
            label = line["person"].name
            self.fields[f"amount_{number}"] = forms.CharField(
                label=f"{label} · {line['budget'].name}" if len(purses) > 1 else label,
                max_length=40,
                initial=typed(line["computed"], currency),
                widget=forms.TextInput(attrs=DECIMAL),
                help_text=_computed_words(line, currency),
            )
        if self.is_bound:
            self.fields["above"] = forms.BooleanField(
                label=gettext_lazy("Yes, the meeting agreed on more than was asked"), required=False,
                help_text=gettext_lazy("Needed only where an amount is above what its person asked for."),
            )  # fmt: skip
        self.fields["reason"] = forms.CharField(
            label=gettext_lazy("Why, and when this was agreed"), max_length=500,
            help_text=gettext_lazy("Everyone in the budget reads it, and it stays in the trace: name nobody."),
            widget=forms.Textarea(attrs={"rows": 3}),
            error_messages={"required": gettext_lazy("Say why, in one sentence.")},
        )  # fmt: skip

    def clean(self) -> dict[str, Any]:
        """Minor units by (person id, budget id) under `amounts`."""
        values: dict[str, Any] = super().clean() or {}
        amounts = {}
        for number, line in enumerate(self.lines):
            name = f"amount_{number}"
            if name not in values:
                continue
            try:
                amounts[line["person"].pk, line["budget"].pk] = parse_amount(values[name], self.currency, minimum=0)
            except DomainError as refusal:
                self.add_error(name, str(refusal))
        self._require_meant(amounts, bool(values.get("above")))
        return {**values, "amounts": amounts}

    def _require_meant(self, amounts: dict[tuple[str, str], int], meant: bool) -> None:
        """Refuse, beside its field, the first amount by which somebody would get more than they asked."""
        totals: dict[str, int] = defaultdict(int)
        for (person, _purse), cents in amounts.items():
            totals[person] += cents
        for number, line in enumerate(self.lines):
            person, asked = line["person"], line["asked"]
            agreed = amounts.get((person.pk, line["budget"].pk), 0)
            if asked and totals[person.pk] > asked and agreed > line["computed"] and not meant:
                self.add_error(
                    f"amount_{number}",
                    _("%(name)s asked for %(asked)s and would get %(agreed)s. If the meeting meant it, say so below.")
                    % {
                        "name": person.name, "asked": format_money(asked, self.currency),
                        "agreed": format_money(totals[person.pk], self.currency),
                    },
                )  # fmt: skip


def _lines(distribution: Distribution) -> list[dict[str, Any]]:
    """The amounts that hold now, one a person and purse of the trace, by name."""
    trace = distribution.trace or {"persons": []}
    purses = Budget.objects.in_bulk([purse["id"] for purse in trace["purses"]])
    # Who is there by earlier work alone and receives nothing has no share to agree on.
    people = User.objects.filter(shares__distribution=distribution).in_bulk()
    lines = [
        {"person": people[person["id"]], "budget": purses[purse], "computed": cents, "asked": person["claim"]}
        for person in trace["persons"]
        if person["id"] in people
        for purse, cents in (person["by_purse"] or {trace["pot"]: 0}).items()
    ]
    return sorted(lines, key=lambda line: (line["person"].name.casefold(), line["budget"].name))


@private
@require_http_methods(["GET", "HEAD", "POST"])
def arbitration_new(request: AuthedRequest, distribution_id: str) -> HttpResponseBase:
    """Enter what a meeting agreed instead of the computed amounts. Nothing changes until each person has confirmed."""
    distribution = get_object_or_404(
        Distribution.visible_to(request.user).select_related("period__budget__commons"), pk=distribution_id
    )
    budget = distribution.period.budget
    require(request.user, "distribution.arbitrate", scopes=tree_of(budget))
    if distribution.state != "published":
        raise Conflict(
            "distribution_not_ready", _("Amounts can be agreed between the computation and its approval only.")
        )
    lines = _lines(distribution)
    form = AgreedForm(request.POST or None, lines=lines, currency=distribution.currency)
    status = 200
    if request.method == "POST":
        status = 422
        if form.is_valid():
            try:
                arbitration = propose_arbitration(
                    actor=request.user,
                    distribution_id=distribution.pk,
                    digest=request.POST.get("digest", ""),
                    amounts=form.cleaned_data["amounts"],
                    reason=form.cleaned_data["reason"],
                    form_key=form.cleaned_data["form_key"],
                    now=timezone.now(),
                )
            except (Invalid, Conflict) as refusal:
                add_domain_error(form, refusal)
                status = refusal.status
            else:
                messages.success(
                    request, _("Recorded. Each person whose amount changes is asked to confirm. No money moved.")
                )
                return redirect("arbitration_page", arbitration.pk)
    context = {
        "form": form,
        "distribution": distribution,
        "budget": budget,
        "last_day": last_day(distribution.period),
        "total": sum(line["computed"] for line in lines),
        "left": sum(purse["left"] for purse in (distribution.trace or {})["purses"]),
    }
    return render(request, "arbitrations/new.html", context, status=status)


def _shown(arbitration: Arbitration) -> list[dict[str, Any]]:
    """Its lines by name, with the difference of each."""
    lines = list(arbitration.lines.select_related("person", "budget", "recorded_by"))
    shares = {one.contributor_id: one for one in arbitration.distribution.shares.all()}
    totals: dict[str, int] = defaultdict(int)
    for line in lines:
        totals[line.person_id] += line.agreed - line.before
    # What held when it was written: once accepted, the shares are the agreed ones.
    done = arbitration.state == "accepted"
    rows = []
    for line in lines:
        share = shares[line.person_id]
        total = share.amount + (0 if done else totals[line.person_id])
        above = share.asked if share.asked and total > share.asked and line.agreed > line.before else 0
        rows.append({"line": line, "difference": line.agreed - line.before, "above": above})
    return sorted(rows, key=lambda row: (row["line"].person.name.casefold(), row["line"].budget.name))


class AnswerForm(forms.Form):
    """Yes or no, with a reason for a no; a treasurer may write the answer of someone else."""

    answer = forms.ChoiceField(
        label=gettext_lazy("Your answer"), widget=forms.RadioSelect,
        choices=[("accept", gettext_lazy("I confirm this amount")), ("refuse", gettext_lazy("I refuse"))],
        error_messages={"required": gettext_lazy("Choose an answer.")},
    )  # fmt: skip
    reason = forms.CharField(
        label=gettext_lazy("Why"), required=False, max_length=500,
        help_text=gettext_lazy("Asked for a refusal: the person who entered the amounts reads it."),
        widget=forms.Textarea(attrs={"rows": 2}),
    )  # fmt: skip


@private
@require_http_methods(["GET", "HEAD", "POST"])
def arbitration_page(request: AuthedRequest, arbitration_id: str) -> HttpResponseBase:
    """What was agreed, who confirmed, and one's own answer."""
    arbitration = get_object_or_404(
        Arbitration.visible_to(request.user).select_related("distribution__period__budget", "entered_by"),
        pk=arbitration_id,
    )
    distribution = arbitration.distribution
    rows = _shown(arbitration)
    asked = arbitration.state == "waiting" and any(
        row["line"].person_id == request.user.pk and not row["line"].answer for row in rows
    )
    form = AnswerForm(request.POST or None)
    status = 200
    if request.method == "POST":
        status = 422
        if form.is_valid():
            try:
                arbitration = answer_arbitration(
                    actor=request.user,
                    arbitration_id=arbitration.pk,
                    accept=form.cleaned_data["answer"] == "accept",
                    reason=form.cleaned_data["reason"],
                    person_id=request.POST.get("person", ""),
                    now=timezone.now(),
                )
            except Invalid as refusal:
                add_domain_error(form, refusal)
            else:
                messages.success(request, _("Your answer is recorded. No money moved."))
                return redirect("arbitration_page", arbitration.pk)
    waiting = {row["line"].person_id: row["line"].person for row in rows if not row["line"].answer}
    context = {
        "form": form,
        "arbitration": arbitration,
        "distribution": distribution,
        "budget": distribution.period.budget,
        "last_day": last_day(distribution.period),
        "rows": rows,
        "purses": len((distribution.trace or {"purses": []})["purses"]) > 1,
        "asked": asked,
        "mine": arbitration.entered_by_id == request.user.pk,
        "absent": [one for one in waiting.values() if one.pk != request.user.pk]
        if holds(request.user, "treasurer") and arbitration.state == "waiting"
        else [],
        "may_begin_again": arbitration.state in {"refused", "withdrawn"}
        and distribution.state == "published"
        and may(request.user, "distribution.arbitrate", scopes=tree_of(distribution.period.budget)),
    }
    return render(request, "arbitrations/arbitration.html", context, status=status)


@private
@require_POST
def arbitration_withdraw(request: AuthedRequest, arbitration_id: str) -> HttpResponseBase:
    """Take back what one entered, while someone still has to answer."""
    withdraw_arbitration(actor=request.user, arbitration_id=arbitration_id, now=timezone.now())
    messages.success(request, _("Taken back. The computed amounts hold. No money moved."))
    return redirect("arbitration_page", arbitration_id)


urlpatterns = [
    path("distributions/<str:distribution_id>/arbitrate/", arbitration_new, name="arbitration_new"),
    path("arbitrations/<str:arbitration_id>/", arbitration_page, name="arbitration_page"),
    path("arbitrations/<str:arbitration_id>/withdraw/", arbitration_withdraw, name="arbitration_withdraw"),
]
