"""The offline verifier on heads, keys and signatures."""

import shlex
import shutil
import subprocess
from collections.abc import Callable
from typing import Any

import pytest
from cryptography.hazmat.primitives.serialization import load_pem_public_key

from backend.ledger import merkle
from tests.verify import books as made
from tests.verify.books import (
    KEYS,
    ORIGIN,
    ROOTS,
    ZERO,
    Books,
    findings,
    head,
    key_row,
    run,
)

FIRST, ID = (made.key_id(key).hex() for key in KEYS)


def fork(books: Books) -> None:
    books.heads.insert(2, head(3, 12, bytes(32)))
    books.heads[3] = head(4, 20, merkle.root(books.leaves), KEYS[1])


def replace_last(
    size: int, block: int = 3, root: bytes | None = None, said: dict[str, Any] | None = None
) -> Callable[[Books], None]:
    def change(books: Books) -> None:
        right = merkle.root(books.leaves[:size]) if root is None else root
        books.heads[2] = {**head(block, size, right, KEYS[1]), **(said or {})}

    return change


def other_key(books: Books) -> None:
    books.heads[2] = head(3, 20, merkle.root(books.leaves), made.Ed25519PrivateKey.from_private_bytes(bytes(32)))


def other_origin(books: Books) -> None:
    books.heads[2] = head(3, 20, merkle.root(books.leaves), KEYS[1], origin="elsewhere")


def false_key_id(books: Books) -> None:
    books.keys[1]["public_key"] = books.keys[0]["public_key"]
    books.keys[1]["endorsed_text"] = books.keys[0]["public_key"]


def unsigned_key(books: Books) -> None:
    books.keys[1] = key_row(KEYS[1])


def key_signed_for_another(books: Books) -> None:
    books.keys[1]["endorsed_text"] = "another"


def key_twice(books: Books) -> None:
    books.keys.append(key_row(KEYS[1], by=KEYS[0]))


STRANGER = made.key_id(made.Ed25519PrivateKey.from_private_bytes(bytes(32))).hex()
ELSEWHERE = made.key_id(KEYS[1], "elsewhere").hex()
NOT_SAID = "Block 3: the file does not say what the signed note says."
UNKNOWN = f"Block 3: its note is not of {ORIGIN}, or signed by a key that is not in the file ({{}})."
HEADS: list[tuple[Callable[[Books], None], list[str]]] = [
    (fork, ["Forked heads: blocks 2 and 3 hold 12 entries with two roots, {root12} and " + ZERO + "."]),
    (
        replace_last(12, block=2, root=bytes(32)),
        [
            "Forked heads: block 2 stands twice, with two contents.",
            "Forked heads: blocks 2 and 2 hold 12 entries with two roots, {root12} and " + ZERO + ".",
        ],
    ),
    (replace_last(11), ["Block 3 holds 11 entries, fewer than the 12 of the block before."]),
    (replace_last(20, block=4), ["Block 4 follows block 2."]),
    (replace_last(20, said={"size": 19}), [NOT_SAID]),
    (replace_last(20, said={"sealed_at": "2026-11-21T13:00:01Z"}), [NOT_SAID]),
    (lambda books: books.heads[2].update(root=ZERO), [NOT_SAID]),
    (lambda books: books.heads[2].update(block=7), ["Block 7: the file does not say what the signed note says."]),
    (other_key, [UNKNOWN.format(STRANGER)]),
    (other_origin, [UNKNOWN.format(ELSEWHERE)]),
    (lambda books: books.heads.pop(0), ["The first head is block 2, not block 1."]),
    (false_key_id, [f"Key {ID}: its id is not that of its public key.", f"Key {ID}: its PEM text is another key."]),
    (lambda books: books.keys[1].update(pem=books.keys[0]["pem"]), [f"Key {ID}: its PEM text is another key."]),
    (unsigned_key, [f"Key {ID}: no key before it has signed it."]),
    (lambda books: books.keys[0].update(endorsed_by=ID), [f"Key {FIRST}: no key before it has signed it."]),
    (key_signed_for_another, [f"Key {ID}: the text that key {FIRST} signed does not name it."]),
    (key_twice, [f"Key {ID} stands twice."]),
]  # fmt: skip


@pytest.mark.parametrize(("alter", "expected"), HEADS)
def test_false_heads_and_keys_are_named(books: Books, alter: Callable[[Books], None], expected: list[str]) -> None:
    root = merkle.root(books.leaves[:12]).hex()
    alter(books)
    books.write()
    assert findings(books, "heads", "heads.json") == [line.format(root12=root) for line in expected]


def test_a_time_that_goes_back_is_named(books: Books) -> None:
    for name in ("note", "sealed_at"):
        books.heads[0][name] = books.heads[0][name].replace("T11:", "T23:")
    books.write()
    assert findings(books, "heads", "heads.json") == ["Block 2 is older than the block before."]


def test_a_forked_head_is_told_from_the_true_one_by_the_journal(books: Books) -> None:
    fork(books)
    books.write()
    found = findings(books, *ROOTS)
    assert found[1:] == ["Forked head: block 3 (12 entries) is not of journal.jsonl, and one of that size or above is."]
    assert findings(books, "heads", "heads.json", "--journal", "journal.jsonl") == found


@pytest.mark.parametrize(
    ("alter", "expected"),
    [
        (lambda books: books.heads.pop(), ["Block 3 was published before and is gone."]),
        (
            replace_last(19),
            ["Block 3 holds 19 entries, and held 20 when it was published."],
        ),
        (
            replace_last(20, root=bytes(32)),
            [
                "Forked heads: block 3 is not what was published before.",
                "Forked heads: blocks 3 and 3 hold 20 entries with two roots, {root20} and " + ZERO + ".",
            ],
        ),
        (
            lambda books: books.keys.pop(),
            [UNKNOWN.format(ID), f"Key {ID} was published before and is gone."],
        ),
    ],
)
def test_what_was_published_before_is_kept(books: Books, alter: Callable[[Books], None], expected: list[str]) -> None:
    shutil.copy(books.folder / "heads.json", books.folder / "old-heads.json")
    against = ("heads", "heads.json", "--older", "old-heads.json")
    assert "Nothing is wrong." in run(books, *against, expect=0)
    root = merkle.root(books.leaves).hex()
    alter(books)
    books.write()
    assert findings(books, *against) == [line.format(root20=root) for line in expected]


def openssl_lines(said: str) -> list[list[str]]:
    return [shlex.split(line) for line in said.splitlines() if line.startswith("openssl ")]


def test_the_files_for_openssl_are_those_that_were_signed(books: Books) -> None:
    (books.folder / "note").write_text(books.heads[2]["note"])
    folder = "a folder"
    said = run(books, "head", "note", "--heads", "heads.json", "--out", folder, expect=0)
    assert f"Signed by {ORIGIN}, key {ID}." in said
    (words,) = openssl_lines(said)
    assert words == [
        "openssl", "pkeyutl", "-verify", "-pubin", "-inkey", f"{folder}/key-{ID}.pem", "-rawin", "-in",
        f"{folder}/note.txt", "-sigfile", f"{folder}/note.sig",
    ]  # fmt: skip
    key, note, signature = ((books.folder / words[at]).read_bytes() for at in (5, 8, 10))
    load_pem_public_key(key).verify(signature, note)  # type: ignore[union-attr, call-arg, arg-type]
    assert note.decode() + "\n" == books.heads[2]["note"].partition("—")[0]
    alone = run(books, "head", "note", "--out", "alone", expect=0)
    assert "The key is not written" in alone
    assert sorted(path.name for path in (books.folder / "alone").iterdir()) == ["note.sig", "note.txt"]
    assert "With --out FOLDER" in run(books, "head", "note", expect=0)


@pytest.mark.parametrize("command", [("head", "note"), ("proof", "proof.json"), ("heads",)])
def test_openssl_accepts_the_true_signatures_and_refuses_others(books: Books, command: tuple[str, ...]) -> None:
    (books.folder / "note").write_text(books.heads[2]["note"])
    books.put("proof.json", books.proof(7, 20, 3))
    more = ("heads.json",) if command == ("heads",) else ("--heads", "heads.json")
    lines = openssl_lines(run(books, *command, *more, "--out", "out", expect=0))
    assert len(lines) == (2 if command == ("heads",) else 1)
    for words in lines:
        done = subprocess.run(words, cwd=books.folder, capture_output=True, text=True, check=False)
        assert (done.returncode, done.stdout.strip()) == (0, "Signature Verified Successfully"), done.stderr
        signed = books.folder / words[8]
        signed.write_bytes(signed.read_bytes().replace(b"1", b"2"))
        assert subprocess.run(words, cwd=books.folder, capture_output=True, check=False).returncode == 1


def test_a_head_of_an_unknown_key_is_said(books: Books) -> None:
    other = head(3, 20, merkle.root(books.leaves), made.Ed25519PrivateKey.from_private_bytes(bytes(32)))
    (books.folder / "note").write_text(other["note"])
    assert findings(books, "head", "note", "--heads", "heads.json") == [f"Key {STRANGER} is not in heads.json."]


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        ("block 3", "block 03", "note: not a signed head."),
        ("\n20\n", "\n020\n", "note: not a signed head."),
        ("\n\n", "\n", "note: not a signed head."),
        (f"— {ORIGIN}", "— other", f"note: one signature of “{ORIGIN}” is expected."),
        ("— ", "- ", f"note: one signature of “{ORIGIN}” is expected."),
        ("=\n", "AAAA=\n", "note: 68 bytes in base64 are expected."),
    ],
)
def test_a_note_that_is_not_one_is_unreadable(books: Books, old: str, new: str, expected: str) -> None:
    before, found, after = books.heads[2]["note"].rpartition(old)
    assert found
    (books.folder / "note").write_text(before + new + after)
    assert run(books, "head", "note", expect=2) == expected + "\n"


def test_a_key_that_follows_a_lost_one_is_read_and_said(books: Books) -> None:
    books.keys[1]["endorsement"] = books.keys[1]["endorsed_text"] = None
    books.write()
    said = run(books, "heads", "heads.json", expect=0)
    assert f"Key {books.keys[1]['key_id']}: nobody vouches for it" in said


def test_what_no_head_vouches_for_is_said(books: Books) -> None:
    books.heads.pop()
    books.write()
    assert "BEWARE: no head vouches for what leaves.txt holds after position 12" in run(
        books, "heads", "heads.json", "--leaves", "leaves.txt", expect=0
    )
    books.heads.clear()
    books.write()
    assert findings(books, "heads", "heads.json", "--leaves", "leaves.txt") == [
        "No head says what leaves.txt must be: nothing was compared."
    ]
