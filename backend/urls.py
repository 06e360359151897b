"""All the addresses: the API, and the pages in both languages; machines ask backend.web.health before all this."""

from django.conf.urls.i18n import i18n_patterns
from django.urls import include, path

from backend.api import docs_urls, problem_urls
from backend.web import accounts, charters, funding, hooks, log, public, status, wellknown

urlpatterns = [
    *docs_urls.bare,
    path("v1/", include("backend.api.urls")),
    *problem_urls.bare,
    *log.bare,
    *charters.bare,
    *wellknown.bare,
    *hooks.bare,
    *funding.bare,
    *i18n_patterns(
        *accounts.first,
        path("accounts/", include("allauth.account.urls")),
        path("accounts/2fa/", include("allauth.mfa.urls")),
        *problem_urls.pages,
        *docs_urls.pages,
        path("", include("backend.web.urls")),
    ),
    path("status.json", status.as_json),
    path("", public.choose_language),
]

handler500 = "backend.web.health.failed"
