"""PostgreSQL refuses by itself what no service does to payees, their accounts and the directors of the host."""

from collections.abc import Callable
from typing import Any

import pytest

from backend.payees.models import Payee
from tests.roles import Roles

SET = "UPDATE payees_payee SET {} WHERE id = '{}'"
DIRECTOR = (
    "INSERT INTO payees_director (id, user_id, starts_on, ends_before, marked_by_id, marked_at, ended_by_id)"
    " VALUES ('{id}', '{user}', '2026-01-01', {until}, '{user}', now(), {by})"
)
LIMIT = (
    "INSERT INTO payees_directorlimit (id, starts_on, amount, source, set_by_id, set_at)"
    " VALUES ('dlm_a', '2026-01-01', {amount}, '{source}', '{user}', now())"
)


@pytest.fixture
def payee(play: Callable[..., Any]) -> Payee:
    """Bo's, with an account."""
    return Payee.objects.get(user=play("make_house").users["bo"])


def test_a_person_has_one_default_payee_which_is_open(payee: Payee, roles: Roles) -> None:
    other = (
        "INSERT INTO payees_payee SELECT (jsonb_populate_record(one, jsonb_build_object('id', 'pye_b', 'is_default',"
        f" {{}}))).* FROM payees_payee one WHERE id = '{payee.pk}'"
    )
    roles.passes(other.format("false"))
    roles.refused(other.format("true"), by="one_default_payee")
    roles.refused(SET.format("closed_at = now()", payee.pk), by="default_payee_is_open")
    roles.passes(other.format("false"), SET.format("closed_at = now()", "pye_b"))


def test_a_changed_account_is_dated_and_waits(payee: Payee, roles: Roles) -> None:
    assert payee.iban_sealed
    waits = "changed_account_waits"
    later = "iban_edited_at = now(), usable_from = now() + interval '{} hours'"
    roles.passes(SET.format("iban_sealed = 'own:y', iban_hint = 'z', " + later.format(72), payee.pk))
    roles.refused(SET.format("iban_sealed = 'own:y', iban_hint = 'z'", payee.pk), by=waits)
    roles.refused(SET.format("iban_sealed = 'own:y', " + later.format(71), payee.pk), by=waits)
    roles.refused(SET.format("usable_from = NULL", payee.pk), by=waits)
    undated = (
        "INSERT INTO payees_payee SELECT (jsonb_populate_record(one, jsonb_build_object('id', 'pye_b', 'is_default',"
        " false, 'iban_edited_at', NULL, 'usable_from', NULL))).* FROM payees_payee one"
    )
    roles.refused(undated, by="account_given_at_some_time")


def test_its_papers_are_counted_and_true(payee: Payee, roles: Roles) -> None:
    number = "vat_number = 'FR40303265045', vat_status = '{}'"
    roles.passes(SET.format(number.format("liable"), payee.pk))
    roles.refused(SET.format(number.format("franchise"), payee.pk), by="payee_vat_number_of_the_liable")
    gap, mandate = "invoice_numbers_without_gap", SET.format("mandate_at = now()", payee.pk)
    more = "last_invoice = last_invoice {}"
    roles.passes(mandate, SET.format(more.format("+ 1"), payee.pk))
    roles.refused(SET.format(f"mandate_at = NULL, {more.format('+ 1')}", payee.pk), by=gap)
    for step in ("+ 2", "- 1"):
        first = SET.format(more.format("+ 1"), payee.pk)
        roles.refused(mandate, first, SET.format(more.format(step), payee.pk), by=gap)


def test_somebody_directs_once_at_a_time_and_limits_have_a_source(payee: Payee, roles: Roles) -> None:
    user = payee.user_id
    directs = DIRECTOR.format(id="drt_a", user=user, until="NULL", by="NULL")
    roles.passes(directs)
    roles.refused(directs, directs.replace("drt_a", "drt_b"), by="director_once_at_a_time")
    ended = DIRECTOR.format(id="drt_a", user=user, until="date '{}'", by="{}")
    roles.passes(ended.format("2026-01-02", f"'{user}'"))
    roles.refused(ended.format("2026-01-01", f"'{user}'"), by="director_for_a_day_at_least")
    roles.refused(ended.format("2026-01-02", "NULL"), by="director_ended_by_somebody")
    roles.passes(LIMIT.format(amount=1365_00, source="SMIC", user=user))
    roles.refused(LIMIT.format(amount=0, source="SMIC", user=user), by="director_limit_positive")
    roles.refused(LIMIT.format(amount=1365_00, source="", user=user), by="director_limit_has_a_source")
