"""The import of an export of HelloAsso: upload, preview with what each campaign is for, confirmation; and the undo."""

from django.contrib import messages
from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import path
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import ngettext
from django.views.decorators.csrf import csrf_exempt, csrf_protect
from django.views.decorators.http import require_http_methods, require_safe

from backend.core.errors import Conflict, Invalid
from backend.core.money import format_money
from backend.identity.permissions import may, require
from backend.ledger.services import balance
from backend.payments.helloasso import PROVIDER, import_export
from backend.payments.helloasso_file import CURRENCY, MAX_BYTES
from backend.payments.helloasso_plan import HOW, Choices, Plan, weigh
from backend.payments.helloasso_undo import hindrances, undo_import
from backend.payments.models import HelloAssoImport, HelloAssoLine, ProviderPayout
from backend.web.acts import form_page
from backend.web.forms import add_domain_error
from backend.web.forms_helloasso import ChoicesForm, ExportForm, choices_sent, too_large
from backend.web.forms_receipts import UndoForm
from backend.web.pages import AuthedRequest, cut, private
from backend.web.uploads import SizeLimit, Stash, preview_expired

SHOWN = 200  # payments that the preview shows; its sums count all of them


@csrf_exempt
def helloasso(request: HttpRequest) -> HttpResponseBase:
    """Weigh the upload while it arrives; the CSRF check follows, in the view behind, once the handler is in place."""
    if request.method == "POST":
        request.upload_handlers.insert(0, SizeLimit(request, MAX_BYTES))
    return _helloasso(request)


@private
@csrf_protect
@require_http_methods(["GET", "HEAD", "POST"])
def _helloasso(request: AuthedRequest) -> HttpResponseBase:
    """What HelloAsso holds and what was imported; an upload, a preview that writes nothing, the confirmation."""
    if request.method != "POST":
        require(request.user, "bank.read")
        return _upload_page(request, ExportForm())
    require(request.user, "bank.import")
    if "stash" not in request.POST:
        return _upload(request)
    stash = request.POST["stash"]
    done = HelloAssoImport.objects.filter(made_by=request.user, form_key=stash[:64]).first()
    if done is not None:  # the button was pressed twice
        return redirect("helloasso_import", done.pk)
    data = Stash.read(request.user, stash)
    if data is None:
        return _upload_again(request, str(preview_expired()))
    return _chosen(request, stash, data)


def _upload_page(request: AuthedRequest, form: ExportForm, status: int = 200) -> HttpResponse:
    rows = HelloAssoImport.visible_to(request.user).select_related("made_by").order_by("-created_at", "-pk")
    context = {
        "form": form,
        "can_import": may(request.user, "bank.import"),
        "page": cut(rows, request),
        "held": balance(kind="clearing", owner=PROVIDER, currency=CURRENCY),
        "payouts": ProviderPayout.objects.filter(provider=PROVIDER, state="sent").order_by("arrives_on", "pk"),
        "currency": CURRENCY,
    }
    return render(request, "helloasso/import.html", context, status=status)


def _upload_again(request: AuthedRequest, sentence: str) -> HttpResponse:
    """The upload form again, with one sentence beside the file."""
    form = ExportForm(request.POST)
    form.errors["file"] = form.error_class([sentence])
    return _upload_page(request, form, status=422)


def _upload(request: AuthedRequest) -> HttpResponseBase:
    """A file arrives: refuse it beside its field, or keep it half an hour and show what it says."""
    form = ExportForm(request.POST, request.FILES)
    if getattr(request, "upload_refused", False):
        return _upload_again(request, too_large())
    status = 422
    if form.is_valid():
        file = form.cleaned_data["file"]
        data = file.read()
        try:
            plan = weigh(actor=request.user, data=data, choices=Choices())
        except (Invalid, Conflict) as refusal:
            add_domain_error(form, refusal)
            status = refusal.status
        else:
            known = {"stash": Stash.keep(request.user, data), "file_name": file.name[-100:]}
            return _preview(request, ChoicesForm(initial=known, plan=plan), plan)
    return _upload_page(request, form, status=status)


def _chosen(request: AuthedRequest, stash: str, data: bytes) -> HttpResponseBase:
    """The choices of the preview: weighed again with them, and imported when nothing is left open."""
    first = weigh(actor=request.user, data=data, choices=Choices())
    # What is left out, or a pledge that is declined, changes which campaigns are asked for: ask with what was sent.
    form = ChoicesForm(request.POST, plan=first)
    choices = choices_sent(form, first)
    plan = weigh(actor=request.user, data=data, choices=choices)
    form = ChoicesForm(request.POST, plan=plan)
    choices = choices_sent(form, plan)
    plan = weigh(actor=request.user, data=data, choices=choices)
    if not form.is_valid() or request.POST.get("step") != "keep":
        return _preview(request, form, plan, status=422 if form.errors else 200)
    try:
        done = import_export(
            actor=request.user, data=data, choices=choices, file_name=form.cleaned_data["file_name"], form_key=stash,
            now=timezone.now(),
        )  # fmt: skip
    except (Invalid, Conflict) as refusal:
        form.add_error(None, str(refusal))
        return _preview(request, form, plan, status=refusal.status)
    Stash.forget(request.user, stash)
    told = ngettext(
        "%(count)s line is imported. No money moved: what came waits at HelloAsso until the bank shows it.",
        "%(count)s lines are imported. No money moved: what came waits at HelloAsso until the bank shows it.",
        done.rows,
    )
    messages.success(request, told % {"count": done.rows})
    return redirect("helloasso_import", done.pk)


def _preview(request: AuthedRequest, form: ChoicesForm, plan: Plan, status: int = 200) -> HttpResponse:
    """What importing would do; nothing is written."""
    context = {
        "form": form,
        "plan": plan,
        "currency": CURRENCY,
        "rows": [(part, HOW.get(part.how, "")) for part in plan.paid[:SHOWN]],
        "more": max(0, len(plan.paid) - SHOWN),
        "to_pledges": sum(part.row.amount for part in plan.to_pledges),
        "gifts": sum(part.row.amount for part in plan.gifts),
        "payouts": sorted(plan.payouts.items()),
        "may_keep": not plan.refused and not plan.empty,
    }
    return render(request, "helloasso/preview.html", context, status=422 if plan.refused else status)


@private
@require_safe
def helloasso_import(request: AuthedRequest, import_id: str) -> HttpResponse:
    """What came with an import, line by line."""
    require(request.user, "bank.read")
    row = get_object_or_404(
        HelloAssoImport.visible_to(request.user).select_related("made_by", "undone_by"), pk=import_id
    )
    lines = row.lines.select_related(
        "pledge__budget", "pledge__organisation", "pledge__person", "pledge__donor"
    ).order_by("number", "pk")  # fmt: skip
    context = {
        "row": row,
        "page": cut(lines, request),
        "currency": CURRENCY,
        "undoes": row.undone_at is None and may(request.user, "bank.match"),
    }
    return render(request, "helloasso/one.html", context)


@private
@require_http_methods(["GET", "HEAD", "POST"])
def helloasso_undo(request: AuthedRequest, import_id: str) -> HttpResponseBase:
    """Undo a whole import: what stands in the way, or the act. Nothing leaves HelloAsso nor the bank."""
    require(request.user, "bank.import")
    require(request.user, "bank.match")
    row = get_object_or_404(HelloAssoImport.visible_to(request.user), pk=import_id)
    if request.method != "POST" and row.undone_at is not None:
        return redirect("helloasso_import", row.pk)
    form = UndoForm(request.POST or None)

    def act() -> HttpResponseBase:
        undo_import(
            actor=request.user, import_id=row.pk, reason=form.cleaned_data["reason"], now=timezone.now()
        )  # fmt: skip
        messages.success(
            request,
            _("The import is undone in the books. Nothing left HelloAsso nor the bank: you can import it again."),
        )
        return redirect("helloasso_import", row.pk)

    total = sum(line.money for line in HelloAssoLine.objects.filter(brought=row, undone_at=None))
    context = {
        "row": row,
        "hindrances": hindrances(row),
        "total": format_money(total, CURRENCY),
    }
    return form_page(request, form, act, "helloasso/undo.html", context)


urlpatterns = [
    path("helloasso/", helloasso, name="helloasso"),
    path("helloasso/<str:import_id>/", helloasso_import, name="helloasso_import"),
    path("helloasso/<str:import_id>/undo/", helloasso_undo, name="helloasso_undo"),
]
