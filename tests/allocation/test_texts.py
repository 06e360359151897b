"""The sentences over a trace: word for word, followed with a calculator, the same figures in both languages."""

import json
import re
from collections import Counter
from fractions import Fraction
from pathlib import Path
from string import Formatter
from typing import Any

import pytest
from hypothesis import Phase, given, settings

from backend.allocation.kernel import AllocationError
from backend.allocation.rules import RULES
from backend.allocation.texts import SENTENCES, Money, explain, explain_whole
from backend.allocation.texts.limits import Limits
from backend.allocation.texts.money import NARROW, NBSP
from backend.allocation.texts.words import PHRASES, Teller, teller
from tests.allocation.closings import POT, charters, closing, inputs, line, purse, tiers
from tests.allocation.told import SCENARIOS, asked

# scenario: {person, or * for the treasurer: {language: paragraphs}}; _ is a non-breaking space, ' a narrow one.
WORDS: dict[str, dict[str, dict[str, list[str]]]] = json.loads(
    Path(__file__).with_name("texts.json").read_text(encoding="utf-8")
)
WHOLE = "*"
NEVER = re.compile(r"salair|salar|wage|wallet|portefeuille|dépôt|deposit|employ", re.IGNORECASE)
HALF = Fraction(1, 20_000)  # half of the fourth decimal
# `40% of (1,850.00 + 600.00 of the envelopes) = 980.00`, `30% of the 468.00 left: €140.40`; rounded down to the cent.
PART = re.compile(
    r"([\d.]+)% of (?:the )?\(?([\d,.]+)(?: \+ ([\d,.]+) of the envelopes\))?(?: left:| to share:| [=≈]) €?([\d,.]*\d)"
)
NUMBER = r"-?\d[\d,]*(?:\.\d+)?"
EQUATION = re.compile(rf"(\(?{NUMBER}(?: (?:people|person|hours|weighted|[×÷−+]|\(?{NUMBER}\)?))+) ([=≈]) €?({NUMBER})")


def plain(paragraphs: list[str]) -> list[str]:
    """With spaces that the eye can tell apart."""
    return [paragraph.replace(NBSP, "_").replace(NARROW, "'") for paragraph in paragraphs]


def told(trace: dict[str, Any], who: str, language: str) -> list[str]:
    """What one reader reads; without the treasurer's last paragraph, whose digests another test reads."""
    return explain_whole(trace, language)[:-1] if who == WHOLE else explain(trace, who, language)


@pytest.mark.parametrize("scenario", WORDS)
def test_the_sentences_word_for_word(scenario: str) -> None:
    trace = SCENARIOS[scenario]()
    for who, expected in WORDS[scenario].items():
        for language, paragraphs in expected.items():
            assert plain(told(trace, who, language)) == paragraphs, (who, language)


def test_row_40_reads_as_the_specification_has_it() -> None:
    trace = SCENARIOS["row 40"]()
    assert explain(trace, "ana", "en") == [
        "€750.00 came in. Host fee 8% −60.00; 10% to the projects we depend on −69.00; 5% kept in reserve −34.50. "
        "586.50 to share.",
        f"Your validated time: 18{NBSP}h × 1.0 + 3.5{NBSP}h × 1.5 (review) = 23.25 weighted hours. You declared "
        f"4{NBSP}h of review; 3.5{NBSP}h were validated.",
        "One person reached the 40% ceiling (234.60). The other 351.90 ÷ 38.525 weighted hours ≈ 9.1343 per weighted "
        "hour (every decimal is kept). 23.25 × 9.1343 ≈ 212.3731 → 212.37 (no rounding cent).",
        "Without the ceiling you would have received 173.65. Paid now: balance above 10.00.",
    ]
    assert plain(explain(trace, "ana", "fr")) == [
        "750,00_€ sont arrivés. Frais du tiers de confiance, 8_%_: −60,00'; aux projets dont nous dépendons, 10_%_: "
        "−69,00'; mis en réserve, 5_%_: −34,50. Il reste 586,50 à partager.",
        "Votre temps validé_: 18_h × 1,0 + 3,5_h × 1,5 (relecture) = 23,25 heures pondérées. Vous aviez déclaré 4_h "
        "(relecture)'; 3,5_h ont été validées.",
        "Une personne a atteint le plafond de 40_% (234,60). Pour le reste_: 351,90 ÷ 38,525 heures pondérées ≈ 9,1343 "
        "par heure pondérée (toutes les décimales sont gardées). 23,25 × 9,1343 ≈ 212,3731 → 212,37 (sans centime "
        "d’arrondi).",
        "Sans le plafond, vous auriez reçu 173,65. Payé maintenant_: solde au-dessus de 10,00.",
    ]


def test_every_rule_has_its_sentences_in_both_languages() -> None:
    assert set(SENTENCES) == set(RULES)
    assert {f"rule_{rule}" for rule in RULES} <= set(PHRASES["fr"]) & set(PHRASES["en"])
    for rule in RULES:
        trace = asked(rule, 1_000_000)
        assert trace["steps"][0]["rule"] == rule
        for language in PHRASES:
            assert all(explain(trace, "ana", language)), (rule, language)


def test_the_two_languages_say_the_same_things() -> None:
    assert set(PHRASES["fr"]) == set(PHRASES["en"])
    for name, english in PHRASES["en"].items():
        french = PHRASES["fr"][name]
        fields = [{field for _, field, _, _ in Formatter().parse(text) if field} for text in (english, french)]
        assert fields[0] == fields[1], name
        assert not NEVER.search(english + french), name


def test_every_phrase_is_said_somewhere_in_the_checked_sentences(monkeypatch: pytest.MonkeyPatch) -> None:
    said: set[str] = set()
    say = Teller.say

    def listening(self: Teller, phrase: str, **values: str) -> str:
        said.add(phrase)
        return say(self, phrase, **values)

    monkeypatch.setattr(Teller, "say", listening)
    for scenario, expected in WORDS.items():
        trace = SCENARIOS[scenario]()
        for who in expected:
            told(trace, who, "fr")
    explain_whole(_crowd(), "fr")
    assert said == set(PHRASES["fr"])


def _crowd() -> dict[str, Any]:
    """More people at the ceiling than a list can hold."""
    lines = [line(f"ctr_{number:03}", f"p{number:03}", validated=60, declared=60) for number in range(130)]
    return closing(tiers({"rule": "weighted"}, bounds={"ceiling": 5}), {"purses": [purse(10_000)], "lines": lines})


def test_a_list_too_long_to_read_is_cut_and_says_so() -> None:
    (exceptions,) = [text for text in explain_whole(_crowd(), "en") if text.startswith("Exceptions: ")]
    assert exceptions.count("stopped at the ceiling of 0.05 (0.05)") == 100
    assert exceptions.endswith("; and 31 more in the computation file.")


def test_the_treasurer_can_check_it_again() -> None:
    for scenario in ("row 40", "three tiers"):
        trace = SCENARIOS[scenario]()
        for language in PHRASES:
            last = explain_whole(trace, language)[-1]
            for figure in (
                trace["charter"]["sha256"],
                trace["snapshot_sha256"],
                trace["result_sha256"],
                trace["engine"],
            ):
                assert figure in last
            assert "`" not in last
            assert "./run manage recompute trace.json " in last
    assert "version 4, " in explain_whole(SCENARIOS["three tiers"](), "fr")[-1]


# ---------------------------------------------------------------- with a calculator


def calculated(text: str) -> Fraction:
    """The left side of an equation, products before sums, as a pocket calculator with brackets has it."""
    text = re.sub(r" (people|person|weighted|hours)", "", text).replace(",", "")
    while bracket := re.search(r"\(([^()]+)\)", text):
        inner = calculated(bracket[1])
        text = text.replace(bracket[0], f"{inner.numerator}/{inner.denominator}")
    total, sign = Fraction(0), 1
    for part in re.split(r" ([+−]) ", text):
        if part in "+−":
            sign = -1 if part == "−" else 1
            continue
        first, *others = re.split(r" ([×÷]) ", part)
        value = Fraction(first)
        for operator, operand in zip(others[::2], others[1::2], strict=True):
            value = value * Fraction(operand) if operator == "×" else value / Fraction(operand)
        total += sign * value
    return total


def follow(paragraphs: list[str]) -> int:
    """Redo every computation of an English text; returns how many there were."""
    count = 0
    for rate, *figures in PART.findall(" ".join(paragraphs)):
        count += 1
        money, envelopes, part = (Fraction(figure.replace(",", "") or 0) for figure in figures)
        assert (money + envelopes) * Fraction(rate) // 1 == part * 100, (rate, figures)
    for left, sign, right in EQUATION.findall(" ".join(paragraphs)):
        if not re.search("[×÷−+]", left):
            continue
        count += 1
        value = calculated(left)
        # A number shown with four decimals may be off by half of the last one: what that moves is allowed, no more.
        allowed = HALF if sign == "≈" else Fraction(0)
        for shown in re.finditer(r"\d[\d,]*\.\d{4}", left):
            more = Fraction(shown[0].replace(",", "")) + HALF
            moved = calculated(f"{left[: shown.start()]}{more.numerator}/{more.denominator}{left[shown.end() :]}")
            allowed += abs(moved - value) * 2
        assert abs(value - Fraction(right.replace(",", ""))) <= allowed, f"{left} {sign} {right}"
    return count


def test_every_computation_can_be_followed_with_a_pocket_calculator() -> None:
    found = Counter(dict.fromkeys(SCENARIOS, 0))
    for name, scenario in SCENARIOS.items():
        trace = scenario()
        for one in trace["persons"]:
            found[name] += follow(explain(trace, one["id"], "en"))
    assert found["a part of the pot, given before"] == 27
    assert found["row 40"] == 9  # the hours are read apart: a rate and a product for four, one product for the fifth
    assert sum(found.values()) > 200


def _numbers(paragraphs: list[str], language: str) -> Counter[str]:
    text = " ".join(paragraphs).replace(NARROW, "").replace(NBSP, " ")
    text = text.replace(",", ".") if language == "fr" else text.replace(",", "")
    return Counter(re.findall(r"\d+(?:\.\d+)?", text))


# Closings are slow to simplify: the first one that fails is small enough to read.
@settings(max_examples=100, derandomize=True, deadline=None, database=None, phases=[Phase.generate])
@given(charters(), inputs())
def test_any_closing_is_told_in_both_languages_with_the_same_figures(
    charter: dict[str, Any], frozen: dict[str, Any]
) -> None:
    trace = closing(charter, frozen)
    readers = [one["id"] for one in trace["persons"]]
    for who in [WHOLE, *readers]:
        english, french = told(trace, who, "en"), told(trace, who, "fr")
        assert _numbers(english, "en") == _numbers(french, "fr")
        assert "{" not in "".join(english + french)
        assert "~" not in "".join(english + french)
    written = Money("en").number
    for step in trace["steps"]:
        for row in step["persons"]:
            if row["cents"]:
                assert written(row["cents"]) in " ".join(explain(trace, row["id"], "en"))
    for who in readers:
        follow(explain(trace, who, "en"))


@settings(max_examples=200, derandomize=True, deadline=None, database=None, phases=[Phase.generate])
@given(charters(), inputs())
def test_a_whole_bound_less_what_was_given_before_is_what_the_engine_left(
    charter: dict[str, Any], frozen: dict[str, Any]
) -> None:
    trace = closing(charter, frozen)
    tell = teller(trace, "en", 2, "€", {})
    for step in trace["steps"]:
        limits = Limits(tell, step)
        for row in step["persons"]:
            if row["ceiling_reason"] in ("fixed", "part", "hourly"):
                assert limits.ceiling(row) - sum(limits.given(row)) == row["ceiling"]
            if row["floor"]:
                top = limits.floor_left(row) if row["ceiling"] is None else row["ceiling"]
                assert row["floor"] == min(limits.floor_left(row), top)


def test_a_part_is_of_the_money_before_releases_which_count_once() -> None:
    charter = tiers({"rule": "weighted"}, bounds={"ceiling_bp": 4000}, earmarks={"leftover": "release"})
    lines = [line("ctr_1", "ana", validated=60), line("ctr_2", "bo", validated=600)]
    trace = closing(charter, {"purses": [purse(1000), purse(500, "feature", POT)], "lines": lines})
    assert plain(explain(trace, "bo", "en"))[2] == (
        "The 40% ceiling is 40% of (10.00 + 5.00 of the envelopes) = 6.00. By the rule alone your part would be "
        "10 × 15.00 ÷ 11 ≈ 13.6364. The 40% ceiling stops it: you receive 6.00."
    )


# ---------------------------------------------------------------- writing


def test_names_and_currency_are_those_of_the_reader() -> None:
    trace = asked("claims_pro", 100, {"ana": 100, "bo": 200})
    names = {POT: "Pot {of} ~Cartolibre", "bo": "Bo Nguyen"}
    assert "Pot {of} ~Cartolibre: held 100 = shared 100 + left 0." in explain_whole(
        trace, "en", exponent=0, names=names
    )
    assert "Rounding cents: Bo Nguyen +1 (rank 1 of 2)." in explain_whole(trace, "en", exponent=0, names=names)
    assert plain(explain(trace, "bo", "fr", exponent=0, symbol="FCFP"))[2] == (
        "Les demandes validées font 300_FCFP pour 100_FCFP à partager_: chacune reçoit 33,33_%. 200 × 100 ÷ 300 ≈ "
        "66,67 → 67 (+1, rang 1 sur 2 restes)."
    )
    assert explain_whole(trace, "en", exponent=3, symbol="TND")[0] == "TND0.100 came in. 0.100 to share."


@pytest.mark.parametrize(
    ("amount", "claims", "french", "english"),
    [
        (50, 100, "50_%", "50%"),
        (1, 3, "33,33_%", "33.33%"),
        (999_999, 1_000_000, "plus de 99,99_%", "more than 99.99%"),
        (1, 1_000_000, "moins de 0,01_%", "less than 0.01%"),
        (1, 8, "12,50_%", "12.50%"),
        (1, 16_000, "0,01_%", "0.01%"),
    ],
)
def test_a_percentage_never_says_all_or_nothing_when_it_is_not(
    amount: int, claims: int, french: str, english: str
) -> None:
    trace = asked("claims_pro", amount, {"ana": claims})
    assert f"chacune reçoit {french}. " in plain(explain(trace, "ana", "fr"))[2]
    assert f"each receives {english}. " in plain(explain(trace, "ana", "en"))[2]


def test_amounts_hours_and_days_are_written_as_each_language_does() -> None:
    french, english = Money("fr"), Money("en")
    assert plain([french.amount(amount) for amount in (0, 5, 125_050, -7)]) == [
        "0,00_€",
        "0,05_€",
        "1'250,50_€",
        "-0,07_€",
    ]
    assert [english.amount(amount) for amount in (0, 5, 125_050, -7)] == ["€0.00", "€0.05", "€1,250.50", "-€0.07"]
    assert (Money("en", 0, "¥").amount(1234), Money("fr", 3, "DT").number(1)) == ("¥1,234", "0,001")
    assert [english.signed(amount) for amount in (1, -6000)] == ["+0.01", "−60.00"]
    durations = (0, 20, 210, 61, 1080, 135)
    assert plain([english.duration(minutes) for minutes in durations]) == [
        *("0_h", "20_min", "3.5_h", "1_h_1_min", "18_h", "2.25_h")
    ]
    assert plain([french.day("2026-12-01"), french.day("2026-08-22"), english.day("2026-12-01")]) == [
        *("1er_décembre_2026", "22_août_2026", "1_December_2026")
    ]
    assert (french.day("soon"), french.day("2026-13-01")) == ("soon", "2026-13-01")
    assert french.decimal(Fraction(1, 3)) == ("0,3333", False)
    assert french.decimal(Fraction(3, 2), at_least=1) == ("1,5", True)


def test_a_region_falls_back_on_its_language() -> None:
    trace = asked("equal", 100)
    assert explain(trace, "ana", "fr-CH") == explain(trace, "ana", "fr")
    assert explain_whole(trace, "en_GB") == explain_whole(trace, "en")


def test_what_has_no_sentence_is_refused() -> None:
    trace = asked("equal", 100)
    other = {**trace, "steps": [{**trace["steps"][0], "rule": "auction"}]}
    cases: list[tuple[str, str, dict[str, Any], dict[str, Any]]] = [
        ("unknown_language", "language", trace, {"person": "ana", "language": "de"}),
        ("unknown_person", "person", trace, {"person": "zoe", "language": "fr"}),
        ("no_sentence", "rule", other, {"person": "ana", "language": "fr"}),
        ("not_whole", "exponent", trace, {"person": "ana", "language": "fr", "exponent": -1}),
    ]
    for code, param, value, asks in cases:
        with pytest.raises(AllocationError) as refused:
            explain(value, **asks)
        assert (refused.value.code, refused.value.param) == (code, param)
    with pytest.raises(AllocationError, match="No sentences for 'auction'"):
        explain_whole(other, "fr")
