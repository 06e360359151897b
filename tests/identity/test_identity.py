"""People, host and roles."""

from collections.abc import Callable
from datetime import date
from typing import Any

import pytest
from django.contrib.auth import get_user_model
from django.contrib.auth.hashers import Argon2PasswordHasher
from django.core.exceptions import ImproperlyConfigured
from django.core.management import call_command
from django.core.management.base import SystemCheckError
from django.db import IntegrityError, transaction
from django.utils import timezone

from backend.core.errors import Conflict, DomainError, Invalid
from backend.identity.models import Host, Role
from backend.identity.permissions import may
from backend.identity.services import (
    add_bank_account,
    create_host,
    create_organisation,
    fiscal_year,
    fiscal_year_of,
    grant_role,
)

Play = Callable[..., Any]


def test_passwords_are_kept_by_argon2(settings: Any) -> None:
    assert settings.PASSWORD_HASHERS[-2].endswith("Argon2PasswordHasher")
    assert Argon2PasswordHasher().encode("x", "saltsaltsalt").startswith("argon2$argon2id$")


def test_a_host_takes_two_treasurers_and_is_alone(play: Play) -> None:
    world = play("make_people")
    claire, denis = world.users["claire"], world.users["denis"]
    facts: dict[str, Any] = {"name": "H", "siren": "123456782", "fee_bp": 500, "now": world.now}
    for treasurers in ([], [claire], [claire, claire]):
        with pytest.raises(Invalid) as refusal:
            create_host(**facts, treasurers=treasurers)
        assert refusal.value.code == "two_treasurers"
    for wrong, code in (
        ({"siren": "123456789"}, "siren_invalid"), ({"fee_bp": 10_001}, "fee_out_of_range"),
        ({"fiscal_year_starts_on": 0}, "month_unknown"), ({"fiscal_year_starts_on": 13}, "month_unknown"),
    ):  # fmt: skip
        with pytest.raises(Invalid) as other:
            create_host(**{**facts, **wrong}, treasurers=[claire, denis])
        assert other.value.code == code
    assert not Host.objects.exists()
    create_host(**facts, treasurers=[claire, denis])
    with pytest.raises(Conflict):
        create_host(**facts, treasurers=[claire, denis])


def test_fiscal_years_begin_in_the_host_s_month(play: Play) -> None:
    assert fiscal_year(2026, starts_on=1) == (date(2026, 1, 1), date(2026, 12, 31))
    assert fiscal_year(2023, starts_on=3) == (date(2023, 3, 1), date(2024, 2, 29))
    assert [fiscal_year_of(day, starts_on=9) for day in (date(2026, 8, 31), date(2026, 9, 1))] == [2025, 2026]
    world = play("make_house")
    assert world.host.fiscal_year_starts_on == 1
    for month in (0, 13):
        with pytest.raises(IntegrityError), transaction.atomic():
            Host.objects.update(fiscal_year_starts_on=month)


@pytest.mark.parametrize("iban", ["FR7630006000011234567890188", "FR76", "", "XX00 0000", "GB29NWBK60161331926818"])
def test_a_wrong_iban_is_refused(play: Play, iban: str) -> None:
    world = play("make_house")
    with pytest.raises(Invalid) as refusal:
        add_bank_account(host=world.host, name="x", iban=iban, currency="EUR")
    assert refusal.value.param == "iban"


def test_a_role_fits_its_scope(play: Play) -> None:
    world = play("make_house")
    for kind, scope in (("treasurer", world.budget.pk), ("steward", world.host.pk), ("organisation_member", "bud_x")):
        with pytest.raises(IntegrityError), transaction.atomic():
            Role.objects.create(user=world.users["bo"], kind=kind, scope=scope, created_at=world.now)
    before = Role.objects.count()
    for _again in range(2):
        grant_role(user=world.users["bo"], kind="steward", scope=world.budget.pk, granted_by=None, now=world.now)
    assert Role.objects.count() == before + 1


def test_a_removed_role_and_a_disabled_person_count_at_once(play: Play) -> None:
    world = play("make_house")
    claire = world.users["claire"]
    assert may(claire, "bank.import")
    Role.objects.filter(user=claire).delete()
    assert not may(claire, "bank.import")
    denis = world.users["denis"]
    denis.is_active = False
    assert not may(denis, "bank.import")


def test_an_organisation_has_its_manager(play: Play) -> None:
    world = play("make_house")
    made = create_organisation(name="Le Grand Toit", kind="association", manager=world.users["bo"], now=world.now)
    assert may(world.users["bo"], "pledge.make", scopes=[made.pk])
    for wrong in ({"kind": "bank"}, {"name": " "}, {"siren": "1"}):
        with pytest.raises(DomainError):
            create_organisation(
                **{"name": "x", "kind": "association", "manager": world.users["bo"], "now": world.now, **wrong}
            )


@pytest.mark.django_db
def test_addresses_are_kept_in_lower_case() -> None:
    users = get_user_model().objects
    made = users.create_user("  Zoe@Example.ORG ", "x", name="Zoé")
    assert made.email == "zoe@example.org"
    assert users.get_by_natural_key("ZOE@example.org") == made
    assert made.date_joined <= timezone.now()


def test_settings_that_cannot_be_are_refused(settings: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    settings.ENCRYPTION_KEYS = "1:short"
    with pytest.raises(SystemCheckError, match=r"tronc\.E001"):
        call_command("check")
    settings.ENCRYPTION_KEYS = f"1:{'A' * 43}="
    settings.BASE_URL = "http://tronc.example.org"
    with pytest.raises(SystemCheckError, match=r"tronc\.E002"):
        call_command("check")
    from backend.settings import env

    monkeypatch.delenv("TRONC_ABSENT", raising=False)
    with pytest.raises(ImproperlyConfigured, match="TRONC_ABSENT"):
        env("TRONC_ABSENT")
