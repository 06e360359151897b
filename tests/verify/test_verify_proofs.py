"""The offline verifier on proofs of inclusion and of consistency."""

from typing import Any

import pytest

from backend.ledger import merkle
from tests.verify import books as made
from tests.verify.books import ZERO, Books, findings, head, run


@pytest.mark.parametrize("size", [3, 12, 20])
def test_each_entry_has_a_proof(books: Books, size: int) -> None:
    block = (3, 12, 20).index(size) + 1
    for position in range(1, size + 1, 4):
        books.put("proof.json", books.proof(position, size, block))
        said = run(books, "proof", "proof.json", "--heads", "heads.json", expect=0).splitlines()
        assert said[:2] == [
            made.text(books.rows[position - 1]),
            f"Entry ent_{position:05}: position {position} of {size}.",
        ]


LEADS = "Entry ent_00007 is not at position {} of the log: the path does not lead to the root."
PROOFS: list[tuple[dict[str, Any], list[str]]] = [
    ({"position": 8}, [LEADS.format(8)]),
    ({"position": 0}, [LEADS.format(0)]),
    ({"position": 21}, [LEADS.format(21)]),
    ({"path": []}, [LEADS.format(7)]),
    ({"path": [ZERO] * 65}, [LEADS.format(7)]),
    ({"size": 21}, ["The signed head of block 3 is of another root or size than the proof."]),
    ({"root": ZERO}, [LEADS.format(7), "The signed head of block 3 is of another root or size than the proof."]),
    ({"entry": "ent_00008"}, ["Entry ent_00008: the content is that of another entry."]),
    (
        {"content": made.text(made.row(7)).replace("700", "701")},
        ["Entry ent_00007: its content is not what was sealed."],
    ),
    ({"leaf": ZERO}, ["Entry ent_00007: its content is not what was sealed.", LEADS.format(7)]),
]


@pytest.mark.parametrize(("changes", "expected"), PROOFS)
def test_a_false_proof_is_refused(books: Books, changes: dict[str, Any], expected: list[str]) -> None:
    books.put("proof.json", {**books.proof(7, 20, 3), **changes})
    assert findings(books, "proof", "proof.json") == expected


def test_a_path_that_is_longer_than_needed_is_refused(books: Books) -> None:
    proof = books.proof(7, 20, 3)
    for path in ([ZERO, *proof["path"]], [*proof["path"], ZERO]):
        books.put("proof.json", {**proof, "path": path})
        assert findings(books, "proof", "proof.json") == [LEADS.format(7)]
    grown = books.consistency(8, 20)
    for path in ([ZERO, *grown["path"]], [*grown["path"], ZERO]):
        books.put("consistency.json", {**grown, "path": path})
        assert findings(books, "consistency", "consistency.json") == [
            "The log of 20 entries does not continue the log of 8."
        ]


def test_a_proof_without_content_says_so(books: Books) -> None:
    proof = books.proof(7, 20, 3)
    del proof["content"]
    books.put("proof.json", proof)
    assert "shows that a hash was sealed, not what it says." in run(books, "proof", "proof.json", expect=0)


def test_a_proof_under_a_head_that_was_not_published_is_refused(books: Books) -> None:
    proof = books.proof(7, 20, 3)
    books.put("proof.json", {**proof, "head": head(4, 20, merkle.root(books.leaves))["note"]})
    against = ("proof", "proof.json", "--heads", "heads.json")
    assert findings(books, *against) == ["The head of block 4 is not in heads.json."]
    lied = merkle.root([*books.leaves[:6], bytes(32), *books.leaves[7:]])
    (books.folder / "note").write_text(head(3, 20, lied)["note"])
    assert findings(books, "head", "note", "--heads", "heads.json") == [
        f"Forked heads: this one holds 20 entries with root {lied.hex()}, and heads.json gives another root for them."
    ]


@pytest.mark.parametrize(("old", "new"), [(0, 20), (3, 12), (3, 20), (8, 20), (12, 20), (16, 20), (19, 20), (20, 20)])
def test_a_log_that_grew_is_consistent(books: Books, old: int, new: int) -> None:
    books.put("consistency.json", books.consistency(old, new))
    assert f"From {old} entries to {new}." in run(books, "consistency", "consistency.json", expect=0)


@pytest.mark.parametrize(
    "changes",
    [
        {"from": 11}, {"from": -1}, {"from": 21}, {"from": 0}, {"from_root": ZERO}, {"to_root": ZERO}, {"path": []},
        {"path": [ZERO]}, {"path": [ZERO] * 66}, {"to": 33}, {"from": 20},
    ],
)  # fmt: skip
def test_a_false_consistency_is_refused(books: Books, changes: dict[str, Any]) -> None:
    proof = {**books.consistency(12, 20), **changes}
    books.put("consistency.json", proof)
    assert findings(books, "consistency", "consistency.json") == [
        f"The log of {proof['to']} entries does not continue the log of {proof['from']}."
    ]


def test_a_consistency_between_unpublished_roots_is_refused(books: Books) -> None:
    against = ("consistency", "consistency.json", "--heads", "heads.json")
    books.put("consistency.json", books.consistency(12, 20))
    run(books, *against, expect=0)
    books.put("consistency.json", books.consistency(11, 20))
    root = merkle.root(books.leaves[:11]).hex()
    assert findings(books, *against) == [f"No head of heads.json holds 11 entries with root {root}."]
