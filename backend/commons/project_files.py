"""What `publiccode.yml` and `funding.json` say of a project, read from a file that somebody gives; never fetched."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

import yaml
from django.utils.translation import gettext_lazy as _

from backend.core.errors import Invalid
from backend.core.text import seen

MAX_BYTES = 64 * 1024
DEEPEST = 20
MOST_PARTS = 20_000


@dataclass(frozen=True)
class Project:
    """What a form can begin with; empty where the file says nothing that can be used."""

    name: str = ""
    summary: str = ""
    website: str = ""
    licence: str = ""


def read_project_file(data: bytes, *, language: str) -> Project:
    """Read a publiccode.yml or a funding.json.

    Args: language: of the summary, where the file has several.
    Raises: Invalid `project_file_size`, `project_file_unreadable`.
    """
    if len(data) > MAX_BYTES:
        raise Invalid("project_file_size", _("The file weighs more than 64 kB: it is not such a file."), param="file")
    try:
        text = data.decode("utf-8-sig")
        found = json.loads(text) if text.lstrip().startswith("{") else _yaml(text)
    except (ValueError, RecursionError, yaml.YAMLError):
        raise _unreadable() from None
    if not isinstance(found, dict):
        raise _unreadable()
    project = _of_publiccode(found, language) if "description" in found else _of_funding(found)
    if not project.name:
        raise _unreadable()
    return project


def _unreadable() -> Invalid:
    return Invalid(
        "project_file_unreadable",
        _("This is neither a publiccode.yml nor a funding.json that can be read. Nothing was filled in."),
        param="file",
    )


def _yaml(text: str) -> Any:
    """Texts, lists and tables alone: nothing else is made of a YAML file, and what refers to other parts is refused.

    References make a small file grow without end; the events are looked at before anything is built of them.
    """
    depth = 0
    for place, event in enumerate(yaml.parse(text, Loader=yaml.BaseLoader)):
        if isinstance(event, yaml.CollectionStartEvent):
            depth += 1
        elif isinstance(event, yaml.CollectionEndEvent):
            depth -= 1
        if (
            isinstance(event, yaml.AliasEvent)
            or getattr(event, "anchor", None)
            or depth > DEEPEST
            or place > MOST_PARTS
        ):
            raise ValueError("not a file of this kind")
    return yaml.load(text, Loader=yaml.BaseLoader)  # noqa: S506  it makes texts, lists and tables, whatever the tags


def _of_publiccode(found: Mapping[str, Any], language: str) -> Project:
    """publiccode.yml: https://yml.publiccode.tools."""
    described = found["description"] if isinstance(found["description"], dict) else {}
    wanted = [one for one in (language, "en", "fr", *described) if isinstance(described.get(one), dict)]
    words: Mapping[str, Any] = described[wanted[0]] if wanted else {}
    return Project(
        name=_text(found.get("name"), 140) or _text(words.get("localisedName"), 140),
        summary=_sentence(words.get("shortDescription")) or _sentence(words.get("longDescription")),
        website=_link(found.get("landingURL")) or _link(found.get("url")),
        licence=_text(_in(found, "legal", "license"), 60),
    )


def _of_funding(found: Mapping[str, Any]) -> Project:
    """funding.json: https://fundingjson.org. The first project; else the one who asks."""
    projects = found.get("projects")
    first = projects[0] if isinstance(projects, list) and projects and isinstance(projects[0], dict) else {}
    asking = found.get("entity") if isinstance(found.get("entity"), dict) else {}
    licences = first.get("licenses")
    told: Mapping[str, Any] = first or asking or {}
    return Project(
        name=_text(told.get("name"), 140),
        summary=_sentence(told.get("description")),
        website=_link(_in(told, "webpageUrl", "url")) or _link(_in(told, "repositoryUrl", "url")),
        licence=_text(licences[0] if isinstance(licences, list) and licences else "", 60).removeprefix("spdx:"),
    )


def _in(thing: Any, *names: str) -> Any:
    for name in names:
        thing = thing.get(name) if isinstance(thing, dict) else None
    return thing


def _text(value: Any, most: int) -> str:
    """A text as it can be kept: one line, without signs that cannot be seen."""
    return (
        seen(value[: most * 4].encode("utf-8", "replace").decode().replace("\0", " "))[:most]
        if isinstance(value, str)
        else ""
    )


def _sentence(value: Any) -> str:
    """What fits in a summary: whole, or its first sentence, or cut at a word."""
    text = _text(value, 2000)
    if len(text) <= 280:
        return text
    first, stop, _rest = text.partition(". ")
    return first + stop.strip() if len(first) < 280 else text[:279].rpartition(" ")[0] + "…"


def _link(value: Any) -> str:
    """An address of the web that a form takes."""
    text = value.strip() if isinstance(value, str) else ""
    if len(text) > 200 or not text.isascii() or not text.isprintable() or " " in text:
        return ""
    try:
        parts = urlsplit(text)
    except ValueError:
        return ""
    return text if parts.scheme in {"https", "http"} and parts.hostname else ""
