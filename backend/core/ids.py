"""Public identifiers: a prefix, then a time-ordered random part, the same text everywhere."""

import base64
import secrets
import time

# Crockford's base 32: no I, L, O or U, so that an id can be read aloud.
ALPHABET = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
ID_LENGTH = 48


def base32(number: int, length: int) -> str:
    """Write a non-negative integer in Crockford's base 32, left-padded to `length` characters."""
    digits = []
    for _ in range(length):
        number, remainder = divmod(number, 32)
        digits.append(ALPHABET[remainder])
    return "".join(reversed(digits))


_CROCKFORD = bytes.maketrans(b"ABCDEFGHIJKLMNOPQRSTUVWXYZ234567", ALPHABET.encode())


def new_id(prefix: str) -> str:
    """Make an identifier such as `plg_01J…`: 48 bits of milliseconds, then 130 random bits.

    Args: prefix: three or four lower-case letters naming the kind of thing.
    Returns: the identifier, at most `ID_LENGTH` characters. Ids of one process sort by their time.
    """
    random = base64.b32encode(secrets.token_bytes(17)).translate(_CROCKFORD)[:26].decode()
    return f"{prefix}_{base32(time.time_ns() // 1_000_000, 10)}{random}"
