"""The inbox of the bank: all lines of all accounts, what each may be, and the acts on it."""

from typing import Any

from django.contrib import messages
from django.db.models import Q, QuerySet
from django.http import HttpResponse, HttpResponseBase
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import path
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import ngettext
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from backend.banking.accepting import accept, accept_exact, exact_ones
from backend.banking.models import BankLine, MatchingRule
from backend.banking.proposing import propose
from backend.banking.rules import confirm_rule, offered, switch_off
from backend.banking.splitting import own_accounts
from backend.banking.unmatching import DONE, why_not
from backend.core.errors import Conflict, DomainError, Invalid, NotFound
from backend.core.money import format_money, parse_amount
from backend.identity.models import HostBankAccount
from backend.identity.permissions import may, require
from backend.web.pages import AuthedRequest, cut, private

LAST = "bank_last"  # the lines that a reader dealt with last, in their session
SHOWN = 3


@private
@require_safe
def bank_inbox(request: AuthedRequest) -> HttpResponse:
    """All lines of all accounts, the oldest first; of each that waits, what it may be and why."""
    require(request.user, "bank.read")
    names = dict(BankLine.STATES)
    asked = {name: " ".join(request.GET.get(name, "").split())[:80] for name in ("account", "amount", "text")}
    asked["state"] = request.GET.get("state", "suggested")
    accounts = list(HostBankAccount.objects.order_by("name"))
    rows, wrong = _filtered(request, asked)
    page = cut(rows.select_related("account").order_by("booked_on", "pk"), request)
    lines = list(page.object_list)
    found = propose(request.user, lines)
    can_match = may(request.user, "bank.match")
    return render(
        request,
        "bank/inbox.html",
        {
            "page": page,
            "rows": [{"line": line, "best": found.best(line), "more": len(found.of.get(line.pk, [])) - 1}
                     for line in lines],
            "accounts": accounts,
            "states": list(names.items()),
            "asked": asked,
            "wrong": wrong,
            "can_match": can_match,
            "last": _last(request) if can_match else [],
        },
    )  # fmt: skip


def _filtered(request: AuthedRequest, asked: dict[str, str]) -> "tuple[QuerySet[BankLine], str]":
    """The lines that the reader asked for, and what is wrong with what they asked."""
    rows, wrong = BankLine.visible_to(request.user), ""
    if asked["account"]:
        rows = rows.filter(account=asked["account"])
    if asked["state"] in dict(BankLine.STATES):
        rows = rows.filter(state=asked["state"])
    if asked["text"]:
        rows = rows.filter(Q(counterparty__icontains=asked["text"]) | Q(text__icontains=asked["text"]))
    if asked["amount"]:
        try:
            amount = parse_amount(asked["amount"].lstrip("-−"), "EUR")
        except Invalid as refusal:
            wrong = str(refusal)
        else:
            rows = rows.filter(amount__in=[amount, -amount])
    return rows, wrong


def note_last(request: AuthedRequest, line: BankLine) -> None:
    """Keep a line in reach: what was just said of it may be undone, or taught."""
    before = [pk for pk in request.session.get(LAST, []) if pk != line.pk]
    request.session[LAST] = [line.pk, *before][:SHOWN]


def _last(request: AuthedRequest) -> list[dict[str, Any]]:
    """What the reader said last: each line with what it may teach."""
    keys = request.session.get(LAST, [])[:SHOWN]
    rows = {one.pk: one for one in BankLine.visible_to(request.user).filter(pk__in=keys)} if keys else {}
    mine = [rows[key] for key in keys if key in rows and rows[key].state in {*DONE, "duplicate"}]
    return [{"line": one, "rule": _words_of(offered(one))} for one in mine]


def _words_of(rule: dict[str, Any] | None) -> dict[str, Any] | None:
    if rule is not None and rule["number"]:
        rule["name"] = f"{rule['number']} {dict(own_accounts()).get(rule['number'], '')}"
    return rule


@private
@require_POST
def bank_accept(request: AuthedRequest, line_id: int) -> HttpResponseBase:
    """Accept what is proposed of a line."""
    line = get_object_or_404(BankLine.visible_to(request.user), pk=line_id)
    require(request.user, "bank.match")
    try:
        line = accept(actor=request.user, line_id=line.pk, key=request.POST.get("key", ""), now=timezone.now())
    except (Invalid, Conflict, NotFound) as refusal:
        messages.error(request, " ".join([str(refusal), _("Nothing was changed.")]))
    else:
        note_last(request, line)
        amount = format_money(line.amount, line.currency)
        messages.success(request, _("%(amount)s is booked. Nothing left the bank.") % {"amount": amount})
    return redirect("bank_inbox")


@private
@require_http_methods(["GET", "HEAD", "POST"])
def bank_exact(request: AuthedRequest) -> HttpResponseBase:
    """All lines of which one thing alone comes into question: listed, then booked by one press."""
    require(request.user, "bank.match")
    if request.method == "POST":
        chosen = [(int(pk), key) for one in request.POST.getlist("line")
                  for pk, mark, key in [one.partition("|")] if mark and pk.isdecimal() and len(pk) < 19]  # fmt: skip
        told = accept_exact(actor=request.user, chosen=chosen, now=timezone.now())
        number = len(told.booked)
        words = ngettext("%(number)s line is booked.", "%(number)s lines are booked.", number) % {"number": number}
        if told.left:
            return render(request, "bank/exact_done.html", {"said": words, "left": told.left})
        messages.success(request, " ".join([words, _("Nothing left the bank.")]))
        return redirect("bank_inbox")
    rows = exact_ones(request.user)
    total: dict[str, int] = {}
    for line, _best in rows:
        total[line.currency] = total.get(line.currency, 0) + line.amount
    return render(request, "bank/exact.html", {"rows": rows, "totals": list(total.items())})


@private
@require_POST
def bank_rule(request: AuthedRequest, line_id: int) -> HttpResponseBase:
    """Confirm the rule that a line teaches."""
    line = get_object_or_404(BankLine.visible_to(request.user), pk=line_id)
    require(request.user, "bank.match")
    try:
        confirm_rule(actor=request.user, line_id=line.pk, now=timezone.now())
    except Conflict as refusal:
        messages.error(request, str(refusal))
    else:
        messages.success(request, _("The rule is in force: it proposes, and a person accepts. No money moved."))
    return redirect("bank_inbox")


@private
@require_http_methods(["GET", "HEAD", "POST"])
def bank_rules(request: AuthedRequest) -> HttpResponseBase:
    """The rules that were learnt; each may be switched off."""
    require(request.user, "bank.read")
    if request.method == "POST":
        require(request.user, "bank.match")
        try:
            switch_off(actor=request.user, rule_id=request.POST.get("rule", "")[:48], now=timezone.now())
        except DomainError as refusal:
            messages.error(request, str(refusal))
        else:
            messages.success(request, _("The rule is off. What was booked stays."))
        return redirect("bank_rules")
    rules = MatchingRule.visible_to(request.user).select_related("confirmed_by", "off_by", "learnt_from")
    names = dict(own_accounts())
    page = cut(rows := rules.order_by("-confirmed_at", "-pk"), request)
    context = {
        "page": page, "rows": [(one, names.get(one.number, "")) for one in page.object_list],
        "can_match": may(request.user, "bank.match"), "some": rows.exists(),
    }  # fmt: skip
    return render(request, "bank/rules.html", context)


def undo_context(line: BankLine) -> dict[str, Any]:
    """Whether what a line was said to be can be undone, and why not."""
    return {"line": line, "why_not": why_not(line)}


urlpatterns = [
    path("bank/inbox/", bank_inbox, name="bank_inbox"),
    path("bank/inbox/exact/", bank_exact, name="bank_exact"),
    path("bank/rules/", bank_rules, name="bank_rules"),
    path("bank/lines/<int:line_id>/accept/", bank_accept, name="bank_accept"),
    path("bank/lines/<int:line_id>/rule/", bank_rule, name="bank_rule"),
]
