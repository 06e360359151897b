"""Passwords: what is refused and why, on thousands of guessable ones; what people choose well is accepted."""

import gzip
import random
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from django.contrib.auth import password_validation
from django.contrib.auth.password_validation import validate_password
from django.core.exceptions import ValidationError
from django.test import Client

from backend.identity import passwords
from backend.identity.models import Host, User

pytestmark = pytest.mark.django_db


def letters(count: int, *, seed: int, among: str = "abcdefghijklmnopqrstuvwxyz ") -> str:
    """As many letters, the same on each run."""
    return "".join(random.Random(seed).choices(among, k=count))  # noqa: S311  # a sample, not a secret


LIST = gzip.decompress(
    (Path(password_validation.__file__).parent / "common-passwords.txt.gz").read_bytes()
).decode()  # fmt: skip
ENTRIES = [word for word in LIST.split("\n") if len(word) >= 3]
PERSON = User(name="Marguerite Kergoat", public_name="Margot", email="m.kergoat@lesfilaos.example")


def codes(password: str, user: Any = PERSON) -> list[str]:
    """The reasons for which a password is refused; none when it is accepted."""
    try:
        validate_password(password, user)
    except ValidationError as refusal:
        return [str(one.code) for one in refusal.error_list]
    return []


@pytest.fixture(autouse=True)
def the_host() -> None:
    """A host whose name is a word of here."""
    Host.objects.create(id="hst_passwords", name="Les Communs du Vercors", siren="123456782", fee_bp=500)


@pytest.mark.parametrize(
    ("password", "expected"),
    [
        ("", ["password_too_short", "password_guessable"]),
        ("brume ocre lent", []),  # 15
        ("brume ocre len", ["password_too_short"]),  # 14
        ("z9!Kq" * 3 + "wW", ["password_guessable"]),  # five characters again and again
        ("Lune-pave-42-Zinc-orge-kayak-" * 2 + "figue!", []),  # 64
        (letters(64, seed=64), []),
        (letters(128, seed=128), []),
        (letters(129, seed=129), ["password_too_long"]),
        ("aaaaaaaaaaaaaaaa", ["password_guessable"]),
        ("abcdefghijklmnopq", ["password_guessable"]),
        ("azertyuiop123456789", ["password_guessable"]),
        ("passwordpassword1", ["password_guessable"]),
        ("P@ssw0rdP@ssw0rd!", ["password_guessable"]),
        ("iloveyou football dragon", ["password_guessable"]),
        ("tronctronctronc2026", ["password_guessable"]),
        ("budget contributif", ["password_of_here"]),
        ("Budget-Contributif-2026!!", ["password_of_here"]),
        ("m0tdepasse tr0nc commun", ["password_of_here"]),
        ("Les Communs du Vercors 2026", ["password_of_here"]),
        ("Marguerite Kergoat 38", ["password_of_here"]),
        ("lesfilaos.example!!", ["password_of_here"]),
        ("épicéa mouillé sur tôle", []),
        ("漢字漢字の雨が降る夜に歩いていた", []),
        ("12 34 56 78 90 12 34 56", ["password_guessable"]),
    ],
)
def test_what_is_refused_and_why(password: str, expected: list[str]) -> None:
    assert sorted(codes(password)) == sorted(expected)


def test_no_composition_is_asked_for() -> None:
    for password in ("only small letters here", "ONLY CAPITALS IN THIS", "86741930275518846"):
        assert codes(password) == []


def guessable() -> list[str]:
    """3 000 passwords of 15 to 128 characters that a program tries early, the same on each run."""
    pick = random.Random(2026)  # noqa: S311  # samples, not secrets
    pads = ["", "1", "!", "12", "123", "2026", "2026!", "!!", "1987", "*", "01"]
    words = [*passwords.SERVICE_WORDS, "lescommunsduvercors", "vercors", "marguerite", "kergoat", "margot", "lesfilaos"]
    found: list[str] = []

    def keep(text: str) -> None:
        if 15 <= len(text) <= 128:
            found.append(text)

    while len(found) < 1400:  # one to three frequent passwords in a row, written in several ways
        joined = pick.choice(["", " ", "-", "_"]).join(pick.choices(ENTRIES, k=pick.choice([1, 2, 3])))
        keep(pick.choice([joined, joined.upper(), joined.title()]))
    while len(found) < 1900:  # two of them, padded
        keep("".join(pick.choices(ENTRIES, k=2)) + pick.choice(pads))
    while len(found) < 2300:  # one short piece repeated
        piece = "".join(pick.choices("abcdefghijklmnopqrstuvwxyz0123456789!?", k=pick.choice([1, 2, 3, 4, 5, 6, 7])))
        keep((piece * 20)[: pick.randrange(15, 40)])
    while len(found) < 2600:  # rows of keys, forward or backward
        rows = [row for row in passwords.SEQUENCES if len(row) >= 6]
        keep("".join(pick.choices(rows, k=2))[: pick.randrange(15, 30)])
    while len(found) < 3000:  # words of here, alone or padded, sometimes disguised
        text = "".join(pick.choices(words, k=pick.choice([1, 2, 3]))) + pick.choice(pads)
        keep(text.replace("o", "0").replace("e", "3") if pick.random() < 0.25 else text)
    return found


def test_three_thousand_guessable_passwords_are_refused() -> None:
    samples = guessable()
    assert len(samples) == 3000
    assert len(set(samples)) > 2900
    own = passwords.words_of(PERSON)
    assert [text for text in samples if passwords.worth(text, own) >= passwords.WORTH] == []
    assert [text for text in samples[::30] if not codes(text)] == []


WELL_CHOSEN = """une longue phrase sure
encore une longue phrase
le chat dort sur le mur vert
la belle nuit etoilee de juin
trois petits tas de cailloux
nous irons cueillir des mures
mon velo grince depuis mardi
pluie fine sur toits de zinc
il manque un bouton au manteau
le facteur sifflote faux
quatre navets dans un cageot
gouttière brumeuse ocarina
tournesol penché vers l'est
on a perdu la clef du garage
la soupe refroidit doucement
vingt-deux hiboux dans la grange
pas de sel dans ce gratin
un escargot traverse la cour
lanterne rouillée du vieux port
je range mes outils le samedi
correct horse battery staple
gravel umbrella seventeen moths
the kettle sings at quarter past
my neighbour grows odd squashes
paper boats on a muddy canal
three rusty hinges and a goat
warm bread under linen cloth
nobody waters the fern in may
chalk marks beside the staircase
left sock drawer holds a map
windmill plaster fjord anchovy
crumbling lighthouse violin tea
slow ferries never carry pianos
the quarry echoes after rain
seven lamps and no candle
kX9#vQ2!mZ7@pL4w
8fG-trw-2Pq-zzL-93b
Vq7mPz2xKd9sLw4c
xA!9mm2Lq#7zRt&4
q1W8zX3vB6nT9pLk
7c2fd0b94ae618b3
jTz4-Nw8q-Lr2d-Xm6k
ZrTq9Lm2Vx8Kd3Wp7N
p3Qz!t8Lw@m6Kx#r2
hhq2-9djw-xx7p-trm1
glacier tuba moquette persil
orge figue boussole mandarin
ruelle pivert cadenas mousson
sardine clavier hublot mistral
wolken über dem alten hafen"""


def test_fifty_well_chosen_passwords_are_accepted() -> None:
    good = WELL_CHOSEN.splitlines()
    assert len(good) == 50
    assert [(text, codes(text)) for text in good if codes(text)] == []


def test_a_password_of_128_characters_opens_the_account(client: Client) -> None:
    long = letters(126, seed=7, among="abcdefghijklmnopqrstuvwxyzé ") + "é!"
    assert codes(long) == []
    person = User.objects.create_user("long@example.org", long, name="Long")
    assert person.check_password(long)
    assert not person.check_password(long[:-1])


@pytest.mark.parametrize(
    ("page", "fields"),
    [
        ("login/", {"login": "email", "password": "current-password"}),
        ("signup/", {"email": "email", "password1": "new-password", "password2": "new-password"}),
        ("password/reset/", {"email": "email"}),
    ],
)
def test_password_managers_can_fill_and_nothing_forbids_pasting(
    client: Client, page: str, fields: dict[str, str]
) -> None:
    html = client.get(f"/en/accounts/{page}").content.decode()
    for name, wanted in fields.items():
        field = re.search(rf'<input[^>]*name="{name}"[^>]*>', html)
        assert field is not None, name
        said = re.search(r'autocomplete="([^"]*)"', field[0])
        assert said is not None, field[0]
        assert wanted in said[1].split() or (wanted == "email" and said[1] == "username"), field[0]
        assert "maxlength" not in field[0] or int(re.findall(r'maxlength="(\d+)"', field[0])[0]) >= 128
        assert "readonly" not in field[0]
    assert "<script" not in html
    assert not re.search(r"\son(paste|copy|drop|input|key\w+)=", html)


def test_the_pages_of_a_password_say_the_reason_beside_the_field(
    play: Callable[..., Any], sign_in: Callable[..., Client]
) -> None:
    world = play("make_people")
    browser = sign_in(world.users["ana"])
    facts = {"oldpassword": "x", "password1": "budget contributif 1", "password2": "budget contributif 1"}
    page = browser.post("/en/accounts/password/change/", facts).content.decode()
    assert "This password is built on your name, your address or words of this service" in page
