"""funding.json of each commons, and the files of a project that fill in a proposal."""

import json
import re
import time
from collections.abc import Callable
from typing import Any

import pytest
from django.conf import settings
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client
from jsonschema import Draft202012Validator

from backend.commons.models import Commons
from backend.commons.project_files import MAX_BYTES, Project, read_project_file
from backend.contributions.repositories import connect_repository
from backend.core.errors import Invalid
from backend.operations.moderation import withdraw_text
from tests.web.test_public import text_of

Play = Callable[..., Any]
SignIn = Callable[..., Client]

# What https://fundingjson.org says is required of v1.1.0, and how long each text may be.
GUID = {"type": "string", "pattern": "^[a-z0-9]([a-z0-9-]{0,30}[a-z0-9])?$"}
PROOF = "^https?://.+/[.]well-known/funding-manifest-urls$"
URL = {
    "type": "object", "required": ["url"], "additionalProperties": False,
    "properties": {
        "url": {"type": "string", "pattern": "^https?://[^ ]+$", "maxLength": 250},
        "wellKnown": {"type": "string", "pattern": PROOF, "maxLength": 250},
    },
}  # fmt: skip


def text(most: int, least: int = 1) -> dict[str, Any]:
    """A text of so many characters."""
    return {"type": "string", "minLength": least, "maxLength": most}


def table(**properties: Any) -> dict[str, Any]:
    """An object with all these members, and no other."""
    return {
        "type": "object", "required": list(properties), "properties": properties, "additionalProperties": False,
    }  # fmt: skip


def rows(item: dict[str, Any], most: int, least: int = 1) -> dict[str, Any]:
    """A list."""
    return {"type": "array", "minItems": least, "maxItems": most, "items": item}


MANIFEST = {
    "type": "object",
    "required": ["version", "entity", "funding"],
    "additionalProperties": False,
    "properties": {
        "$schema": {"const": "https://fundingjson.org/schema/v1.1.0.json"},
        "version": {"const": "v1.1.0"},
        "entity": table(
            type={"enum": ["individual", "group", "organisation", "other"]},
            role={"enum": ["owner", "steward", "maintainer", "contributor", "other"]},
            name=text(250), email={"type": "string", "pattern": "^[^@ ]+@[^@ ]+$", "maxLength": 250},
            description=text(2000), webpageUrl=URL,
        ),
        "projects": rows(
            table(
                guid=GUID, name=text(250), description=text(2000), webpageUrl=URL, repositoryUrl=URL,
                licenses=rows(text(64), 5), tags=rows({"type": "string", "pattern": "^[a-z0-9-]{1,32}$"}, 10),
            ),
            30,
        ),
        "funding": table(
            channels=rows(
                table(
                    guid=GUID, type={"enum": ["bank", "payment-provider", "cheque", "cash", "other"]},
                    address=text(250), description=text(500),
                ),
                10,
            ),
            plans=rows(
                table(
                    guid=GUID, status={"enum": ["active", "inactive"]}, name=text(250), description=text(500),
                    amount={"type": "number", "minimum": 0}, currency={"type": "string", "pattern": "^[A-Z]{3}$"},
                    frequency={"enum": ["one-time", "weekly", "fortnightly", "monthly", "yearly", "other"]},
                    channels=rows(GUID, 10),
                ),
                30,
            ),
        ),
    },
}  # fmt: skip


def fetched(slug: str) -> dict[str, Any]:
    """The document, valid."""
    answer = Client().get(f"/commons/{slug}/funding.json")
    assert answer.status_code == 200
    assert answer.headers["Content-Type"] == "application/json"
    found: dict[str, Any] = json.loads(answer.content)
    faults = [one.message for one in Draft202012Validator(MANIFEST).iter_errors(found)]
    assert not faults
    known = {channel["guid"] for channel in found["funding"]["channels"]}
    assert all(set(plan["channels"]) <= known for plan in found["funding"]["plans"])
    return found


def test_each_commons_says_what_it_asks_for(play: Play) -> None:
    world = play("make_house")
    commons = world.budget.commons
    found = fetched(commons.slug)
    assert {plan["status"] for plan in found["funding"]["plans"]} == {"active"}
    assert found["funding"]["plans"][0]["currency"] == world.budget.currency
    assert found["entity"]["name"] == world.host.name
    connect_repository(
        actor=world.users["sacha"], budget_id=world.budget.pk, forge="forgejo", address="https://codeberg.org/a/b",
        now=world.now,
    )  # fmt: skip
    Commons.objects.filter(pk=commons.pk).update(licence="AGPL-3.0-or-later", slug="a" * 60)
    (project,) = fetched("a" * 60)["projects"]
    assert (project["repositoryUrl"], project["licenses"]) == (
        {"url": "https://codeberg.org/a/b"}, ["spdx:AGPL-3.0-or-later"],
    )  # fmt: skip
    listed = Client().get("/.well-known/funding-manifest-urls")
    assert listed.content.decode().splitlines() == [f"{settings.BASE_URL}/commons/{'a' * 60}/funding.json"]
    for address in (project["webpageUrl"]["url"], found["entity"]["webpageUrl"]["url"]):
        assert Client().get(address.removeprefix(settings.BASE_URL)).status_code == 200
    page = Client().get(f"/en/commons/{'a' * 60}/").content.decode()
    assert f'href="/commons/{"a" * 60}/funding.json"' in page


def test_what_is_withdrawn_or_hidden_is_not_told(play: Play) -> None:
    world = play("make_house")
    commons = world.budget.commons
    withdraw_text(
        actor=world.users["claire"], subject=commons.pk, field="summary", reason="x", appeal_to="a@example.org",
        now=world.now,
    )  # fmt: skip
    assert commons.summary not in json.dumps(fetched(commons.slug), ensure_ascii=False)
    Commons.objects.filter(pk=commons.pk).update(
        state="archived", decided_by=world.users["claire"], decided_at=world.now, reason="x"
    )
    assert {plan["status"] for plan in fetched(commons.slug)["funding"]["plans"]} == {"inactive"}
    Commons.objects.filter(pk=commons.pk).update(state="hidden", appeal_to="a@example.org")
    assert Client().get(f"/commons/{commons.slug}/funding.json").status_code == 404
    assert Client().get("/.well-known/funding-manifest-urls").content == b""


PUBLICCODE = """
publiccodeYmlVersion: "0.4"
name: Cartolibre
url: "https://codeberg.org/carto/libre.git"
landingURL: "https://cartolibre.example.org"
releaseDate: 2026-01-01
description:
  en:
    shortDescription: >
      Maps that everybody
      can edit
    longDescription: Long.
  fr:
    shortDescription: Des cartes que chacun peut modifier
legal:
  license: AGPL-3.0-or-later
"""
FUNDING = {
    "version": "v1.1.0", "entity": {"name": "La Fabrique", "description": "We.", "webpageUrl": {"url": "https://f.org"}},
    "projects": [
        {"name": "Carto", "description": "Maps. " + "More of it. " * 40, "webpageUrl": {"url": "javascript:x"},
         "repositoryUrl": {"url": "https://codeberg.org/a/b"}, "licenses": ["spdx:MIT", "x"]},
    ],
}  # fmt: skip


def test_a_publiccode_is_read_in_the_language_of_the_reader() -> None:
    facts = {"name": "Cartolibre", "website": "https://cartolibre.example.org", "licence": "AGPL-3.0-or-later"}
    read = {one: read_project_file(PUBLICCODE.encode(), language=one) for one in ("en", "fr", "de")}
    assert read["en"] == read["de"] == Project(**facts, summary="Maps that everybody can edit")
    assert read["fr"] == Project(**facts, summary="Des cartes que chacun peut modifier")


def test_a_funding_json_is_read_by_its_first_project_or_who_asks() -> None:
    found = read_project_file(json.dumps(FUNDING).encode(), language="en")
    assert found == Project("Carto", "Maps.", "https://codeberg.org/a/b", "MIT")
    alone = read_project_file(json.dumps({**FUNDING, "projects": "none"}).encode(), language="en")
    assert alone == Project("La Fabrique", "We.", "https://f.org", "")


BOMB = "a: &a [x, x]\n" + "".join(f"{b}: &{b} [*{a}, *{a}]\n" for a, b in zip("abcdefgh", "bcdefghi", strict=True))


@pytest.mark.parametrize(
    "data",
    [
        b"", b"x", b"[]", b"{", b"{}", b"- a", b"name: x", b"\xff\xfe", b"\x00", b"name: [", b"a: b: c",
        BOMB.encode() + b"name: x\ndescription: {}", b"description: &x {}\nname: y", b"description: {<<: *x}\nname: y",
        b"name: " + b"[" * 60_000, b"[" * 60_000, b'{"projects":' + b"[" * 60_000, b"description: {}\nname: [1]",
        b"name: x\ndescription: {}\n" + b"- " * 30_000, b"description: {}\nname: \"\\u202e\\u200b\"", b"? [a]\n: b",
        b"name: x\ndescription: {}\nmore: [" + b"x," * 29_000 + b"]", b"--- a\n--- b",
    ],
)  # fmt: skip
def test_what_cannot_be_read_is_refused_at_once(data: bytes) -> None:
    began = time.process_time()
    with pytest.raises(Invalid) as refusal:
        read_project_file(data, language="en")
    assert (refusal.value.code, refusal.value.param) == ("project_file_unreadable", "file")
    assert time.process_time() - began < 3


def test_nothing_but_texts_is_made_of_a_file() -> None:
    hostile = b"name: !!python/object/apply:os.system ['touch /tmp/never']\ndescription: {}"
    with pytest.raises(Invalid):
        read_project_file(hostile, language="en")
    odd = b"name: !!python/name:os.system x\ndescription: {en: {shortDescription: 12}}\nurl: [1]\nlegal: none"
    assert read_project_file(odd, language="en") == Project("x", "12", "", "")
    with pytest.raises(Invalid) as refusal:
        read_project_file(b"#" * (MAX_BYTES + 1), language="en")
    assert refusal.value.code == "project_file_size"


def test_a_file_or_a_paste_fills_in_the_form_and_proposes_nothing(play: Play, sign_in: SignIn) -> None:
    world = play("make_house")
    browser, before = sign_in(world.users["bo"]), Commons.objects.count()
    assert "Begin with a file of the project" in text_of(browser.get("/en/proposed/new/"))
    upload = {"file": SimpleUploadedFile("publiccode.yml", PUBLICCODE.encode())}
    for sent in (upload, {"pasted": PUBLICCODE}):
        page = browser.post("/en/proposed/new/from-file/", sent)
        assert page.status_code == 200
        html = page.content.decode()
        for value in (
            "Cartolibre",
            "https://cartolibre.example.org",
            "AGPL-3.0-or-later",
            "Maps that everybody can edit",
        ):
            assert f'value="{value}"' in html
        assert re.search(r'<form[^>]+action="/en/proposed/new/"', html)
    assert Commons.objects.count() == before
    for sent, words in (
        ({}, "Choose a file, or paste"), ({"pasted": "x"}, "neither a publiccode.yml"),
        ({"file": SimpleUploadedFile("x.yml", b"#" * 70_000)}, "more than 64 kB"),
        ({"file": SimpleUploadedFile("x.yml", b"")}, "neither a publiccode.yml"),
    ):  # fmt: skip
        page = browser.post("/en/proposed/new/from-file/", sent)
        assert (page.status_code, words in text_of(page)) == (422, True), words
    evil = browser.post("/en/proposed/new/from-file/", {"pasted": "name: '\"><script>x</script>'\ndescription: {}"})
    assert "<script>x" not in evil.content.decode()
