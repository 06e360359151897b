"""The import of one's own work from a spreadsheet: upload, columns, preview, confirmation; and the way back."""

import hashlib
from typing import Any

from django.contrib import messages
from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import path
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import ngettext
from django.views.decorators.csrf import csrf_exempt, csrf_protect
from django.views.decorators.http import require_http_methods, require_safe

from backend.banking.formats.texts import numbers
from backend.commons.models import Budget
from backend.contributions.importing import (
    SHARED,
    declared_already,
    keep_import,
    refused_of,
    require_new_file,
    undo_import,
)
from backend.contributions.models import Contribution, Import
from backend.contributions.own import MAX_BATCH, InBatch
from backend.contributions.places import declarable
from backend.core.errors import Conflict, Invalid
from backend.web.forms import add_domain_error
from backend.web.forms_imports import SheetColumnsForm, SheetForm, kinds_of, too_large
from backend.web.pages import AuthedRequest, cut, private
from backend.web.sheet_rows import Work, guess, headings, read_work
from backend.web.sheets import MAX_FILE, read_sheet
from backend.web.uploads import SizeLimit, Stash, preview_expired


@csrf_exempt
def work_import(request: HttpRequest) -> HttpResponseBase:
    """Weigh the upload while it arrives; the CSRF check follows, in the view behind, once the handler is in place."""
    if request.method == "POST":
        request.upload_handlers.insert(0, SizeLimit(request, MAX_FILE))
    return _work_import(request)


@private
@csrf_protect
@require_http_methods(["GET", "HEAD", "POST"])
def _work_import(request: AuthedRequest) -> HttpResponseBase:
    """Upload, which column is what, a preview that writes nothing, the confirmation. Moves no money."""
    if request.method != "POST":
        return _upload_page(request, SheetForm(actor=request.user))
    if "stash" not in request.POST:
        return _upload(request)
    stash = request.POST["stash"]
    done = Import.visible_to(request.user).filter(form_key=stash).first()
    if done is not None:  # the button was pressed twice
        return redirect("work_import_page", done.pk)
    data = Stash.read(request.user, stash)
    if data is None:
        return _upload_again(request, str(preview_expired()))
    budget = get_object_or_404(declarable(request.user), pk=request.POST.get("budget", ""))
    return _with_columns(request, budget, data)


def _upload_page(request: AuthedRequest, form: SheetForm, status: int = 200) -> HttpResponse:
    """Where a file is chosen, with the imports that were made."""
    mine = Import.visible_to(request.user).select_related("budget__commons").order_by("-created_at", "-pk")
    context = {"form": form, "works": declarable(request.user).exists(), "page": cut(mine, request)}
    return render(request, "work/import.html", context, status=status)


def _upload_again(request: AuthedRequest, sentence: str) -> HttpResponse:
    """The upload form again, with one sentence beside the file."""
    form = SheetForm(request.POST, actor=request.user)
    form.errors["file"] = form.error_class([sentence])
    return _upload_page(request, form, status=422)


def _upload(request: AuthedRequest) -> HttpResponseBase:
    """A file arrives: refuse it beside its field, or keep it half an hour and ask for the columns."""
    form = SheetForm(request.POST, request.FILES, actor=request.user)
    if getattr(request, "upload_refused", False):
        return _upload_again(request, too_large())
    status = 422
    if form.is_valid():
        budget, file = form.cleaned_data["budget"], form.cleaned_data["file"]
        data = file.read()
        try:
            require_new_file(actor=request.user, budget=budget, sha256=_mark(data))
            heads, rows = headings(read_sheet(data))
        except (Invalid, Conflict) as refusal:
            add_domain_error(form, refusal)
            status = refusal.status
        else:
            kinds = kinds_of(budget)
            start = guess(heads, rows, kind=kinds[0], me=request.user.name)
            known = {"stash": Stash.keep(request.user, data), "budget": budget.pk, "file_name": file.name[-100:]}
            asked = SheetColumnsForm(initial=known, heads=heads, rows=rows, start=start, kinds=kinds)
            return _columns_page(request, asked, budget)
    return _upload_page(request, form, status=status)


def _mark(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def _columns_page(request: AuthedRequest, form: SheetColumnsForm, budget: Budget, status: int = 200) -> HttpResponse:
    return render(request, "work/import_columns.html", {"form": form, "budget": budget}, status=status)


def _with_columns(request: AuthedRequest, budget: Budget, data: bytes) -> HttpResponseBase:
    """The columns were chosen: show what they give, keep it, or ask for them again."""
    heads, rows = headings(read_sheet(data))
    kinds = kinds_of(budget)
    start = guess(heads, rows, kind=kinds[0], me=request.user.name)
    form = SheetColumnsForm(request.POST, heads=heads, rows=rows, start=start, kinds=kinds)
    valid = form.is_valid()
    columns = form.columns
    if not valid or columns is None or request.POST.get("step") == "change":
        return _columns_page(request, form, budget, status=200 if valid else 422)
    work = read_work(rows, columns, currency=budget.currency)
    work.leave(declared_already(actor=request.user, budget=budget, items=work.items))
    count = len(work.items) + len(work.errors)
    if not count or count > MAX_BATCH:
        form.add_error(None, _nothing(work) if not count else _too_many(count))
        return _columns_page(request, form, budget, status=422)
    if request.POST.get("step") == "keep" and not work.errors:
        return _keep(request, form, budget, _mark(data), work)
    return _preview(request, form, budget, work)


def _nothing(work: Work) -> str:
    """Why no row is left to import."""
    if work.known:
        return _("All that this table says is declared already: importing it again changes nothing.")
    if work.of_others:
        return _("No row is yours: write your name as the table does.")
    return _("No row has a day and says what was done: choose other columns.")


def _too_many(count: int) -> str:
    return _("This table has %(count)s rows of work, and 500 are taken at once: cut it in several files.") % {
        "count": count
    }


def _preview(request: AuthedRequest, form: SheetColumnsForm, budget: Budget, work: Work) -> HttpResponse:
    """What importing would do, with what is wrong in each row; nothing is written."""
    now = timezone.now()
    refused = refused_of(actor=request.user, budget=budget, items=work.items, now=now) if work.items else []
    said = {work.lines[place]: str(refusal) for place, refusal in refused}
    names = dict(Contribution.KINDS)
    errors = sorted({**work.errors, **said}.items())
    rows = [
        {"line": line, **item, "kind": names[item["kind"]]}
        for line, item in zip(work.lines, work.items, strict=True)
        if line not in said
    ]
    context = {
        "form": form,
        "budget": budget,
        "errors": errors,
        "rows": rows,
        "minutes": sum(row["minutes"] for row in rows),
        "amount": sum(row["amount"] for row in rows),
        "work": work,
        "left_out": numbers(work.left_out),
        "of_others": numbers(work.of_others),
    }
    return render(request, "work/import_preview.html", context, status=422 if errors else 200)


def _keep(request: AuthedRequest, form: SheetColumnsForm, budget: Budget, sha256: str, work: Work) -> HttpResponseBase:
    """Declare the rows, all or none."""
    stash = form.cleaned_data["stash"]
    columns = form.columns.to_json() if form.columns else {}
    try:
        done = keep_import(
            actor=request.user, budget=budget, items=work.items, file_name=form.cleaned_data["file_name"],
            sha256=sha256, columns=columns, form_key=stash, now=timezone.now(),
        )  # fmt: skip
    except InBatch:  # a period closed meanwhile, for instance: the preview says of which rows
        return _preview(request, form, budget, work)
    except Conflict as refusal:
        return _upload_again(request, str(refusal))
    Stash.forget(request.user, stash)
    told = ngettext(
        "%(count)s contribution is declared. It awaits its review; no money moved.",
        "%(count)s contributions are declared. They await their review; no money moved.",
        done.rows,
    )
    messages.success(request, told % {"count": done.rows})
    return redirect("work_import_page", done.pk)


def _import(request: AuthedRequest, import_id: str) -> Import:
    mine = Import.visible_to(request.user).select_related("budget__commons")
    return get_object_or_404(mine, pk=import_id)


def _came(row: Import) -> Any:
    return Contribution.objects.filter(source=row.pk, contributor=row.made_by)


@private
@require_safe
def work_import_page(request: AuthedRequest, import_id: str) -> HttpResponse:
    """What came with an import."""
    row = _import(request, import_id)
    came = _came(row).select_related("budget", "period__charter").order_by("worked_on", "pk")
    context = {"row": row, "page": cut(came, request), "shared": _came(row).filter(state__in=SHARED).exists()}
    return render(request, "work/import_page.html", context)


@private
@require_http_methods(["GET", "HEAD", "POST"])
def work_import_undo(request: AuthedRequest, import_id: str) -> HttpResponseBase:
    """Withdraw all that came with an import. Moves no money."""
    row = _import(request, import_id)
    if request.method == "POST":
        try:
            undo_import(actor=request.user, import_id=row.pk, now=timezone.now())
        except Conflict as refusal:
            messages.error(request, str(refusal))
        else:
            messages.success(request, _("The import is undone: what came with it is withdrawn. No money moved."))
        return redirect("work_import_page", row.pk)
    if row.undone_at is not None or _came(row).filter(state__in=SHARED).exists():
        return redirect("work_import_page", row.pk)
    return render(request, "work/import_undo.html", {"row": row})


urlpatterns = [
    path("work/import/", work_import, name="work_import"),
    path("work/imports/<str:import_id>/", work_import_page, name="work_import_page"),
    path("work/imports/<str:import_id>/undo/", work_import_undo, name="work_import_undo"),
]
