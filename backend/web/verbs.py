"""Pages are read (GET, HEAD) or sent a form (POST); any other verb is refused before a view, ours or a library's."""

from django.http import HttpRequest, HttpResponse, HttpResponseNotAllowed

from backend.web.middleware import Handler

VERBS = ("GET", "HEAD", "POST")
API = "/v1/"  # says itself which verbs each of its addresses takes


class PageVerbs:
    """Answers 405 to the verbs that no page takes: a library's form would take a PUT for a POST."""

    def __init__(self, get_response: Handler) -> None:
        """Keep the rest of the chain."""
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        """Refuse, or pass the request on."""
        if request.method not in VERBS and not request.path.startswith(API):
            return HttpResponseNotAllowed(VERBS)
        return self.get_response(request)
