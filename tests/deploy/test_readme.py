"""The README in both languages: the same commands, the same chapters, and links that lead somewhere."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
ENGLISH, FRENCH = (ROOT / name for name in ("README.md", "README.fr.md"))
# What each language calls the same argument.
SAME = {"FICHIER": "FILE", "nom": "name"}


def commands(page: Path) -> list[str]:
    """The commands that a page names, in the words of the English one."""
    found = re.findall(r"`(\./run[^`]*)`|^    (\./run \w*)", page.read_text(encoding="utf-8"), flags=re.M)
    said = ["".join(pair).strip() for pair in found]
    return [re.sub(r"\w+", lambda word: SAME.get(word[0], word[0]), one) for one in said]


def shape(page: Path) -> list[str]:
    """Headings by depth, table rows, steps and blocks, in their order."""
    starts = re.findall(r"^(#+ |\| |\d+\. |```|!\[)", page.read_text(encoding="utf-8"), flags=re.M)
    return [one.strip() for one in starts]


def test_both_name_the_same_commands() -> None:
    assert len(commands(ENGLISH)) > 20
    assert sorted(commands(FRENCH)) == sorted(commands(ENGLISH))


def test_both_have_the_same_chapters_rows_and_steps() -> None:
    assert shape(FRENCH) == shape(ENGLISH)


@pytest.mark.parametrize("page", [ENGLISH, FRENCH], ids=["english", "french"])
def test_links_lead_to_files(page: Path) -> None:
    links = re.findall(r"\]\(([^)#]+)\)", page.read_text(encoding="utf-8"))
    assert len(links) > 10
    assert [link for link in links if not (ROOT / link).exists()] == []


def test_the_french_page_uses_the_spaces_of_french() -> None:
    prose = re.sub(r"```.*?```|`[^`]*`|^ {4}[^\n]*$", "", FRENCH.read_text(encoding="utf-8"), flags=re.S | re.M)
    assert re.findall(r".{12} [:;!?»](?=\s)", prose) == []
    assert re.findall(r"\d €", prose) == []
