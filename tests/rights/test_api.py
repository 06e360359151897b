"""Every address of the API × every role × whose object × every verb, and every restriction of a token."""

import functools
import json
from collections import Counter
from typing import Any

import pytest
from django.db import transaction

from backend.identity.models import ApiToken, User
from backend.identity.services import grant_role
from backend.identity.tokens import create_token
from tests.rights.api import address_in_api, api_routes, ask_api, body_of, call
from tests.rights.matrix import Cell, outcome, table, wrong
from tests.rights.world import House, person
from tests.treasurers import make_treasurer

API = table("api")
SCOPES = [scope for scope, _label in ApiToken.SCOPES]


def test_every_address_has_its_row_and_every_row_its_address() -> None:
    assert sorted(api_routes() - set(API)) == [], "addresses without a row in matrix.toml"
    assert sorted(set(API) - api_routes()) == [], "rows of matrix.toml without an address"


@pytest.mark.parametrize("route", sorted(API))
def test_an_address_answers_each_role_as_the_matrix_says(house: House, route: str) -> None:
    faults = [wrong(cell, house, ask_api) for cell in (*API[route].cells(), *API[route].unlisted())]
    assert not [one for one in faults if one]


@pytest.fixture(scope="module")
def everywhere(house: House) -> User:
    """Somebody with every right in both commons and both organisations, so that the token alone holds them back."""
    user = person("elsa", "Elsa Partout", strong=True)
    make_treasurer(user, now=house.now)
    for kind, scope in (
        ("auditor", house.played.host.pk), ("steward", house.played.budget.pk),
        ("steward", house.pot.pk), ("contributor", house.played.budget.pk), ("contributor", house.pot.pk),
        ("organisation_manager", house.played.organisation.pk), ("organisation_manager", house.roof.pk),
    ):  # fmt: skip
        grant_role(user=user, kind=kind, scope=scope, granted_by=None, now=house.now)
    return user


def held_to(user: User, house: House, kind: str) -> str:
    """A token of this person that is held to the first commons (com) or organisation (org); to nothing: empty."""
    only = {"com": house.played.commons.pk, "org": house.played.organisation.pk, "": ""}[kind]
    return create_token(user=user, name="held", scopes=SCOPES, only=only, now=house.now)[1]


# What the person concerned alone does, besides what is done of one's own work.
ALONE = {"shares/{share_id}/waivers", "distributions/{distribution_id}/objections/{objection_id}/lifting"}


def unable_alone(route: str, verb: str) -> str:
    """What somebody with every right is answered about what its contributor or its objector alone does."""
    if route.endswith(("withdrawal", "answer")):
        return "404"
    theirs = verb in {"PATCH", "DELETE"} or route.endswith(("declaration", "waiver", "lifting"))
    return "403" if (theirs and route.startswith("contributions/")) or route in ALONE else "ok"


@pytest.mark.parametrize("kind", ["com", "org"])
def test_a_restricted_token_finds_nothing_else(house: House, everywhere: User, kind: str) -> None:
    free, held = held_to(everywhere, house, ""), held_to(everywhere, house, kind)
    faults, reached = [], 0
    for row in API.values():
        for verb, by_which in row.answers.items():
            for which in by_which:
                cell = Cell(row.route, verb, row.of, which, "treasurer", "")
                reaches = which in row.reach[kind]
                # One's own alone is withdrawn: of that, what the token is held to is asked below.
                able = unable_alone(row.route, verb)
                reached += reaches
                wanted = cell._replace(expected=able if reaches else "404")
                faults.append(
                    wrong(cell._replace(expected=able), house, lambda one, all_: ask_api(one, all_, token=free))
                )
                faults.append(wrong(wanted, house, lambda one, all_: ask_api(one, all_, token=held)))
    assert not [one for one in faults if one]
    assert reached == {"com": 64, "org": 12}[kind]


def test_one_s_own_work_elsewhere_is_not_withdrawn_with_a_restricted_token(house: House) -> None:
    for user, which, able in ((house.people["contributor"], "own", True), (house.berta, "other", False)):
        address = f"/v1/contributions/{house.things['contribution'][which]['contribution_id']}/withdrawal"
        for kind, status in (("com", 200 if able else 404), ("org", 404), ("", 200)):
            only = {"com": house.played.commons.pk, "org": "", "": ""}[kind]
            row, token = create_token(user=user, name="held", scopes=SCOPES, only=only, now=house.now)
            if kind == "org":  # neither is a member of it: such a token is not made, and would open nothing
                ApiToken.objects.filter(pk=row.pk).update(only=house.played.organisation.pk)
            with transaction.atomic():
                answer = call(token, "POST", address)
                transaction.set_rollback(True)
            assert outcome(answer) == ("ok" if status == 200 else "404"), (which, kind, answer.content.decode())


def test_the_answer_kept_for_a_key_is_not_given_to_a_restricted_token(house: House, everywhere: User) -> None:
    free, held = held_to(everywhere, house, ""), held_to(everywhere, house, "com")
    body = body_of("pledges", "other", house)
    sent = [call(token, "POST", "/v1/pledges", body, key="kept") for token in (free, free, held)]
    assert [answer.status_code for answer in sent] == [201, 201, 404]
    assert sent[0].content == sent[1].content


def listed(house: House, token: str, address: str) -> list[dict[str, Any]]:
    """All the rows of a list."""
    answer = call(token, "GET", address)
    assert outcome(answer) == "ok", answer.content.decode()
    return list(json.loads(answer.content)["data"])


def test_lists_filters_and_counts_show_nothing_foreign(house: House, everywhere: User) -> None:
    near, far = house.played.budget.pk, house.pot.pk
    seen = {
        "contributor": {near}, "steward": {near}, "treasurer": {near, far}, "auditor": {near, far}, "outsider": set(),
        "member": set(), "manager": set(), "administrator": set(),
    }  # fmt: skip
    for persona, budgets in seen.items():
        token = house.tokens[persona]
        assert {row["budget"] for row in listed(house, token, "/v1/contributions?limit=100")} == budgets, persona
        for budget in (near, far):
            found = listed(house, token, f"/v1/contributions?limit=100&budget={budget}")
            assert bool(found) == (budget in budgets), persona
            assert {row["budget"] for row in found} <= {budget}
    mine, others = house.played.organisation.pk, house.roof.pk
    for persona, organisations in {
        "member": {mine}, "manager": {mine}, "treasurer": {mine, others}, "auditor": {mine, others},
        "contributor": set(), "steward": set(), "outsider": set(), "administrator": set(),
    }.items():  # fmt: skip
        found = listed(house, house.tokens[persona], "/v1/pledges?limit=100")
        # The host also sees those for which something was recorded.
        seen_there = {row["organisation"] for row in found}
        assert (seen_there & {mine, others} if organisations == {mine, others} else seen_there) == organisations, (
            persona
        )
    by_commons, by_organisation = held_to(everywhere, house, "com"), held_to(everywhere, house, "org")
    assert {row["budget"] for row in listed(house, by_commons, "/v1/contributions?limit=100")} == {near}
    assert listed(house, by_commons, f"/v1/contributions?limit=100&budget={far}") == []
    assert {row["budget"] for row in listed(house, by_commons, "/v1/pledges?limit=100")} == {near}
    assert {row["organisation"] for row in listed(house, by_commons, "/v1/pledges?limit=100")} >= {mine, others}
    assert {row["organisation"] for row in listed(house, by_organisation, "/v1/pledges?limit=100")} == {mine}
    assert [row["id"] for row in listed(house, by_commons, "/v1/commons")] == [house.played.commons.pk]


def test_what_a_caller_may_not_set_is_refused(house: House) -> None:
    before = ApiToken.objects.count()
    for route, fields in (
        ("contributions", ("state", "settled_amount", "contributor", "period", "validated_at", "id", "organisation")),
        ("pledges", ("state", "received", "made_by", "reference", "id", "created_at", "host")),
    ):
        for name in fields:
            body = {**body_of(route, "own", house), name: "x"}
            persona = "contributor" if route == "contributions" else "manager"
            answer = call(house.tokens[persona], "POST", f"/v1/{route}", body)
            assert answer.status_code == 422, (route, name)
            told = json.loads(answer.content)
            assert [one["pointer"] for one in told["errors"]] == [f"/{name}"], told
    assert ApiToken.objects.count() == before


def test_a_role_without_its_factor_reads_nothing_of_money(house: House) -> None:
    nemo, nobody = person("nemo", "Nemo Sans"), person("nobody", "Nobody Sans")
    make_treasurer(nemo, now=house.now)
    for user, kind, scope in (
        (nemo, "auditor", house.played.host.pk), (nemo, "steward", house.played.budget.pk),
        (nobody, "administrator", house.played.host.pk),
    ):  # fmt: skip
        grant_role(user=user, kind=kind, scope=scope, granted_by=None, now=house.now)
    for token in [held_to(user, house, "") for user in (nemo, nobody)]:
        for row in API.values():
            for verb, by_which in row.answers.items():
                for which, answers in by_which.items():
                    # What anybody may, they may; of all that a role opens, nothing.
                    cell = Cell(row.route, verb, row.of, which, "outsider", answers["outsider"])
                    fault = wrong(cell, house, functools.partial(ask_api, token=token))
                    assert not fault, fault


def test_all_of_it_was_counted() -> None:
    counted = Counter(cell.expected for row in API.values() for cell in (*row.cells(), *row.unlisted()))
    assert counted.total() > 300
    print(f"\nAPI: {counted.total()} cells, {dict(counted)}")
    assert address_in_api("pledges/{pledge_id}", {"pledge_id": "x"}) == "/v1/pledges/x"
