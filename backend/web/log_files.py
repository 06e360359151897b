"""The public log for machines: the signed heads, the leaves and the proofs, at addresses without a language."""

import json
from collections.abc import Callable, Iterator
from functools import wraps
from typing import Any

from django.conf import settings
from django.http import FileResponse, HttpRequest, HttpResponse, HttpResponseBase, StreamingHttpResponse
from django.urls import path
from django.utils import timezone
from django.utils.translation import gettext_lazy as _
from django.views.decorators.http import require_safe

from backend.core.errors import DomainError, Invalid
from backend.exports import verifiable
from backend.identity.permissions import may
from backend.ledger.services import (
    consistency_proof,
    heads,
    inclusion_proof,
    keys,
    last_block,
    last_seal,
    leaf_text,
    leaves,
)

VERIFIER = settings.BASE.parent / "api_docs" / "verify" / "tronc_verify.py"
READ = 500  # heads of one query, leaves of one piece
LARGEST = 1 << 53  # what JSON readers everywhere keep exact
FOR_EVER = "public, max-age=31536000, immutable"
A_WHILE = "public, max-age=30"  # seconds; the sealer looks as often
View = Callable[..., HttpResponseBase]


def machine(view: View) -> View:
    """Answer a refusal as `application/problem+json`, as the API does."""

    @wraps(view)
    def answer(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        try:
            return view(request, *args, **kwargs)
        except DomainError as refusal:
            return _problem(request, refusal)

    return require_safe(answer)


def _problem(request: HttpRequest, refusal: DomainError) -> HttpResponse:
    body: dict[str, Any] = {
        "type": f"{settings.BASE_URL}/problems/{refusal.code}", "title": str(refusal), "status": refusal.status,
        "code": refusal.code, "detail": str(refusal), "request_id": getattr(request, "request_id", ""),
    }  # fmt: skip
    if refusal.param:
        body["errors"] = [{"parameter": refusal.param, "code": refusal.code, "detail": str(refusal)}]
    answer = _json(body, "no-store")
    answer.status_code, answer["Content-Type"] = refusal.status, "application/problem+json"
    return answer


def _json(body: dict[str, Any], cache: str) -> HttpResponse:
    text = json.dumps(body, ensure_ascii=False, indent=1) + "\n"
    return HttpResponse(text, content_type="application/json", headers={"Cache-Control": cache})


def _number(request: HttpRequest, name: str, *, least: int = 0) -> int | None:
    """A whole number of the address, None when it is not given; raises Invalid `parameter_invalid`."""
    text = request.GET.get(name)
    if text is None:
        return None
    if not (text.isascii() and text.isdigit() and len(text) < 17 and least <= int(text) <= LARGEST):
        message = _("A whole number of at least %(least)s is expected.") % {"least": least}
        raise Invalid("parameter_invalid", message, param=name)
    return int(text)


@require_safe
def checkpoint(request: HttpRequest) -> HttpResponse:
    """The last signed head, as the note that was signed."""
    block = last_block()
    text = block.note if block else str(_("Nothing is sealed yet: come back a minute after the first entry.")) + "\n"
    cache = {"Cache-Control": A_WHILE if block else "no-store"}
    return HttpResponse(text, status=200 if block else 404, content_type="text/plain; charset=utf-8", headers=cache)


@machine
def heads_file(request: HttpRequest) -> HttpResponseBase:
    """All the heads, or those above the block of `?after=`, and all the keys."""
    written = _heads(_number(request, "after") or 0)
    return StreamingHttpResponse(written, content_type="application/json", headers={"Cache-Control": A_WHILE})


def _heads(after: int) -> Iterator[bytes]:
    """heads.json piece by piece: a log of years holds many heads."""
    known = keys()
    top = {"format": "tronc-heads-1", "origin": known[-1]["name"] if known else "", "keys": known}
    yield (json.dumps(top, ensure_ascii=False)[:-1] + ', "heads": [').encode()
    separator = "\n"
    while rows := heads(after=after, limit=READ):
        for row in rows:
            yield f"{separator}{json.dumps(row, ensure_ascii=False)}".encode()
            separator = ",\n"
        after = rows[-1]["block"]
    yield b"\n]}\n"


@machine
def leaves_file(request: HttpRequest) -> HttpResponseBase:
    """The hash of each sealed entry, one a line: all of them, or `?count=` from position `?first=` on."""
    first, count = _number(request, "first", least=1) or 1, _number(request, "count", least=1)
    whole = count is not None and first - 1 + count <= last_seal().position
    written = _lines(leaves(first=first, count=count))
    cache = {"Cache-Control": FOR_EVER if whole else A_WHILE}
    return StreamingHttpResponse(written, content_type="text/plain; charset=utf-8", headers=cache)


def _lines(hashes: Iterator[bytes]) -> Iterator[str]:
    held = []
    for one in hashes:
        held.append(f"{one.hex()}\n")
        if len(held) == READ:
            yield "".join(held)
            held = []
    yield "".join(held)


@machine
def proof(request: HttpRequest, entry_id: str) -> HttpResponseBase:
    """That an entry is in the log; what it says is added for those who may read the books."""
    size = _number(request, "size", least=1)
    body = inclusion_proof(entry_id=entry_id, size=size)
    if request.user.is_authenticated:
        if may(request.user, "ledger.read"):
            body["content"] = leaf_text(entry_id)
        return _json(body, "no-store, private")
    return _json(body, FOR_EVER if size else A_WHILE)


@machine
def consistency(request: HttpRequest) -> HttpResponseBase:
    """That the log of `?from=` entries is the beginning of the one of `?to=`, the last unless told."""
    old, new = _number(request, "from", least=1), _number(request, "to", least=1)
    if old is None:
        raise Invalid("size_missing", _("Say in “from” how many entries the head that you hold counts."), param="from")
    return _json(consistency_proof(old=old, new=new), FOR_EVER if new else A_WHILE)


@machine
def journal(request: HttpRequest) -> HttpResponseBase:
    """Every sealed entry with its amounts, for those who may read the books."""
    written = verifiable.verifiable_journal(actor=request.user, now=timezone.now())  # type: ignore[arg-type]
    headers = {
        "Cache-Control": "no-store, private",
        "Content-Disposition": f'attachment; filename="{verifiable.FILE_NAME}"',
    }
    return StreamingHttpResponse(written, content_type=verifiable.MEDIA_TYPE, headers=headers)


@require_safe
def verifier(request: HttpRequest) -> FileResponse:
    """The program that checks all these files without us."""
    headers = {"Cache-Control": "public, max-age=3600"}
    return FileResponse(
        VERIFIER.open("rb"), as_attachment=True, filename=VERIFIER.name, content_type="text/x-python", headers=headers
    )


urlpatterns = [
    path("log/checkpoint", checkpoint, name="log_checkpoint"),
    path("log/heads.json", heads_file, name="log_heads"),
    path("log/leaves.txt", leaves_file, name="log_leaves"),
    path("log/entries/<str:entry_id>.json", proof, name="log_proof"),
    path("log/consistency.json", consistency, name="log_consistency"),
    path("log/journal.jsonl", journal, name="log_journal"),
    path("log/tronc_verify.py", verifier, name="log_verifier"),
]
