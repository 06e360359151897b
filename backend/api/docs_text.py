"""The guides of api_docs as HTML: Markdown without raw HTML, links between them led to their pages."""

import functools
import posixpath
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from django.conf import settings
from django.urls import reverse
from django.utils.safestring import SafeString, mark_safe
from markdown_it import MarkdownIt
from markdown_it.renderer import RendererHTML
from markdown_it.token import Token

HOME: Path = settings.BASE.parent
FOLDER = HOME / "api_docs"
LANGUAGES = ("fr", "en")


@dataclass(frozen=True)
class Text:
    """One text in one language. slug: its address under /docs/. where: its file, from the root of the checkout."""

    slug: str
    language: str
    where: str

    @property
    def title(self) -> str:
        """Its first heading."""
        return (HOME / self.where).read_text(encoding="utf-8").partition("\n")[0].lstrip("# ")


def _placed(file: Path) -> Text:
    """The slug and the language of a file: guides/giving.fr.md, verify/README.md, CHANGELOG.md."""
    where = file.relative_to(HOME).as_posix()
    name = where.removeprefix("api_docs/").removesuffix(".md")
    stem, _dot, last = name.rpartition(".")
    slug, language = (stem, last) if last in LANGUAGES else (name, "en")
    return Text(slug.removesuffix("/README").lower(), language, where)


@functools.cache
def texts() -> Mapping[str, Mapping[str, Text]]:
    """slug → language → text. The list of api_docs is for who reads the files: our own stands in its place."""
    found: dict[str, dict[str, Text]] = {}
    for file in [*sorted(FOLDER.rglob("*.md")), HOME / "CHANGELOG.md"]:
        if file != FOLDER / "README.md":
            text = _placed(file)
            found.setdefault(text.slug, {})[text.language] = text
    return found


def in_language(slug: str, language: str) -> Text | None:
    """A text in a language, in English where it has no other; None for none."""
    known = texts().get(slug, {})
    return known.get(language) or known.get("en")


def _anchor(title: str) -> str:
    """The anchor of a heading, as the readers of the repository know it."""
    return re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-")


def _led(target: str, text: Text) -> str | None:
    """Where a link of a text leads on our pages; None when it leads to a file that has none."""
    path, mark, anchor = target.partition("#")
    if re.match(r"https?:", target) or not path:
        return target
    where = posixpath.normpath(posixpath.join(posixpath.dirname(text.where), path))
    if where == "api_docs/README.md":
        return reverse("docs")
    slug = _placed(HOME / where).slug if where.endswith(".md") else ""
    return f"{reverse('docs_text', args=[slug])}{mark}{anchor}" if slug in texts() else None


def _adapted(tokens: Sequence[Token], text: Text) -> None:
    """Lead the links, give the headings their anchors and the columns of numbers their class."""
    for place, token in enumerate(tokens):
        if token.type == "heading_open":
            token.attrSet("id", _anchor(tokens[place + 1].content))
        if token.tag == "h1" and place > 2:
            token.tag = "h2"  # a page has one title; a file may hold a second language
        if token.attrs.pop("style", "") == "text-align:right":
            token.attrSet("class", "n")  # an inline style is refused by our own policy
        leading = True
        for one in token.children or []:
            if one.type == "link_open":
                led = _led(str(one.attrGet("href")), text)
                leading = led is not None
                one.attrSet("href", led or "")
            if one.type in {"link_open", "link_close"} and not leading:
                one.tag = ""


def _link(writer: RendererHTML, tokens: Sequence[Token], place: int, options: Any, env: Any) -> str:
    return writer.renderToken(tokens, place, options, env) if tokens[place].tag else ""


@functools.cache
def _reader() -> MarkdownIt:
    made = MarkdownIt("commonmark", {"html": False}).enable("table")
    made.add_render_rule("link_open", _link)
    made.add_render_rule("link_close", _link)
    made.add_render_rule("table_open", lambda *_rest: '<div class="scroll" tabindex="0"><table>\n')
    made.add_render_rule("table_close", lambda *_rest: "</table></div>\n")
    return made


@functools.lru_cache(maxsize=256)
def as_html(text: Text, language: str) -> SafeString:
    """A text as HTML, its links leading to pages in a language, which is that of the moment."""
    reader = _reader()
    tokens = reader.parse((HOME / text.where).read_text(encoding="utf-8"))
    _adapted(tokens, text)
    return mark_safe(str(reader.renderer.render(tokens, reader.options, {})))  # noqa: S308 - our own files, raw HTML off
