"""Texts that people type: what is read is what is written; one cleaner for the forms, one refusal for the API."""

import re
import unicodedata

# Marks, embeddings, overrides and isolates of direction (Unicode, annex 9): a name or an amount could read backwards.
_TURNING = re.compile("[\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069]")
# What no text holds: control characters (lines and tabs are none here), halves of characters, and two that are none.
UNREADABLE = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\ud800-\udfff\ufffe\uffff]")
# Takes no room on paper: a name made of it reads as nothing, or as another name. Joiners of scripts and emoji stay.
_UNSEEN = re.compile("[\u00ad\u034f\u115f\u1160\u180e\u200b\u2060-\u2064\u2800\u3164\ufeff\uffa0\ufff9-\ufffb]")
# An address of the web, or the beginning of one.
_ADDRESS = re.compile(r"://|\bwww\.|\w\.[a-z]{2,}/", re.IGNORECASE)


def plain(text: str) -> str:
    """A text without the signs that turn its direction; the letters of right-to-left languages stay."""
    return _TURNING.sub("", text)


def readable(text: str) -> str:
    """A text as it is kept from a form: `plain`, and a space where there was a character that cannot be kept.

    A NUL stays: whoever sends one is told so by the form.
    """
    return UNREADABLE.sub(lambda found: "\0" if found[0] == "\0" else " ", plain(text))


def seen(text: str) -> str:
    """A name without the characters that take no room, its spaces in order; empty when nothing of it can be seen."""
    name = " ".join(_UNSEEN.sub("", readable(text)).split())
    return name if any(unicodedata.category(sign)[0] in "LNS" for sign in name) else ""


def blank(text: str) -> bool:
    """Whether nothing of a text can be seen: no letter, figure, sign or punctuation."""
    return not any(unicodedata.category(sign)[0] in "LNSP" for sign in _UNSEEN.sub("", text))


def holds_address(text: str) -> bool:
    """Whether a name holds an address of the web: it would be shown, or sent, to others under our own name."""
    return _ADDRESS.search(text) is not None


def folded(text: str) -> str:
    """A text as it is compared with another: what nobody sees, capitals, spaces and forms of a letter do not count."""
    return seen(unicodedata.normalize("NFKC", text)).casefold()
