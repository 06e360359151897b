"""The reference says what the API does: every address, every field and parameter, answers of the same shape."""

import re
from typing import Any

from django.utils import timezone

from backend.api import budgets, distributions, events, ledger, log, me, payments, pledges, shares
from backend.api.auth import ANY_SCOPE
from backend.api.contributions import BATCH, BODY, CHANGES, EXPANDING, FILTERS, WAIVER
from backend.api.pagination import PAGING
from backend.api.reviews import ANSWER, OBJECTION, OPINION, QUESTION, REVIEW
from backend.ledger.models import Seal
from backend.ledger.services import last_seal, seal_due
from backend.operations.demo import sweep
from tests.api.conftest import refused, shown, work
from tests.api.documents import API_DOCS, blocks, load, same_shape
from tests.api.test_requests import ID, SCOPES
from tests.payments.provider import FakeProvider, fake_provider

__all__ = ["fake_provider"]

# (method, address) → the names its table must list
NAMES: dict[tuple[str, str], set[str]] = {
    ("GET", "commons"): set(PAGING),
    ("GET", "statement"): set(me.STATEMENT),
    ("GET", "events"): set(events.FEED),
    ("GET", "budgets"): set(budgets.BUDGETS),
    ("GET", "budgets/{budget}/periods"): set(budgets.PERIODS),
    ("GET", "budgets/{budget}/estimate"): set(budgets.ESTIMATE),
    ("GET", "shares"): set(shares.FILTERS),
    ("GET", "budgets/{budget}/charters"): set(PAGING),
    ("GET", "pledges"): set(PAGING),
    ("POST", "pledges"): set(pledges.BODY),
    ("POST", "pledges/{pledge}/changes"): set(pledges.CHANGES),
    ("POST", "pledges/{pledge}/payments"): set(payments.BODY),
    ("GET", "pledges/{pledge}/payments"): set(PAGING),
    ("POST", "pledges/{pledge}/pause"): set(pledges.PAUSE),
    ("GET", "contributions"): set(FILTERS),
    ("POST", "contributions"): set(BODY),
    ("GET", "contributions/{contribution}"): set(EXPANDING),
    ("PATCH", "contributions/{contribution}"): set(CHANGES),
    ("POST", "contributions/batch"): set(BATCH),
    ("POST", "contributions/{contribution}/waiver"): set(WAIVER),
    ("POST", "contributions/{contribution}/questions"): set(QUESTION),
    ("POST", "contributions/{contribution}/questions/{question}/answer"): set(ANSWER),
    ("POST", "contributions/{contribution}/objections"): set(OBJECTION),
    ("POST", "contributions/{contribution}/objections/{objection}/opinions"): set(OPINION),
    ("POST", "contributions/{contribution}/reviews"): set(REVIEW),
    ("POST", "shares/{share}/waivers"): set(shares.WAIVER),
    ("POST", "distributions/{distribution}/objections"): set(distributions.OBJECTION),
    ("GET", "log/heads"): set(log.PAGES),
    ("GET", "log/entries/{entry}/proof"): set(log.SIZE),
    ("GET", "log/consistency"): set(log.SIZES),
    ("GET", "trial-balance"): {"on"},
    ("GET", "purses"): set(ledger.FILTERS),
    ("GET", "purses/{kind}/{owner}/{currency}/postings"): set(ledger.POSTINGS),
}
# who asks for what in the examples
WHO = {
    "log/": "bo", "pledges": "ana", "answer": "bo", "lifting": "camille", "opinions": "sacha", "questions": "sacha",
    "objections": "camille", "reviews": "sacha", "closure": "claire", "trial": "claire", "purses": "claire",
    "entries": "claire",
}  # fmt: skip


PAGES = [
    "me", "commons", "budgets", "charters", "pledges", "contributions", "periods", "distributions", "shares", "log",
    "ledger",
]  # fmt: skip


def sections() -> list[tuple[str, str, str]]:
    """(method, address under /v1/, text) of each section of the reference, page after page."""
    found = []
    for name in PAGES:
        text = (API_DOCS / "reference" / f"{name}.md").read_text(encoding="utf-8")
        for part in re.split(r"^## ", text, flags=re.MULTILINE)[1:]:
            heading = re.match(r"`(GET|POST|PATCH|DELETE) /v1/([^`]+)`\n", part)
            assert heading, part[:60]
            found.append((heading.group(1), heading.group(2), part))
    return found


def filled(text: str, places: dict[str, str]) -> str:
    """The text with its `{places}` filled."""
    for place, value in places.items():
        text = text.replace(place, value)
    return text


def declared(caller: Any, world: Any) -> str:
    """The id of work that waits for its review."""
    return str(shown(caller.post("contributions", work(world)), 201)["id"])


def leaf_entry() -> str:
    """The id of an entry of the log."""
    return str(Seal.objects.values_list("entry_id", flat=True)[0])


def test_the_reference_has_every_address_and_no_other() -> None:
    written = {(method, re.sub(r"\{[a-z]+\}", "{}", path)) for method, path, _text in sections()}
    served = {
        (method.upper(), re.sub(rf"[a-z]{{3}}_{ID}|(?<=^purses/)[a-z]+|EUR", "{}", path))
        for path, scopes in SCOPES.items()
        for method in scopes
    }
    assert written == served


def test_the_tables_name_every_field_and_parameter() -> None:
    for method, path, text in sections():
        assert set(re.findall(r"^\| `([a-z_]+)` \|", text, re.MULTILINE)) == NAMES.get((method, path), set()), path


def test_the_answers_of_the_reference_have_the_shape_of_the_real_ones(
    play: Any, call: Any, fake_provider: FakeProvider
) -> None:
    world = play("receive")
    callers = {name: call(world.users[name]) for name in ["ana", "bo", "sacha", "claire", "camille"]}
    places = {
        "{budget}": world.budget.pk,
        "{organisation}": world.organisation.pk,
        "{commons}": world.commons.pk,
        "{pledge}": world.pledge.pk,
        "{period}": world.period.pk,
        "{kind}": "budget",
        "{owner}": world.budget.pk,
        "{currency}": "EUR",
        "{today}": world.today.isoformat(),
    }
    count = 0
    for method, path, text in sections():
        if path == "distributions/{distribution}":
            sweep(timezone.now())
        if path == "log/heads":
            seal_due(timezone.now())
            places["{entry}"] = leaf_entry()
        who = callers[next((WHO[word] for word in WHO if word in path), "bo")]
        examples = dict(blocks(text))
        body = examples.pop("json request", None)
        if method in {"PATCH", "DELETE"} or path.endswith("declaration"):  # see test_amending.py
            assert not examples
            count += 1
            continue
        if path.startswith("contributions") and path.endswith(
            "objections"
        ):  # another one: what was validated is objected to no more
            places["{contribution}"] = declared(callers["bo"], world)
        if path.endswith("questions"):
            places["{contribution}"] = declared(callers["bo"], world)
        if path.endswith("opinions"):
            who_objects = callers["camille"].post(
                f"contributions/{places['{contribution}']}/objections", {"reason": "no"}
            )
            places["{objection}"] = shown(who_objects, 201)["objections"][-1]["id"]
        address = filled(path, places) + (f"?from={last_seal().position}" if path == "log/consistency" else "")
        answer = (
            who.get(address) if method == "GET" else who.post(address, load(filled(body, places)) if body else None)
        )
        if path.startswith("contributions") and not examples:
            real = shown(answer, 201)
            kept = shown(callers["bo"].get(f"contributions/{places['{contribution}']}"), 200)
            assert real == kept or set(real) == {"data"}
        elif path.endswith("waivers"):  # its distribution is not approved: see test_objecting.py
            refused(answer, 409, "share_not_waivable")
        elif path.startswith("distributions") and not examples:
            real = shown(answer, 201)
            assert real == shown(who.get(f"distributions/{places['{distribution}']}"), 200)
        else:
            ((kind, example),) = examples.items()
            real = shown(answer, int(kind.removeprefix("json ")))
            same_shape(load(example), real, f"{method} {path}")
        for said in ("question", "objection"):
            if path.endswith(f"{said}s"):
                places["{" + said + "}"] = real[f"{said}s"][-1]["id"]
        if path == "pledges" and method == "POST":
            places["{pledge}"] = real["id"]  # that of the world is paid: nothing of it changes any more
        if path.endswith("/payments") and method == "POST":
            places["{payment}"] = real["id"]
        if path == "shares":
            places["{share}"] = next(one["id"] for one in real["data"] if one["contributor"]["name"] == "Bo Nguyen")
        if path == "contributions" and method == "POST":
            places["{contribution}"] = real["id"]
        if path.endswith("closure"):
            places["{distribution}"] = real["id"]
        if path == "distributions/{distribution}":
            places["{digest}"] = real["digest"]
        count += 1
    assert count == sum(len(scopes) for scopes in SCOPES.values())


def test_the_refusal_of_the_reference_is_a_real_one(play: Any, call: Any) -> None:
    world = play("make_house")
    ((_kind, example),) = [one for one in blocks((API_DOCS / "reference.md").read_text("utf-8")) if one[0] == "json"]
    real = refused(call(world.users["bo"]).post("contributions", work(world, minutes="90")), 422, "invalid_fields")
    written = load(example)
    same_shape(written, real)
    assert {**written, "type": "", "request_id": ""} == {**real, "type": "", "request_id": ""}


def test_the_scopes_of_the_reference_are_those_that_are_asked() -> None:
    text = (API_DOCS / "reference.md").read_text(encoding="utf-8")
    assert set(re.findall(r"^\| `([a-z]+(?::[a-z]+)?)` \| (?!rows|`next)", text, re.MULTILINE)) == {
        scope for scopes in SCOPES.values() for scope in scopes.values()
    } - {ANY_SCOPE}
