"""funding.json: what a commons asks for, as programs that list projects to be funded read it (fundingjson.org)."""

import re
from email.utils import parseaddr
from typing import Any

from django.conf import settings
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import get_object_or_404
from django.urls import path, reverse
from django.utils import translation
from django.utils.translation import gettext as _
from django.views.decorators.http import require_safe

from backend.commons.models import Budget, Commons
from backend.commons.services import OPEN_TO_PLEDGES, root_budget
from backend.contributions.models import Repository
from backend.identity.services import the_host
from backend.payments.offering import provider_shown
from backend.web.public import veiled

SCHEMA = "https://fundingjson.org/schema/v1.1.0.json"
VERSION = "v1.1.0"
KEPT = 3600  # seconds it may be kept by browsers and proxies
LISTED = 100  # lines that readers of the list look at
SPDX = re.compile(r"[A-Za-z0-9][A-Za-z0-9.+-]*")
RHYTHMS = ("one-time", "monthly", "yearly")


@require_safe
def funding_json(_request: HttpRequest, slug: str) -> HttpResponse:
    """What a commons asks for, and how to give it. Raises 404 for one that everybody does not read."""
    commons = veiled([get_object_or_404(Commons.readable(), slug=slug)])[0]
    with translation.override(settings.LANGUAGE_CODE):
        answer = JsonResponse(manifest(commons), json_dumps_params={"ensure_ascii": False, "indent": 2})
    answer.headers["Cache-Control"] = f"public, max-age={KEPT}"
    answer.headers["Access-Control-Allow-Origin"] = "*"
    answer.headers["Cross-Origin-Resource-Policy"] = "cross-origin"
    return answer


@require_safe
def funding_urls(_request: HttpRequest) -> HttpResponse:
    """Which of these documents speak for the pages of this host: readers look here, to believe them."""
    slugs = Commons.listed().order_by("name").values_list("slug", flat=True)[:LISTED]
    lines = [settings.BASE_URL + reverse("funding_json", args=[slug]) for slug in slugs]
    answer = HttpResponse("".join(f"{line}\n" for line in lines), content_type="text/plain; charset=utf-8")
    answer.headers["Cache-Control"] = f"public, max-age={KEPT}"
    return answer


def manifest(commons: Commons) -> dict[str, Any]:
    """The document, in the language of the moment."""
    root = root_budget(commons)
    page = _ours(reverse("commons_page", args=[commons.slug]))
    whom = parseaddr(settings.LEGAL_CONTACT)[1] or parseaddr(settings.DEFAULT_FROM_EMAIL)[1]
    found: dict[str, Any] = {
        "$schema": SCHEMA,
        "version": VERSION,
        "entity": {
            "type": "organisation",
            "role": "steward",
            "name": the_host().name[:250],
            "email": whom,
            "description": _(
                "Trusted third party: it receives what supporters give to the common pots of libre tools, and shares "
                "it among the people who work on them, by rules and accounts that everybody can read."
            ),
            "webpageUrl": _ours(reverse("home")),
        },
        "funding": {"channels": _channels(commons), "plans": _plans(commons, root)},
    }
    repository = Repository.objects.filter(budget__commons=commons, revoked_at=None).order_by("created_at").first()
    source = repository.address if repository is not None else commons.website
    if source and commons.licence:  # a project has both, else it is not one for the format
        found["projects"] = [
            {
                "guid": _guid(commons.slug),
                "name": commons.name,
                "description": commons.summary,
                "webpageUrl": page,
                "repositoryUrl": {"url": source},
                "licenses": [f"spdx:{commons.licence}" if SPDX.fullmatch(commons.licence) else commons.licence],
                "tags": ["commons", "libre-software"],
            }
        ]
    return found


def _ours(place: str) -> dict[str, str]:
    """An address of this host, with the proof that these documents speak for it."""
    return {"url": settings.BASE_URL + place, "wellKnown": settings.BASE_URL + reverse("funding_urls")}


def _guid(text: str) -> str:
    """Small letters, figures and hyphens, 32 at most."""
    return re.sub(r"[^a-z0-9]+", "-", text.lower())[:32].strip("-") or "commons"


def _channels(commons: Commons) -> list[dict[str, str]]:
    address = settings.BASE_URL + reverse("give", args=[commons.slug])
    found = [
        {
            "guid": "bank-transfer", "type": "bank", "address": address,
            "description": _("The page gives the account and a reference that belongs to the gift alone."),
        }
    ]  # fmt: skip
    if provider_shown():
        found.append(
            {
                "guid": "card", "type": "payment-provider", "address": address,
                "description": _("By card or direct debit, through a payment provider."),
            }
        )  # fmt: skip
    return found


def _plans(commons: Commons, root: Budget) -> list[dict[str, Any]]:
    takes = commons.state == "open" and root.state in OPEN_TO_PLEDGES
    names = {
        "one-time": _("Once, any amount"),
        "monthly": _("Every month, any amount"),
        "yearly": _("Every year, any amount"),
    }
    return [
        {
            "guid": f"any-{rhythm}", "status": "active" if takes else "inactive", "name": names[rhythm],
            "description": commons.summary, "amount": 0, "currency": root.currency, "frequency": rhythm,
            "channels": [channel["guid"] for channel in _channels(commons)],
        }
        for rhythm in RHYTHMS
    ]  # fmt: skip


bare = [
    path("commons/<slug:slug>/funding.json", funding_json, name="funding_json"),
    path(".well-known/funding-manifest-urls", funding_urls, name="funding_urls"),
]
