"""Encryption of the few secrets kept in the database (IBANs): AES-256-GCM, key number in front, bound to its row."""

import base64
import hashlib
import hmac
import os

from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from django.conf import settings

_NONCE_BYTES = 12


def _keys() -> dict[str, bytes]:
    """Key number → 32 bytes, the encrypting one first."""
    parts = (part.strip().partition(":") for part in settings.ENCRYPTION_KEYS.split(","))
    return {number: base64.b64decode(key) for number, _, key in parts}


def encrypt(plain: str, *, bound_to: str) -> str:
    """Encrypt a text so that it can only be read back for the row named by `bound_to`."""
    number, key = next(iter(_keys().items()))
    nonce = os.urandom(_NONCE_BYTES)
    sealed = AESGCM(key).encrypt(nonce, plain.encode(), bound_to.encode())
    return f"{number}:{base64.b64encode(nonce + sealed).decode()}"


def decrypt(sealed: str, *, bound_to: str) -> str:
    """Read back what `encrypt` wrote; raises cryptography's InvalidTag when the row or the text is not the same."""
    number, _, body = sealed.partition(":")
    raw = base64.b64decode(body)
    return AESGCM(_keys()[number]).decrypt(raw[:_NONCE_BYTES], raw[_NONCE_BYTES:], bound_to.encode()).decode()


def equality_index(plain: str) -> str:
    """A keyed hash by which equal secrets can be found without being read (64 hexadecimal figures)."""
    oldest = list(_keys().values())[-1]
    return hmac.new(oldest, b"equality:" + plain.encode(), hashlib.sha256).hexdigest()


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
