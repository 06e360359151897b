"""Sorts names as readers do: the database sorts by code point, so that it needs no collation of its host."""

import unicodedata


def name_key(name: str) -> str:
    """The key that sorts a name without regard to case and accents: `Équipe` stands between D and F."""
    plain = unicodedata.normalize("NFKD", name.casefold().replace("œ", "oe").replace("æ", "ae"))
    return "".join(sign for sign in plain if not unicodedata.combining(sign))
