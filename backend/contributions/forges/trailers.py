"""The line by which a commit or a merged request says what time it took: `Contribution: 1h30 review`.

Each text is walked once from its beginning to its end, within limits: nobody makes it slow by what they write.
"""

from dataclasses import dataclass

from backend.commons.words import EXPENSE, KINDS
from backend.core.durations import parse_duration
from backend.core.errors import Invalid

NAME = "contribution"
LONGEST_LINE = 200
MOST = 20  # trailers of one text
MOST_MINUTES = 31 * 24 * 60
LONGEST_KIND = 40
UNITS = {"h", "m", "mn", "min"}  # ends of a duration, which are no kinds


@dataclass(frozen=True)
class Trailer:
    """One of the trailers of a text: its place among them, the minutes, and the kind where one was named."""

    part: int
    minutes: int  # 0: it could not be read
    kind: str = ""  # one that is known here
    odd: str = ""  # a word that stands where the kind does, and is none


def trailers(text: str) -> list[Trailer]:
    """The trailers of a message or description, wherever they stand in it: squashing puts some in the middle.

    What is in a comment or in a block of code is an example, and is left out. One that cannot be read has no minutes.
    """
    found: list[Trailer] = []
    commented = fenced = False
    for raw in text.split("\n"):
        line = raw.strip()
        if commented:
            commented = "-->" not in line
        elif line.startswith(("```", "~~~")):
            fenced = not fenced
        elif line.startswith("<!--"):
            commented = "-->" not in line
        elif not fenced and len(line) <= LONGEST_LINE and line[: len(NAME)].lower() == NAME:
            name, colon, value = line.partition(":")
            if colon and name.strip().lower() == NAME:
                found.append(_read(len(found), value))
                if len(found) == MOST:
                    break
    return found


def _read(part: int, value: str) -> Trailer:
    words = value.replace(",", " ").lower().split()
    kind = ""
    if len(words) > 1 and words[-1].isalpha() and words[-1] not in UNITS:
        kind = words.pop()
    try:
        minutes = parse_duration(" ".join(words))
    except Invalid:
        return Trailer(part, 0)
    known = dict(KINDS).keys() - {EXPENSE}
    minutes = minutes if minutes <= MOST_MINUTES else 0
    return Trailer(part, minutes, kind) if kind in known else Trailer(part, minutes, odd=kind[:LONGEST_KIND])
