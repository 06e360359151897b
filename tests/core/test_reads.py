"""Statements that are written once read what is true now, by the values of each call and in each thread."""

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from django.db import connection
from django.db.models import Q
from django.utils import timezone

from backend.core.reads import Read, among
from backend.identity.models import Role, User

roles = Read(
    "person",
    "kinds",
    rows=lambda person, kinds: (
        Role.objects.filter(Q(among("kind", kinds)), user=person).order_by("kind").values_list("kind", flat=True)
    ),
)
people = Read("ids", rows=lambda ids: User.objects.filter(among("pk", ids)).prefetch_related("roles").order_by("name"))


def _person(name: str, *kinds: str) -> User:
    user = User.objects.create_user(f"{name}@example.org", name=name)
    for kind in kinds:
        Role.objects.create(user=user, kind=kind, scope="bud_1", created_at=timezone.now())
    return user


@pytest.mark.django_db
def test_each_call_reads_what_is_true_by_its_values(django_assert_num_queries: Any) -> None:
    ana, bo = _person("Ana", "steward", "contributor"), _person("Bo", "contributor")
    both = ["contributor", "steward"]
    with django_assert_num_queries(4):
        assert roles(person=ana.pk, kinds=both) == both
        assert roles(person=bo.pk, kinds=both) == ["contributor"]
        assert roles(person=ana.pk, kinds=["treasurer"]) == []
        assert roles(person=ana.pk, kinds=[]) == []
    Role.objects.filter(user=ana, kind="contributor").delete()
    assert roles(person=ana.pk, kinds=both) == ["steward"]


@pytest.mark.django_db
def test_rows_come_whole_with_what_was_asked_beside_them(django_assert_num_queries: Any) -> None:
    ana, bo = _person("Ana", "contributor"), _person("Bo")
    people(ids=[ana.pk])
    with django_assert_num_queries(2):
        found = people(ids=[bo.pk, ana.pk])
        assert [(one.pk, one.name, [role.kind for role in one.roles.all()]) for one in found] == [
            (ana.pk, "Ana", ["contributor"]),
            (bo.pk, "Bo", []),
        ]


@pytest.mark.django_db
def test_what_is_given_is_a_value_and_never_a_part_of_the_statement() -> None:
    ana = _person("Ana", "contributor")
    assert roles(person=f"{ana.pk}' OR '1'='1", kinds=["contributor"]) == []
    assert roles(person=ana.pk, kinds=["a','contributor", "%s", "}"]) == []


@pytest.mark.django_db
def test_a_value_that_is_missing_or_that_the_query_does_not_take_is_refused() -> None:
    with pytest.raises(KeyError):
        roles(person="usr_1")
    with pytest.raises(ValueError, match="take each"):
        Read("person", "now", rows=lambda person, now: Role.objects.filter(user=person))(person="usr_1", now=None)


def test_each_thread_reads_by_its_own_connection(committed: str) -> None:
    ana = _person("Ana", "contributor")
    roles(person=ana.pk, kinds=["contributor"])

    def ask() -> tuple[list[str], int]:
        try:
            return roles(person=ana.pk, kinds=["contributor"]), connection.connection.info.backend_pid
        finally:
            connection.close()

    with ThreadPoolExecutor(4) as pool:
        found = [one.result() for one in [pool.submit(ask) for _ in range(8)]]
    assert all(kinds == ["contributor"] for kinds, _backend in found)
    assert connection.connection.info.backend_pid not in {backend for _kinds, backend in found}
