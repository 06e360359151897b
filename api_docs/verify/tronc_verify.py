#!/usr/bin/env python3
"""Checks the books of a Tronc instance from the files it publishes; Python 3.9 or later, and nothing else.

It shares no code with the server, on purpose: a fault of the server cannot hide here. What it does is short: the text
of each entry is made again from the journal and hashed (SHA-256 of a zero byte and the text), the hashes are joined
two by two into the tree of RFC 6962, and the roots found are compared with the signed heads. The signatures are Ed25519
and Python has none of its own, so it writes the files and prints the `openssl` line that checks them.

Exit status: 0 nothing wrong, 1 something is wrong (one sentence each), 2 a file cannot be read. See README.md.
"""

from __future__ import annotations

import argparse
import base64
import binascii
import io
import json
import os
import re
import shlex
import sys
from collections import deque
from collections.abc import Iterator, Sequence
from hashlib import sha256
from itertools import chain, islice
from typing import Any, BinaryIO, NamedTuple

LINE_LIMIT = 1 << 26  # bytes of one line: an entry of 100,000 lines takes a tenth of it
LOOK = 512  # how far around a difference the same entries are looked for
SHOWN = 40  # findings printed in full; the others are counted
MAP_BITS = 27  # the map of ids already seen: 16 MB, whatever the length of the journal
LARGEST = 1 << 63  # amounts are signed 64-bit integers
FIELDS = {"position", "id", "kind", "happened_on", "booked_at", "reference", "reverses", "lines"}
DATES = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}\|[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}\.[0-9]{6}Z")
HASH = re.compile("[0-9a-f]{64}")
CURRENCY = re.compile(r"[A-Z]{3}")
NOTE = re.compile(
    r"(?P<origin>[^\s+]+)\n(?P<size>0|[1-9][0-9]{0,18})\n(?P<root>[A-Za-z0-9+/]{43}=)\n"
    r"block (?P<block>[1-9][0-9]{0,18})\ntime (?P<time>[0-9-]{10}T[0-9:]{8}Z)\n"
)
ED25519 = bytes.fromhex("302a300506032b6570032100")  # what stands before the 32 bytes of a key in its PEM file
language = "en"


class Unreadable(Exception):
    """A file is missing or not in its format; the text says which, and where."""


class Twice(ValueError):
    """An object of a JSON file gives the same name twice."""


class Inexact:
    """A number of a JSON file written with a point or an exponent, kept as it was written; neither text nor integer."""

    def __init__(self, written: str) -> None:
        self.written = written

    def __str__(self) -> str:
        return self.written


class Sentence(str):
    """A sentence of this program, in which what comes from files is already made harmless."""


class Entry(NamedTuple):
    """One line of the journal: where it says it stands, its id, and the hash of its text (empty if it has none)."""

    position: Any
    id: str
    leaf: bytes


class Note(NamedTuple):
    """A signed head, taken apart; `signed` is the very text under the signature."""

    signed: bytes
    origin: str
    size: int
    root: bytes
    block: int
    time: str
    name: str
    key_id: str
    signature: bytes


class Report:
    """Prints what is found, one sentence each, and remembers whether anything was."""

    def __init__(self) -> None:
        self.found = 0

    def wrong(self, english: str, **facts: Any) -> None:
        """One thing that is not right; `english` is also the key of the French sentence."""
        self.found += 1
        if self.found <= SHOWN:
            print(say("WRONG: ") + say(english, **facts))

    def end(self) -> int:
        """The last line and the exit status."""
        if self.found > SHOWN:
            tell("… and {count} more.", count=self.found - SHOWN)
        if self.found:
            tell("Something is wrong: {count}.", count=self.found)
            return 1
        tell("Nothing is wrong.")
        return 0


def say(english: str, **facts: Any) -> Sentence:
    """A sentence in the language asked for; what comes from files cannot move the cursor of a terminal."""
    sentence = FRENCH[english] if language == "fr" else english
    return Sentence(sentence.format(**{name: plain(value) for name, value in facts.items()}))


def tell(english: str, **facts: Any) -> None:
    """Print a sentence."""
    print(say(english, **facts))


def plain(value: Any, limit: int = 200) -> str:
    """A value on one line, cut at the limit, with an escape for what cannot be printed."""
    if isinstance(value, Sentence):
        return value
    text = str(value)
    text = text if len(text) <= limit else text[:limit] + "…"
    return "".join(sign if sign.isprintable() else repr(sign)[1:-1] for sign in text)


# --- the tree of RFC 6962 -------------------------------------------------------------------------------------------


def leaf_hash(text: str) -> bytes:
    """The hash of an entry's text."""
    return sha256(b"\0" + text.encode()).digest()


def node(left: bytes, right: bytes) -> bytes:
    """The hash over two hashes."""
    return sha256(b"\1" + left + right).digest()


def left_of(size: int) -> int:
    """How many of `size` leaves stand on the left: the largest power of two below it."""
    return 1 << ((size - 1).bit_length() - 1)


class Tree:
    """The tree over the leaves given so far; keeps one hash for each bit of their number."""

    def __init__(self) -> None:
        self.size = 0
        self.peaks: list[bytes] = []

    def add(self, leaf: bytes) -> None:
        """One more leaf on the right; each pair of equal trees that this makes becomes one."""
        self.size += 1
        rest = self.size
        while not rest & 1:
            leaf = sha256(b"\1" + self.peaks.pop() + leaf).digest()
            rest >>= 1
        self.peaks.append(leaf)

    def root(self) -> bytes:
        """The root over all leaves given so far."""
        if not self.peaks:
            return sha256(b"").digest()
        found = self.peaks[-1]
        for peak in self.peaks[-2::-1]:
            found = node(peak, found)
        return found


def root_by_path(leaf: bytes, index: int, size: int, path: list[bytes]) -> bytes | None:
    """The root that a leaf and its path lead to; None if the path is too short or too long."""
    if size == 1 or not path:
        return leaf if size == 1 and not path else None
    left = left_of(size)
    below = root_by_path(leaf, index % left, left if index < left else size - left, path[:-1])
    if below is None:
        return None
    return node(below, path[-1]) if index < left else node(path[-1], below)


def roots_by_path(old: int, new: int, path: list[bytes], known: bytes | None) -> tuple[bytes, bytes] | None:
    """The former and the present root that a proof of consistency leads to; None if its length is wrong.

    `known` is the former root, as long as what remains begins where the log begins: it is not part of the path then.
    """
    if old == new:
        if known is None:
            return (path[0], path[0]) if len(path) == 1 else None
        return None if path else (known, known)
    if not path:
        return None
    left = left_of(new)
    if old <= left:
        below = roots_by_path(old, left, path[:-1], known)
        return below and (below[0], node(below[1], path[-1]))
    below = roots_by_path(old - left, new - left, path[:-1], None)
    return below and (node(path[-1], below[0]), node(path[-1], below[1]))


# --- reading files --------------------------------------------------------------------------------------------------


def open_file(path: str) -> BinaryIO:
    """The file, for reading."""
    try:
        return open(path, "rb")
    except OSError as error:
        raise Unreadable(say("{file} cannot be opened: {error}.", file=path, error=error.strerror)) from error


def each_line(path: str) -> Iterator[tuple[int, str]]:
    """The lines of a text file with their numbers, one at a time."""
    with open_file(path) as file:
        number = 0
        while True:
            number += 1
            try:
                line = file.readline(LINE_LIMIT)
                if not line:
                    return
                if len(line) == LINE_LIMIT:
                    raise Unreadable(say("{file}, line {line}: the line is too long.", file=path, line=number))
                yield number, line.decode()
            except UnicodeDecodeError as error:
                raise Unreadable(say("{file}, line {line}: not UTF-8 text.", file=path, line=number)) from error
            except OSError as error:
                raise Unreadable(say("{file} cannot be opened: {error}.", file=path, error=error.strerror)) from error


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        names = [name for name, _ in pairs]
        raise Twice(next(name for name in names if names.count(name) > 1))
    return found


# A JSON value without repeated names; numbers that are not integers stay text. Raises: Twice, ValueError.
decode = json.JSONDecoder(object_pairs_hook=_once, parse_float=Inexact, parse_constant=Inexact).decode


def read_json(path: str, form: str, report: Report) -> dict[str, Any] | None:
    """A JSON file of the format asked for; None, and a finding, if a name is given twice."""
    text = "".join(line for _, line in each_line(path))
    try:
        value = decode(text)
    except Twice as error:
        report.wrong("{file} gives “{name}” twice: two programs could read two things.", file=path, name=error)
        return None
    except (ValueError, RecursionError) as error:
        line = getattr(error, "lineno", 1)
        raise Unreadable(say("{file}, line {line}: not JSON.", file=path, line=line)) from error
    if not isinstance(value, dict) or value.get("format") != form:
        raise Unreadable(say("{file} is not a file of format {form}.", file=path, form=form))
    return value


def take(row: Any, name: str, kind: type, where: str) -> Any:
    """A member of an object, of exactly this type (true is no integer)."""
    if not isinstance(row, dict) or type(row.get(name)) is not kind:
        raise Unreadable(say("{where}: “{name}” is missing or of the wrong kind.", where=where, name=name))
    return row[name]


def from_hex(text: Any, where: str) -> bytes:
    """A hash of 32 bytes from its 64 figures."""
    if type(text) is str and HASH.fullmatch(text):
        return bytes.fromhex(text)
    raise Unreadable(say("{where}: 64 hexadecimal figures are expected, not “{text}”.", where=where, text=text))


def from_base64(text: str, length: int, where: str) -> bytes:
    """Bytes of this length from base64, written in the one right way."""
    try:
        value = base64.b64decode(text, validate=True)
    except (ValueError, binascii.Error):
        value = b""
    if len(value) != length or base64.b64encode(value).decode() != text:
        raise Unreadable(say("{where}: {length} bytes in base64 are expected.", where=where, length=length))
    return value


def read_note(text: str, where: str) -> Note:
    """A signed head: a text of five lines, an empty line, and signatures; the one of its origin is kept."""
    body, gap, signatures = text.partition("\n\n")
    found = NOTE.fullmatch(body + "\n")
    if not found or not gap or not signatures.endswith("\n"):
        raise Unreadable(say("{where}: not a signed head.", where=where))
    lines = [re.fullmatch("— ([^ +]+) ([A-Za-z0-9+/=]+)", line) for line in signatures[:-1].split("\n")]
    own = [line for line in lines if line and line[1] == found["origin"]]
    if None in lines or len(own) != 1 or own[0] is None:
        raise Unreadable(say("{where}: one signature of “{origin}” is expected.", where=where, origin=found["origin"]))
    signature = from_base64(own[0][2], 68, where)
    return Note(
        (body + "\n").encode(), found["origin"], int(found["size"]), from_base64(found["root"], 32, where),
        int(found["block"]), found["time"], own[0][1], signature[:4].hex(), signature[4:],
    )  # fmt: skip


# --- the journal ----------------------------------------------------------------------------------------------------


def entry_text(row: dict[str, Any]) -> tuple[str, list[str]]:
    """The text of an entry, over which its hash is taken, and what is wrong with it; no text if it cannot be made."""
    lines, reverses = row["lines"], "-" if row["reverses"] is None else row["reverses"]
    texts = ["tronc-entry-1", row["id"], row["kind"], row["happened_on"], row["booked_at"], row["reference"], reverses]
    problems: list[str] = []
    parts: list[str] = []
    totals: dict[str, int] = {}
    try:
        text = "|".join(texts)  # joining refuses what is not text
    except TypeError:
        return "", [say("a field is not text")]
    try:
        for account, currency, amount, chart in lines:
            if type(amount) is not int:
                written = str(amount) if isinstance(amount, Inexact) else json.dumps(amount)
                return "", [say("an amount is not a whole number of minor units: {amount}", amount=written)]
            parts.append(":".join((account, currency, str(amount), chart)))
            totals[currency] = totals.get(currency, 0) + amount
            if not amount or not -LARGEST <= amount < LARGEST:
                problems.append(say("an amount is zero or beyond 64 bits: {amount}", amount=amount))
    except (TypeError, ValueError):
        return "", [say("its lines are not lists of account, currency, amount and chart")]
    if len(lines) < 2:
        problems.append(say("it has fewer than two lines"))
    for currency, total in totals.items():
        if not CURRENCY.fullmatch(currency):
            problems.append(say("a currency is not three letters: {currency}", currency=currency))
        if total:
            problems.append(
                say("it is not balanced: its lines in {currency} make {total}", currency=currency, total=total)
            )
    joined = ",".join(parts)
    text = f"{text}|{joined}"
    if not DATES.fullmatch(f"{texts[3]}|{texts[4]}"):
        problems.append(say("a date is not written as in the format"))
    marks = text.count("|"), joined.count(":"), joined.count(",")
    if marks != (7, 3 * len(lines), max(len(lines) - 1, 0)) or row["reverses"] in ("-", "", texts[1]) or not texts[1]:
        problems.append(say("a field is empty or holds a separator: the text could be read in two ways"))
    return text, problems


class Journal:
    """A journal file, read once from the first entry to the last; constant memory."""

    def __init__(self, path: str, report: Report) -> None:
        self.path, self.report, self.count = path, report, 0
        self.lines = each_line(path)
        where = say("{file}, line {line}", file=path, line=1)
        try:
            head = decode(next(self.lines, (1, ""))[1])
        except (ValueError, RecursionError) as error:
            raise Unreadable(say("{file}, line {line}: not JSON.", file=path, line=1)) from error
        if not isinstance(head, dict) or head.get("format") != "tronc-journal-1":
            raise Unreadable(say("{file} is not a file of format {form}.", file=path, form="tronc-journal-1"))
        self.origin, self.size = take(head, "origin", str, where), take(head, "size", int, where)
        if take(head, "first", int, where) != 1:
            raise Unreadable(say("{file} does not begin with the first entry: roots need all of them.", file=path))
        self.seen = bytearray(1 << MAP_BITS - 3)
        self.maybe_twice: list[str] = []

    def entries(self) -> Iterator[Entry]:
        """Each entry with its hash; what is wrong with it in itself is reported."""
        expected = 1
        for number, line in self.lines:
            entry = self.entry(number, line)
            self.count += 1
            if entry.position != expected or type(entry.position) is not int:
                self.report.wrong(
                    "Line {line} holds position {found} (entry {id}), not {expected}: removed, added or renumbered.",
                    line=number, found=entry.position, id=entry.id, expected=expected,
                )  # fmt: skip
            expected = entry.position + 1 if type(entry.position) is int else expected + 1
            self.note_id(entry.id)
            yield entry
        if self.count != self.size:
            self.report.wrong(
                "The first line of {file} announces {size} entries, and {count} follow.",
                file=self.path, size=self.size, count=self.count,
            )  # fmt: skip
        if self.maybe_twice:
            self.name_twice()

    def entry(self, number: int, line: str) -> Entry:
        """One line of the file as an entry."""
        twice: Twice | None = None
        try:
            try:
                row = decode(line)
            except Twice as error:
                row, twice = json.loads(line), error
            if not isinstance(row, dict) or not row.keys() >= FIELDS:
                raise Unreadable(say("{file}, line {line}: not an entry.", file=self.path, line=number))
            text, problems = entry_text(row)
            leaf = sha256(b"\0" + text.encode()).digest() if text and not twice else b""
        except (ValueError, RecursionError) as error:  # not JSON, a number of thousands of figures, half a character
            raise Unreadable(say("{file}, line {line}: not JSON.", file=self.path, line=number)) from error
        if twice:
            problems = [say("it gives “{name}” twice: two programs could read two things", name=twice)]
        elif len(row) > len(FIELDS):
            problems.append(say("it has a field that no seal covers"))
        entry = Entry(row["position"], str(row["id"]), leaf)
        for problem in problems:
            self.report.wrong("Position {position}, entry {id}: {problem}.", **entry._asdict(), problem=problem)
        return entry

    def note_id(self, key: str) -> None:
        """Mark an id in the map; one that seems to be there already is looked for again at the end."""
        seen, place, mask, fresh = self.seen, hash(key), (1 << MAP_BITS) - 1, 0
        step = place >> 32 | 1
        for _ in range(4):
            place = place + step & mask
            bit = 1 << (place & 7)
            if not seen[place >> 3] & bit:
                seen[place >> 3] |= bit
                fresh = 1
        if not fresh:
            self.maybe_twice.append(key)

    def name_twice(self) -> None:
        """Read the file again for the ids that the map could not tell from one seen before."""
        lines: dict[str, int] = {}
        suspects = set(self.maybe_twice)
        for number, line in each_line(self.path):
            key = str(json.loads(line).get("id")) if number > 1 else ""
            if key in suspects and lines.setdefault(key, number) != number:
                self.report.wrong(
                    "Entry {id} stands twice in the journal: on lines {first} and {line}.",
                    id=key, first=lines[key], line=number,
                )  # fmt: skip


def each_leaf(path: str) -> Iterator[bytes]:
    """The hashes of a file of leaves."""
    for number, line in each_line(path):
        text = line.rstrip("\r\n")
        if not HASH.fullmatch(text):
            from_hex(text, say("{file}, line {line}", file=path, line=number))  # says what is wrong
        yield bytes.fromhex(text)


def compare(entries: Iterator[Entry], leaves: Iterator[bytes], report: Report) -> None:
    """Name each entry that is not the leaf at its place, looking around it for what moved."""
    ours: deque[Entry] = deque()
    theirs: deque[bytes] = deque()
    place = 1  # the position in the log of the first of `theirs`
    while True:
        entry = ours.popleft() if ours else next(entries, None)
        leaf = theirs.popleft() if theirs else next(leaves, None)
        if entry is not None and leaf is not None and entry.leaf == leaf:
            place += 1
            continue
        ours.extendleft([entry] if entry else [])
        theirs.extendleft([leaf] if leaf else [])
        if not entry or not leaf:
            break
        ours.extend(islice(entries, LOOK - len(ours)))
        theirs.extend(islice(leaves, LOOK - len(theirs)))
        place += _settle(ours, theirs, place, report)
    for entry in chain(ours, entries):
        report.wrong("Position {position}, entry {id}: it was added, no leaf is its own.", **entry._asdict())
    missing = len(theirs) + sum(1 for _ in leaves)
    if missing:
        report.wrong("The journal lacks its end: positions {first} to {last}.", first=place, last=place + missing - 1)


def _settle(ours: deque[Entry], theirs: deque[bytes], place: int, report: Report) -> int:
    """Say what happened at the first difference and step over it; returns by how many leaves."""
    far = len(ours) + len(theirs)
    mine = [entry.leaf for entry in ours]
    moved = theirs.index(mine[0]) if mine[0] in theirs else far
    added = mine.index(theirs[0]) if theirs[0] in mine else far
    if moved == added < far:
        report.wrong(
            "Positions {first} and {last} are swapped: entry {id} stands where entry {other} was sealed.",
            first=place, last=place + moved, id=ours[0].id, other=ours[moved].id,
        )  # fmt: skip
        theirs[0], theirs[moved] = theirs[moved], theirs[0]
        return 0
    if moved < added:
        for at in range(moved):
            report.wrong(
                "The entry of position {position} is missing, just before entry {id}; its leaf is {leaf}.",
                position=place + at, id=ours[0].id, leaf=theirs.popleft().hex(),
            )  # fmt: skip
        return moved
    if added < far:
        for _ in range(added):
            report.wrong(
                "Entry {id}, just before position {position} of the log, was added or moved there.",
                id=ours.popleft().id, position=place,
            )  # fmt: skip
        return 0
    report.wrong(
        "Position {position}, entry {id}: it is not what was sealed; its content was changed.",
        position=place, id=ours.popleft().id,
    )  # fmt: skip
    theirs.popleft()
    return 1


# --- heads ----------------------------------------------------------------------------------------------------------


class Heads:
    """A file of heads and keys, with what is wrong in it reported."""

    def __init__(self, path: str, report: Report) -> None:
        self.path, self.report = path, report
        self.origin = ""
        self.keys: dict[str, dict[str, Any]] = {}
        self.notes: list[Note] = []
        data = read_json(path, "tronc-heads-1", report)
        if data is None:
            return
        self.origin = take(data, "origin", str, path)
        for number, key in enumerate(take(data, "keys", list, path), start=1):
            self.add_key(key, say("{file}, key {number}", file=path, number=number))
        for number, head in enumerate(take(data, "heads", list, path), start=1):
            self.add_head(head, say("{file}, head {number}", file=path, number=number))
        self.check_order()

    def add_key(self, key: Any, where: str) -> None:
        """A key: its id is a hash of its name and of itself, and all but the first are signed by one before."""
        name, key_id, pem = (take(key, field, str, where) for field in ("name", "key_id", "pem"))
        public = from_base64(take(key, "public_key", str, where), 32, where)
        if key_id != sha256(name.encode() + b"\n\1" + public).hexdigest()[:8]:
            self.report.wrong("Key {key}: its id is not that of its public key.", key=key_id)
        if "".join(pem.split()) != "".join(pem_of(public).split()):
            self.report.wrong("Key {key}: its PEM text is another key.", key=key_id)
        by = None if key.get("endorsed_by") is None else take(key, "endorsed_by", str, where)
        kept = {"name": name, "public": public, "by": by}
        if by not in (self.keys or [None]):
            self.report.wrong("Key {key}: no key before it has signed it.", key=key_id)
        elif by is not None and key.get("endorsement") is None:
            tell("Key {key}: nobody vouches for it; the key before it ({by}) was lost.", key=key_id, by=by)
        elif by is not None:
            kept["text"] = take(key, "endorsed_text", str, where)
            kept["signature"] = from_base64(take(key, "endorsement", str, where), 64, where)
            if key["public_key"] not in kept["text"]:
                self.report.wrong("Key {key}: the text that key {by} signed does not name it.", key=key_id, by=by)
        if key_id in self.keys:
            self.report.wrong("Key {key} stands twice.", key=key_id)
        self.keys[key_id] = kept

    def add_head(self, head: Any, where: str) -> None:
        """A head: what the file says is what the signed note says, under a key of the file."""
        note = read_note(take(head, "note", str, where), where)
        said = take(head, "block", int, where), take(head, "size", int, where), from_hex(head.get("root"), where)
        same_time = take(head, "sealed_at", str, where)[:19] == note.time[:19]
        if said != (note.block, note.size, note.root) or not same_time:
            self.report.wrong("Block {block}: the file does not say what the signed note says.", block=said[0])
        key = self.keys.get(note.key_id)
        if key is None or (key["name"], self.origin) != (note.name, note.origin):
            self.report.wrong(
                "Block {block}: its note is not of {origin}, or signed by a key that is not in the file ({key}).",
                block=note.block, origin=self.origin, key=note.key_id,
            )  # fmt: skip
        self.notes.append(note)

    def check_order(self) -> None:
        """Blocks count up by one, sizes and times never go down, and no size has two roots."""
        for before, after in zip(self.notes, self.notes[1:]):  # noqa: B905 -- the second is one shorter; Python 3.9
            if after.block == before.block and after != before:
                self.report.wrong("Forked heads: block {block} stands twice, with two contents.", block=after.block)
            elif after.block != before.block + 1:
                self.report.wrong("Block {after} follows block {before}.", after=after.block, before=before.block)
            if after.size < before.size:
                self.report.wrong(
                    "Block {block} holds {size} entries, fewer than the {more} of the block before.",
                    block=after.block, size=after.size, more=before.size,
                )  # fmt: skip
            if after.time < before.time:
                self.report.wrong("Block {block} is older than the block before.", block=after.block)
        if self.notes and self.notes[0].block != 1:
            self.report.wrong("The first head is block {block}, not block 1.", block=self.notes[0].block)
        sizes: dict[int, Note] = {}
        for note in self.notes:
            self.check_fork(sizes.setdefault(note.size, note), note)

    def check_fork(self, first: Note, second: Note) -> None:
        """Two heads of the same size have the same root."""
        if first.root != second.root:
            self.report.wrong(
                "Forked heads: blocks {first} and {second} hold {size} entries with two roots, {root} and {other}.",
                first=first.block, second=second.block, size=first.size, root=first.root.hex(), other=second.root.hex(),
            )  # fmt: skip

    def check_older(self, older: Heads) -> None:
        """Every head and key published before is still there, unchanged."""
        blocks = {note.block: note for note in self.notes}
        sizes = {note.size: note for note in self.notes}
        for note in older.notes:
            kept = blocks.get(note.block)
            if kept is None:
                self.report.wrong("Block {block} was published before and is gone.", block=note.block)
            elif kept.size < note.size:
                self.report.wrong(
                    "Block {block} holds {size} entries, and held {more} when it was published.",
                    block=note.block, size=kept.size, more=note.size,
                )  # fmt: skip
            elif kept.signed != note.signed:
                self.report.wrong("Forked heads: block {block} is not what was published before.", block=note.block)
            if note.size in sizes:
                self.check_fork(note, sizes[note.size])
        for key_id in older.keys.keys() - self.keys.keys():
            self.report.wrong("Key {key} was published before and is gone.", key=key_id)


class Watch:
    """Makes the tree while leaves pass, and compares its root at the sizes of the heads."""

    def __init__(self, heads: Heads | None) -> None:
        self.tree = Tree()
        self.given = heads is not None
        self.waiting: dict[int, list[Note]] = {}
        self.met: list[tuple[Note, bool]] = []
        for note in heads.notes if heads else ():
            self.waiting.setdefault(note.size, []).append(note)
        self.compare()

    def compare(self) -> None:
        """The heads of the size reached, if any."""
        notes = self.waiting.pop(self.tree.size, None)
        if notes:
            root = self.tree.root()
            self.met += [(note, note.root == root) for note in notes]

    def add(self, leaf: bytes) -> None:
        """One more leaf."""
        self.tree.add(leaf)
        if self.tree.size in self.waiting:
            self.compare()

    def through(self, leaves: Iterator[bytes]) -> Iterator[bytes]:
        """The same leaves, seen on their way."""
        for leaf in leaves:
            self.add(leaf)
            yield leaf

    def conclude(self, file: str, report: Report, leaves_would_tell: bool) -> None:
        """Say which heads are not the roots of this file, and between which positions it differs."""
        tell("{file}: {size} entries, root {root}", file=file, size=self.tree.size, root=self.tree.root().hex())
        good = [note for note, right in self.met if right]
        last = max((note.size for note in good), default=0)
        beyond = [note for note, right in self.met if not right and note.size > last]
        for note, right in self.met:
            if not right and note.size <= last:
                report.wrong(
                    "Forked head: block {block} ({size} entries) is not of {file}, and one of that size or above is.",
                    block=note.block, size=note.size, file=file,
                )  # fmt: skip
        if beyond:
            report.wrong(
                "{file} is not what block {block} seals: between positions {first} and {last} an entry was altered.",
                file=file, block=beyond[0].block, first=last + 1, last=beyond[0].size,
            )  # fmt: skip
            if leaves_would_tell:
                tell("With --leaves leaves.txt, the entry can be named.")
        if self.waiting:
            size = max(self.waiting)
            report.wrong(
                "Block {block} holds {size} entries, and {file} ends at {count}.",
                block=self.waiting[size][0].block, size=size, file=file, count=self.tree.size,
            )  # fmt: skip
        if self.given and not self.met and not self.waiting:
            report.wrong("No head says what {file} must be: nothing was compared.", file=file)
        elif good and not beyond and self.tree.size > last:
            tell(
                "BEWARE: no head vouches for what {file} holds after position {last}: ask for newer heads.",
                file=file, last=last,
            )  # fmt: skip
        if good:
            tell("Heads found right: {count}.", count=len(good))
            show_head(good[-1])
            tell("Signatures are not checked by this program: see the command “head”.")


# --- signatures -----------------------------------------------------------------------------------------------------


def pem_of(public: bytes) -> str:
    """A public key as openssl reads it."""
    middle = base64.b64encode(ED25519 + public).decode()
    return f"-----BEGIN PUBLIC KEY-----\n{middle}\n-----END PUBLIC KEY-----\n"


def write_signed(stem: str, text: bytes, signature: bytes, key: str, public: bytes | None) -> None:
    """Write a text, its signature and the key as files, and print the line that checks them."""
    folder, key = os.path.dirname(stem), os.path.join(os.path.dirname(stem), f"key-{key}.pem")
    files = {stem + ".txt": text, stem + ".sig": signature}
    if public is not None:
        files[key] = pem_of(public).encode()
    try:
        os.makedirs(folder, exist_ok=True)
        for path, content in files.items():
            with open(path, "wb") as file:
                file.write(content)
    except OSError as error:
        raise Unreadable(say("{file} cannot be written: {error}.", file=folder, error=error.strerror)) from error
    print(shlex.join(["openssl", "pkeyutl", "-verify", "-pubin", "-inkey", key, "-rawin", "-in", stem + ".txt",
                      "-sigfile", stem + ".sig"]))  # fmt: skip


def offer_signature(note: Note, heads: Heads | None, out: str | None) -> None:
    """Print who signed a head, and write what openssl needs where it was asked for."""
    tell("Signed by {name}, key {key}.", name=note.name, key=note.key_id)
    key = heads.keys.get(note.key_id) if heads else None
    if out is None:
        tell("With --out FOLDER, the files and the openssl line that checks the signature are made.")
        return
    stem = os.path.join(out, "note")
    write_signed(stem, note.signed, note.signature, note.key_id, key["public"] if key else None)
    if key is None:
        tell("The key is not written: put it there yourself, or give --heads heads.json.")


def offer_endorsements(heads: Heads, out: str | None) -> None:
    """The same for each key that an earlier one signed."""
    for key_id, key in heads.keys.items():
        if "signature" in key:
            tell("Key {key} was signed by key {by}.", key=key_id, by=key["by"])
            if out is not None:
                public = heads.keys[key["by"]]["public"]
                stem = os.path.join(out, f"endorsement-{key_id}")
                write_signed(stem, key["text"].encode(), key["signature"], key["by"], public)


# --- commands -------------------------------------------------------------------------------------------------------


def check_journal(path: str, heads: Heads | None, leaves: str | None, report: Report) -> None:
    """The journal against itself, against its leaves if they are given, and one of both against the heads."""
    journal, watch = Journal(path, report), Watch(heads)
    if heads and heads.notes and heads.origin != journal.origin:
        report.wrong("{file} is of {origin}, and the heads are of {other}.", file=path, origin=journal.origin,
                     other=heads.origin)  # fmt: skip
    if leaves is None:
        for entry in journal.entries():
            watch.add(entry.leaf)
    else:
        compare(journal.entries(), watch.through(each_leaf(leaves)), report)
    watch.conclude(leaves or path, report, leaves is None)
    if leaves is None and heads is None:
        tell("Compare this root with a head that you trust, or give --heads heads.json.")


def command_journal(args: argparse.Namespace, report: Report) -> None:
    """The command `journal`."""
    check_journal(args.file, Heads(args.heads, report) if args.heads else None, args.leaves, report)


def command_heads(args: argparse.Namespace, report: Report) -> None:
    """The command `heads`."""
    heads = Heads(args.file, report)
    tell("{file}: heads {heads}, keys {keys}.", file=args.file, heads=len(heads.notes), keys=len(heads.keys))
    if args.older:
        heads.check_older(Heads(args.older, report))
    if args.journal:
        check_journal(args.journal, heads, args.leaves, report)
    elif args.leaves:
        watch = Watch(heads)
        for leaf in each_leaf(args.leaves):
            watch.add(leaf)
        watch.conclude(args.leaves, report, False)
    offer_endorsements(heads, args.out)
    if heads.notes:
        offer_signature(heads.notes[-1], heads, args.out)


def command_head(args: argparse.Namespace, report: Report) -> None:
    """The command `head`."""
    note = read_note("".join(line for _, line in each_line(args.file)), args.file)
    show_head(note)
    heads = Heads(args.heads, report) if args.heads else None
    if heads:
        check_published(note, heads, report)
    offer_signature(note, heads, args.out)


def show_head(note: Note) -> None:
    """What a head says."""
    tell(
        "{origin}, block {block}, {time}: {size} entries, root {root}",
        origin=note.origin, block=note.block, time=note.time, size=note.size, root=note.root.hex(),
    )  # fmt: skip


def check_published(note: Note, heads: Heads, report: Report) -> None:
    """A head seen elsewhere is one of those published."""
    same = [other for other in heads.notes if other.size == note.size]
    if any(other.root != note.root for other in same):
        report.wrong(
            "Forked heads: this one holds {size} entries with root {root}, and {file} gives another root for them.",
            size=note.size, root=note.root.hex(), file=heads.path,
        )  # fmt: skip
    elif not any(other.signed == note.signed for other in same):
        report.wrong("The head of block {block} is not in {file}.", block=note.block, file=heads.path)
    if note.key_id not in heads.keys:
        report.wrong("Key {key} is not in {file}.", key=note.key_id, file=heads.path)


def command_proof(args: argparse.Namespace, report: Report) -> None:
    """The command `proof`."""
    data = read_json(args.file, "tronc-proof-1", report)
    if data is None:
        return
    file = args.file
    entry = take(data, "entry", str, file)
    position, size = take(data, "position", int, file), take(data, "size", int, file)
    leaf, root = from_hex(data.get("leaf"), file), from_hex(data.get("root"), file)
    path = [from_hex(step, file) for step in take(data, "path", list, file)]
    note = read_note(take(data, "head", str, file), file)
    if "content" in data:
        content = take(data, "content", str, file)
        if leaf_hash(content) != leaf:
            report.wrong("Entry {id}: its content is not what was sealed.", id=entry)
        if content.split("|")[:2] != ["tronc-entry-1", entry]:
            report.wrong("Entry {id}: the content is that of another entry.", id=entry)
        print(plain(content, LINE_LIMIT))
    if not 1 <= position <= size or len(path) > 64 or root_by_path(leaf, position - 1, size, path) != root:
        report.wrong(
            "Entry {id} is not at position {position} of the log: the path does not lead to the root.",
            id=entry, position=position,
        )  # fmt: skip
    if (note.size, note.root) != (size, root):
        report.wrong("The signed head of block {block} is of another root or size than the proof.", block=note.block)
    tell("Entry {id}: position {position} of {size}.", id=entry, position=position, size=size)
    if "content" not in data:
        tell("The proof is without content: it shows that a hash was sealed, not what it says.")
    show_head(note)
    heads = Heads(args.heads, report) if args.heads else None
    if heads:
        check_published(note, heads, report)
    offer_signature(note, heads, args.out)


def command_consistency(args: argparse.Namespace, report: Report) -> None:
    """The command `consistency`."""
    data = read_json(args.file, "tronc-consistency-1", report)
    if data is None:
        return
    file = args.file
    old, new = take(data, "from", int, file), take(data, "to", int, file)
    roots = from_hex(data.get("from_root"), file), from_hex(data.get("to_root"), file)
    path = [from_hex(step, file) for step in take(data, "path", list, file)]
    if old == 0:  # every log continues the empty one
        right = new >= 0 and not path and roots[0] == sha256(b"").digest()
    else:
        right = 0 < old <= new and len(path) <= 65 and roots_by_path(old, new, path, roots[0]) == roots
    if not right:
        report.wrong("The log of {to} entries does not continue the log of {start}.", to=new, start=old)
    tell("From {start} entries to {to}.", start=old, to=new)
    if args.heads:
        known = {(note.size, note.root) for note in Heads(args.heads, report).notes}
        for head in {(old, roots[0]), (new, roots[1])} - known:
            if head[0]:
                report.wrong(
                    "No head of {file} holds {size} entries with root {root}.",
                    file=args.heads, size=head[0], root=head[1].hex(),
                )  # fmt: skip


def parser() -> argparse.ArgumentParser:
    """The commands and their options."""
    top = argparse.ArgumentParser(description="Checks the books of a Tronc instance from what it publishes.")
    top.add_argument("--lang", choices=["en", "fr"], default="en", help="language of the messages")
    commands = top.add_subparsers(dest="command", required=True)
    heads = ("--heads", "FILE", "the published heads and keys (heads.json)")
    leaves = ("--leaves", "FILE", "the published hashes of the entries (leaves.txt): names the altered entry")
    out = ("--out", "FOLDER", "where to write what openssl needs")
    older = ("--older", "FILE", "the heads as you kept them")
    journal = ("--journal", "FILE", "the journal, to make every root again")
    for name, run, what, options in (
        ("journal", command_journal, "an exported journal (journal.jsonl)", [heads, leaves]),
        ("proof", command_proof, "the proof of one entry", [heads, out]),
        ("consistency", command_consistency, "the proof that the log only grew", [heads]),
        ("heads", command_heads, "the published heads and keys (heads.json)", [older, journal, leaves, out]),
        ("head", command_head, "one signed head, as printed on a receipt", [heads, out]),
    ):
        command = commands.add_parser(name, help="checks " + what)
        command.set_defaults(run=run)
        command.add_argument("file", metavar="FILE", help=what)
        command.add_argument("--lang", choices=["en", "fr"], default=argparse.SUPPRESS, help="language of the messages")
        for option, metavar, text in options:
            command.add_argument(option, metavar=metavar, help=text)
    return top


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command; returns the exit status."""
    global language  # noqa: PLW0603 -- one run speaks one language
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")  # an old terminal shows escapes instead of stopping the check
    args, report = parser().parse_args(arguments), Report()
    language = args.lang
    try:
        args.run(args, report)
    except Unreadable as error:
        print(error, file=sys.stderr)
        return 2
    except UnicodeEncodeError:  # half a character, which JSON can write and UTF-8 cannot
        print(say("{file} holds text that is not Unicode.", file=args.file), file=sys.stderr)
        return 2
    return report.end()


FRENCH = {
    "WRONG: ": "FAUX : ",
    "… and {count} more.": "… et {count} de plus.",
    "Something is wrong: {count}.": "Quelque chose est faux : {count}.",
    "Nothing is wrong.": "Rien n’est faux.",
    "{file} cannot be opened: {error}.": "{file} ne peut pas être ouvert : {error}.",
    "{file} cannot be written: {error}.": "{file} ne peut pas être écrit : {error}.",
    "{file} holds text that is not Unicode.": "{file} contient un texte qui n’est pas de l’Unicode.",
    "{file} is not a file of format {form}.": "{file} n’est pas un fichier au format {form}.",
    "{file} gives “{name}” twice: two programs could read two things.":
        "{file} donne « {name} » deux fois : deux programmes pourraient y lire deux choses.",
    "{file}, line {line}": "{file}, ligne {line}",
    "{file}, line {line}: not JSON.": "{file}, ligne {line} : ce n’est pas du JSON.",
    "{file}, line {line}: not an entry.": "{file}, ligne {line} : ce n’est pas une écriture.",
    "{file}, line {line}: the line is too long.": "{file}, ligne {line} : la ligne est trop longue.",
    "{file}, line {line}: not UTF-8 text.": "{file}, ligne {line} : ce n’est pas du texte UTF-8.",
    "{file}, key {number}": "{file}, clé {number}",
    "{file}, head {number}": "{file}, tête {number}",
    "{where}: “{name}” is missing or of the wrong kind.": "{where} : « {name} » manque ou n’a pas la bonne forme.",
    "{where}: 64 hexadecimal figures are expected, not “{text}”.":
        "{where} : 64 chiffres hexadécimaux sont attendus, pas « {text} ».",
    "{where}: {length} bytes in base64 are expected.": "{where} : {length} octets en base64 sont attendus.",
    "{where}: not a signed head.": "{where} : ce n’est pas une tête signée.",
    "{where}: one signature of “{origin}” is expected.": "{where} : une signature de « {origin} » est attendue.",
    "{file} does not begin with the first entry: roots need all of them.":
        "{file} ne commence pas à la première écriture : une racine les demande toutes.",
    "{file} is of {origin}, and the heads are of {other}.": "{file} est de {origin}, et les têtes sont de {other}.",
    "a field is not text": "un champ n’est pas un texte",
    "its lines are not lists of account, currency, amount and chart":
        "ses lignes ne sont pas des listes de compte, devise, montant et numéro du plan",
    "a currency is not three letters: {currency}": "une devise n’est pas de trois lettres : {currency}",
    "an amount is not a whole number of minor units: {amount}":
        "un montant n’est pas un nombre entier de centimes : {amount}",
    "an amount is zero or beyond 64 bits: {amount}": "un montant est nul ou dépasse 64 bits : {amount}",
    "it has fewer than two lines": "elle a moins de deux lignes",
    "it is not balanced: its lines in {currency} make {total}":
        "elle n’est pas équilibrée : ses lignes en {currency} font {total}",
    "a date is not written as in the format": "une date n’est pas écrite comme le format le veut",
    "a field is empty or holds a separator: the text could be read in two ways":
        "un champ est vide ou contient un séparateur : le texte pourrait se lire de deux façons",
    "it gives “{name}” twice: two programs could read two things":
        "elle donne « {name} » deux fois : deux programmes pourraient y lire deux choses",
    "it has a field that no seal covers": "elle a un champ qu’aucun sceau ne couvre",
    "Position {position}, entry {id}: {problem}.": "Position {position}, écriture {id} : {problem}.",
    "Position {position}, entry {id}: it is not what was sealed; its content was changed.":
        "Position {position}, écriture {id} : ce n’est pas ce qui a été scellé ; son contenu a été changé.",
    "Position {position}, entry {id}: it was added, no leaf is its own.":
        "Position {position}, écriture {id} : elle a été ajoutée, aucune feuille n’est la sienne.",
    "Line {line} holds position {found} (entry {id}), not {expected}: removed, added or renumbered.":
        "La ligne {line} porte la position {found} (écriture {id}), pas {expected} : retrait, ajout, "
        "déplacement ou renumérotation.",
    "The first line of {file} announces {size} entries, and {count} follow.":
        "La première ligne de {file} annonce {size} écritures, et {count} suivent.",
    "Entry {id} stands twice in the journal: on lines {first} and {line}.":
        "L’écriture {id} est deux fois dans le journal : aux lignes {first} et {line}.",
    "The journal lacks its end: positions {first} to {last}.":
        "Il manque la fin du journal : positions {first} à {last}.",
    "Positions {first} and {last} are swapped: entry {id} stands where entry {other} was sealed.":
        "Les positions {first} et {last} sont échangées : l’écriture {id} est là où l’écriture {other} a été scellée.",
    "The entry of position {position} is missing, just before entry {id}; its leaf is {leaf}.":
        "L’écriture de la position {position} manque, juste avant l’écriture {id} ; sa feuille est {leaf}.",
    "Entry {id}, just before position {position} of the log, was added or moved there.":
        "L’écriture {id}, juste avant la position {position} du registre, y a été ajoutée ou déplacée.",
    "Key {key}: its id is not that of its public key.":
        "Clé {key} : son identifiant n’est pas celui de sa clé publique.",
    "Key {key}: its PEM text is another key.": "Clé {key} : son texte PEM est une autre clé.",
    "Key {key}: no key before it has signed it.": "Clé {key} : aucune clé précédente ne l’a signée.",
    "Key {key}: the text that key {by} signed does not name it.":
        "Clé {key} : le texte que la clé {by} a signé ne la nomme pas.",
    "Key {key} stands twice.": "La clé {key} est là deux fois.",
    "Key {key} was signed by key {by}.": "La clé {key} a été signée par la clé {by}.",
    "Key {key} was published before and is gone.": "La clé {key} a été publiée et n’y est plus.",
    "Key {key} is not in {file}.": "La clé {key} n’est pas dans {file}.",
    "Block {block}: the file does not say what the signed note says.":
        "Bloc {block} : le fichier ne dit pas ce que dit la note signée.",
    "Block {block}: its note is not of {origin}, or signed by a key that is not in the file ({key}).":
        "Bloc {block} : sa note n’est pas de {origin}, ou est signée d’une clé absente du fichier ({key}).",
    "Forked heads: block {block} stands twice, with two contents.":
        "Têtes divergentes : le bloc {block} est là deux fois, avec deux contenus.",
    "Block {after} follows block {before}.": "Le bloc {after} suit le bloc {before}.",
    "Block {block} holds {size} entries, fewer than the {more} of the block before.":
        "Le bloc {block} porte {size} écritures, moins que les {more} du bloc d’avant.",
    "Block {block} is older than the block before.": "Le bloc {block} est plus ancien que le bloc d’avant.",
    "The first head is block {block}, not block 1.": "La première tête est le bloc {block}, pas le bloc 1.",
    "Forked heads: blocks {first} and {second} hold {size} entries with two roots, {root} and {other}.":
        "Têtes divergentes : les blocs {first} et {second} portent {size} écritures avec deux racines, "
        "{root} et {other}.",
    "Block {block} was published before and is gone.": "Le bloc {block} a été publié et n’y est plus.",
    "Block {block} holds {size} entries, and held {more} when it was published.":
        "Le bloc {block} porte {size} écritures, et en portait {more} quand il a été publié.",
    "Forked heads: block {block} is not what was published before.":
        "Têtes divergentes : le bloc {block} n’est pas ce qui avait été publié.",
    "{file}: {size} entries, root {root}": "{file} : écritures {size}, racine {root}",
    "Forked head: block {block} ({size} entries) is not of {file}, and one of that size or above is.":
        "Tête divergente : le bloc {block} ({size} écritures) n’est pas de {file}, et une tête de cette "
        "taille ou au-delà l’est.",
    "{file} is not what block {block} seals: between positions {first} and {last} an entry was altered.":
        "{file} n’est pas ce que le bloc {block} scelle : entre les positions {first} et {last}, une "
        "écriture a été altérée.",
    "With --leaves leaves.txt, the entry can be named.": "Avec --leaves leaves.txt, l’écriture peut être nommée.",
    "Block {block} holds {size} entries, and {file} ends at {count}.":
        "Le bloc {block} porte {size} écritures, et {file} s’arrête à {count}.",
    "Key {key}: nobody vouches for it; the key before it ({by}) was lost.": (
        "Clé {key} : personne ne répond d’elle ; la clé précédente ({by}) a été perdue."
    ),
    "No head says what {file} must be: nothing was compared.": (
        "Aucune tête ne dit ce que {file} doit être : rien n’a été comparé."
    ),
    "BEWARE: no head vouches for what {file} holds after position {last}: ask for newer heads.": (
        "ATTENTION : aucune tête ne répond de ce que {file} contient après la position {last} : demandez des têtes "
        "plus récentes."
    ),
    "Heads found right: {count}.": "Têtes trouvées justes : {count}.",
    "Signatures are not checked by this program: see the command “head”.":
        "Ce programme ne vérifie pas les signatures : voyez la commande « head ».",
    "Signed by {name}, key {key}.": "Signée par {name}, clé {key}.",
    "With --out FOLDER, the files and the openssl line that checks the signature are made.":
        "Avec --out DOSSIER, les fichiers et la ligne openssl qui vérifie la signature sont préparés.",
    "The key is not written: put it there yourself, or give --heads heads.json.":
        "La clé n’est pas écrite : posez-la vous-même, ou donnez --heads heads.json.",
    "Compare this root with a head that you trust, or give --heads heads.json.":
        "Comparez cette racine avec une tête à laquelle vous vous fiez, ou donnez --heads heads.json.",
    "{file}: heads {heads}, keys {keys}.": "{file} : têtes {heads}, clés {keys}.",
    "{origin}, block {block}, {time}: {size} entries, root {root}":
        "{origin}, bloc {block}, {time} : écritures {size}, racine {root}",
    "Forked heads: this one holds {size} entries with root {root}, and {file} gives another root for them.":
        "Têtes divergentes : celle-ci porte {size} écritures avec la racine {root}, et {file} leur donne une "
        "autre racine.",
    "The head of block {block} is not in {file}.": "La tête du bloc {block} n’est pas dans {file}.",
    "Entry {id}: its content is not what was sealed.": "Écriture {id} : son contenu n’est pas ce qui a été scellé.",
    "Entry {id}: the content is that of another entry.": "Écriture {id} : le contenu est celui d’une autre écriture.",
    "Entry {id} is not at position {position} of the log: the path does not lead to the root.":
        "L’écriture {id} n’est pas à la position {position} du registre : le chemin ne mène pas à la racine.",
    "The signed head of block {block} is of another root or size than the proof.":
        "La tête signée du bloc {block} n’a pas la racine ou la taille de la preuve.",
    "Entry {id}: position {position} of {size}.": "Écriture {id} : position {position} sur {size}.",
    "The proof is without content: it shows that a hash was sealed, not what it says.":
        "La preuve est sans contenu : elle montre qu’une empreinte a été scellée, pas ce qu’elle dit.",
    "The log of {to} entries does not continue the log of {start}.":
        "Le registre de {to} écritures ne prolonge pas celui de {start}.",
    "From {start} entries to {to}.": "De {start} écritures à {to}.",
    "No head of {file} holds {size} entries with root {root}.":
        "Aucune tête de {file} ne porte {size} écritures avec la racine {root}.",
}  # fmt: skip

if __name__ == "__main__":
    sys.exit(main())
