"""The import of a bank statement: upload, columns and account if the file leaves them open, preview, confirmation."""

from dataclasses import replace
from typing import Any
from urllib.parse import urlencode

from django.contrib import messages
from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import redirect, render
from django.urls import path, reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import ngettext
from django.views.decorators.csrf import csrf_exempt, csrf_protect
from django.views.decorators.http import require_http_methods, require_POST

from backend.banking.answers import Answer, Said, take_answer, weigh_answer
from backend.banking.formats.csv_file import guess_layout
from backend.banking.formats.csv_layout import Layout
from backend.banking.formats.pain002 import looks_like_pain002
from backend.banking.layouts import Choices, fitting_layouts, forget_layout, numbers_to_explain, read_chosen, table_of
from backend.banking.models import CsvLayout
from backend.core.errors import Conflict, Invalid
from backend.core.money import format_money
from backend.identity.permissions import require
from backend.payouts.reasons import in_words
from backend.web.forms import add_domain_error
from backend.web.forms_statements import ColumnsForm, WhichAccountForm
from backend.web.forms_work import ConfirmImportForm, StatementForm, too_large
from backend.web.pages import AuthedRequest, fresh_factor, private
from backend.web.uploads import SizeLimit, Stash, confirm_import, preview_expired, preview_import


@csrf_exempt
def bank_import(request: HttpRequest) -> HttpResponseBase:
    """Weigh the upload while it arrives; the CSRF check follows, in the view behind, once the handler is in place."""
    if request.method == "POST":
        request.upload_handlers.insert(0, SizeLimit(request))
    return _bank_import(request)


@private
@csrf_protect
@require_http_methods(["GET", "HEAD", "POST"])
def _bank_import(request: AuthedRequest) -> HttpResponseBase:
    """Upload, what the file leaves open, then a preview that writes nothing, then the confirmation."""
    require(request.user, "bank.import")
    if request.method != "POST":
        return _upload_page(request, StatementForm())
    if "stash" not in request.POST:
        return _upload(request)
    stash = request.POST["stash"]
    data = Stash.read(request.user, stash)
    steps = {"columns": _columns, "account": _which_account}
    step = steps.get(request.POST.get("step", ""))
    if step is None:
        return _confirm(request)
    if data is None:
        return _upload_again(request, str(preview_expired()))
    try:
        return step(request, stash, data)
    except Invalid as refusal:
        return _upload_again(request, str(refusal))


def _upload_page(request: AuthedRequest, form: StatementForm, status: int = 200) -> HttpResponse:
    """The page where a file is chosen, with the layouts that are saved."""
    layouts = CsvLayout.visible_to(request.user).select_related("account").order_by("account__name", "name")
    return render(request, "bank/import.html", {"form": form, "layouts": layouts}, status=status)


def _upload_again(request: AuthedRequest, sentence: str) -> HttpResponse:
    """The upload form again, with one sentence beside the file."""
    form = StatementForm(request.POST)
    form.errors["file"] = form.error_class([sentence])
    return _upload_page(request, form, status=422)


def _upload(request: AuthedRequest) -> HttpResponseBase:
    """A file arrives: refuse it beside its field, or keep it and go on."""
    form = StatementForm(request.POST, request.FILES)
    if getattr(request, "upload_refused", False):
        return _upload_again(request, too_large())
    if form.is_valid():
        data = form.cleaned_data["file"].read()
        try:
            stash = Stash.keep(request.user, data)
            if looks_like_pain002(data):
                # On a page of its own: what it books takes a fresh factor, and a way back to the same file.
                weigh_answer(actor=request.user, data=data)
                return redirect(f"{reverse('bank_answer')}?{urlencode({'stash': stash})}")
            return _next(request, stash, data, Choices())
        except (Invalid, Conflict) as refusal:
            Stash.forget(request.user, stash)
            add_domain_error(form, refusal)
    return _upload_page(request, form, status=422)


def _next(request: AuthedRequest, stash: str, data: bytes, choices: Choices) -> HttpResponseBase:
    """What the file still leaves open: its columns, then its account, then nothing: the preview.

    Raises: Invalid when the file cannot be read.
    """
    table = table_of(data)
    if table is not None and choices.layout is None:
        saved = fitting_layouts(request.user, table)
        if len(saved) != 1:
            start = Layout.from_json(saved[0].mapping) if saved else guess_layout(table)
            return _columns_page(request, ColumnsForm(initial={"stash": stash}, table=table, layout=start))
        accounts = {"": saved[0].account_id, **choices.accounts}
        choices = replace(choices, layout=Layout.from_json(saved[0].mapping), accounts=accounts)
    Stash.choose(request.user, stash, choices)
    parsed = read_chosen(data, choices)
    if numbers_to_explain(parsed):
        return _account_page(request, WhichAccountForm(initial={"stash": stash}, parsed=parsed))
    rows = preview_import(actor=request.user, data=data, choices=choices)
    return _preview_page(request, ConfirmImportForm(initial={"stash": stash}), rows, is_csv=table is not None)


def _columns_page(request: AuthedRequest, form: ColumnsForm, status: int = 200) -> HttpResponse:
    return render(request, "bank/columns.html", {"form": form, "columns": form.columns()}, status=status)


def _account_page(request: AuthedRequest, form: WhichAccountForm, status: int = 200) -> HttpResponse:
    return render(request, "bank/which_account.html", {"form": form}, status=status)


def _columns(request: AuthedRequest, stash: str, data: bytes) -> HttpResponseBase:
    """The columns were chosen, or are asked for again from the preview."""
    table = table_of(data)
    if table is None:
        raise preview_expired()
    before = Stash.choices(request.user, stash)
    start = before.layout or guess_layout(table)
    if "change" in request.POST:
        form = ColumnsForm(initial={"stash": stash, "save_as": before.save_as}, table=table, layout=start)
        return _columns_page(request, form)
    form = ColumnsForm(request.POST, table=table, layout=start)
    if form.is_valid() and form.layout:
        choices = replace(before, layout=form.layout, save_as=form.cleaned_data["save_as"].strip())
        try:
            return _next(request, stash, data, choices)
        except Invalid as refusal:
            form.add_error(None, str(refusal))
    return _columns_page(request, form, status=422)


def _which_account(request: AuthedRequest, stash: str, data: bytes) -> HttpResponseBase:
    """The account was chosen."""
    before = Stash.choices(request.user, stash)
    form = WhichAccountForm(request.POST, parsed=read_chosen(data, before))
    if not form.is_valid():
        return _account_page(request, form, status=422)
    return _next(request, stash, data, replace(before, accounts={**before.accounts, **form.chosen()}))


def _preview_page(
    request: AuthedRequest, form: ConfirmImportForm, rows: list[dict[str, Any]], *, is_csv: bool, status: int = 200
) -> HttpResponse:
    """What importing would do, and the button that does it."""
    context = {
        "form": form,
        "rows": rows,
        "is_csv": is_csv,
        "gap": any(row["statement"].ties == "no" for row in rows),
        "added": sum(row["added"] for row in rows),
        "known": sum(row["known"] for row in rows),
    }
    return render(request, "bank/preview.html", context, status=status)


def _confirm(request: AuthedRequest) -> HttpResponseBase:
    """Import what was previewed."""
    form = ConfirmImportForm(request.POST)
    if not form.is_valid():
        return redirect("bank_import")
    stash, accept_gap = form.cleaned_data["stash"], form.cleaned_data["accept_gap"]
    try:
        done = confirm_import(actor=request.user, stash=stash, accept_gap=accept_gap, now=timezone.now())
    except Invalid as refusal:
        return _upload_again(request, str(refusal))
    except Conflict as refusal:
        data = Stash.read(request.user, stash)
        if data is None or refusal.param != "accept_gap":
            raise
        add_domain_error(form, refusal)
        rows = preview_import(actor=request.user, data=data, choices=Stash.choices(request.user, stash))
        is_csv = table_of(data) is not None
        return _preview_page(request, form, rows, is_csv=is_csv, status=refusal.status)
    added = ngettext("%(count)s new line was imported", "%(count)s new lines were imported", done["added"])
    known = ngettext("%(count)s was already known", "%(count)s were already known", done["known"])
    messages.success(
        request,
        _("%(added)s, %(known)s. New lines are matched within a few seconds: open this page again to see it.")
        % {"added": added % {"count": done["added"]}, "known": known % {"count": done["known"]}},
    )
    return redirect("bank")


@private
@fresh_factor
@require_http_methods(["GET", "HEAD", "POST"])
def bank_answer(request: AuthedRequest) -> HttpResponseBase:
    """The bank's answer to a payment file, in words; then what it refused is undone, once."""
    require(request.user, "bank.import")
    require(request.user, "payout.undo")
    stash = request.POST.get("stash") or request.GET.get("stash", "")
    data = Stash.read(request.user, stash) if stash else None
    if data is None:
        if request.method == "POST":
            return _upload_again(request, str(preview_expired()))
        return redirect("bank_import")
    try:
        if request.method == "POST":
            done = take_answer(actor=request.user, data=data, now=timezone.now())
            Stash.forget(request.user, stash)
            messages.success(request, _told(done))
            return redirect("batch_page", done.batch.pk)
        answer = weigh_answer(actor=request.user, data=data)
    except (Invalid, Conflict) as refusal:
        return _upload_again(request, str(refusal))
    context = {
        "answer": answer,
        "batch": answer.batch,
        "stash": stash,
        "rows": [(one, _why(one)) for one in answer.said],
    }
    return render(request, "bank/answer.html", context)


def _why(said: Said) -> str:
    """The bank's reason in words: what its code says, then what it wrote."""
    return ": ".join(part for part in (in_words(said.code) if said.code else "", said.words) if part)


def _told(done: Answer) -> str:
    """What taking an answer did, in one sentence."""
    if done.undone:
        number, total = len(done.undone), format_money(done.total, done.batch.currency)
        text = ngettext(
            "%(number)s transfer that the bank refused is owed again: %(total)s. No money left the account for it.",
            "%(number)s transfers that the bank refused are owed again: %(total)s. No money left the account for them.",
            number,
        )
        return text % {"number": number, "total": total}
    if done.found:
        return _("The bank has the file: its transfers are awaited on the statement. No money moved.")
    return _("This answer changes nothing here. No money moved.")


@private
@require_POST
def csv_layout_forget(request: AuthedRequest, layout_id: str) -> HttpResponseBase:
    """Remove a saved layout; nothing that was imported changes."""
    forget_layout(actor=request.user, layout_id=layout_id, now=timezone.now())
    messages.success(request, _("The saved columns are removed. What was imported with them stays."))
    return redirect("bank_import")


urlpatterns = [
    path("bank/import/", bank_import, name="bank_import"),
    path("bank/answer/", bank_answer, name="bank_answer"),
    path("bank/layouts/<str:layout_id>/forget/", csv_layout_forget, name="csv_layout_forget"),
]
