"""Texts that people type: without the signs that turn a line around, so that what is read is what is written."""

import re

# Marks, embeddings, overrides and isolates of direction (Unicode, annex 9): a name or an amount could read backwards.
_TURNING = re.compile("[\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069]")


def plain(text: str) -> str:
    """A text without the signs that turn its direction; the letters of right-to-left languages stay."""
    return _TURNING.sub("", text)
