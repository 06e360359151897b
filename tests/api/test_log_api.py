"""`/v1/log/…`: heads in pages, keys, proofs that the offline rules accept, and what each reader gets."""

import base64
from typing import Any

import pytest
from django.utils import timezone

from backend.ledger import merkle
from backend.ledger.models import Seal
from backend.ledger.services import heads, keys, leaf_text, seal_due
from backend.operations.sweeps import SWEEPS
from tests.api.conftest import refused, shown
from tests.ledger.books import book


@pytest.fixture
def log(play: Any, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Three heads, of 2, 3 and 6 entries or so."""
    monkeypatch.setitem(SWEEPS, "ledger.seal", lambda now: 0)
    world = play("receive")
    for count in (0, 1, 3):
        for number in range(count):
            book(f"{count}-{number}", 1, now=timezone.now())
        assert seal_due(timezone.now()) >= 1
    return world


def test_an_empty_log(play: Any, call: Any) -> None:
    bo = call(play("make_house").users["bo"])
    assert shown(bo.get("log/heads"), 200) == {"data": [], "has_more": False, "next_cursor": None}
    assert shown(bo.get("log/keys"), 200) == {"data": []}
    refused(bo.get("log/heads/latest"), 404, "head_not_found")
    refused(bo.get("log/consistency?from=1"), 404, "head_not_found")


def test_heads_come_newest_first_in_pages(log: Any, call: Any) -> None:
    bo = call(log.users["bo"])
    newest = heads()[::-1]
    assert len(newest) == 3
    assert shown(bo.get("log/heads"), 200) == {"data": newest, "has_more": False, "next_cursor": None}
    assert shown(bo.get("log/heads/latest"), 200) == newest[0]
    first = bo.get("log/heads?limit=2")
    page = shown(first, 200)
    assert (page["data"], page["has_more"]) == (newest[:2], True)
    assert first["Link"] == f'<http://localhost:8000/v1/log/heads?limit=2&cursor={page["next_cursor"]}>; rel="next"'
    rest = shown(bo.get(f"log/heads?limit=2&cursor={page['next_cursor']}"), 200)
    assert rest == {"data": newest[2:], "has_more": False, "next_cursor": None}
    for cursor in ("x", "é", base64.urlsafe_b64encode(b"0").decode(), base64.urlsafe_b64encode(b"ctr_1").decode()):
        problem = refused(bo.get(f"log/heads?cursor={cursor}"), 400, "parameter_invalid")
        assert problem["errors"][0]["parameter"] == "cursor"
    refused(bo.get("log/heads?limit=101"), 400, "parameter_invalid")
    assert shown(bo.get("log/keys"), 200) == {"data": keys()}


def test_a_proof_leads_to_the_root_and_only_readers_of_the_books_get_the_content(log: Any, call: Any) -> None:
    bo, claire = call(log.users["bo"]), call(log.users["claire"])
    seal = Seal.objects.get(position=2)
    address = f"log/entries/{seal.entry_id}/proof"
    for head in heads():
        proof = shown(bo.get(f"{address}?size={head['size']}"), 200)
        path = [bytes.fromhex(step) for step in proof["path"]]
        root = bytes.fromhex(head["root"])
        assert merkle.verify_inclusion(bytes(seal.leaf), 1, head["size"], path, root)
        assert (proof["root"], proof["head"], proof["leaf"]) == (head["root"], head["note"], bytes(seal.leaf).hex())
    last = shown(bo.get(address), 200)
    assert (last["size"], "content" in last) == (heads()[-1]["size"], False)
    assert shown(claire.get(address), 200) == last | {"content": leaf_text(seal.entry_id)}
    assert shown(call(log.users["claire"], ["log:read"]).get(address), 200) == last
    refused(bo.get(f"{address}?size=1000"), 404, "head_not_found")
    refused(bo.get(f"{address}?size=0"), 400, "parameter_invalid")
    refused(bo.get("log/entries/ent_" + "0" * 36 + "/proof"), 404, "entry_not_sealed")
    waiting = book("not yet", 1, now=timezone.now())
    refused(bo.get(f"log/entries/{waiting.pk}/proof"), 404, "entry_not_sealed")


def test_one_head_continues_another(log: Any, call: Any) -> None:
    bo = call(log.users["bo"])
    sizes = [head["size"] for head in heads()]
    for place, old in enumerate(sizes):
        for new in sizes[place:]:
            step = shown(bo.get(f"log/consistency?from={old}&to={new}"), 200)
            path = [bytes.fromhex(one) for one in step["path"]]
            roots = (bytes.fromhex(step["from_root"]), bytes.fromhex(step["to_root"]))
            assert merkle.verify_consistency(old, new, path, *roots)
    assert shown(bo.get(f"log/consistency?from={sizes[0]}"), 200)["to"] == sizes[-1]
    refused(bo.get(f"log/consistency?from={sizes[-1]}&to={sizes[0]}"), 404, "head_not_found")
    problem = refused(bo.get("log/consistency"), 422, "size_missing")
    assert problem["errors"][0]["parameter"] == "from"
    refused(bo.get("log/consistency?from=x"), 400, "parameter_invalid")


def test_what_a_page_of_heads_costs(log: Any, call: Any, django_assert_num_queries: Any) -> None:
    bo = call(log.users["bo"])
    shown(bo.get("log/heads"), 200)
    with django_assert_num_queries(3):  # token, limit, heads
        shown(bo.get("log/heads"), 200)
