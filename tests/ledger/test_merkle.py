"""The Merkle tree against RFC 6962's published vectors, and against its definition written out naively."""

import hashlib
import time
from functools import cache

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from backend.ledger import merkle

QUICK = settings(max_examples=80, derandomize=True, deadline=None, database=None)
INPUTS = [
    bytes.fromhex(text)
    for text in ("", "00", "10", "2021", "3031", "40414243", "5051525354555657", "606162636465666768696a6b6c6d6e6f")
]
# The roots of certificate-transparency over the first 1 to 8 of these inputs.
ROOTS = [
    "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
    "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
    "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
    "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
    "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
    "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
    "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
]
LEAVES = [hashlib.sha256(b"\0%d" % number).digest() for number in range(70_000)]
EDGES = [1, 2, 3, 7, 8, 255, 256, 257, 511, 512, 513, 768, 1000]


def naive(first: int, end: int) -> bytes:
    """MTH of RFC 6962 §2.1 over leaves first to end-1, as it is written there."""
    if end == first:
        return hashlib.sha256().digest()
    return LEAVES[first] if end - first == 1 else half(first, end)


@cache
def half(first: int, end: int) -> bytes:
    """The inner node over leaves first to end-1, kept: the large trees share nearly all of theirs."""
    middle = first + split(end - first)
    return hashlib.sha256(b"\1" + naive(first, middle) + naive(middle, end)).digest()


def split(size: int) -> int:
    power = 1
    while power * 2 < size:
        power *= 2
    return power


def naive_path(index: int, first: int, end: int) -> list[bytes]:
    """PATH of RFC 6962 §2.1.1."""
    if end - first == 1:
        return []
    middle = first + split(end - first)
    if index < middle:
        return [*naive_path(index, first, middle), naive(middle, end)]
    return [*naive_path(index, middle, end), naive(first, middle)]


def naive_proof(old: int, first: int, end: int, whole: bool) -> list[bytes]:
    """SUBPROOF of RFC 6962 §2.1.2; `old` is where the former tree ends."""
    if old == end:
        return [] if whole else [naive(first, end)]
    middle = first + split(end - first)
    if old <= middle:
        return [*naive_proof(old, first, middle, whole), naive(middle, end)]
    return [*naive_proof(old, middle, end, False), naive(first, middle)]


class Store:
    """What the tables of seals and subtrees hold for a log of some size, and how often they were read."""

    def __init__(self, size: int = 0) -> None:
        self.rows: dict[int, list[bytes]] = {level: [] for level in merkle.STORED}
        self.calls = 0
        for level in merkle.STORED:
            self.rows[level] = [naive(at << level, at + 1 << level) for at in range(size >> level)]

    def read(self, level: int, first: int, count: int) -> list[bytes]:
        self.calls += 1
        found = self.rows[level][first : first + count]
        assert 0 < count <= 256
        assert len(found) == count, "read what is not stored"
        return found

    def append(self, leaves: list[bytes]) -> bytes:
        made, root = merkle.new_subtrees(len(self.rows[0]), leaves, self.read)
        self.rows[0] += leaves
        for subtree in made:
            assert subtree.number == len(self.rows[subtree.level])
            self.rows[subtree.level].append(subtree.hash)
        return root


def store(size: int) -> Store:
    return Store(size)


sizes = st.one_of(st.sampled_from(EDGES), st.integers(1, 1200))


def test_the_roots_of_certificate_transparency() -> None:
    leaves = [merkle.leaf_hash(data.decode()) for data in INPUTS]
    assert [merkle.root(leaves[:size]).hex() for size in range(1, 9)] == ROOTS
    assert merkle.root([]).hex() == "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
    assert merkle.node(leaves[0], leaves[1]).hex() == ROOTS[1]
    assert merkle.Tree(0, store(0).read).root() == merkle.root([])


@QUICK
@given(sizes)
@example(65_535)
@example(65_536)
@example(65_537)
def test_a_root_is_that_of_the_definition(size: int) -> None:
    assert merkle.root(iter(LEAVES[:size])) == naive(0, size) == merkle.Tree(size, store(size).read).root()


@QUICK
@given(sizes, st.data())
def test_an_inclusion_path_is_that_of_the_definition_and_proves_one_leaf_at_one_place(
    size: int, data: st.DataObject
) -> None:
    index = data.draw(st.integers(0, size - 1))
    root, path = naive(0, size), merkle.Tree(size, store(size).read).inclusion(index)
    assert path == naive_path(index, 0, size)
    assert merkle.verify_inclusion(LEAVES[index], index, size, path, root)
    other = data.draw(st.integers(0, size + 1).filter(lambda number: number != index))
    assert not merkle.verify_inclusion(LEAVES[index], other, size, path, root)
    assert not merkle.verify_inclusion(LEAVES[size], index, size, path, root)
    assert not merkle.verify_inclusion(LEAVES[index], index, size, path, naive(0, size + 1))
    assert not merkle.verify_inclusion(LEAVES[index], index, size, [*path, root], root)
    assert not (path and merkle.verify_inclusion(LEAVES[index], index, size, path[:-1], root))


@QUICK
@given(sizes, st.data())
def test_a_consistency_path_is_that_of_the_definition_and_proves_one_past(size: int, data: st.DataObject) -> None:
    old = data.draw(st.one_of(st.integers(1, size), st.sampled_from([edge for edge in EDGES if edge <= size])))
    before, after = naive(0, old), naive(0, size)
    path = merkle.Tree(size, store(size).read).consistency(old)
    assert path == naive_proof(old, 0, size, True)
    assert merkle.verify_consistency(old, size, path, before, after)
    assert not merkle.verify_consistency(old, size, path, naive(1, old + 1), after)
    assert not merkle.verify_consistency(old, size, path, before, naive(0, size + 1))
    assert not merkle.verify_consistency(old, size, [*path, after], before, after)
    assert not (path and merkle.verify_consistency(old, size, path[:-1], before, after))
    assert not (old < size and merkle.verify_consistency(old, old, path, before, after))


def test_a_byte_cannot_move_from_one_hash_to_the_next() -> None:
    root, (first, *rest) = naive(0, 5), naive_path(0, 0, 5)
    assert merkle.verify_inclusion(LEAVES[0], 0, 5, [first, *rest], root)
    assert not merkle.verify_inclusion(LEAVES[0] + first[:1], 0, 5, [first[1:], *rest], root)
    (step,), before = naive_proof(4, 0, 5, True), naive(0, 4)
    assert merkle.verify_consistency(4, 5, [step], before, root)
    assert not merkle.verify_consistency(4, 5, [step[1:]], before + step[:1], root)


def test_of_nothing_every_log_is_the_continuation() -> None:
    tree = merkle.Tree(5, store(5).read)
    assert tree.consistency(0) == tree.consistency(5) == []
    assert merkle.verify_consistency(0, 5, [], merkle.EMPTY, naive(0, 5))
    assert not merkle.verify_consistency(0, 5, [], naive(0, 1), naive(0, 5))
    assert not merkle.verify_consistency(5, 5, [], naive(0, 4), naive(0, 5))
    assert not merkle.verify_consistency(6, 5, [], naive(0, 6), naive(0, 5))
    assert not merkle.verify_consistency(2, 5, [], naive(0, 2), naive(0, 5))


@QUICK
@given(st.lists(st.one_of(st.integers(0, 9), st.sampled_from([255, 256, 257, 600])), max_size=8))
@example([65_535, 1, 1])
@example([0, 66_000, 300])
def test_additions_complete_subtrees_and_give_the_root(steps: list[int]) -> None:
    grown, size = Store(), 0
    for step in steps:
        assert grown.append(LEAVES[size : size + step]) == naive(0, size + step)
        size += step
    assert grown.rows == store(size).rows


@pytest.mark.parametrize("size", [65_535, 65_536, 65_537, 69_999])
def test_large_logs_read_a_handful_of_tiles(size: int) -> None:
    for index in (0, 255, 256, size // 2, 65_534, size - 1):
        books = store(size)
        path = merkle.Tree(size, books.read).inclusion(index)
        assert path == naive_path(index, 0, size)
        assert books.calls <= 5, "one tile a level on the way to the leaf, one a level at the right edge"
    for old in (1, 256, 257, 40_000, 65_534):
        books = store(size)
        assert merkle.Tree(size, books.read).consistency(old) == naive_proof(old, 0, size, True)
        assert books.calls <= 5


class Endless:
    """A log whose leaves are all the same, so that any size can be answered without storing it."""

    def __init__(self) -> None:
        self.calls = 0
        self.hashes = [LEAVES[0]]
        for _ in range(33):
            self.hashes.append(merkle.node(self.hashes[-1], self.hashes[-1]))

    def read(self, level: int, first: int, count: int) -> list[bytes]:
        assert first % 256 == 0
        self.calls += 1
        return [self.hashes[level]] * count


@pytest.mark.parametrize("size", [10_000_000, 1 << 24, (1 << 24) + 1, 3_000_000_001, merkle.LARGEST])
def test_a_proof_over_ten_million_entries_and_more_reads_at_most_seven_tiles(size: int) -> None:
    log = Endless()
    root = merkle.Tree(size, log.read).root()
    for index in (0, size // 3, size - 1):
        log.calls = 0
        path = merkle.Tree(size, log.read).inclusion(index)
        assert merkle.verify_inclusion(LEAVES[0], index, size, path, root)
        assert log.calls <= 7
    for old in (1, size // 3, size - 1):
        before = merkle.Tree(old, log.read).root()
        log.calls = 0
        path = merkle.Tree(size, log.read).consistency(old)
        assert merkle.verify_consistency(old, size, path, before, root)
        assert log.calls <= 7
    log.calls = 0
    _, longer = merkle.new_subtrees(size - 300, LEAVES[:1] * 300, log.read)
    assert longer == root
    assert log.calls <= 4


def test_what_is_not_in_the_tree_is_refused() -> None:
    tree = merkle.Tree(5, store(5).read)
    for index in (-1, 5):
        with pytest.raises(ValueError, match=f"leaf {index} is not among the 5"):
            tree.inclusion(index)
    for old in (-1, 6):
        with pytest.raises(ValueError, match=f"a log of 5 leaves has not been one of {old}"):
            tree.consistency(old)
    for size in (-1, merkle.LARGEST + 1):
        with pytest.raises(ValueError, match="a log has from 0 to 4294967295 leaves"):
            merkle.Tree(size, store(0).read)
    with pytest.raises(ValueError, match="a log of 4294967296 leaves is larger"):
        merkle.new_subtrees(merkle.LARGEST, LEAVES[:1], store(0).read)


def test_hashing_keeps_ahead_of_sealing() -> None:
    books = Store()
    start = time.process_time()
    for at in range(0, 65_536, 8192):
        books.append(LEAVES[at : at + 8192])
    assert 65_536 / (time.process_time() - start) > 100_000, "leaves a second; half a million and more on an idle core"
