"""References: one per pledge, found again whatever a bank does to the text."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from stdnum import iso11649

from backend.pledges.references import BODY_ALPHABET, find_references, new_reference, printed


def test_a_reference_is_valid_and_new() -> None:
    made = {new_reference() for _ in range(500)}
    assert len(made) == 500
    assert all(iso11649.is_valid(one) and len(one) == 16 for one in made)
    one = made.pop()
    assert printed(one).replace(" ", "") == one
    assert max(len(group) for group in printed(one).split()) == 4


@pytest.mark.parametrize(
    "frame",
    ["{}", "soutien {} merci", "VIR SEPA/{}/ASSO", "{}.", "REF:{}12", "RFRF{}", "RF18 {}", "rf-{}-rf"],
)
@pytest.mark.parametrize("shape", ["plain", "spaces", "lower", "dashes", "odd"])
def test_it_is_found_inside_free_text(frame: str, shape: str) -> None:
    reference = new_reference()
    written = {
        "plain": reference,
        "spaces": printed(reference),
        "lower": printed(reference).lower(),
        "dashes": "-".join(reference[i : i + 5] for i in range(0, 16, 5)),
        "odd": reference[:3] + "  " + reference[3:9] + "\n" + reference[9:],
    }[shape]
    # Around it a prefix may make a second valid candidate once in a while: only the database knows which one is ours.
    assert reference in find_references(frame.format(written))


def test_one_wrong_character_is_not_another_reference() -> None:
    reference = new_reference()
    for place in range(4, 16):
        for other in BODY_ALPHABET:
            # A figure read for a letter shifts the sum and escapes mod 97 once in a while; like for like never does.
            if other != reference[place] and other.isdigit() == reference[place].isdigit():
                assert find_references(reference[:place] + other + reference[place + 1 :]) == []


def test_two_references_are_both_seen() -> None:
    one, two = new_reference(), new_reference()
    assert find_references(f"{printed(one)} et {two}") == [one, two]


@settings(derandomize=True, max_examples=200)
@given(st.text(max_size=200))
def test_noise_holds_no_reference_and_raises_nothing(text: str) -> None:
    assert all(iso11649.is_valid(found) for found in find_references(text))
