"""All the addresses: the API, and the pages in both languages; machines ask backend.web.health before all this."""

from django.conf.urls.i18n import i18n_patterns
from django.urls import include, path

from backend.api import problem_urls
from backend.web import charters, log, public, status

urlpatterns = [
    path("v1/", include("backend.api.urls")),
    *problem_urls.bare,
    *log.bare,
    *charters.bare,
    *i18n_patterns(
        path("accounts/", include("allauth.account.urls")),
        *problem_urls.pages,
        path("", include("backend.web.urls")),
    ),
    path("status.json", status.as_json),
    path("", public.choose_language),
]

handler500 = "backend.web.health.failed"
