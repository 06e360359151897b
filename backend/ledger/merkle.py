"""The Merkle tree of RFC 6962 over the seals: roots and proofs, read from stored subtrees; no Django, no clock.

The tree is cut into tiles of 256 hashes. What is stored is the leaves (level 0) and the roots of full tiles: of 256
leaves (level 8), of 65 536 (level 16) and of 2^24 (level 24). Every other node is made again from at most 256 hashes
of the stored level below it, so that a proof in a log of ten million entries reads a handful of tiles.
"""

from collections.abc import Callable, Iterable, Sequence
from hashlib import sha256
from itertools import islice
from typing import NamedTuple

Reader = Callable[[int, int, int], Sequence[bytes]]
"""`read(level, first, count)`: that many stored hashes of 32 bytes, in order, from number `first` (counted from 0)."""

HASH_BYTES = 32
TILE = 256
STORED = (0, 8, 16, 24)
LARGEST = (1 << 32) - 1  # leaves; beyond, the last stored level would need a second tile
EMPTY = sha256(b"").digest()


class Subtree(NamedTuple):
    """A full subtree: the root of the 2^level leaves that begin at leaf number * 2^level, counted from 0."""

    level: int
    number: int
    hash: bytes


def leaf_hash(text: str) -> bytes:
    """The hash of one leaf; the first byte keeps a leaf from passing for an inner node."""
    return sha256(b"\0" + text.encode()).digest()


def node(left: bytes, right: bytes) -> bytes:
    """The hash of an inner node."""
    return sha256(b"\1" + left + right).digest()


def root(leaves: Iterable[bytes]) -> bytes:
    """The root over leaf hashes, read once in order; memory grows with the logarithm of their number."""
    source = iter(leaves)
    peaks: list[bytes] = []  # one per bit of `full`, the largest first
    full = 0
    while len(tile := list(islice(source, TILE))) == TILE:
        full += 1
        (peak,) = _join(tile)
        for _ in range((full & -full).bit_length() - 1):
            peak = node(peaks.pop(), peak)
        peaks.append(peak)
    tail = _join(tile)
    while peaks:
        tail = _join([peaks.pop(), *tail])
    return tail[0] if tail else EMPTY


def new_subtrees(old_size: int, leaves: Iterable[bytes], read: Reader) -> tuple[list[Subtree], bytes]:
    """What appending leaves to a log completes, and the new root.

    Args: old_size: how many leaves are stored. leaves: the hashes that follow them. read: answers for what is stored
    before the addition; asked for one tile a level at most.
    Returns: the subtrees to store, lowest level first and in order, and the root of the log after the addition.
    Raises: ValueError: the log would be larger than the stored levels allow.
    """
    fresh, at, made = list(leaves), old_size, list[Subtree]()
    if old_size + len(fresh) > LARGEST:
        raise ValueError(f"a log of {old_size + len(fresh)} leaves is larger than {LARGEST}")
    tail: list[bytes] = []  # what is beyond the last full tile of the levels done, as one hash
    for level in STORED:
        started = at % TILE
        row = [*read(level, at - started, started), *fresh] if started else fresh
        if level == STORED[-1]:
            tail = _join([*row, *tail])
            break
        whole = len(row) - len(row) % TILE
        fresh = [_join(row[start : start + TILE])[0] for start in range(0, whole, TILE)]
        tail = _join([*row[whole:], *tail])
        at //= TILE
        made += [Subtree(level + 8, at + place, value) for place, value in enumerate(fresh)]
    return made, tail[0] if tail else EMPTY


class Tree:
    """The tree of the first `size` leaves of a log; keeps the tiles it has read, so make one for each question.

    Args: size: number of leaves. read: answers for stored hashes, at least all those full in a log of this size.
    Raises: ValueError: the size is negative or larger than the stored levels allow.
    """

    def __init__(self, size: int, read: Reader) -> None:
        if not 0 <= size <= LARGEST:
            raise ValueError(f"a log has from 0 to {LARGEST} leaves, not {size}")
        self.size = size
        self._read = read
        self._tiles: dict[tuple[int, int], Sequence[bytes]] = {}

    def root(self) -> bytes:
        """The root of the tree; of no leaf, the hash of nothing."""
        return self._node(0, self.size) if self.size else EMPTY

    def inclusion(self, index: int) -> list[bytes]:
        """The path that proves one leaf, from the leaf up (RFC 9162 §2.1.3.1).

        Args: index: number of the leaf, counted from 0. Raises: ValueError: there is no such leaf.
        """
        if not 0 <= index < self.size:
            raise ValueError(f"leaf {index} is not among the {self.size} of this tree")
        first, end, path = 0, self.size, list[bytes]()
        while end - first > 1:
            middle = first + _left(end - first)
            if index < middle:
                path.append(self._node(middle, end))
                end = middle
            else:
                path.append(self._node(first, middle))
                first = middle
        return path[::-1]

    def consistency(self, old: int) -> list[bytes]:
        """The path that proves that the first `old` leaves are still the same (RFC 9162 §2.1.4.1).

        Args: old: a former size. Returns: nothing where there is nothing to prove: sizes 0 and of today.
        Raises: ValueError: the log was never that long.
        """
        if not 0 <= old <= self.size:
            raise ValueError(f"a log of {self.size} leaves has not been one of {old}")
        if not old:
            return []
        first, end, path = 0, self.size, list[bytes]()
        while old != end:
            middle = first + _left(end - first)
            if old <= middle:
                path.append(self._node(middle, end))
                end = middle
            else:
                path.append(self._node(first, middle))
                first = middle
        if first:  # else what remains is the former tree itself, whose root the reader holds
            path.append(self._node(first, end))
        return path[::-1]

    def _node(self, first: int, end: int) -> bytes:
        """The node over leaves first to end-1: row by row from the leaves up, each beyond the last full tile."""
        tail: list[bytes] = []
        for level in STORED:
            start = first if end - first < TILE << level else end >> level + 8 << level + 8
            tail = _join([*self._row(level, start >> level, end >> level), *tail])
            end = start
            if start == first:
                break
        return tail[0]

    def _row(self, level: int, first: int, end: int) -> Sequence[bytes]:
        """Stored hashes first to end-1 of a level, all of one tile."""
        if first == end:
            return ()
        number, at = divmod(first, TILE)
        tile = self._tiles.get((level, number))
        if tile is None:
            count = min(TILE, (self.size >> level) - number * TILE)
            tile = self._tiles[level, number] = self._read(level, number * TILE, count)
        return tile[at : at + end - first]


def verify_inclusion(leaf: bytes, index: int, size: int, path: Sequence[bytes], head: bytes) -> bool:
    """Whether the path leads from a leaf to the root of a tree (RFC 9162 §2.1.3.2).

    Args: leaf: its hash. index: its number, counted from 0. size: leaves of the tree. head: the root of the tree.
    """
    if not 0 <= index < size or not _hashes([leaf, *path]):
        return False
    value, number, last = leaf, index, size - 1
    for step in path:
        if not last:
            return False
        if number & 1 or number == last:
            value = node(step, value)
            while not number & 1 and number:
                number, last = number >> 1, last >> 1
        else:
            value = node(value, step)
        number, last = number >> 1, last >> 1
    return not last and value == head


def verify_consistency(old: int, new: int, path: Sequence[bytes], old_root: bytes, new_root: bytes) -> bool:
    """Whether a tree only grew between two sizes (RFC 9162 §2.1.4.2).

    Args: old, new: numbers of leaves. old_root, new_root: the roots at these sizes.
    """
    if not 0 <= old <= new or not _hashes(path):
        return False
    if old in {0, new}:
        return not path and (old_root == new_root if old else old_root == EMPTY)
    steps = list(path) if old & (old - 1) else [old_root, *path]
    if not steps:
        return False
    number, last = old - 1, new - 1
    while number & 1:
        number, last = number >> 1, last >> 1
    before = after = steps[0]
    for step in steps[1:]:
        if not last:
            return False
        if number & 1 or number == last:
            before, after = node(step, before), node(step, after)
            while not number & 1 and number:
                number, last = number >> 1, last >> 1
        else:
            after = node(after, step)
        number, last = number >> 1, last >> 1
    return not last and before == old_root and after == new_root


def _join(row: list[bytes]) -> list[bytes]:
    """The root over the hashes of one row, as a list of one; of none, the empty list.

    The last of an odd row climbs unchanged, which gives the splits of the RFC at its largest powers of two.
    """
    while len(row) > 1:
        odd = row[-1:] if len(row) % 2 else []
        row = [sha256(b"\1" + left + right).digest() for left, right in zip(row[::2], row[1::2], strict=False)] + odd
    return row


def _left(size: int) -> int:
    """How many of `size` leaves go to the left: the largest power of two below it."""
    return 1 << (size - 1).bit_length() - 1


def _hashes(values: Iterable[bytes]) -> bool:
    return all(len(value) == HASH_BYTES for value in values)
