"""The language of each answer: that of the address or of the browser for pages, that which programs ask for."""

from django.http import HttpRequest
from django.middleware.locale import LocaleMiddleware
from django.utils import translation
from django.utils.translation.trans_real import parse_accept_lang_header

PROGRAMS = ("/v1/", "/hooks/")
UNTOLD = "en"  # what most programs and their authors read; `Accept-Language` says otherwise


class Languages(LocaleMiddleware):
    """As Django has it for pages; for programs the header alone counts, and English where it says nothing of ours."""

    def process_request(self, request: HttpRequest) -> None:
        """Choose it."""
        super().process_request(request)
        if request.path.startswith(PROGRAMS):
            translation.activate(asked(request.headers.get("Accept-Language", "")))
            request.LANGUAGE_CODE = translation.get_language()


def asked(header: str) -> str:
    """The first of our languages that a header asks for."""
    for name, _weight in parse_accept_lang_header(header.lower()[:500]):
        code = name.partition("-")[0]
        if code in {"fr", "en"}:
            return code
    return UNTOLD
