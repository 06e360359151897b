"""The guide on forges: its lines, its push and its headers are what the adapters read."""

import json
import re

import pytest
from django.test import Client

from backend.contributions.forges import FORGES
from backend.contributions.forges.trailers import trailers
from tests.api.documents import API_DOCS, blocks

BLOCKS = ["trailers", "json", "sh", "output"]


@pytest.mark.parametrize("language", ["en", "fr"])
def test_what_the_guide_shows_is_what_is_read(language: str) -> None:
    text = (API_DOCS / "guides" / f"forges.{language}.md").read_text(encoding="utf-8")
    found = dict(blocks(text))
    assert list(found) == BLOCKS
    told = re.findall(r"^\| (\d) \| (\d+) min \| (.+?) \|$", text, re.MULTILINE)
    read = trailers(found["trailers"])
    assert [(str(one.part + 1), str(one.minutes)) for one in read] == [(line, minutes) for line, minutes, _ in told]
    assert [one.kind for one in read] == ["", *[kind for _line, _minutes, kind in told][1:]]
    facts = FORGES["forgejo"].read("push", found["json"].encode())
    assert (facts.about, facts.left_out, facts.forced) == ("push", 0, False)
    assert facts.repository == json.loads(found["json"])["repository"]["html_url"]
    assert [(one.subject, one.authors) for one in facts.told] == [("Mend the export", ("bo@example.org",))]
    assert [one.minutes for one in trailers(facts.told[0].text)] == [90]


def test_both_languages_show_the_same() -> None:
    shown = [
        blocks((API_DOCS / "guides" / f"{name}.{language}.md").read_text(encoding="utf-8"))
        for name in ("forges", "reviewing")
        for language in ("en", "fr")
    ]
    assert shown[0] == shown[1]
    assert shown[2] == shown[3]


@pytest.mark.django_db
@pytest.mark.parametrize(
    "address", [f"/{one}/docs/guides/{name}/" for one in ("en", "fr") for name in ("forges", "reviewing")]
)
def test_it_is_a_page_that_the_list_leads_to(address: str) -> None:
    browser = Client()
    assert browser.get(address).status_code == 200
    assert address in browser.get(address.partition("guides/")[0]).content.decode()
