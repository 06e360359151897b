"""The sentences, word for word in both languages, and the way amounts are written in them."""

from typing import Any

import pytest

from backend.allocation.kernel import AllocationError
from backend.allocation.rules import Line, distribute
from backend.allocation.texts import Money, NoSentence, UnknownLanguage, UnknownPerson, explain, explain_whole
from backend.allocation.trace import trace

SEED = "pot-7|2025-Q1|general"


def plain(text: str) -> str:
    """Non-breaking spaces made visible: `_` for the ordinary one, `'` for the narrow one."""
    return text.replace("\u00a0", "_").replace("\u202f", "'")


def traced(amount: int, *lines: tuple[str, int]) -> dict[str, Any]:
    made = [Line(f"ctb_{number}", person, claim) for number, (person, claim) in enumerate(lines)]
    return trace(distribute("claims_pro", amount, made, SEED))


SHORT = traced(10_000, ("ana", 6000), ("bo", 4000), ("cy", 2500), ("cy", 2500), ("cy", 0), ("di", 0))
ENOUGH = traced(10_000, ("ana", 6000), ("bo", 3000))
EMPTY = traced(0, ("ana", 6000))
TIED = traced(8500, *((f"m{number}", 10_000) for number in range(1, 8)))
LARGE = traced(100_000_000, ("ana", 120_000_000), ("bo", 30_000_000))


@pytest.mark.parametrize(
    ("value", "person", "french", "english"),
    [
        pytest.param(
            SHORT,
            "ana",
            "Vous avez demandé 60,00_€. Les demandes validées font 150,00_€ pour 100,00_€ à partager_: chacune reçoit "
            "66,67_%. Le calcul_: 60,00 × 100,00 ÷ 150,00 = 40,00. Votre rétribution est de 40,00_€, sans arrondi.",
            "You asked for €60.00. The validated requests come to €150.00 for €100.00 to share: each receives 66.67%. "
            "The computation: 60.00 × 100.00 ÷ 150.00 = 40.00. Your share is €40.00, with no rounding.",
            id="exact",
        ),
        pytest.param(
            SHORT,
            "bo",
            "Vous avez demandé 40,00_€. Les demandes validées font 150,00_€ pour 100,00_€ à partager_: chacune reçoit "
            "66,67_%. Le calcul_: 40,00 × 100,00 ÷ 150,00 ≈ 26,6667. Votre rétribution est de 26,67_€, dont 0,01_€ "
            "d’arrondi_: les arrondis laissaient 0,01_€ à donner aux plus grands restes, et le vôtre est au rang 1 "
            "sur 2.",
            "You asked for €40.00. The validated requests come to €150.00 for €100.00 to share: each receives 66.67%. "
            "The computation: 40.00 × 100.00 ÷ 150.00 ≈ 26.6667. Your share is €26.67, of which €0.01 is rounding: "
            "rounding left €0.01 to give to the largest remainders, and yours has rank 1 of 2.",
            id="with the rounding cent",
        ),
        pytest.param(
            SHORT,
            "cy",
            "Vous avez demandé 50,00_€ en 2 contributions. Les demandes validées font 150,00_€ pour 100,00_€ à "
            "partager_: chacune reçoit 66,67_%. Le calcul_: 50,00 × 100,00 ÷ 150,00 ≈ 33,3333. Votre rétribution est "
            "de 33,33_€, arrondie vers le bas_: les arrondis laissaient 0,01_€ à donner aux plus grands restes, et le "
            "vôtre est au rang 2 sur 2.",
            "You asked for €50.00 in 2 contributions. The validated requests come to €150.00 for €100.00 to share: "
            "each receives 66.67%. The computation: 50.00 × 100.00 ÷ 150.00 ≈ 33.3333. Your share is €33.33, rounded "
            "down: rounding left €0.01 to give to the largest remainders, and yours has rank 2 of 2.",
            id="without it, from two contributions",
        ),
        pytest.param(
            SHORT,
            "di",
            "Vous n’avez demandé aucun montant_: votre travail reste visible, sans rétribution.",
            "You asked for no money: your work stays visible, without payment.",
            id="volunteer",
        ),
        pytest.param(
            ENOUGH,
            "bo",
            "Vous avez demandé 30,00_€. Les demandes validées font 90,00_€ pour 100,00_€ à partager_: chacune est "
            "servie en entier. Votre rétribution est de 30,00_€, sans arrondi.",
            "You asked for €30.00. The validated requests come to €90.00 for €100.00 to share: each is met in full. "
            "Your share is €30.00, with no rounding.",
            id="enough",
        ),
        pytest.param(
            traced(9000, ("ana", 6000), ("bo", 3000)),
            "bo",
            "Vous avez demandé 30,00_€. Les demandes validées font 90,00_€ pour 90,00_€ à partager_: chacune est "
            "servie en entier. Votre rétribution est de 30,00_€, sans arrondi.",
            "You asked for €30.00. The validated requests come to €90.00 for €90.00 to share: each is met in full. "
            "Your share is €30.00, with no rounding.",
            id="just enough",
        ),
        pytest.param(
            EMPTY,
            "ana",
            "Vous avez demandé 60,00_€. Les demandes validées font 60,00_€ et il n’y a rien à partager. Votre "
            "rétribution est de 0,00_€, sans arrondi.",
            "You asked for €60.00. The validated requests come to €60.00 and there is nothing to share. Your share is "
            "€0.00, with no rounding.",
            id="empty pot",
        ),
        pytest.param(
            TIED,
            "m3",
            "Vous avez demandé 100,00_€. Les demandes validées font 700,00_€ pour 85,00_€ à partager_: chacune reçoit "
            "12,14_%. Le calcul_: 100,00 × 85,00 ÷ 700,00 ≈ 12,1429. Votre rétribution est de 12,15_€, dont 0,01_€ "
            "d’arrondi_: les arrondis laissaient 0,02_€ à donner aux plus grands restes, et le vôtre est au rang 1 "
            "sur 7. À égalité de reste et de demande, l’ordre est celui d’une empreinte que personne ne choisit (la "
            "vôtre commence par 369b7e).",
            "You asked for €100.00. The validated requests come to €700.00 for €85.00 to share: each receives 12.14%. "
            "The computation: 100.00 × 85.00 ÷ 700.00 ≈ 12.1429. Your share is €12.15, of which €0.01 is rounding: "
            "rounding left €0.02 to give to the largest remainders, and yours has rank 1 of 7. Where remainder and "
            "request are equal, the order is that of a hash nobody can choose (yours begins with 369b7e).",
            id="tie",
        ),
        pytest.param(
            LARGE,
            "ana",
            "Vous avez demandé 1'200'000,00_€. Les demandes validées font 1'500'000,00_€ pour 1'000'000,00_€ à "
            "partager_: chacune reçoit 66,67_%. Le calcul_: 1'200'000,00 × 1'000'000,00 ÷ 1'500'000,00 = 800'000,00. "
            "Votre rétribution est de 800'000,00_€, sans arrondi.",
            "You asked for €1,200,000.00. The validated requests come to €1,500,000.00 for €1,000,000.00 to share: "
            "each receives 66.67%. The computation: 1,200,000.00 × 1,000,000.00 ÷ 1,500,000.00 = 800,000.00. Your "
            "share is €800,000.00, with no rounding.",
            id="thousands",
        ),
    ],
)
def test_what_a_contributor_reads(value: dict[str, Any], person: str, french: str, english: str) -> None:
    assert plain(explain(value, person, "fr")) == french
    assert plain(explain(value, person, "en")) == english


@pytest.mark.parametrize(
    ("value", "french", "english"),
    [
        pytest.param(
            SHORT,
            "100,00_€ à partager au prorata de 150,00_€ de demandes validées (3 personnes)_: chacune reçoit 66,67_%. "
            "Attribué_: 100,00_€_; non dépensé_: 0,00_€_; total_: 100,00_€. Les arrondis laissaient 0,01_€, donné au "
            "plus grand reste_: 1 personne.",
            "€100.00 to share in proportion to €150.00 of validated requests (3 people): each receives 66.67%. "
            "Allotted: €100.00; unspent: €0.00; total: €100.00. Rounding left €0.01, given to the largest remainder: "
            "1 person.",
            id="short",
        ),
        pytest.param(
            TIED,
            "85,00_€ à partager au prorata de 700,00_€ de demandes validées (7 personnes)_: chacune reçoit 12,14_%. "
            "Attribué_: 85,00_€_; non dépensé_: 0,00_€_; total_: 85,00_€. Les arrondis laissaient 0,02_€, donnés aux "
            "plus grands restes_: 2 personnes, 0,01_€ chacune.",
            "€85.00 to share in proportion to €700.00 of validated requests (7 people): each receives 12.14%. "
            "Allotted: €85.00; unspent: €0.00; total: €85.00. Rounding left €0.02, given to the largest remainders: "
            "2 people, €0.01 each.",
            id="two cents",
        ),
        pytest.param(
            ENOUGH,
            "100,00_€ à partager pour 90,00_€ de demandes validées (2 personnes)_: chacune est servie en entier. "
            "Attribué_: 90,00_€_; non dépensé_: 10,00_€_; total_: 100,00_€. Aucun arrondi n’a été nécessaire.",
            "€100.00 to share for €90.00 of validated requests (2 people): each is met in full. Allotted: €90.00; "
            "unspent: €10.00; total: €100.00. No rounding was needed.",
            id="enough",
        ),
        pytest.param(
            traced(9000, ("ana", 9000)),
            "90,00_€ à partager pour 90,00_€ de demandes validées (1 personne)_: chacune est servie en entier. "
            "Attribué_: 90,00_€_; non dépensé_: 0,00_€_; total_: 90,00_€. Aucun arrondi n’a été nécessaire.",
            "€90.00 to share for €90.00 of validated requests (1 person): each is met in full. Allotted: €90.00; "
            "unspent: €0.00; total: €90.00. No rounding was needed.",
            id="just enough",
        ),
        pytest.param(
            EMPTY,
            "Il n’y a rien à partager pour 60,00_€ de demandes validées (1 personne). Attribué_: 0,00_€_; non "
            "dépensé_: 0,00_€_; total_: 0,00_€.",
            "There is nothing to share for €60.00 of validated requests (1 person). Allotted: €0.00; unspent: €0.00; "
            "total: €0.00.",
            id="empty pot",
        ),
        pytest.param(
            traced(5000, ("di", 0)),
            "50,00_€ à partager et aucun montant demandé_: rien n’est attribué. Attribué_: 0,00_€_; non dépensé_: "
            "50,00_€_; total_: 50,00_€.",
            "€50.00 to share and no money asked for: nothing is allotted. Allotted: €0.00; unspent: €50.00; total: "
            "€50.00.",
            id="volunteers only",
        ),
    ],
)
def test_what_the_treasurer_reads(value: dict[str, Any], french: str, english: str) -> None:
    assert plain(explain_whole(value, "fr")) == french
    assert plain(explain_whole(value, "en")) == english


def test_a_currency_with_another_exponent_and_symbol() -> None:
    value = traced(100, ("ana", 100), ("bo", 200))
    assert plain(explain(value, "bo", "fr", exponent=0, symbol="FCFP")) == (
        "Vous avez demandé 200_FCFP. Les demandes validées font 300_FCFP pour 100_FCFP à partager_: chacune reçoit "
        "33,33_%. Le calcul_: 200 × 100 ÷ 300 ≈ 66,67. Votre rétribution est de 67_FCFP, dont 1_FCFP d’arrondi_: les "
        "arrondis laissaient 1_FCFP à donner aux plus grands restes, et le vôtre est au rang 1 sur 2."
    )
    assert plain(explain_whole(value, "en", exponent=3, symbol="TND")) == (
        "TND0.100 to share in proportion to TND0.300 of validated requests (2 people): each receives 33.33%. "
        "Allotted: TND0.100; unspent: TND0.000; total: TND0.100. Rounding left TND0.001, given to the largest "
        "remainder: 1 person."
    )


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
    value = traced(amount, ("ana", claims))
    assert f"chacune reçoit {french}. Le" in plain(explain(value, "ana", "fr"))
    assert f"each receives {english}. The" in plain(explain(value, "ana", "en"))


def test_amounts_are_written_as_each_language_does() -> None:
    assert [plain(Money("fr").amount(amount)) for amount in (0, 5, 125_050, -7)] == [
        "0,00_€",
        "0,05_€",
        "1'250,50_€",
        "-0,07_€",
    ]
    assert [Money("en").amount(amount) for amount in (0, 5, 125_050, -7)] == ["€0.00", "€0.05", "€1,250.50", "-€0.07"]
    assert (Money("en", 0, "¥").amount(1234), Money("fr", 3, "DT").number(1)) == ("¥1,234", "0,001")


def test_a_region_falls_back_on_its_language() -> None:
    assert explain(SHORT, "ana", "fr-CH") == explain(SHORT, "ana", "fr")
    assert explain_whole(SHORT, "en_GB") == explain_whole(SHORT, "en")


def test_what_has_no_sentence_is_refused() -> None:
    other = {"steps": [{**SHORT["steps"][0], "rule": "equal"}]}
    cases: list[tuple[type[AllocationError], str, dict[str, Any], str, str]] = [
        (UnknownLanguage, "No sentences in 'de': use one of en, fr.", SHORT, "ana", "de"),
        (UnknownPerson, "Person 'zoe' has no line in this distribution.", SHORT, "zoe", "fr"),
        (NoSentence, "No sentences for the rule 'equal': use one of claims_pro.", other, "ana", "fr"),
    ]
    for error, text, value, person, language in cases:
        with pytest.raises(error) as refused:
            explain(value, person, language)
        assert str(refused.value) == text
    with pytest.raises(NoSentence):
        explain_whole(other, "fr")
    with pytest.raises(AllocationError, match="The number of decimals of the currency must be zero or more"):
        explain(SHORT, "ana", "fr", exponent=-1)
