"""The documentation as pages: all of it, in both languages, light, without a script, each link leading somewhere."""

import html
import re
import shlex
from typing import Any
from urllib.parse import unquote

import pytest
from django.test import Client
from django.utils.translation import override

from backend.api import docs_reference, docs_text
from backend.api.contract_file import contract
from backend.api.docs_text import HOME, Text
from backend.api.words import TAGS
from tests.api.documents import API_DOCS

HEAVIEST = 50_000


def addresses() -> list[str]:
    """Every page of the documentation, in both languages."""
    pages = ["", "api/", *(f"api/{tag}/" for tag in TAGS), *(f"{slug}/" for slug in docs_text.texts())]
    return [f"/{language}/docs/{page}" for language in ("en", "fr") for page in pages]


def test_each_page_answers_in_its_language_is_light_and_leads_somewhere(play: Any) -> None:
    play("make_house")
    reader = Client()
    led: set[str] = set()
    anchors: dict[str, set[str]] = {}
    wanted: set[tuple[str, str]] = set()
    for address in addresses():
        answer = reader.get(address)
        assert answer.status_code == 200, address
        page = answer.content.decode()
        assert len(answer.content) <= HEAVIEST, (address, len(answer.content))
        assert page.count("<h1") == page.count("</h1>") == 1, address
        assert f'<html lang="{address[1:3]}">' in page
        assert not re.search(r"<script|<style| style=| on[a-z]+=", page), address
        ids = re.findall(r' id="([^"]+)"', page)
        assert len(ids) == len(set(ids)), address
        anchors[address] = set(ids)
        for link in re.findall(r'<a [^>]*href="([^"]*)"', page):
            path, _mark, anchor = unquote(html.unescape(link)).partition("#")
            led |= {path} if path.startswith("/") else set()
            if anchor and (not path or "/docs/" in path):
                wanted.add((path or address, anchor))
    for path in sorted(led - set(addresses())):
        assert reader.get(path, follow=True).status_code == 200, path
    assert [one for one in sorted(wanted) if one[1] not in anchors[one[0]]] == []


def test_nothing_of_api_docs_is_left_out_and_each_guide_is_found(db: None) -> None:
    files = {file.relative_to(HOME).as_posix() for file in API_DOCS.rglob("*.md")} - {"api_docs/README.md"}
    shown = {text.where for known in docs_text.texts().values() for text in known.values()}
    assert shown == files | {"CHANGELOG.md"}
    for language in ("en", "fr"):
        index = Client().get(f"/{language}/docs/").content.decode()
        for slug in docs_text.texts():
            assert f'href="/{language}/docs/{slug}/"' in index, slug
    assert 'href="/fr/docs/"' in Client().get("/fr/problems/").content.decode()


def test_a_guide_comes_in_the_language_of_the_reader_or_says_that_it_does_not(db: None) -> None:
    english, french = (Client().get(f"/{language}/docs/guides/giving/").content.decode() for language in ("en", "fr"))
    assert docs_text.in_language("guides/giving", "en").title in english  # type: ignore[union-attr]
    assert docs_text.in_language("guides/giving", "fr").title in html.unescape(french)  # type: ignore[union-attr]
    assert '<div lang="en">' in Client().get("/fr/docs/performance/").content.decode()
    assert '<div lang="en">' not in Client().get("/en/docs/performance/").content.decode()
    for nothing in ("guides/nothing", "../run", "README", "guides/giving.fr", "api/nothing", "guides"):
        assert Client().get(f"/en/docs/{nothing}/").status_code == 404, nothing
    assert Client().post("/en/docs/").status_code == 405


def test_markdown_brings_no_html_of_its_own(tmp_path: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(docs_text, "HOME", tmp_path)
    (tmp_path / "x.md").write_text(
        "# T\n\n<script>alert(1)</script> <b onclick=x>\n\n[a](javascript:alert(1)) [b](other.py) "
        "[c](https://example.org/) [d](api_docs/guides/giving.en.md#then) [e](#t)\n\n| a | n |\n|---|--:|\n| b | 1 |\n"
    )
    with override("en"):
        made = docs_text.as_html(Text("x", "en", "x.md"), "en")
    assert "<script" not in made
    assert "<b" not in made
    assert "javascript:" not in re.sub(r">[^<]*<", "><", made)
    assert 'a href="https://example.org/"' in made
    assert 'href="/en/docs/guides/giving/#then"' in made
    assert 'href="#t"' in made
    assert made.count("<a ") == made.count("</a>") == 3
    assert '<div class="scroll" tabindex="0"><table>' in made
    assert '<td class="n">1</td>' in made
    assert "style" not in made


def test_the_reference_shows_each_operation_with_its_members_refusals_and_request(db: None) -> None:
    for tag in TAGS:
        page = html.unescape(Client().get(f"/en/docs/api/{tag}/").content.decode())
        shown = docs_reference.page(tag)
        assert shown is not None
        for one in shown["operations"]:
            assert f'<h2 id="{one["id"]}">{one["summary"]}</h2>' in page
            assert f"<code>{one['method']} {one['path']}</code>" in page
            assert all(f"<code>{scope}</code>" in page for scope in one["scopes"])
            assert one["curl"] in page
            for row in [*one["parameters"], *(one["body"] or [])]:
                assert f'<th scope="row"><code>{row["name"]}</code></th>' in page
                assert row["about"] in page
        own = {
            code
            for _method, _path, one in docs_reference._of(tag)
            for said in one["responses"].values()
            for code in said.get("x-codes", [])
        }
        assert all(f'href="/en/problems/{code}"' in page for code in own)
    every = Client().get("/en/docs/api/").content.decode()
    for name, said in contract()["components"]["responses"].items():
        assert all(f'href="/en/problems/{code}"' in every for code in said["x-codes"]), name


def test_the_requests_of_the_reference_are_those_of_the_contract() -> None:
    import json

    count = 0
    for path, methods in contract()["paths"].items():
        for method, one in methods.items():
            words = shlex.split(docs_reference.curl(method.upper(), path, one))
            assert words[:2] == ["curl", "-sS"]
            asked, _mark, query = words[2].removeprefix("$TRONC").partition("?")
            assert re.sub(r"\$[A-Z]+", "{}", asked) == re.sub(r"\{\w+\}", "{}", path)
            required = [each for each in one.get("parameters", []) if each["required"]]
            named = {each["name"] for each in required if each["in"] == "query"}
            assert {part.partition("=")[0] for part in query.split("&") if part} == named
            headers = {words[place + 1].partition(":")[0] for place, word in enumerate(words) if word == "-H"}
            assert headers == {
                *(["Authorization"] if one["security"] else []), *(["Content-Type"] if "requestBody" in one else []),
                *(each["name"] for each in required if each["in"] == "header"),
            }  # fmt: skip
            if "requestBody" in one:
                example = one["requestBody"]["content"]["application/json"].get("example", {})
                assert json.loads(words[words.index("-d") + 1]) == example
            assert ("-d" in words) == ("requestBody" in one)
            count += 1
    assert count > 30


def test_types_are_told_in_words() -> None:
    kinds = docs_reference.kind_of
    assert kinds({"type": "integer", "minimum": 1, "maximum": 100})["words"] == "whole number from 1 to 100"
    assert kinds({"type": ["string", "null"], "format": "date"}) == {
        "words": "day", "shape": "", "choices": [], "null": True, "default": None,
    }  # fmt: skip
    money = {"$ref": "#/components/schemas/Money"}
    assert kinds({"anyOf": [money, {"type": "null"}]}) == {"words": "", "shape": "Money", "choices": [], "null": True}
    assert (kinds({"type": "array", "items": money})["words"], kinds(money)["shape"]) == ("list of", "Money")
    assert kinds({"type": "string", "pattern": "^ctr_[0-9A-Z]{36}$"})["words"] == "id ctr_…"
    assert kinds({"type": "string", "x-known-values": ["a"]})["choices"] == ["a"]
