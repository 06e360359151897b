"""Every code that the service may answer has its page, in both languages, at the address that `type` gives."""

import ast
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from django.test import Client
from django.utils.html import escape
from django.utils.translation import override

import backend
from backend.api.problems import CATALOGUE, title_of
from tests.api.conftest import refused, shown

BACKEND = Path(backend.__file__).parent
# The calls that name a code, and the place of the code among their arguments.
NAMING = {
    "Invalid": 0, "Forbidden": 0, "NotFound": 0, "Conflict": 0, "Refused": 0, "_refused": 0, "StatementFileError": 0,
    "wrong": 1, "fault": 2,
}  # fmt: skip
# Where a code is passed on that another call has named.
PASSING = {
    "backend/api/budgets.py", "backend/api/contributions.py", "backend/api/errors.py", "backend/api/fields.py",
    "backend/api/idempotency.py",
    "backend/api/pagination.py", "backend/api/preconditions.py",
    "backend/banking/answers.py", "backend/banking/layouts.py", "backend/banking/services.py",
    "backend/payments/operations.py",  # what is refused there is an operation, by the provider
}  # fmt: skip

# What a payment provider says no with is its own word, told in a sentence and never a code of ours.
PROVIDERS = "backend/payments/providers/"


def named_codes() -> Iterator[tuple[str, str | None]]:
    """(file, code) for each call that names one; None where it is not written there."""
    for path in sorted(BACKEND.rglob("*.py")):
        name = str(path.relative_to(BACKEND.parent))
        if name.startswith(PROVIDERS):
            continue
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in NAMING:
                place = NAMING[node.func.id]
                if len(node.args) > place:
                    code = node.args[place]
                    yield name, code.value if isinstance(code, ast.Constant) else None


def framework_codes() -> set[str]:
    """The codes that stand for the exceptions of the frameworks: a table in api/errors.py."""
    from backend.api import errors

    return {code for _kinds, code, _status, _message in errors._FRAMEWORK}


def test_every_code_of_the_source_is_in_the_catalogue() -> None:
    found = list(named_codes())
    written = {code for _name, code in found if code is not None}
    assert len(written) > 100
    assert sorted(written | framework_codes()) == sorted(CATALOGUE)
    assert {name for name, code in found if code is None} <= PASSING


def test_every_code_says_its_title_cause_and_remedy() -> None:
    for code, texts in CATALOGUE.items():
        assert code == code.lower().replace("-", "_")
        assert len(texts) == 3
        assert all(str(text).strip() for text in texts), code
        assert not str(texts[0]).endswith(".")
        assert str(texts[1]).endswith(".")
        assert str(texts[2]).endswith("."), code
    assert title_of("not_found", fallback="x") == str(CATALOGUE["not_found"][0])
    assert title_of("unheard_of", fallback="the sentence") == "the sentence"


def test_the_type_of_a_problem_leads_to_its_page_in_both_languages(play: Any, call: Any) -> None:
    bo = call(play("make_people").users["bo"])
    problem = refused(bo.get("nowhere"), 404, "not_found")
    address = problem["type"].removeprefix("http://localhost:8000")
    assert address == "/problems/not_found"
    for language in ["en", "fr"]:
        answer = Client().get(address, headers={"Accept-Language": language}, follow=True)
        assert answer.redirect_chain == [(f"/{language}/problems/not_found", 302)]
        page = answer.content.decode()
        assert answer.status_code == 200
        assert f'<html lang="{language}">' in page
        assert "<code>not_found</code>" in page
        assert page.count("<h1>") == 1
    english = Client().get("/en/problems/not_found").content.decode()
    with override("en"):
        assert all(escape(str(text)) in english for text in CATALOGUE["not_found"])


def test_every_page_of_the_catalogue_answers(db: None) -> None:
    reader = Client()
    index = reader.get("/en/problems/").content.decode()
    for code in CATALOGUE:
        assert f'href="/en/problems/{code}"' in index
        answer = reader.get(f"/fr/problems/{code}")
        assert answer.status_code == 200
        assert len(answer.content) < 20_000
    assert reader.get("/en/problems/unheard_of").status_code == 404
    assert reader.get("/problems/", follow=True).status_code == 200


def test_the_codes_of_faults_are_in_the_catalogue_too(play: Any, call: Any) -> None:
    bo = call(play("make_house").users["bo"])
    problem = shown(bo.post("contributions", {"minutes": "x", "kind": 1, "colour": 1, "worked_on": "x"}), 422)
    codes = {one["code"] for one in problem["errors"]}
    assert codes == {"wrong_type", "unknown_field", "missing_field", "not_a_day"}
    assert codes < set(CATALOGUE)
