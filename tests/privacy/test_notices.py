"""The notices: versions with a text in both languages, accepted once each, for ever."""

import os
from datetime import UTC, date, datetime

import psycopg
import pytest
from django.template.loader import get_template

from backend.events.models import Event
from backend.identity.models import User
from backend.privacy import notices
from backend.privacy.models import Acceptance
from backend.privacy.notices import VERSIONS, accept_notices, awaiting, current, version_day
from tests import databases
from tests.concurrency import at_once

NOW = datetime(2026, 11, 22, 10, 0, tzinfo=UTC)


def somebody() -> User:
    """A person who accepted nothing yet."""
    return User.objects.create_user("dune@example.org", name="Dune Leroy")


def test_each_version_has_its_text_in_both_languages_and_its_day() -> None:
    assert set(VERSIONS) == set(dict(Acceptance.DOCUMENTS)) == {"terms", "privacy"}
    for document, versions in VERSIONS.items():
        assert list(versions) == sorted(versions, reverse=True)
        for version in versions:
            assert version_day(version) <= date.today()  # noqa: DTZ011  a version that holds has begun
            for language in ("fr", "en"):
                get_template(f"privacy/texts/{document}.{version}.{language}.html")


def test_versions_are_accepted_once_and_a_new_one_is_awaited(db: None, monkeypatch: pytest.MonkeyPatch) -> None:
    ana = somebody()
    assert awaiting(ana) == ["terms", "privacy"]
    assert accept_notices(user=ana, now=NOW) == ["terms", "privacy"]
    assert accept_notices(user=ana, now=NOW) == []
    assert awaiting(ana) == []
    rows = Acceptance.visible_to(ana).order_by("pk").values_list("document", "version", "accepted_at")
    assert list(rows) == [(document, version, NOW) for document, version in current().items()]
    (event,) = Event.objects.filter(kind="notices.accepted")
    assert event.data == {"versions": current()}
    monkeypatch.setitem(notices.VERSIONS, "terms", ("2027-02-01", *VERSIONS["terms"]))
    assert awaiting(ana) == ["terms"]
    assert accept_notices(user=ana, now=NOW) == ["terms"]
    assert Acceptance.objects.filter(user=ana, document="terms").count() == 2
    assert Event.objects.filter(kind="notices.accepted").latest("created_at", "id").data == {
        "versions": {"terms": "2027-02-01"}
    }


def test_ten_clicks_accept_once(committed: str) -> None:
    ana = somebody()
    results = at_once(lambda number: accept_notices(user=ana, now=NOW))
    assert sorted(results, key=len)[-1] == ["terms", "privacy"]
    assert [result for result in results if result == []] == [[]] * 9
    assert Acceptance.objects.filter(user=ana).count() == 2


def test_the_application_does_not_rewrite_what_was_accepted(committed: str) -> None:
    ana = somebody()
    accept_notices(user=ana, now=NOW)
    named = databases.named(os.environ["DATABASE_URL"], committed)
    with psycopg.connect(named, options="-c role=tronc_app", autocommit=True) as raw:
        for attack in (
            "UPDATE privacy_acceptance SET version = '2020-01-01'", "DELETE FROM privacy_acceptance",
            "TRUNCATE privacy_acceptance", "DELETE FROM privacy_erasure", "TRUNCATE privacy_erasure",
        ):  # fmt: skip
            with pytest.raises(psycopg.errors.InsufficientPrivilege):
                raw.execute(attack)
    assert Acceptance.objects.filter(user=ana, version=current()["terms"]).exists()
