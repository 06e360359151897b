"""The file of a backup: one tar with the dump of the database and a manifest that says what it holds.

The dump comes first and is written as it is made; its header is filled in at the end, the manifest follows.
"""

import hashlib
import json
import os
import tarfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

FORMAT = 1
DUMP, MANIFEST = "database.dump", "manifest.json"
BLOCK = 512
CHUNK = 1 << 20
MANIFEST_LIMIT = 64 << 20


class BackupError(Exception):
    """A backup or a restore that cannot be: one sentence that says why and what to do."""


@dataclass(frozen=True)
class Member:
    """One member of the file: where its bytes are, how many, and what they must hash to."""

    offset: int
    size: int
    sha256: str


class Writer:
    """Writes FILE.part, which becomes FILE when it is whole."""

    def __init__(self, file: IO[bytes]) -> None:
        """Leave room for the header of the dump."""
        self.file = file
        self.size = 0
        self.hash = hashlib.sha256()
        file.write(bytes(BLOCK))

    def add(self, data: bytes) -> None:
        """Append to the dump."""
        self.file.write(data)
        self.hash.update(data)
        self.size += len(data)

    def finish(self, manifest: dict[str, Any]) -> None:
        """Close the dump, write the manifest with its hash, and the header of the dump."""
        manifest = manifest | {"members": {DUMP: {"sha256": self.hash.hexdigest(), "size": self.size}}}
        text = (json.dumps(manifest, ensure_ascii=False, indent=1, sort_keys=True) + "\n").encode()
        self.file.write(bytes(-self.size % BLOCK))
        self.file.write(header(MANIFEST, len(text)) + text + bytes(-len(text) % BLOCK) + bytes(2 * BLOCK))
        self.file.seek(0)
        self.file.write(header(DUMP, self.size))


def header(name: str, size: int) -> bytes:
    """One block that announces a member, readable by its owner alone."""
    info = tarfile.TarInfo(name)
    info.size, info.mode = size, 0o600
    return info.tobuf(tarfile.GNU_FORMAT)


@contextmanager
def written(path: Path) -> Iterator[Writer]:
    """A writer whose file replaces `path` only once it is whole and on the disk; otherwise nothing is left."""
    part = path.with_name(f"{path.name}.part")
    part.unlink(missing_ok=True)
    try:
        with open(os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
            yield Writer(file)
            file.flush()
            os.fsync(file.fileno())
        part.replace(path)
    except BaseException:
        part.unlink(missing_ok=True)
        raise
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


def read(path: Path) -> tuple[dict[str, Any], Member]:
    """The manifest of a backup and its dump, whose bytes were read and hashed.

    Raises: BackupError when the file is not a whole backup, was altered, or is of a newer format.
    """
    try:
        with tarfile.open(path, "r:") as tar:
            found = {info.name: info for info in tar.getmembers()}
            if set(found) != {DUMP, MANIFEST} or not all(info.isfile() for info in found.values()):
                raise BackupError(f"{path} is not a whole backup of Tronc: take another copy of it.")
            if found[MANIFEST].size > MANIFEST_LIMIT:
                raise BackupError(f"{path} is not a backup of Tronc: its manifest is too large.")
            file = tar.extractfile(found[MANIFEST])
            assert file is not None
            manifest = json.loads(file.read())
            if not isinstance(manifest, dict) or not isinstance(manifest.get("format"), int):
                raise BackupError(f"{path} is not a backup of Tronc: its manifest does not say its format.")
            if manifest["format"] > FORMAT:
                raise BackupError(
                    f"{path} has format {manifest['format']}, this version of Tronc reads {FORMAT}: restore it with "
                    f"the version that made it ({manifest.get('tronc_version', 'unknown')}) or a later one."
                )
            said = manifest["members"][DUMP]
            dump = Member(found[DUMP].offset_data, found[DUMP].size, str(said["sha256"]))
            if dump.size != said["size"]:
                raise BackupError(f"{path} was altered: {DUMP} has not the size its manifest says.")
    except FileNotFoundError:
        raise BackupError(f"{path} does not exist.") from None
    except (tarfile.TarError, ValueError, KeyError, TypeError, EOFError) as damage:
        raise BackupError(f"{path} is damaged or not a whole backup of Tronc: take another copy of it.") from damage
    if hash_of(path, dump) != dump.sha256:
        raise BackupError(f"{path} was altered: {DUMP} does not hash to what its manifest says.")
    return manifest, dump


def pieces(path: Path, member: Member) -> Iterator[bytes]:
    """The bytes of a member, a piece at a time; BackupError when the file ends before it."""
    left = member.size
    with path.open("rb") as file:
        file.seek(member.offset)
        while left:
            data = file.read(min(CHUNK, left))
            if not data:
                raise BackupError(f"{path} is truncated: take another copy of it.")
            left -= len(data)
            yield data


def hash_of(path: Path, member: Member) -> str:
    """The SHA-256 of a member's bytes."""
    found = hashlib.sha256()
    for data in pieces(path, member):
        found.update(data)
    return found.hexdigest()


def whole_hash(path: Path) -> str:
    """The SHA-256 of a file."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
