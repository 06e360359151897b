"""The file of a backup: one tar with the dump of the database, a manifest that says what it holds, and who made it.

The dump comes first and is written as it is made; its header is filled in at the end, the manifest follows, then one
tag per encryption key: an HMAC of the manifest, which holds the hash of the dump.
"""

import fcntl
import hashlib
import hmac
import json
import os
import tarfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import IO, Any

from backend.core import crypto

FORMAT = 2
DUMP, MANIFEST, TAGS = "database.dump", "manifest.json", "tags.json"
PURPOSE = "backup"
BLOCK = 512
CHUNK = 1 << 20
MANIFEST_LIMIT = 64 << 20
# What a manifest must say for a restore to be judged.
SAID: dict[str, type] = {
    "tronc_version": str, "created_at": str, "postgresql_version": int, "migrations": list, "encryption_keys": list,
    "entries": int, "trial_balance": dict, "seal": dict, "tables": dict, "members": dict,
}  # fmt: skip


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
        """Close the dump, write the manifest with its hash, the tags of the manifest, and the header of the dump."""
        manifest = manifest | {"members": {DUMP: {"sha256": self.hash.hexdigest(), "size": self.size}}}
        text = (json.dumps(manifest, ensure_ascii=False, indent=1, sort_keys=True) + "\n").encode()
        self.file.write(bytes(-self.size % BLOCK))
        tags = (json.dumps(crypto.tags(text, purpose=PURPOSE), sort_keys=True) + "\n").encode()
        for name, data in ((MANIFEST, text), (TAGS, tags)):
            self.file.write(header(name, len(data)) + data + bytes(-len(data) % BLOCK))
        self.file.write(bytes(2 * BLOCK))
        self.file.seek(0)
        self.file.write(header(DUMP, self.size))


def header(name: str, size: int) -> bytes:
    """One block that announces a member, readable by its owner alone."""
    info = tarfile.TarInfo(name)
    info.size, info.mode = size, 0o600
    return info.tobuf(tarfile.GNU_FORMAT)


@contextmanager
def written(path: Path) -> Iterator[Writer]:
    """A writer whose file replaces `path` only once it is whole and on the disk; otherwise nothing is left.

    Raises: BackupError while another backup to the same path is being written.
    """
    part = path.with_name(f"{path.name}.part")
    with open(os.open(part, os.O_WRONLY | os.O_CREAT | os.O_NOFOLLOW, 0o600), "wb") as file:
        _require_alone(file, part, path)
        try:
            file.truncate()  # what a killed backup left
            os.fchmod(file.fileno(), 0o600)
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


def _require_alone(file: IO[bytes], part: Path, path: Path) -> None:
    """Hold the part until it is closed; it may have been renamed or removed between its opening and the lock."""
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        here, there = os.fstat(file.fileno()), part.stat()
    except (BlockingIOError, FileNotFoundError):
        here, there = None, None
    if here is None or there is None or not os.path.samestat(here, there):
        raise BackupError(f"Another backup to {path} is being written: wait until it ends. This one was not made.")


def read(path: Path) -> tuple[dict[str, Any], Member]:
    """The manifest of a backup and its dump, whose bytes were read and hashed, made with a key of this installation.

    Raises: BackupError when the file is not a whole backup, was altered, is of another format or of other keys.
    """
    try:
        with tarfile.open(path, "r:") as tar:
            found = {info.name: info for info in tar.getmembers()}
            if not {DUMP, MANIFEST} <= set(found) <= {DUMP, MANIFEST, TAGS} or not all(
                info.isfile() and info.size <= MANIFEST_LIMIT for name, info in found.items() if name != DUMP
            ):
                raise BackupError(f"{path} is not a whole backup of Tronc: take another copy of it.")
            text = _text(tar, found[MANIFEST])
            manifest = json.loads(text)
            if not isinstance(manifest, dict) or not isinstance(manifest.get("format"), int):
                raise BackupError(f"{path} is not a backup of Tronc: its manifest does not say its format.")
            if manifest["format"] > FORMAT:
                raise BackupError(
                    f"{path} has format {manifest['format']}, this version of Tronc reads {FORMAT}: restore it with "
                    f"the version that made it ({manifest.get('tronc_version', 'unknown')}) or a later one."
                )
            if manifest["format"] < FORMAT or TAGS not in found:
                raise BackupError(
                    f"{path} bears no tag that says which instance made it (format {manifest['format']}): make a new "
                    f"backup with this version of Tronc, which writes format {FORMAT}."
                )
            _require_said(path, manifest)
            _require_keys(manifest)
            _require_authentic(path, text, json.loads(_text(tar, found[TAGS])))
            said = manifest["members"][DUMP]
            dump = Member(found[DUMP].offset_data, found[DUMP].size, str(said["sha256"]))
            if dump.size != said["size"]:
                raise BackupError(f"{path} was altered: {DUMP} has not the size its manifest says.")
    except FileNotFoundError:
        raise BackupError(f"{path} does not exist.") from None
    except (tarfile.TarError, ValueError, KeyError, TypeError, AttributeError, EOFError) as damage:
        raise BackupError(f"{path} is damaged or not a whole backup of Tronc: take another copy of it.") from damage
    if hash_of(path, dump) != dump.sha256:
        raise BackupError(f"{path} was altered: {DUMP} does not hash to what its manifest says.")
    return manifest, dump


def _text(tar: tarfile.TarFile, info: tarfile.TarInfo) -> bytes:
    file = tar.extractfile(info)
    assert file is not None
    return file.read()


def _require_said(path: Path, manifest: dict[str, Any]) -> None:
    """The manifest says everything that a restore reads."""
    missing = [name for name, kind in SAID.items() if not isinstance(manifest.get(name), kind)]
    if not missing:
        inside = [("members", DUMP), ("trial_balance", "sha256"), ("seal", "position"), ("seal", "head")]
        missing = [f"{name}.{member}" for name, member in inside if member not in manifest[name]]
        missing += [] if _is_moment(manifest["created_at"]) else ["created_at"]
    if missing:
        raise BackupError(
            f"{path} is not a whole backup of Tronc: its manifest does not say {', '.join(missing)}. Take another one."
        )


def _is_moment(text: str) -> bool:
    try:
        return datetime.fromisoformat(text).tzinfo is not None
    except ValueError:
        return False


def _require_keys(manifest: dict[str, Any]) -> None:
    """This installation holds the keys of the backup."""
    ours = crypto.key_fingerprints()
    for key in manifest["encryption_keys"]:
        number = str(key["number"])
        if number not in ours:
            raise BackupError(
                f"Encryption key {number} of this backup is not in TRONC_ENCRYPTION_KEYS: bring the keys of "
                "the instance that made it (with ./run: its .tronc/secrets.json). Nothing was touched."
            )
        if ours[number] != key["sha256"]:
            raise BackupError(
                f"Encryption key {number} in TRONC_ENCRYPTION_KEYS is not the one of this backup: bring the keys of "
                "the instance that made it (with ./run: its .tronc/secrets.json). Nothing was touched."
            )


def _require_authentic(path: Path, text: bytes, given: dict[str, str]) -> None:
    """Every tag made with a key that this installation holds is right, and there is at least one."""
    ours = crypto.tags(text, purpose=PURPOSE)
    shared = sorted(ours.keys() & given.keys())
    if not shared or not all(hmac.compare_digest(ours[number], str(given[number])) for number in shared):
        raise BackupError(
            f"{path} was not made by an instance with these encryption keys, or its manifest was altered: take another "
            "copy of it. Nothing was touched."
        )


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
