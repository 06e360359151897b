"""The public log: its page, its files, and all of it checked by the offline program and by openssl."""

import json
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
from defusedxml import ElementTree as ET
from django.core.management import CommandError, call_command
from django.test import Client
from django.utils import timezone

from backend.events.models import Event, Untold
from backend.exports.verifiable import _lines
from backend.ledger.models import Block, JournalEntry, Seal, SealKey
from backend.ledger.services import keys, last_seal, leaf_text, seal_due
from backend.notifications.models import OutgoingMail
from backend.notifications.services import compose_due
from backend.operations import demo
from backend.operations.sweeps import SWEEPS
from backend.web.log_files import VERIFIER
from tests.ledger.books import book

Play = Callable[..., Any]
ATOM = "{http://www.w3.org/2005/Atom}"


def go_on(world: Any, after: str, last: str) -> None:
    """Play the steps of the demonstration that follow one, up to another included."""
    names = [act.__name__ for act in demo.STEPS]
    for act in demo.STEPS[names.index(after) + 1 : names.index(last) + 1]:
        act(world)


def body(answer: Any) -> bytes:
    """All bytes of an answer that is streamed or not."""
    return b"".join(answer.streaming_content) if answer.streaming else bytes(answer.content)


def got(browser: Client, address: str) -> bytes:
    """A file of the log, which must be there."""
    answer = browser.get(address)
    assert answer.status_code == 200, body(answer)
    return body(answer)


def problem(browser: Client, address: str, status: int, code: str) -> dict[str, Any]:
    """The refusal at an address, after checking what every refusal has."""
    answer = browser.get(address)
    assert (answer.status_code, answer["Content-Type"]) == (status, "application/problem+json")
    found: dict[str, Any] = json.loads(answer.content)
    assert (found["code"], found["status"]) == (code, status)
    assert found["type"] == f"http://localhost:8000/problems/{code}"
    assert found["detail"]
    assert answer["Cache-Control"] == "no-store"
    return found


def check(folder: Path, *words: str) -> tuple[int, str]:
    """Run the program that the log gives, alone: its exit code and what it said."""
    done = subprocess.run(
        [sys.executable, "-I", "tronc_verify.py", *words], cwd=folder, capture_output=True, text=True, check=False
    )
    return done.returncode, done.stdout + done.stderr


def test_an_empty_log_says_so(play: Play) -> None:
    play("make_house")
    page = got(Client(), "/en/log/").decode()
    assert "Nothing is sealed yet." in page
    assert "<pre>" not in page
    answer = Client().get("/log/checkpoint", headers={"Accept-Language": "fr"})
    assert (answer.status_code, answer["Content-Type"]) == (404, "text/plain; charset=utf-8")
    assert answer.content.decode().endswith("\n")
    assert json.loads(got(Client(), "/log/heads.json")) == {
        "format": "tronc-heads-1", "origin": "", "keys": [], "heads": [],
    }  # fmt: skip
    assert got(Client(), "/log/leaves.txt") == b""
    problem(Client(), "/log/entries/ent_1.json", 404, "entry_not_sealed")
    problem(Client(), "/log/consistency.json?from=1", 404, "head_not_found")


def test_the_page_says_what_the_log_holds_and_nothing_of_the_books(play: Play) -> None:
    world = play("receive")
    seal_due(timezone.now())
    go_on(world, "receive", "settle")
    seal_due(timezone.now())
    head, (key,) = last_seal(), keys()
    assert (head.block, head.position) == (Block.objects.count(), JournalEntry.objects.count())
    assert head.block > 1
    for language in ("en", "fr"):
        page = got(Client(), f"/{language}/log/").decode()
        for shown in [
            head.head,
            key["key_id"],
            'id="block-1"',
            f'id="block-{head.block}"',
            f"check/key-{key['key_id']}.pem",
        ]:
            assert shown in page
        assert not [text for text in ("95,00", "95.00", "Ana Ruiz", "ent_", "acc_") if text in page]
        assert "<script" not in page
    answer = Client().get(f"/log/?before={head.block}", headers={"Accept-Language": "fr"})
    assert (answer.status_code, answer["Location"]) == (302, f"/fr/log/?before={head.block}")
    older = got(Client(), f"/en/log/?before={head.block}").decode()
    assert ('id="block-1"' in older, f'id="block-{head.block}"' in older) == (True, False)
    for nonsense in ("x", "-1", "１", "9" * 40):
        assert Client().get("/en/log/", {"before": nonsense}).status_code == 404


def test_long_lists_of_heads_are_cut(play: Play) -> None:
    play("receive")
    for number in range(60 - Block.objects.count()):
        book(number, 1, now=timezone.now())
        seal_due(timezone.now())
    seen: list[int] = []
    address = "/en/log/"
    while address:
        page = got(Client(), address).decode()
        seen += [int(number) for number in re.findall(r'id="block-(\d+)"', page)]
        following = re.search(r'href="(/en/log/\?before=\d+)" rel="next"', page)
        address = following.group(1) if following else ""
    assert seen == list(range(60, 0, -1))
    assert len(ET.fromstring(got(Client(), "/log/feed.atom")).findall(f"{ATOM}entry")) == 50


def test_the_files_and_who_may_read_what(play: Play, sign_in: Any) -> None:
    world = play("receive")
    seal_due(timezone.now())
    small = last_seal()
    go_on(world, "receive", "settle")
    seal_due(timezone.now())
    large = last_seal()
    note = got(Client(), "/log/checkpoint").decode()
    assert note == Block.objects.latest("number").note
    assert note.splitlines()[:2] == ["localhost:8000/log", str(large.position)]
    heads = json.loads(got(Client(), "/log/heads.json"))
    assert [head["block"] for head in heads["heads"]] == list(range(1, large.block + 1))
    assert heads["heads"][-1]["root"] == large.head
    assert heads["keys"] == keys()
    assert [head["block"] for head in json.loads(got(Client(), "/log/heads.json?after=1"))["heads"]] == list(
        range(2, large.block + 1)
    )
    every = got(Client(), "/log/leaves.txt").decode().split()
    assert every == [bytes(seal.leaf).hex() for seal in Seal.objects.order_by("position")]
    part = Client().get("/log/leaves.txt?first=2&count=2")
    assert (body(part).decode().split(), part["Cache-Control"]) == (every[1:3], "public, max-age=31536000, immutable")
    beyond = Client().get(f"/log/leaves.txt?first={len(every)}&count=2")
    assert (body(beyond).decode().split(), beyond["Cache-Control"]) == (every[-1:], "public, max-age=30")

    seal = Seal.objects.get(position=2)
    address = f"/log/entries/{seal.entry_id}.json"
    proof = json.loads(got(Client(), address))
    assert (proof["entry"], proof["position"], proof["size"]) == (seal.entry_id, 2, large.position)
    assert "content" not in proof
    older = json.loads(got(Client(), f"{address}?size={small.position}"))
    assert (older["size"], older["root"]) == (small.position, small.head)
    inside = sign_in(world.users["claire"]).get(address)
    assert inside["Cache-Control"] == "no-store, private"
    assert json.loads(inside.content) == proof | {"content": leaf_text(seal.entry_id)}
    assert json.loads(got(sign_in(world.users["bo"]), address)) == proof

    step = json.loads(got(Client(), f"/log/consistency.json?from={small.position}&to={large.position}"))
    assert (step["from_root"], step["to_root"]) == (small.head, large.head)
    refusal = problem(Client(), "/log/consistency.json", 422, "size_missing")
    assert refusal["errors"][0]["parameter"] == "from"
    for address in ("heads.json?after=x", "leaves.txt?first=0", "leaves.txt?count=1e3", "consistency.json?from=0"):
        problem(Client(), f"/log/{address}", 422, "parameter_invalid")
    problem(Client(), f"/log/consistency.json?from={large.position}&to={small.position}", 404, "head_not_found")
    problem(Client(), "/log/journal.jsonl", 403, "not_allowed")
    problem(sign_in(world.users["bo"]), "/log/journal.jsonl", 403, "not_allowed")
    assert not Event.objects.filter(kind="books.exported").exists()
    assert Client().post("/log/heads.json").status_code == 405


def test_the_feed_gives_each_head_word_for_word(play: Play) -> None:
    world = play("receive")
    seal_due(timezone.now())
    go_on(world, "receive", "settle")
    seal_due(timezone.now())
    answer = Client().get("/log/feed.atom", headers={"Accept-Language": "en"})
    assert answer["Content-Type"].startswith("application/atom+xml")
    feed = ET.fromstring(answer.content)
    entries = feed.findall(f"{ATOM}entry")
    assert [one.findtext(f"{ATOM}title") for one in entries] == [
        f"Block {block.number}: {block.size} entries" for block in Block.objects.order_by("-number")
    ]
    for one, block in zip(entries, Block.objects.order_by("-number"), strict=True):
        assert f"<pre>{block.note}</pre>" == one.findtext(f"{ATOM}summary")
        assert one.findtext(f"{ATOM}id") == f"http://localhost:8000/log/#block-{block.number}"
        written = datetime.fromisoformat(str(one.findtext(f"{ATOM}updated")))
        assert written == block.sealed_at
        link = one.find(f"{ATOM}link")
        assert link is not None
        assert f'id="block-{block.number}"' in got(Client(), link.attrib["href"].replace("/log/", "/en/log/")).decode()


def test_all_of_it_is_accepted_by_the_offline_program_and_by_openssl(play: Play, sign_in: Any, tmp_path: Path) -> None:
    world = play("receive")
    seal_due(timezone.now())
    reader, treasurer = Client(), sign_in(world.users["claire"])
    (tmp_path / "old.json").write_bytes(got(reader, "/log/heads.json"))
    small = last_seal().position
    go_on(world, "receive", "approve_distribution")
    seal_due(timezone.now())
    call_command("rotate_seal_key")
    go_on(world, "approve_distribution", "settle")
    seal_due(timezone.now())
    first, second = (key["key_id"] for key in keys())

    entry = Seal.objects.get(position=2).entry_id
    files = {
        "tronc_verify.py": got(reader, "/log/tronc_verify.py"),
        "heads.json": got(reader, "/log/heads.json"),
        "head.txt": got(reader, "/log/checkpoint"),
        "leaves.txt": got(reader, "/log/leaves.txt"),
        "journal.jsonl": got(treasurer, "/log/journal.jsonl"),
        "proof.json": got(reader, f"/log/entries/{entry}.json"),
        "with.json": got(treasurer, f"/log/entries/{entry}.json"),
        "consistency.json": got(reader, f"/log/consistency.json?from={small}"),
    }
    for name, data in files.items():
        (tmp_path / name).write_bytes(data)
    assert files["tronc_verify.py"] == VERIFIER.read_bytes()
    assert Event.objects.get(kind="books.exported").data["format"] == "verifiable"
    journal = ("journal", "journal.jsonl", "--heads", "heads.json", "--leaves", "leaves.txt")
    for words in (
        journal,
        ("heads", "heads.json", "--older", "old.json", "--journal", "journal.jsonl"),
        ("proof", "proof.json", "--heads", "heads.json"),
        ("proof", "with.json", "--heads", "heads.json"),
        ("consistency", "consistency.json", "--heads", "heads.json"),
    ):
        code, said = check(tmp_path, *words)
        assert code == 0, (words, said)
        assert "Nothing is wrong." in said

    openssl = shutil.which("openssl")
    assert openssl, "the signature is checked with openssl 3"
    code, said = check(tmp_path, "heads", "heads.json", "--out", "check")
    lines = re.findall(r"^\s*(openssl pkeyutl .*)$", said, flags=re.MULTILINE)
    assert (code, len(lines)) == (0, 2), said  # the last head by the second key, the second key by the first
    assert (first in "".join(lines), second in "".join(lines)) == (True, True)
    for line in lines:
        done = subprocess.run(line.split(), cwd=tmp_path, capture_output=True, text=True, check=False)
        assert "Signature Verified Successfully" in done.stdout + done.stderr, line
    page = got(reader, "/en/log/").decode()
    shown = re.search(r"openssl pkey [^<|]*", page)
    assert shown
    assert check(tmp_path, "head", "head.txt", "--heads", "heads.json", "--out", "check")[0] == 0
    der = subprocess.run(shown.group().split(), cwd=tmp_path, capture_output=True, check=True).stdout
    digest = subprocess.run([openssl, "sha256"], input=der, capture_output=True, check=True).stdout.decode()
    assert digest.split()[-1] in page

    note = tmp_path / "check" / "note.txt"
    note.write_text(note.read_text(encoding="utf-8").replace("\nblock ", "\nblock 1"), encoding="utf-8")
    line = next(one for one in re.findall(r"openssl pkeyutl [^<]*", page) if second in one)
    assert subprocess.run(line.split(), cwd=tmp_path, capture_output=True, check=False).returncode != 0

    lines = files["journal.jsonl"].decode().splitlines(keepends=True)
    altered = json.loads(lines[3])
    altered["lines"][0][2] += 100
    altered["lines"][1][2] -= 100
    (tmp_path / "journal.jsonl").write_text(
        "".join([*lines[:3], json.dumps(altered) + "\n", *lines[4:]]), encoding="utf-8"
    )
    code, said = check(tmp_path, *journal)
    assert code == 1
    assert f"Position 3, entry {altered['id']}: it is not what was sealed" in said


def test_the_journal_ends_where_its_first_line_says(play: Play) -> None:
    play("settle")
    size = last_seal().position
    lines = [json.loads(line) for line in "".join(_lines(size - 1, "here")).splitlines()]
    assert lines[0] == {"format": "tronc-journal-1", "origin": "here", "first": 1, "size": size - 1}
    assert [line["position"] for line in lines[1:]] == list(range(1, size))


def test_a_lost_key_is_said_plainly(play: Play, settings: Any, tmp_path: Path) -> None:
    settings.SEAL_KEYS = str(tmp_path / "keys")
    world = play("receive")
    seal_due(timezone.now())
    (first,) = SealKey.objects.all()
    with pytest.raises(CommandError, match=r"The key is not lost: .* Nothing was changed\.$"):
        call_command("rotate_seal_key", lost=True)
    (tmp_path / "keys" / f"{first.pk}.pem").unlink()
    with pytest.raises(CommandError, match=r"cannot be read: .*rotate_seal_key --lost`\. Nothing was changed\.$"):
        call_command("rotate_seal_key")
    assert SealKey.objects.count() == 1
    call_command("rotate_seal_key", lost=True)
    second = SealKey.objects.get(endorsed_by=first)
    page = got(Client(), "/en/log/").decode()
    assert f"Nobody: the key {first.pk} was lost." in page
    assert page.index(second.pk) < page.index('<span class="tag no">lost key</span>')
    # The last head is still of the first key: the line names the key that signed it.
    assert f"check/key-{first.pk}.pem -rawin" in page
    go_on(world, "receive", "settle")
    seal_due(timezone.now())
    assert {block.key for block in Block.objects.all()} == {first, second}
    assert Block.objects.latest("number").key == second


def test_heads_send_no_mail_and_receipts_bear_them(play: Play, sign_in: Any) -> None:
    world = play("receive")
    book("more", 1, now=timezone.now())
    compose_due(timezone.now())
    before = OutgoingMail.objects.count()
    assert seal_due(timezone.now()) == 1
    assert Event.objects.filter(kind="log.head_signed").count() == Block.objects.count()
    compose_due(timezone.now())
    assert OutgoingMail.objects.count() == before
    assert not Untold.objects.exists()

    head = last_seal()
    line = f"block {head.block}, {head.position} entries, root <code>{head.head[:16]}</code>"
    assert line in got(sign_in(world.users["ana"]), f"/en/pledges/{world.pledge.pk}/").decode()
    go_on(world, "receive", "settle")
    compose_due(timezone.now())
    roots = {bytes(block.root).hex()[:16] for block in Block.objects.filter(number__gte=head.block)}
    letters = OutgoingMail.objects.filter(event__kind="payout.settled").values_list("body", flat=True)
    assert len(letters) == 2
    for letter in letters:
        assert set(re.findall(r"\b[0-9a-f]{16}\b", letter)) <= roots
        assert re.search(r"\b[0-9a-f]{16}\b.* http://localhost:8000/(fr|en)/log/", letter)
    head = last_seal()
    page = got(sign_in(world.users["claire"]), f"/en/payouts/{world.batch.pk}/").decode()
    assert f"block {head.block}, {head.position} entries, root <code>{head.head[:16]}</code>" in page


def test_without_a_head_receipts_say_nothing_of_it(play: Play, sign_in: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(SWEEPS, "ledger.seal", lambda now: 0)
    world = play("receive")
    assert last_seal().position == 0
    page = got(sign_in(world.users["ana"]), f"/en/pledges/{world.pledge.pk}/").decode()
    assert "Payments received" in page
    assert "The books at this moment" not in page
