"""The tests of the matrix see a hole: each one planted here is reported by the very function that the tests use."""

from collections.abc import Sequence
from typing import Any

import pytest
from django.http import HttpRequest, HttpResponse
from django.urls import get_resolver, include, path

from backend import urls as real
from backend.api import pledges, serialize
from backend.contributions.models import Contribution
from backend.identity.models import ApiToken
from backend.identity.tokens import create_token
from backend.pledges.models import Pledge
from tests.rights.api import ask_api, call
from tests.rights.matrix import Cell, address_of, ask, read_rows, routes, table, wrong
from tests.rights.test_api import held_to
from tests.rights.test_fields import keys_of, unexpected
from tests.rights.world import House

PAGES, API = table("pages"), table("api")


def asked(cell: Cell, house: House) -> HttpResponse:
    """The answer to a cell of the pages."""
    return ask(cell, house, address_of(cell, house))


def test_a_view_without_visible_to_is_seen(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    def everything(_cls: type, _actor: Any) -> Any:
        return Contribution.objects.all()

    cells = [cell for cell in PAGES["contribution_page"].cells() if cell.persona == "outsider"]
    assert not [one for cell in cells if (one := wrong(cell, house, asked))]
    monkeypatch.setattr(Contribution, "visible_to", classmethod(everything))
    found = [wrong(cell, house, asked) for cell in cells]
    assert [one.rpartition(": ")[2] for one in found] == ["ok instead of 404"] * 3


def test_an_address_of_the_api_without_visible_to_is_seen(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    cells = [cell for cell in API["pledges/{pledge_id}"].cells() if cell.persona == "contributor"]
    assert not [one for cell in cells if (one := wrong(cell, house, ask_api))]
    monkeypatch.setattr(Pledge, "visible_to", classmethod(lambda _cls, _actor: Pledge.objects.all()))
    assert len([one for cell in cells if "ok instead of 404" in (one := wrong(cell, house, ask_api))]) == 3


def test_a_page_without_a_row_is_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    def hole(_request: HttpRequest) -> HttpResponse:
        return HttpResponse("everything")

    before = set(routes(get_resolver().url_patterns))
    monkeypatch.setattr(real, "urlpatterns", [path("", include([path("hole/", hole, name="hole")])), *real.urlpatterns])
    assert set(routes(real.urlpatterns)) - before == {"hole"}
    assert "hole" not in PAGES


def test_a_page_that_reads_and_writes_is_seen(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    cell = next(one for one in PAGES["work"].cells() if one.persona == "contributor")

    def meddling(one: Cell, all_: House) -> HttpResponse:
        Contribution.objects.filter(pk=all_.things["contribution"]["own"]["contribution_id"]).update(
            over_cap_reason="x"
        )
        return asked(one, all_)

    assert wrong(cell, house, asked) == ""
    assert wrong(cell, house, meddling).endswith("but wrote in contributions_contribution")


def test_one_serializer_field_too_many_is_seen(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    assert unexpected("pledges/{pledge_id}", house) == set()
    real_ones = serialize.pledges

    def talkative(rows: Sequence[Pledge]) -> list[dict[str, Any]]:
        return [{**one, "made_by_email": row.made_by.email} for one, row in zip(real_ones(rows), rows, strict=True)]

    monkeypatch.setattr(serialize, "pledges", talkative)
    assert unexpected("pledges/{pledge_id}", house) == {"made_by_email"}


def test_a_scope_too_wide_is_seen(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    """A token that may only read commons, at an address whose scope somebody widened."""
    _row, text = create_token(user=house.people["manager"], name="narrow", scopes=["commons:read"], now=house.now)
    cell = next(one for one in API["pledges"].cells() if (one.verb, one.persona) == ("GET", "manager"))
    narrow = cell._replace(expected="403")
    assert wrong(narrow, house, lambda one, all_: ask_api(one, all_, token=text)) == ""
    monkeypatch.setattr(pledges.PledgeList, "scopes", {"get": "commons:read", "post": "pledges:write"})
    assert wrong(narrow, house, lambda one, all_: ask_api(one, all_, token=text)).endswith("ok instead of 403")


def test_a_restriction_that_is_forgotten_is_seen(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    held = held_to(house.people["treasurer"], house, "com")
    cell = Cell("pledges/{pledge_id}", "GET", "pledge", "other", "treasurer", "404")
    assert wrong(cell, house, lambda one, all_: ask_api(one, all_, token=held)) == ""
    monkeypatch.setattr(pledges, "within", lambda _request, rows: rows)
    assert wrong(cell, house, lambda one, all_: ask_api(one, all_, token=held)).endswith("ok instead of 404")


def test_an_address_that_never_heard_of_restrictions_is_nowhere(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    held = held_to(house.people["treasurer"], house, "com")
    assert call(held, "GET", "/v1/pledges").status_code == 200
    monkeypatch.setattr(pledges.PledgeList, "held", ())
    assert call(held, "GET", "/v1/pledges").status_code == 404


def test_a_model_that_nobody_placed_is_refused(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    from backend.api import auth

    kept: dict[Any, Any] = auth.PLACES
    monkeypatch.delitem(kept, Pledge)
    assert call(house.tokens["treasurer"], "GET", "/v1/pledges").status_code == 500


@pytest.mark.parametrize(
    "said",
    [
        {"GET": {"own": "fine treasurer"}}, {"GET": {"own": "ok tresorier"}}, {"GET": {"mine": "ok"}},
        {"FETCH": {"own": ""}},
        {"of": "pledge"}, {"GET": {"own": "ok"}, "com": "other"},
    ],
)  # fmt: skip
def test_a_row_that_means_nothing_is_refused(said: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="route"):
        read_rows({"route": said}, default="signin")


def test_keys_are_read_to_the_bottom() -> None:
    assert keys_of({"a": [{"b": {"c": 1}}, {"d": None}], "e": []}) == {"a", "a.b", "a.b.c", "a.d", "e"}
    assert ApiToken.SCOPES
