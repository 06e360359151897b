"""The banner that shows a new version of the terms or of the privacy notice until it is accepted."""

from typing import Any

from django import template

from backend.privacy.notices import awaiting, current

register = template.Library()
_KNOWN = "notices"  # in the session: the versions that were found accepted, so that one query is made a session


@register.inclusion_tag("privacy/banner.html", takes_context=True)
def new_notices(context: dict[str, Any]) -> dict[str, Any]:
    """What a signed-in reader has still to accept; nothing on the notices themselves is hidden meanwhile."""
    request, reader = context.get("request"), context.get("reader")
    if request is None or reader is None:
        return {"documents": []}
    versions = list(current().values())
    if request.session.get(_KNOWN) == versions:
        return {"documents": []}
    documents = awaiting(reader.user)
    if not documents:
        request.session[_KNOWN] = versions
    return {"documents": documents, "request": request, "csrf_token": context.get("csrf_token")}
