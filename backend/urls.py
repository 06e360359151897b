"""All the addresses: the health check, the API, and the pages in both languages."""

from django.conf.urls.i18n import i18n_patterns
from django.urls import include, path

from backend.api import problem_urls
from backend.web import public

urlpatterns = [
    path("healthz", public.healthz, name="healthz"),
    path("v1/", include("backend.api.urls")),
    *problem_urls.bare,
    *i18n_patterns(
        path("accounts/", include("allauth.account.urls")),
        *problem_urls.pages,
        path("", include("backend.web.urls")),
    ),
    path("", public.choose_language),
]
