"""Published books as a server would write them, small and made here, and the program run on them."""

import base64
import json
import subprocess
import sys
from copy import deepcopy
from dataclasses import dataclass, field
from hashlib import sha256
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from types import ModuleType
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from backend.ledger import merkle

PROGRAM = Path(__file__).resolve().parents[2] / "api_docs" / "verify" / "tronc_verify.py"
ALL = ("journal", "journal.jsonl", "--heads", "heads.json", "--leaves", "leaves.txt")
ROOTS = ALL[:4]
ZERO = "0" * 64
ORIGIN = "tronc.example/books"
KEYS = [Ed25519PrivateKey.from_private_bytes(bytes([number]) * 32) for number in (1, 2)]
Row = dict[str, Any]


def row(position: int) -> Row:
    """An entry with three lines."""
    return {
        "position": position, "id": f"ent_{position:05}", "kind": "payment.received", "happened_on": "2026-11-21",
        "booked_at": f"2026-11-21T10:00:00.{position:06}Z", "reference": f"plg_{position}",
        "reverses": "ent_00001" if position == 2 else None,
        "lines": [
            ["acc_bank", "EUR", 100 * position, "512"], ["acc_pot", "EUR", -95 * position, "7541"],
            ["acc_fee", "EUR", -5 * position, "706"],
        ],
    }  # fmt: skip


def text(entry: Row) -> str:
    """The leaf text of an entry."""
    lines = ",".join(":".join(str(part) for part in line) for line in entry["lines"])
    dates = [entry["happened_on"], entry["booked_at"]]
    parts = ["tronc-entry-1", entry["id"], entry["kind"], *dates, entry["reference"], entry["reverses"] or "-", lines]
    return "|".join(parts)


def public(key: Ed25519PrivateKey) -> bytes:
    """The 32 bytes of a public key."""
    return key.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)


def key_id(key: Ed25519PrivateKey, name: str = ORIGIN) -> bytes:
    """The four bytes that name a key in a signed note."""
    return sha256(name.encode() + b"\n\x01" + public(key)).digest()[:4]


def key_row(key: Ed25519PrivateKey, by: Ed25519PrivateKey | None = None) -> Row:
    """A key as heads.json shows it, signed by the one before."""
    pem = key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()
    shown = base64.b64encode(public(key)).decode()
    said = f"tronc-key-1\n{ORIGIN}\n{shown}\n"
    return {
        "name": ORIGIN, "key_id": key_id(key).hex(), "public_key": shown, "pem": pem, "since": "2026-11-21T10:00:00Z",
        "endorsed_by": key_id(by).hex() if by else None, "endorsed_text": said if by else None,
        "endorsement": base64.b64encode(by.sign(said.encode())).decode() if by else None,
    }  # fmt: skip


def head(block: int, size: int, root: bytes, key: Ed25519PrivateKey = KEYS[0], origin: str = ORIGIN) -> Row:
    """A signed head as heads.json shows it."""
    at = f"2026-11-21T{10 + block:02}:00:00Z"
    signed = f"{origin}\n{size}\n{base64.b64encode(root).decode()}\nblock {block}\ntime {at}\n"
    signature = base64.b64encode(key_id(key, origin) + key.sign(signed.encode())).decode()
    note = f"{signed}\n— {origin} {signature}\n"
    return {"block": block, "size": size, "root": root.hex(), "sealed_at": at, "note": note}


@dataclass
class Books:
    """What an instance publishes: change any part, then `write` it."""

    folder: Path
    rows: list[Row]
    leaves: list[bytes] = field(default_factory=list)
    heads: list[Row] = field(default_factory=list)
    keys: list[Row] = field(default_factory=list)
    size: int = 0

    def tree(self, size: int) -> merkle.Tree:
        """The tree of the first entries."""
        return merkle.Tree(size, self.read)

    def read(self, level: int, first: int, count: int) -> list[bytes]:
        """Stored hashes; of these small logs, leaves alone."""
        assert level == 0
        return self.leaves[first : first + count]

    def proof(self, position: int, size: int, block: int) -> Row:
        """proof.json of an entry."""
        tree = self.tree(size)
        return {
            "format": "tronc-proof-1", "entry": self.rows[position - 1]["id"], "position": position, "size": size,
            "leaf": self.leaves[position - 1].hex(), "path": [step.hex() for step in tree.inclusion(position - 1)],
            "root": tree.root().hex(), "head": self.heads[block - 1]["note"], "content": text(self.rows[position - 1]),
        }  # fmt: skip

    def consistency(self, old: int, new: int) -> Row:
        """consistency.json between two sizes."""
        return {
            "format": "tronc-consistency-1", "from": old, "to": new,
            "path": [step.hex() for step in self.tree(new).consistency(old)],
            "from_root": self.tree(old).root().hex(), "to_root": self.tree(new).root().hex(),
        }  # fmt: skip

    def renumber(self) -> None:
        """Give each entry the position of its line, as a careful forger would."""
        for position, entry in enumerate(self.rows, start=1):
            entry["position"] = position
        self.size = len(self.rows)

    def write(self) -> None:
        """Write journal.jsonl, leaves.txt and heads.json."""
        first = {"format": "tronc-journal-1", "origin": ORIGIN, "first": 1, "size": self.size}
        lines = [json.dumps(part, ensure_ascii=False) for part in [first, *self.rows]]
        (self.folder / "journal.jsonl").write_text("\n".join(lines) + "\n")
        (self.folder / "leaves.txt").write_text("".join(leaf.hex() + "\n" for leaf in self.leaves))
        heads = {"format": "tronc-heads-1", "origin": ORIGIN, "keys": self.keys, "heads": self.heads}
        self.put("heads.json", heads)

    def put(self, name: str, value: Any) -> None:
        """Write a JSON file."""
        (self.folder / name).write_text(json.dumps(value, ensure_ascii=False, indent=1))


def make(folder: Path, sizes: tuple[int, ...] = (3, 12, 20)) -> Books:
    """Good books with a head at each of these sizes, the last signed by a second key."""
    books = Books(folder, [row(position) for position in range(1, sizes[-1] + 1)], size=sizes[-1])
    books.leaves = [merkle.leaf_hash(text(entry)) for entry in books.rows]
    for block, size in enumerate(sizes, start=1):
        key = KEYS[1] if size == sizes[-1] else KEYS[0]
        books.heads.append(head(block, size, merkle.root(books.leaves[:size]), key))
    books.keys = [key_row(KEYS[0]), key_row(KEYS[1], by=KEYS[0])]
    books.write()
    return books


def altered(entry: Row, **changes: Any) -> Row:
    """A copy of an entry, changed."""
    return {**deepcopy(entry), **changes}


def change_amount(books: Books) -> None:
    """Move a cent of entry 7 from one line to another: it still balances."""
    books.rows[6]["lines"][0][2] += 1
    books.rows[6]["lines"][1][2] -= 1


def run(books: Books, *arguments: str, expect: int) -> str:
    """What the program prints, in the folder of the books."""
    done = subprocess.run(
        [sys.executable, "-I", str(PROGRAM), *arguments], cwd=books.folder, capture_output=True, text=True, check=False
    )
    assert done.returncode == expect, done.stdout + done.stderr
    assert not (done.stderr and expect != 2), done.stderr
    return done.stderr if expect == 2 else done.stdout


def findings(books: Books, *arguments: str) -> list[str]:
    """The sentences of what is wrong."""
    lines = run(books, *arguments, expect=1).splitlines()
    found = [line.removeprefix("WRONG: ") for line in lines if line.startswith("WRONG: ")]
    assert lines[-1] == f"Something is wrong: {len(found)}."
    return found


def program() -> ModuleType:
    """The program as a module."""
    spec = spec_from_file_location("tronc_verify", PROGRAM)
    assert spec is not None
    assert spec.loader is not None
    module = module_from_spec(spec)
    spec.loader.exec_module(module)
    return module
