"""Which passwords are refused: too long for the hash, or made of pieces that everybody tries first.

A password is worth the number of its characters, but a piece that anybody would guess counts for little, however long:
a frequent password (the list that Django ships), a word of this service or of the person, a run, a sequence of keys.
"""

import gzip
import re
import unicodedata
from collections.abc import Iterable
from functools import lru_cache
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from django.conf import settings
from django.contrib.auth import password_validation
from django.core.exceptions import ValidationError
from django.utils.translation import gettext as _

from backend.identity.models import Host

LONGEST = 128  # characters: hashing more would cost the server, and add nothing
# What is left once each guessable piece counts for GUESSED. Three pieces of a list of 20 000 stay under it.
WORTH = 8
GUESSED = 2
RUN = 1  # "aaaa", "3456", "azer" or a year: a rule, not a choice
PADDING, PADDING_FREE = 1, 6  # up to six figures and signs around the words count as one; each one more counts
SHORTEST_WORD, LONGEST_WORD = 3, 33
# Words that an attacker of this very service would try first, in both languages.
SERVICE_WORDS = (
    "tronc", "tronccommun", "budget", "contributif", "budgetcontributif", "contribution", "contributeur",
    "contributrice", "contributor", "commun", "communs", "commons", "commonpot", "potcommun", "tiersdeconfiance",
    "tiers", "confiance", "trusted", "thirdparty", "motdepasse", "motdepass", "password", "passphrase", "passe",
    "tresorier", "tresoriere", "treasurer", "steward", "soucieux", "soucieuse", "association", "organisation",
    "organization", "administrateur", "administrator", "secret", "azerty", "qwerty", "bonjour", "bienvenue", "welcome",
    "soleil", "doudou", "chouchou", "loulou", "jetaime", "iloveyou", "marseille", "france", "nicolas", "changeme",
)  # fmt: skip
ROWS = (
    "abcdefghijklmnopqrstuvwxyz", "01234567890", "azertyuiop", "qsdfghjklm", "wxcvbn", "qwertyuiop", "asdfghjkl",
    "zxcvbnm", "qwertzuiop", "yxcvbnm", "1qaz2wsx3edc4rfv5tgb6yhn7ujm",
)  # fmt: skip
PADDED_WITH = '0123456789!?#*+=%&/()$€@:;<>"'
SEPARATORS = " \t\u00a0-_.,'’"
YEAR = re.compile(r"(19|20)[0-9][0-9]")
# Figures and signs that stand for letters.
DISGUISES = str.maketrans("0134578@$€!|", "oleastbasell")
SEQUENCES = tuple(row for one in ROWS for row in (one, one[::-1]))
IN_SEQUENCE = frozenset(
    row[start:end] for row in SEQUENCES for start in range(len(row)) for end in range(start + 3, len(row) + 1)
)


class MaximumLength:
    """Refuses what is longer than anybody types."""

    def validate(self, password: str, user: Any = None) -> None:
        """Raise ValidationError `password_too_long` past 128 characters."""
        if len(password) > LONGEST:
            raise ValidationError(
                _("This password is longer than %(max)s characters.") % {"max": LONGEST}, code="password_too_long"
            )

    def get_help_text(self) -> str:
        """What the form says beforehand."""
        return _("At most %(max)s characters.") % {"max": LONGEST}


class Guessable:
    """Refuses what is made of frequent passwords, of the service's or the person's own words, of runs and repeats."""

    def validate(self, password: str, user: Any = None) -> None:
        """Raise ValidationError `password_guessable`, or `password_of_here` when the words of here are the cause."""
        if worth(password, words_of(user)) >= WORTH:
            return
        if worth(password, frozenset()) >= WORTH:
            raise ValidationError(
                _("This password is built on your name, your address or words of this service: choose other words."),
                code="password_of_here",
            )
        raise ValidationError(
            _("This password is made of pieces that are tried first: put together four or five words of your own."),
            code="password_guessable",
        )

    def get_help_text(self) -> str:
        """What the form says beforehand."""
        return _("Four or five words that have nothing to do with each other are easy to remember and hard to guess.")


def folded(text: str) -> str:
    """A text without case, accents nor what separates words: these do not make it harder to guess."""
    plain = unicodedata.normalize("NFKD", text.casefold())
    return "".join(letter for letter in plain if not unicodedata.combining(letter) and letter not in SEPARATORS)


def words_of(user: Any) -> frozenset[str]:
    """The words of the service, of its host and of a person, whole and in parts, folded."""
    host = Host.objects.first()
    texts = [*SERVICE_WORDS, urlsplit(settings.BASE_URL).hostname or ""]
    texts += [host.name] if host else []
    texts += [str(getattr(user, name, "") or "") for name in ("name", "public_name", "email")]
    found: set[str] = set()
    for text in texts:
        parts = [folded(part) for part in re.split(r"[\W_]+", text)]
        found |= {part for part in (*parts, "".join(parts)) if SHORTEST_WORD <= len(part) <= LONGEST_WORD}
    return frozenset(found)


@lru_cache(maxsize=1)
def frequent() -> frozenset[str]:
    """The frequent passwords that Django ships, folded; those of one or two characters are no pieces."""
    path = Path(password_validation.__file__).parent / "common-passwords.txt.gz"
    with gzip.open(path, "rt", encoding="utf-8") as lines:
        return frozenset(word for line in lines if len(word := folded(line.strip())) >= SHORTEST_WORD)


def worth(password: str, own: Iterable[str]) -> int:
    """What a password is worth, as it is or without what disguises and pads its words: the least counts.

    Args: own: folded words that count as guessed beside the frequent ones.
    """
    text = folded(password)
    words = frozenset(own)
    before = len(text) - len(text.lstrip(PADDED_WITH))
    after = min(len(text) - len(text.rstrip(PADDED_WITH)), 8)
    found = [len(set(text)), _pieces(text, words)]
    for left in {0, before}:
        for right in range(after + 1):  # a figure at the end may still be a disguised letter
            around = left + right
            core = text[left : len(text) - right]
            padded = min(around, PADDING) + max(0, around - PADDING_FREE)
            found += [_pieces(core, words) + padded, _pieces(core.translate(DISGUISES), words) + padded]
    return min(found)


def _pieces(text: str, own: frozenset[str]) -> int:
    """The least sum over all ways to cut a text: 1 for a character, `GUESSED` for a word, `RUN` for a run.

    Of a text that repeats itself, only the repeated part counts.
    """
    text = unrepeated(text)
    words = frequent()
    best = [0] * (len(text) + 1)
    for end in range(1, len(text) + 1):
        best[end] = best[end - 1] + 1
        for start in range(max(0, end - LONGEST_WORD), end - SHORTEST_WORD + 1):
            piece = text[start:end]
            if best[start] + RUN < best[end] and is_run(piece):
                best[end] = best[start] + RUN
            elif best[start] + GUESSED < best[end] and (piece in words or piece in own):
                best[end] = best[start] + GUESSED
    return best[-1]


def unrepeated(text: str) -> str:
    """The part of which a text is the repetition, the last time perhaps cut short; the text itself otherwise."""
    for length in range(1, len(text) // 2 + 1):
        part = text[:length]
        if (part * (len(text) // length + 1))[: len(text)] == text:
            return part
    return text


def is_run(piece: str) -> bool:
    """Whether a piece is one character again and again, keys that follow each other in a row, or a year."""
    return len(set(piece)) == 1 or piece in IN_SEQUENCE or YEAR.fullmatch(piece) is not None
