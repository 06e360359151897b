"""The offline verifier on a journal: good books pass, each alteration is named, what is unreadable is said."""

import ast
import json
import re
import sys
import tracemalloc
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from backend.ledger import merkle
from tests.verify import books as made
from tests.verify.books import ALL, ORIGIN, PROGRAM, ROOTS, Books, altered, change_amount, findings, program, run


def test_good_books_are_right(books: Books) -> None:
    root = merkle.root(books.leaves).hex()
    said = run(books, *ALL, expect=0).splitlines()
    assert said == [
        f"leaves.txt: 20 entries, root {root}",
        "Heads found right: 3.",
        f"{ORIGIN}, block 3, 2026-11-21T13:00:00Z: 20 entries, root {root}",
        "Signatures are not checked by this program: see the command “head”.",
        "Nothing is wrong.",
    ]
    assert f"journal.jsonl: 20 entries, root {root}" in run(books, *ROOTS, expect=0)
    assert "Compare this root with a head that you trust" in run(books, "journal", "journal.jsonl", expect=0)
    assert "heads 3, keys 2." in run(books, "heads", "heads.json", expect=0)
    for more in (("--journal", "journal.jsonl"), ("--leaves", "leaves.txt")):
        assert "Heads found right: 3." in run(books, "heads", "heads.json", *more, expect=0)


def test_entries_after_the_last_head_are_no_fault(books: Books) -> None:
    books.heads.pop()
    books.write()
    assert "Heads found right: 2." in run(books, *ALL, expect=0)


def swap(books: Books) -> None:
    books.rows[6], books.rows[7] = books.rows[7], books.rows[6]
    books.renumber()


def swap_far(books: Books) -> None:
    books.rows[6], books.rows[15] = books.rows[15], books.rows[6]
    books.renumber()


def remove(books: Books) -> None:
    del books.rows[6]
    books.renumber()


def repeat(books: Books) -> None:
    books.rows.insert(7, altered(books.rows[6]))
    books.renumber()


def insert(books: Books) -> None:
    books.rows.insert(7, altered(books.rows[0], id="ent_forged"))
    books.renumber()


def move(books: Books) -> None:
    books.rows.insert(10, books.rows.pop(6))
    books.renumber()


def cut(books: Books) -> None:
    del books.rows[18:]
    books.renumber()


def extend(books: Books) -> None:
    books.rows += [altered(books.rows[0], id=f"ent_forged_{number}") for number in (1, 2)]
    books.renumber()


BETWEEN = "journal.jsonl is not what block 2 seals: between positions 4 and 12 an entry was altered."
SHORT = "Block 3 holds 20 entries, and journal.jsonl ends at {}."
TWICE = "Entry ent_00007 stands twice in the journal: on lines 8 and 9."
ALTERATIONS = [
    (change_amount, ["Position 7, entry ent_00007: it is not what was sealed; its content was changed."], [BETWEEN]),
    (swap, ["Positions 7 and 8 are swapped: entry ent_00008 stands where entry ent_00007 was sealed."], [BETWEEN]),
    (swap_far, ["Positions 7 and 16 are swapped: entry ent_00016 stands where entry ent_00007 was sealed."], [BETWEEN]),
    (
        remove,
        ["The entry of position 7 is missing, just before entry ent_00008; its leaf is {leaf}."],
        [BETWEEN, SHORT.format(19)],
    ),
    (
        repeat,
        [TWICE, "Entry ent_00007, just before position 8 of the log, was added or moved there."],
        [TWICE, BETWEEN],
    ),
    (insert, ["Entry ent_forged, just before position 8 of the log, was added or moved there."], [BETWEEN]),
    (
        move,
        [
            "The entry of position 7 is missing, just before entry ent_00008; its leaf is {leaf}.",
            "Entry ent_00007, just before position 12 of the log, was added or moved there.",
        ],
        [BETWEEN],
    ),
    (cut, ["The journal lacks its end: positions 19 to 20."], [SHORT.format(18)]),
    (extend, [f"Position {20 + n}, entry ent_forged_{n}: it was added, no leaf is its own." for n in (1, 2)], []),
]


@pytest.mark.parametrize(("alter", "named", "ranged"), ALTERATIONS, ids=[row[0].__name__ for row in ALTERATIONS])
def test_an_alteration_is_named(
    books: Books, alter: Callable[[Books], None], named: list[str], ranged: list[str]
) -> None:
    alter(books)
    books.write()
    leaf = books.leaves[6].hex()
    assert sorted(findings(books, *ALL)) == sorted(line.format(leaf=leaf) for line in named)
    if ranged:
        assert sorted(findings(books, *ROOTS)) == sorted(ranged)
        assert ("With --leaves leaves.txt, the entry can be named." in run(books, *ROOTS, expect=1)) == (
            alter is not cut
        )


def test_a_journal_that_agrees_with_false_leaves_is_caught_by_the_heads(books: Books) -> None:
    change_amount(books)
    books.leaves[6] = merkle.leaf_hash(made.text(books.rows[6]))
    books.write()
    assert findings(books, *ALL) == [BETWEEN.replace("journal.jsonl", "leaves.txt")]
    assert findings(books, "heads", "heads.json", "--leaves", "leaves.txt") == [
        BETWEEN.replace("journal.jsonl", "leaves.txt")
    ]


def test_positions_that_do_not_follow_are_named_without_any_other_file(books: Books) -> None:
    del books.rows[6]
    books.write()
    assert findings(books, "journal", "journal.jsonl") == [
        "Line 8 holds position 8 (entry ent_00008), not 7: removed, added or renumbered.",
        "The first line of journal.jsonl announces 20 entries, and 19 follow.",
    ]


def test_heads_of_another_instance_are_told(books: Books) -> None:
    path = books.folder / "journal.jsonl"
    path.write_text(path.read_text().replace(ORIGIN, "elsewhere"))
    assert findings(books, *ROOTS) == [f"journal.jsonl is of elsewhere, and the heads are of {ORIGIN}."]


@pytest.mark.parametrize("position", [True, "7", 7.0, None, 8])
def test_a_renumbered_entry_is_named(books: Books, position: Any) -> None:
    books.rows[6]["position"] = position
    books.write()
    shown = "7.0" if position == 7.0 and type(position) is float else position
    expected = [f"Line 8 holds position {shown} (entry ent_00007), not 7: removed, added or renumbered."]
    if position == 8 and position is not True:
        expected.append("Line 9 holds position 8 (entry ent_00008), not 9: removed, added or renumbered.")
        expected.append("Line 10 holds position 9 (entry ent_00009), not 9: removed, added or renumbered.")
    assert findings(books, "journal", "journal.jsonl") == expected[:2]


def line(amount: Any, currency: Any = "EUR", account: Any = "acc_x", chart: Any = "512") -> list[Any]:
    return [account, currency, amount, chart]


SEPARATOR = "a field is empty or holds a separator: the text could be read in two ways"
LISTS = "its lines are not lists of account, currency, amount and chart"
WHOLE = "an amount is not a whole number of minor units: "
IN_ITSELF: list[tuple[dict[str, Any], list[str]]] = [
    ({"lines": [line(5), line(-4)]}, ["it is not balanced: its lines in EUR make 1"]),
    (
        {"lines": [line(5), line(-5, "USD")]},
        ["it is not balanced: its lines in EUR make 5", "it is not balanced: its lines in USD make -5"],
    ),
    ({"lines": [line(5.0), line(-5)]}, [WHOLE + "5.0"]),
    ({"lines": [line(True), line(-1)]}, [WHOLE + "true"]),
    ({"lines": [line("5"), line(-5)]}, [WHOLE + '"5"']),
    ({"lines": [line(float("nan")), line(-5)]}, [WHOLE + "NaN"]),
    ({"lines": [line(None), line(-5)]}, [WHOLE + "null"]),
    ({"lines": [line(0), line(0)]}, ["an amount is zero or beyond 64 bits: 0"] * 2),
    ({"lines": [line(1 << 63), line(-1 << 63)]}, [f"an amount is zero or beyond 64 bits: {1 << 63}"]),
    ({"lines": []}, ["it has fewer than two lines"]),
    ({"lines": [line(5)]}, ["it has fewer than two lines", "it is not balanced: its lines in EUR make 5"]),
    ({"lines": {}}, ["it has fewer than two lines"]),
    ({"lines": [line(5)[:3], line(-5)]}, [LISTS]),
    ({"lines": [line(5, "eur"), line(-5, "eur")]}, ["a currency is not three letters: eur"]),
    ({"lines": [line(5, 7), line(-5)]}, [LISTS]),
    ({"lines": 7}, [LISTS]),
    ({"lines": {"abcd": 1}}, [WHOLE + '"c"']),
    ({"lines": [line(5, account=7), line(-5)]}, [LISTS]),
    ({"lines": [line(5, chart=512), line(-5)]}, [LISTS]),
    ({"lines": [line(5, chart=5.5), line(-5)]}, [LISTS]),
    ({"lines": [line([]), line(-5)]}, [WHOLE + "[]"]),
    ({"id": 1.5}, ["a field is not text"]),
    ({"lines": [line(5, account="a:b"), line(-5)]}, [SEPARATOR]),
    ({"lines": [line(5, chart="5,1"), line(-5)]}, [SEPARATOR]),
    ({"reference": "a|b"}, [SEPARATOR]),
    ({"id": ""}, [SEPARATOR]),
    ({"reverses": "-"}, [SEPARATOR]),
    ({"reverses": "ent_00007"}, [SEPARATOR]),
    ({"kind": 1}, ["a field is not text"]),
    ({"reverses": 1}, ["a field is not text"]),
    ({"happened_on": "2026-11-1"}, ["a date is not written as in the format"]),
    ({"booked_at": "2026-11-21T10:00:00Z"}, ["a date is not written as in the format"]),
    ({"memo": "more"}, ["it has a field that no seal covers"]),
]


@pytest.mark.parametrize(("changes", "problems"), IN_ITSELF)
def test_an_entry_that_is_wrong_in_itself_is_named(books: Books, changes: dict[str, Any], problems: list[str]) -> None:
    books.rows[6] = altered(books.rows[6], **changes)
    books.write()
    key = books.rows[6]["id"]
    assert findings(books, "journal", "journal.jsonl") == [f"Position 7, entry {key}: {what}." for what in problems]


def test_a_name_given_twice_is_a_fault_of_the_entry(books: Books) -> None:
    path = books.folder / "journal.jsonl"
    path.write_text(path.read_text().replace('"id": "ent_00007"', '"id": "ent_00007", "id": "ent_00007"'))
    assert findings(books, "journal", "journal.jsonl") == [
        "Position 7, entry ent_00007: it gives “id” twice: two programs could read two things."
    ]
    assert "Position 7, entry ent_00007: it is not what was sealed; its content was changed." in findings(books, *ALL)
    (books.folder / "heads.json").write_text('{"format": "tronc-heads-1", "format": "tronc-heads-1"}')
    assert findings(books, "heads", "heads.json") == [
        "heads.json gives “format” twice: two programs could read two things."
    ]


def test_many_faults_are_counted_and_a_terminal_is_safe(books: Books) -> None:
    for entry in books.rows * 3:
        entry["lines"][0][2] += 1
    for entry in books.rows:
        entry["id"] = "\x1b[2J" + entry["id"]
    books.rows += [altered(entry, id=entry["id"] + "b") for entry in books.rows * 2]
    books.renumber()
    books.write()
    lines = run(books, "journal", "journal.jsonl", expect=1).splitlines()
    assert lines[0].startswith("WRONG: Position 1, entry \\x1b[2Jent_00001: it is not balanced")
    assert sum(line.startswith("WRONG: ") for line in lines) == 40
    assert lines[-2:] == ["… and 40 more.", "Something is wrong: 80."]


def damage(name: str, old: bytes, new: bytes) -> Callable[[Path], None]:
    def change(folder: Path) -> None:
        content = (folder / name).read_bytes()
        assert old in content
        (folder / name).write_bytes(content.replace(old, new, 1))

    return change


JOURNAL, HEADS, KIND = "journal.jsonl", "heads.json", " is missing or of the wrong kind."
FIRST = "journal.jsonl does not begin with the first entry: roots need all of them."
UNREADABLE = [
    (damage(JOURNAL, b'{"position": 7,', b'{"position": 7'), "journal.jsonl, line 8: not JSON."),
    (damage(JOURNAL, b'"plg_7"', b'"\xff"'), "journal.jsonl, line 8: not UTF-8 text."),
    (damage(JOURNAL, b'"plg_7"', rb'"\ud800"'), "journal.jsonl, line 8: not JSON."),
    (damage(JOURNAL, b"700,", b"7" * 5000 + b","), "journal.jsonl, line 8: not JSON."),
    (damage(JOURNAL, b'"plg_7"', b"[" * 100_000), "journal.jsonl, line 8: not JSON."),
    (damage(JOURNAL, b'"reference": "plg_7", ', b""), "journal.jsonl, line 8: not an entry."),
    (damage(JOURNAL, b'{"position": 7', b'[{"id": 1, "id": 2}]\n{'), "journal.jsonl, line 8: not an entry."),
    (damage(JOURNAL, b"tronc-journal-1", b"other"), "journal.jsonl is not a file of format tronc-journal-1."),
    (damage(JOURNAL, b'"first": 1', b'"first": 5'), FIRST),
    (damage(JOURNAL, b'"size": 20', b'"size": 20.0'), "journal.jsonl, line 1: “size”" + KIND),
    (lambda folder: (folder / "journal.jsonl").write_text(""), "journal.jsonl, line 1: not JSON."),
    (lambda folder: (folder / "journal.jsonl").unlink(), "journal.jsonl cannot be opened: No such file or directory."),
    (damage("leaves.txt", b"\n", b"0\n"), "leaves.txt, line 1: 64 hexadecimal figures are expected, not “{leaf}0”."),
    (damage(HEADS, b'"keys": [', b'"keys": [,'), "heads.json, line 4: not JSON."),
    (damage(HEADS, b"tronc-heads-1", b"other"), "heads.json is not a file of format tronc-heads-1."),
    (damage(HEADS, b'"size": 3', b'"size": 3.0'), "heads.json, head 1: “size”" + KIND),
    (damage(HEADS, b'"size": 3', b'"size": true'), "heads.json, head 1: “size”" + KIND),
    (damage(HEADS, b'"block": 1', b'"blocks": 1'), "heads.json, head 1: “block”" + KIND),
    (damage(HEADS, b"\\nblock 1", b""), "heads.json, head 1: not a signed head."),
    (damage(HEADS, b'"public_key": "', b'"public_key": "A'), "heads.json, key 1: 32 bytes in base64 are expected."),
    (damage(HEADS, b'"endorsed_by": null', b'"endorsed_by": []'), "heads.json, key 1: “endorsed_by”" + KIND),
]  # fmt: skip


@pytest.mark.parametrize(("change", "expected"), UNREADABLE)
def test_what_cannot_be_read_is_said_with_its_place(
    books: Books, change: Callable[[Path], None], expected: str
) -> None:
    leaf = books.leaves[0].hex()
    change(books.folder)
    assert run(books, *ALL, expect=2).splitlines() == [expected.format(leaf=leaf)]


def test_other_unreadable_files(books: Books) -> None:
    (books.folder / "proof.json").write_text(json.dumps({**books.proof(7, 20, 3), "content": "\ud800"}))
    assert run(books, "proof", "proof.json", expect=2) == "proof.json holds text that is not Unicode.\n"
    (books.folder / "note").write_text(books.heads[2]["note"])
    assert "heads.json cannot be written: " in run(books, "head", "note", "--out", "heads.json", expect=2)
    assert run(books, "head", ".", expect=2) == ". cannot be opened: Is a directory.\n"
    assert "usage: " in run(books, expect=2)


def test_french_is_whole_and_keeps_the_values(books: Books) -> None:
    tree = ast.parse(PROGRAM.read_text())
    said = set()
    for call in ast.walk(tree):
        if isinstance(call, ast.Call) and ast.unparse(call.func).rpartition(".")[2] in {"say", "tell", "wrong"}:
            said |= {text.value for text in call.args[:1] if isinstance(text, ast.Constant)}
    french = program().FRENCH
    assert said == set(french)
    for english, translated in french.items():
        fields = [sorted(part for part in text.split("{")[1:]) for text in (english, translated)]
        names = [[part.partition("}")[0] for part in found] for found in fields]
        assert sorted(names[0]) == sorted(names[1]), english
        assert translated != english
    change_amount(books)
    books.write()
    lines = run(books, *ALL, "--lang", "fr", expect=1).splitlines()
    assert lines[0] == (
        "FAUX\xa0: Position 7, écriture ent_00007\xa0: ce n’est pas ce qui a été scellé\u202f;"
        " son contenu a été changé."
    )
    assert lines[-1] == "Quelque chose est faux\xa0: 1."
    books.rows[6]["lines"][0][2] += 1
    books.write()
    assert (
        "FAUX\xa0: Position 7, écriture ent_00007\xa0: elle n’est pas équilibrée\xa0: ses lignes en EUR font 1."
        in run(books, "--lang", "fr", "journal", "journal.jsonl", expect=1)
    )


def test_it_needs_python_alone_and_takes_nothing_from_the_server() -> None:
    tree = ast.parse(PROGRAM.read_text(), feature_version=(3, 9))
    names = {alias.name for part in ast.walk(tree) if isinstance(part, ast.Import) for alias in part.names}
    names |= {str(part.module) for part in ast.walk(tree) if isinstance(part, ast.ImportFrom)}
    assert {name.partition(".")[0] for name in names} <= set(sys.stdlib_module_names)


@pytest.mark.parametrize("size", [255, 256, 257, 1000])
def test_both_implementations_agree(tmp_path: Path, size: int) -> None:
    verify = program()
    leaves = [merkle.leaf_hash(str(number)) for number in range(size)]
    tree = verify.Tree()
    for leaf in leaves:
        tree.add(leaf)
    assert tree.root() == merkle.root(leaves)
    whole = merkle.Tree(size, lambda level, first, count: stored(leaves, level)[first : first + count])
    for index in (0, 1, 254, size - 1):
        assert verify.root_by_path(leaves[index], index, size, whole.inclusion(index)) == whole.root()
    for old in (1, 64, 255, size - 1):
        before = merkle.root(leaves[:old])
        assert verify.roots_by_path(old, size, whole.consistency(old), before) == (before, whole.root())


def stored(leaves: list[bytes], level: int) -> list[bytes]:
    if level == 0:
        return leaves
    return [merkle.root(leaves[at : at + 256]) for at in range(0, len(leaves) - 255, 256)]


def test_memory_does_not_grow_with_the_journal(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    verify, peaks = program(), []
    for size in (4000, 12_000):
        books = Books(tmp_path, [made.row(position) for position in range(1, size + 1)], size=size)
        books.leaves = [merkle.leaf_hash(made.text(entry)) for entry in books.rows]
        books.write()
        del books
        tracemalloc.start()
        try:
            arguments = ["journal", str(tmp_path / "journal.jsonl"), "--leaves", str(tmp_path / "leaves.txt")]
            assert verify.main(arguments) == 0
            peaks.append(tracemalloc.get_traced_memory()[1])
        finally:
            tracemalloc.stop()
    assert peaks[1] - peaks[0] < 500_000, "8,000 more entries take some 5 MB when kept"
    assert f"{size} entries" in capsys.readouterr().out


def test_the_commands_of_the_readme_are_those_of_the_program() -> None:
    readme = (PROGRAM.parent / "README.md").read_text()
    lines = re.findall(r"python3 tronc_verify\.py ([^`\n]+)", readme)
    commands = {program().parser().parse_args(line.split()).command for line in lines}
    assert commands == {"journal", "heads", "proof", "consistency", "head"}
    assert len(lines) == 10
