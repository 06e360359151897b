"""The doors of programs: events of the payment provider, commits told by forges.

Both are verified on their raw bytes, kept and answered at once; a worker treats them.
"""

import logging

from django.conf import settings
from django.core.exceptions import RequestDataTooBig
from django.db import InterfaceError, OperationalError
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.urls import path
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_POST

from backend.contributions.deliveries import receive_delivery
from backend.core.errors import Conflict, Forbidden, NotFound
from backend.payments.notices import receive_notice
from backend.payments.providers.base import BadNotice

logger = logging.getLogger("tronc.security")

LONGEST = 1024 * 1024  # bytes of an event
SIGNATURE = "Stripe-Signature"


@csrf_exempt  # the provider has no cookie of ours: its signature on the raw bytes is what is believed
@require_POST
def provider_notices(request: HttpRequest, provider: str) -> HttpResponse:
    """Take in one event: 200 kept; 400 refused, a line in the log and nothing kept; 413 too long; 503 come again."""
    if provider != settings.PROVIDER or not provider:
        return HttpResponse(status=404)
    if int(request.META.get("CONTENT_LENGTH") or 0) > LONGEST:
        return HttpResponse(status=413)
    try:
        receive_notice(body=request.body, signature=request.headers.get(SIGNATURE, "")[:1000], now=timezone.now())
    except RequestDataTooBig:
        return HttpResponse(status=413)
    except (BadNotice, Conflict) as refusal:
        logger.warning("an event of the payment provider was refused: %s", refusal)
        return HttpResponse(status=400)
    except (OperationalError, InterfaceError):
        return HttpResponse(status=503, headers={"Retry-After": "60"})
    return HttpResponse(status=200)


@csrf_exempt  # a forge has no cookie of ours: its signature on the raw bytes is what is believed
@require_POST
def forge_delivery(request: HttpRequest, repository_id: str) -> HttpResponse:
    """Take in what a forge sends: 202 kept, 200 known already, 401 not signed and nothing kept, 413 too long, 503.

    A stranger does not learn which repository is connected: without a right signature, all are refused alike.
    """
    if int(request.META.get("CONTENT_LENGTH") or 0) > LONGEST:
        return _too_long()
    try:
        _row, new = receive_delivery(
            repository_id=repository_id, headers=request.headers, body=request.body, now=timezone.now()
        )
    except RequestDataTooBig:
        return _too_long()
    except (NotFound, Forbidden) as refusal:
        logger.warning("a delivery of a forge was refused: %s, repository %s", refusal.code, repository_id)
        return _refused(
            "delivery_unsigned", 401, _("The delivery is not signed, or wrongly"),
            _(
                "The signature is missing or wrong, or no repository is connected at this address. Nothing was kept. "
                "Type the address and the secret again in the settings of the webhook, or make a new secret on the "
                "page of the repository."
            ),
        )  # fmt: skip
    except (OperationalError, InterfaceError):
        return HttpResponse(status=503, headers={"Retry-After": "60"})
    return HttpResponse(status=202 if new else 200)


def _too_long() -> HttpResponse:
    return _refused(
        "body_too_large", 413, _("The body is too large"),
        _("A delivery weighs one megabyte at most. Nothing was kept: who made these commits declares them by hand."),
    )  # fmt: skip


def _refused(code: str, status: int, title: str, detail: str) -> HttpResponse:
    """A problem, as the API tells them: the forge shows it to who looks at its deliveries."""
    body = {
        "type": f"{settings.BASE_URL}/problems/{code}", "title": title, "status": status, "code": code,
        "detail": detail,
    }  # fmt: skip
    return JsonResponse(body, status=status, content_type="application/problem+json")


bare = [
    path("hooks/forges/<slug:repository_id>/", forge_delivery, name="forge_delivery"),
    path("hooks/<slug:provider>/", provider_notices, name="provider_notices"),
]
