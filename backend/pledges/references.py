"""Structured creditor references (ISO 11649): made for each pledge, recognised inside free text with spaces."""

import re
import secrets

from stdnum import iso11649
from stdnum.iso7064 import mod_97_10

BODY_LENGTH = 12
# No letter that is read for a figure: people type these into their bank's form.
BODY_ALPHABET = "23456789ABCDEFGHJKMNPQRTUVWXYZ"
_CANDIDATE = re.compile(rf"(?=(RF[0-9]{{2}}[{BODY_ALPHABET}]{{{BODY_LENGTH}}}))")


def new_reference() -> str:
    """Make a reference: RF, two check digits, twelve characters (58 random bits)."""
    body = "".join(secrets.choice(BODY_ALPHABET) for _ in range(BODY_LENGTH))
    return f"RF{mod_97_10.calc_check_digits(body + 'RF')}{body}"


def printed(reference: str) -> str:
    """The reference in groups of four, as it is shown."""
    return str(iso11649.format(reference))


def find_references(text: str) -> list[str]:
    """The valid references of our form hidden in a text, whatever its spaces, case and punctuation, in order."""
    compact = re.sub(r"[^A-Z0-9]", "", text.upper())
    found = [match.group(1) for match in _CANDIDATE.finditer(compact)]
    return list(dict.fromkeys(candidate for candidate in found if iso11649.is_valid(candidate)))
