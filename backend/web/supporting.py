"""The pages of supporting documents: that of one's share, and those that treasurers check."""

from typing import Any

from django.contrib import messages
from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import path
from django.utils import timezone
from django.utils.http import content_disposition_header
from django.utils.translation import gettext as _
from django.views.decorators.csrf import csrf_exempt, csrf_protect
from django.views.decorators.http import require_http_methods, require_safe

from backend.core.errors import Conflict, Forbidden, Invalid
from backend.core.money import decimal_text
from backend.distributions.invoicing import Draft, approve_invoice, draft_invoice
from backend.distributions.models import Share, SupportingDocument
from backend.distributions.papers import (
    accept_paper,
    file_of,
    hand_over,
    live_paper,
    note_taken,
    refuse_paper,
    reimburse_own,
    repays_receipts,
)
from backend.distributions.received import LARGEST
from backend.identity.permissions import may, require
from backend.identity.services import host_day
from backend.web.forms import add_domain_error
from backend.web.forms_papers import InvoiceForm, PaperForm, PaperReasonForm
from backend.web.pages import AuthedRequest, cut, private
from backend.web.uploads import SizeLimit


def _share(request: AuthedRequest, share_id: str) -> Share:
    rows = Share.visible_to(request.user).select_related("payee", "contributor", "distribution__period__budget")
    share = get_object_or_404(rows, pk=share_id)
    if share.contributor_id != request.user.pk:
        raise Forbidden("share_of_another", _("Only the person who is owed a share hands over its document."))
    return share


@csrf_exempt
def share_document(request: HttpRequest, share_id: str) -> HttpResponseBase:
    """Weigh the file while it arrives; the CSRF check follows, in the view behind, once the handler is in place."""
    if request.method == "POST":
        request.upload_handlers.insert(0, SizeLimit(request, LARGEST))
    return _share_document(request, share_id)


@private
@csrf_protect
@require_http_methods(["GET", "HEAD", "POST"])
def _share_document(request: AuthedRequest, share_id: str) -> HttpResponseBase:
    """The document of one's share: read and approve the drafted invoice, or hand over one's own. Moves no money."""
    share, now = _share(request, share_id), timezone.now()
    typed = request.POST.get("number", "") if request.POST.get("act") in {"approve", "again"} else ""
    draft, why = _drafted(share, typed)
    agreed = share.payee.mandate_at is not None
    shown = {"number": draft.number, "digest": draft.digest} if draft else {}
    invoice, own, status = InvoiceForm(initial=shown, agreed=agreed), PaperForm(initial=_own(share)), 200
    act = request.POST.get("act", "")
    if request.method == "POST" and act != "again":
        status = 422
        try:
            if act == "receipts":
                reimburse_own(actor=request.user, share_id=share.pk, now=now)
                messages.success(request, _("Your receipts stand for this share: it can be paid. No money moved."))
                return redirect("share_page", share.pk)
            if act == "approve":
                invoice = InvoiceForm(request.POST, agreed=agreed)
                if invoice.is_valid():
                    known = invoice.cleaned_data
                    approve_invoice(
                        actor=request.user, share_id=share.pk, digest=known["digest"], number=known["number"],
                        mandate=known.get("mandate", False), now=now,
                    )  # fmt: skip
                    messages.success(request, _("The invoice is approved: the share can be paid. No money moved."))
                    return redirect("share_page", share.pk)
            else:
                own = PaperForm(request.POST, request.FILES)
                if getattr(request, "upload_refused", False):
                    raise Invalid(
                        "paper_file_too_large", _("The file weighs more than 5 MB: make it smaller."), param="file"
                    )
                if own.is_valid():
                    said = own.typed(share.distribution.currency)
                    hand_over(actor=request.user, share_id=share.pk, now=now, **said)
                    messages.success(request, _("Your document is handed over: a treasurer checks it. No money moved."))
                    return redirect("share_page", share.pk)
        except (Invalid, Conflict) as refusal:
            add_domain_error(invoice if act in {"approve", "receipts"} else own, refusal)
            status = refusal.status
            if refusal.code == "paper_changed" and draft:
                # What is approved next is what is shown now.
                invoice.data = {**invoice.data.dict(), "digest": draft.digest, "number": draft.number}  # type: ignore[attr-defined]
    context = {
        "share": share, "draft": draft, "why": why, "invoice": invoice, "own": own, "agreed": agreed,
        "failed": invoice if invoice.is_bound else own, "paper": live_paper(share),
        "refused": share.papers.filter(state="refused").order_by("-decided_at").first(),
        "fallen": share.papers.filter(kind="uploaded", state="cancelled").order_by("made_at", "pk"),
        "receipts": repays_receipts(share),
    }  # fmt: skip
    return render(request, "work/document.html", context, status=status)


def _drafted(share: Share, number: str) -> tuple[Draft | None, Conflict | Invalid | None]:
    """The invoice as it would be now, or why there is none."""
    try:
        return draft_invoice(share, number=number, now=timezone.now()), None
    except (Conflict, Invalid) as refusal:
        return None, refusal


def _own(share: Share) -> dict[str, Any]:
    currency = share.distribution.currency
    return {"total": decimal_text(share.due, currency), "dated_on": host_day(timezone.now())}


@private
@require_safe
def papers_received(request: AuthedRequest) -> HttpResponse:
    """The documents that treasurers check, the oldest first, then those decided on."""
    require(request.user, "ledger.read")
    rows = SupportingDocument.visible_to(request.user).select_related("payee", "share__distribution__period__budget")
    waiting = rows.filter(state="sent", share__state="documented").order_by("made_at", "pk")
    done = rows.exclude(state="sent").select_related("decided_by", "corrects").order_by("-decided_at", "-pk")
    return render(request, "treasury/papers.html", {"waiting": waiting[:200], "page": cut(done, request)})


@private
@require_http_methods(["GET", "HEAD", "POST"])
def paper_page(request: AuthedRequest, paper_id: str) -> HttpResponseBase:
    """One document beside its share; a treasurer accepts it, or refuses it with a reason. Moves no money."""
    rows = SupportingDocument.visible_to(request.user).select_related(
        "payee", "share__contributor", "share__distribution__period__budget", "decided_by", "corrects", "credit_note"
    )
    paper = get_object_or_404(rows, pk=paper_id)
    form, status = PaperReasonForm(), 200
    if request.method == "POST":
        require(request.user, "paper.decide")
        now = timezone.now()
        if request.POST.get("act") == "accept":
            accept_paper(actor=request.user, paper_id=paper.pk, now=now)
            messages.success(request, _("The document is accepted: the share can be paid. No money moved."))
            return redirect("papers_received")
        form, status = PaperReasonForm(request.POST), 422
        if form.is_valid():
            try:
                refuse_paper(actor=request.user, paper_id=paper.pk, reason=form.cleaned_data["reason"], now=now)
            except (Invalid, Conflict) as refusal:
                add_domain_error(form, refusal)
                status = refusal.status
            else:
                messages.success(request, _("The document is refused; the payee is told why. No money moved."))
                return redirect("papers_received")
    context = {
        "paper": paper, "share": paper.share, "form": form, "own": paper.made_by_id == request.user.pk,
        "may_decide": may(request.user, "paper.decide") and paper.state == "sent",
    }  # fmt: skip
    return render(request, "treasury/paper.html", context, status=status)


@private
@require_safe
def paper_file(request: AuthedRequest, paper_id: str) -> HttpResponse:
    """The file of a document, to be kept and never shown by the browser as a page of ours."""
    rows = SupportingDocument.visible_to(request.user).exclude(kind="receipts")
    paper = get_object_or_404(rows, pk=paper_id)
    data = file_of(paper)
    if request.method == "GET":
        note_taken(paper, actor=request.user, now=timezone.now())
    return HttpResponse(
        data,
        content_type=paper.media,
        headers={
            "Content-Disposition": content_disposition_header(True, paper.file_name) or "attachment",
            "X-Content-Type-Options": "nosniff",
            "Content-Security-Policy": "default-src 'none'; sandbox",
        },
    )


urlpatterns = [
    path("shares/<str:share_id>/document/", share_document, name="share_document"),
    path("supporting-documents/", papers_received, name="papers_received"),
    path("supporting-documents/<str:paper_id>/", paper_page, name="paper_page"),
    path("supporting-documents/<str:paper_id>/file/", paper_file, name="paper_file"),
]
