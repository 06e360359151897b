"""The key that signs the heads of the log, and the signed note (C2SP tlog-checkpoint) that a head is published as."""

import base64
import hashlib
import os
import re
from datetime import UTC, datetime
from pathlib import Path

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_pem_private_key,
)
from django.conf import settings

from backend.ledger.models import SealKey

ED25519 = b"\x01"  # the signature type of the note format


class KeyMissing(Exception):
    """The private half of the key in force cannot be used: one sentence that says why and what to do."""


def current() -> SealKey | None:
    """The key in force: the one that no other followed; None before the first entry is sealed."""
    return SealKey.objects.filter(successor=None).order_by("-made_at").first()


def signer(now: datetime) -> tuple[SealKey, Ed25519PrivateKey]:
    """The key in force with its private half; made now when there has never been one.

    The caller holds the sealer's lock. Raises: KeyMissing.
    """
    key = current()
    if key is None:
        return create(now=now, before=None)
    return key, _load(key)


def signer_name() -> str:
    """The id of the key in force, or the folder in which the first one is to be made."""
    key = current()
    return key.pk if key else str(settings.SEAL_KEYS)


def hindrance() -> str:
    """Why the key in force cannot sign from here, in one sentence; empty when it can, or while there is none."""
    key = current()
    try:
        if key is not None:
            _load(key)
    except KeyMissing as missing:
        return str(missing)
    return ""


def create(
    *, now: datetime, before: SealKey | None, signed_by: Ed25519PrivateKey | None = None
) -> tuple[SealKey, Ed25519PrivateKey]:
    """Make a key: its private half in a file of mode 0600, its public half in the database.

    Args: before: the key it takes over from. signed_by: the private half of that one, which then signs the handing
        over; without it (lost), the log says that nobody vouches for the new key.
    """
    private = Ed25519PrivateKey.generate()
    public = private.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)
    name = before.name if before else _name()
    made = SealKey(id=key_id(name, public), name=name, public=public, made_at=now)
    if before is not None:
        made.endorsed_by = before
        if signed_by is not None:
            made.endorsed_text = (
                f"{name}\nkey {before.pk} is followed by {made.pk}\n{base64.b64encode(public).decode()}\n"
                f"time {_stamp(now)}\n"
            )
            made.endorsement = signed_by.sign(made.endorsed_text.encode())
    _write(made.pk, private)
    made.save(force_insert=True)
    return made, private


def rotate(*, now: datetime, lost: bool = False) -> SealKey:
    """Follow the key in force by a new one, which the old one signs; the caller holds the sealer's lock.

    Args: lost: the old private half is gone; the new key then stands on its own, and the log says so.
    Raises: KeyMissing when there is no key yet, or its private half cannot be read and `lost` was not said.
    """
    key = current()
    if key is None:
        raise KeyMissing("No key has been made yet: the first is made when the first entry is sealed.")
    return create(now=now, before=key, signed_by=None if lost else _load(key))[0]


def key_id(name: str, public: bytes) -> str:
    """The id of a key in the note format: 8 hexadecimal figures."""
    return hashlib.sha256(name.encode() + b"\n" + ED25519 + public).digest()[:4].hex()


def head_text(*, name: str, number: int, size: int, root: bytes, now: datetime) -> str:
    """What is signed of a head: origin, size and root as C2SP's tlog-checkpoint has them, then block and time."""
    return f"{name}\n{size}\n{base64.b64encode(root).decode()}\nblock {number}\ntime {_stamp(now)}\n"


def head_note(*, key: SealKey, private: Ed25519PrivateKey, text: str) -> str:
    """The signed note of a head: its text, an empty line, and the signature line."""
    mark = base64.b64encode(bytes.fromhex(key.pk) + private.sign(text.encode())).decode()
    return f"{text}\n— {key.name} {mark}\n"


def signature_holds(*, key: SealKey, note: str) -> bool:
    """Whether a note is signed by this key."""
    text, _, mark = note.partition("\n\n")
    signature = re.fullmatch(rf"— {re.escape(key.name)} ([0-9A-Za-z+/]+=*)\n", mark)
    if signature is None:
        return False
    try:
        raw = base64.b64decode(signature[1], validate=True)
        Ed25519PublicKey.from_public_bytes(bytes(key.public)).verify(raw[4:], f"{text}\n".encode())
    except (InvalidSignature, ValueError):
        return False
    return raw[:4].hex() == key.pk


def endorsement_holds(key: SealKey) -> bool:
    """Whether the key before this one signed the handing over."""
    if key.endorsed_by is None or not key.endorsement:
        return False
    try:
        Ed25519PublicKey.from_public_bytes(bytes(key.endorsed_by.public)).verify(
            bytes(key.endorsement), key.endorsed_text.encode()
        )
    except InvalidSignature:
        return False
    return base64.b64encode(bytes(key.public)).decode() in key.endorsed_text.splitlines()


def public_pem(key: SealKey) -> str:
    """The public half as PEM, as `openssl pkeyutl -pubin` reads it."""
    public = Ed25519PublicKey.from_public_bytes(bytes(key.public))
    return public.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()


def _name() -> str:
    """The name of the log: the public address without its scheme, and `/log`."""
    return settings.BASE_URL.partition("://")[2].replace("+", "-").replace(" ", "-") + "/log"


def _stamp(now: datetime) -> str:
    return now.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _path(key: str) -> Path:
    return Path(settings.SEAL_KEYS) / f"{key}.pem"


def _write(key: str, private: Ed25519PrivateKey) -> None:
    """Write a private half, to the disk, before the row that names it is committed."""
    path = _path(key)
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
            file.write(private.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
            file.flush()
            os.fsync(file.fileno())
    except OSError as failure:
        raise KeyMissing(
            f"The key of the seals cannot be written to {path}: {failure.strerror}. Give in TRONC_SEAL_KEYS a folder "
            "that the worker may write."
        ) from failure


def _load(key: SealKey) -> Ed25519PrivateKey:
    path = _path(key.pk)
    advice = "Put the file back, or run `manage.py rotate_seal_key --lost`."
    try:
        if path.stat().st_mode & 0o077:
            raise KeyMissing(f"The key of the seals {path} can be read by others: chmod 600 it.")
        private = load_pem_private_key(path.read_bytes(), password=None)
    except OSError as failure:
        raise KeyMissing(f"The key of the seals {path} cannot be read: {failure.strerror}. {advice}") from failure
    except ValueError as failure:
        raise KeyMissing(f"The key of the seals {path} is no private key. {advice}") from failure
    if not isinstance(private, Ed25519PrivateKey) or (
        private.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw) != bytes(key.public)
    ):
        raise KeyMissing(f"The key of the seals {path} is not the one in force. {advice}")
    return private
