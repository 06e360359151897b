"""The telling words of names and texts, as banks write them: in capitals, without accents."""

import re
import unicodedata

# Words that say nothing of who pays.
COMMON = frozenset(
    {
        "POUR", "AVEC", "DANS", "DON", "DONS", "FROM", "WITH", "VIR", "SEPA", "VIREMENT", "INST", "ASSO", "ASSOCIATION",
        "LE", "LA", "LES", "DE", "DU", "DES", "THE", "OF", "ET", "AND",
    }
)  # fmt: skip
TITLES = frozenset({"MR", "MME", "MLLE", "MRS", "MS", "OU", "MADAME", "MONSIEUR"})


def words_of(text: str) -> list[str]:
    """The telling words of a name, in capitals and without accents."""
    plain = unicodedata.normalize("NFKD", text.replace("’", "'")).encode("ascii", "ignore").decode().upper()
    found = [word for word in re.findall(r"[A-Z0-9]{2,}", plain) if word not in COMMON]
    return found[:20]


def name_of(text: str) -> frozenset[str]:
    """The words that make a name, whatever their order, without titles; a single letter counts for nothing."""
    return frozenset(words_of(text)) - TITLES
