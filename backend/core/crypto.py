"""Encryption of the few secrets kept in the database: AES-256-GCM, key number in front, bound to its row.

Two layers: the instance's keys (TRONC_ENCRYPTION_KEYS) seal the accounts' archive, payment files and the keys of
people; the key of a person or organisation seals what can be forgotten with them (IBAN, address).
"""

import base64
import hashlib
import hmac
import os
from datetime import datetime
from functools import lru_cache

from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from django.conf import settings

from backend.core.models import PersonKey

_NONCE_BYTES = 12
_KEY_BYTES = 32
# In front of what a person's own key sealed, where a key number stands in front of the rest.
OWN = "own"
# The key of the equality indexes: kept like a person's, so that it outlives the rotation of the instance's keys.
_INDEX_KEY = "idx_equality"


class KeyDestroyed(Exception):
    """The person or organisation was forgotten: what was sealed for them cannot be read, nothing more is sealed."""


def _keys() -> dict[str, bytes]:
    """Key number → 32 bytes, the encrypting one first."""
    return _read(settings.ENCRYPTION_KEYS)


@lru_cache(maxsize=4)
def _read(keys: str) -> dict[str, bytes]:
    parts = (part.strip().partition(":") for part in keys.split(","))
    return {number: base64.b64decode(key) for number, _, key in parts}


def encrypt(plain: str, *, bound_to: str) -> str:
    """Encrypt a text so that it can only be read back for the row named by `bound_to`."""
    number, key = next(iter(_keys().items()))
    return f"{number}:{_shut(key, plain, bound_to)}"


def decrypt(sealed: str, *, bound_to: str) -> str:
    """Read back what `encrypt` wrote; raises cryptography's InvalidTag when the row or the text is not the same."""
    number, _, body = sealed.partition(":")
    return _open(_keys()[number], body, bound_to)


def seal_for(owner_id: str, plain: str, *, bound_to: str) -> str:
    """Seal a text with the key of its owner, made the first time.

    Args: owner_id: of the person or organisation. bound_to: id of the row: it opens for no other.
    Raises: KeyDestroyed.
    """
    return f"{OWN}:{_shut(_own_key(owner_id), plain, f'{owner_id}/{bound_to}')}"


def open_for(owner_id: str, sealed: str, *, bound_to: str) -> str:
    """Read back what `seal_for` wrote, or what the instance's key sealed for this row before people had keys.

    Raises: KeyDestroyed; cryptography's InvalidTag when the owner, the row or the text is not the same.
    """
    if not sealed_for_owner(sealed):
        return decrypt(sealed, bound_to=bound_to)
    return _open(_own_key(owner_id), sealed.partition(":")[2], f"{owner_id}/{bound_to}")


def destroy_key(owner_id: str, now: datetime) -> bool:
    """Destroy the key of a person or organisation, or make sure that they never get one; cannot be undone.

    Returns: whether a key was destroyed by this call.
    """
    _row, made = PersonKey.objects.get_or_create(owner=owner_id, defaults={"key_sealed": "", "destroyed_at": now})
    found = PersonKey.objects.filter(owner=owner_id, destroyed_at=None).update(key_sealed="", destroyed_at=now)
    return bool(found) and not made


def sealed_for_owner(sealed: str) -> bool:
    """Whether a text was sealed with the key of a person or organisation, not with the instance's."""
    return sealed.partition(":")[0] == OWN


def equality_index(plain: str) -> str:
    """A keyed hash by which equal secrets can be found without being read (64 hexadecimal figures).

    Its key stays when the instance's keys change: what was equal before a rotation is equal after it.
    """
    return hmac.new(_own_key(_INDEX_KEY), b"equality:" + plain.encode(), hashlib.sha256).hexdigest()


def renew_index_key() -> None:
    """Give the equality indexes another key: every index must then be written again (`rotate_keys` does both)."""
    fresh = base64.b64encode(os.urandom(_KEY_BYTES)).decode()
    sealed = encrypt(fresh, bound_to=_INDEX_KEY)
    PersonKey.objects.update_or_create(owner=_INDEX_KEY, defaults={"key_sealed": sealed})


def sealed_by_first(sealed: str) -> bool:
    """Whether a sealed text was sealed with the key that seals now."""
    return sealed.partition(":")[0] == next(iter(_keys()))


def key_fingerprints() -> dict[str, str]:
    """Key number → SHA-256 by which a key is known without being told (64 hexadecimal figures)."""
    return {number: hashlib.sha256(b"tronc-key:" + key).hexdigest() for number, key in _keys().items()}


def tags(data: bytes, *, purpose: str) -> dict[str, str]:
    """Key number → HMAC-SHA-256 of some bytes (64 hexadecimal figures) that only a holder of this key can make.

    Args: purpose: what is tagged; each purpose has keys of its own, derived from the encryption keys.
    """
    found = {}
    for number, key in _keys().items():
        derived = hmac.new(key, b"tag:" + purpose.encode(), hashlib.sha256).digest()
        found[number] = hmac.new(derived, data, hashlib.sha256).hexdigest()
    return found


def _own_key(owner_id: str) -> bytes:
    """The key of an owner, made the first time; raises KeyDestroyed."""
    row = PersonKey.objects.filter(owner=owner_id).first()
    if row is None:
        fresh = base64.b64encode(os.urandom(_KEY_BYTES)).decode()
        sealed = encrypt(fresh, bound_to=owner_id)
        row, _made = PersonKey.objects.get_or_create(owner=owner_id, defaults={"key_sealed": sealed})
    if row.destroyed_at is not None:
        raise KeyDestroyed(owner_id)
    return base64.b64decode(decrypt(row.key_sealed, bound_to=owner_id))


def _shut(key: bytes, plain: str, bound_to: str) -> str:
    nonce = os.urandom(_NONCE_BYTES)
    return base64.b64encode(nonce + AESGCM(key).encrypt(nonce, plain.encode(), bound_to.encode())).decode()


def _open(key: bytes, body: str, bound_to: str) -> str:
    raw = base64.b64decode(body)
    return AESGCM(key).decrypt(raw[:_NONCE_BYTES], raw[_NONCE_BYTES:], bound_to.encode()).decode()
