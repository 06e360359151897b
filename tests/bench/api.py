"""What the API adds to what it does: contributions listed, shown and declared, beside bare SQL and a bare view.

    ./run bench api [--samples N]

One line each of JSON, medians of requests made in turn in this process, by the same client, through every middleware of
the service and to a PostgreSQL that writes each commit to disk:

- `queries`: how many statements a list takes with 1, 50 and 500 rows in the table.
- `list`: `GET /v1/contributions`, 50 rows in full: who the token is, its limit of requests, the rights of its owner,
  what moderation withdrew. Beside it, a view of Django alone: one statement by a cursor, for anybody, without a right
  to look at; 51 rows of 20 columns as arrays in JSON. `sql_ms` is that statement alone, without any view or JSON.
- `detail`: `GET /v1/contributions/{id}` with all that was said of it and its ETag. Beside it, a view of the REST
  framework that knows nobody, reads nothing and gives the same body from memory.
- `replay`: a declaration sent again with its key, whose rights are looked at again, beside the first time.
"""

import argparse
import itertools
import json
import logging
import os
import statistics
import sys
import time
from collections.abc import Callable
from typing import Any

from tests.bench._stage import Server

LIST_AT_MOST, DETAIL_AT_MOST, REPLAY_AT_MOST = 2.5, 6.0, 0.6
BARE = (
    "SELECT c.id, c.budget_id, c.period_id, u.id, u.name, c.worked_on, c.kind, c.minutes, c.amount, c.currency,"
    " c.waived, c.description, c.evidence, c.over_cap_reason, c.metadata, c.version, c.state, c.settled_amount,"
    " c.validated_at, c.created_at FROM contributions_contribution c JOIN identity_user u ON u.id = c.contributor_id"
    " ORDER BY c.id DESC LIMIT 51"
)


def main(arguments: list[str]) -> int:
    """Measure; 0 unless something else than time went wrong."""
    parser = argparse.ArgumentParser(prog="api", description=__doc__)
    parser.add_argument("--samples", type=int, default=200, help="how often each request is sent")
    samples = parser.parse_args(arguments).samples
    server = Server()
    try:
        server.migrated("api")
        os.environ.update(server.environment("api"))
        measure(samples)
    finally:
        server.stop()
    return 0


def measure(samples: int) -> None:
    """Make a pot, declare work in it, and ask for it."""
    import django

    django.setup()
    from django.db import connection
    from django.http import HttpRequest, HttpResponse, JsonResponse
    from django.test import Client
    from django.test.utils import CaptureQueriesContext
    from django.urls import path
    from django.utils import timezone
    from rest_framework.response import Response
    from rest_framework.views import APIView

    import backend.urls
    from backend.contributions.own import declare_many
    from backend.identity.models import ApiToken
    from backend.identity.tokens import create_token
    from backend.operations import demo

    logging.disable(logging.CRITICAL)
    world = demo.World(now=timezone.now())
    demo.make_people(world)
    demo.make_house(world)
    bo = world.users["bo"]
    scopes = [scope for scope, _label in ApiToken.SCOPES]

    def fill(count: int) -> None:
        items = [
            {
                "budget": world.budget.pk, "worked_on": world.today, "kind": "development", "minutes": 90,
                "amount": 45_00, "description": f"Work {number}", "evidence": ["https://example.org/1"],
            }
            for number in range(count)
        ]  # fmt: skip
        key = f"bench-{count}-{time.monotonic_ns()}"
        declare_many(actor=bo, items=items, form_key=key, now=timezone.now(), budget_of=lambda _name: world.budget)

    def bare_rows() -> list[Any]:
        with connection.cursor() as cursor:
            cursor.execute(BARE)
            rows: list[Any] = cursor.fetchall()
        return rows

    def bare_list(_request: HttpRequest) -> HttpResponse:
        return JsonResponse({"data": bare_rows()}, json_dumps_params={"default": str})

    class Bare(APIView):
        authentication_classes: Any = []
        permission_classes: Any = []
        throttle_classes: Any = []
        body: Any = {}

        def perform_authentication(self, _request: Any) -> None:
            """Nobody is asked for."""

        def get(self, _request: Any) -> Response:
            return Response(self.body)

    backend.urls.urlpatterns.insert(0, path("bare/list", bare_list))
    backend.urls.urlpatterns.insert(0, path("bare/detail", Bare.as_view()))
    client = Client(headers={"host": "localhost", "accept": "application/json"})
    numbers = itertools.count()

    def headers() -> dict[str, str]:
        # A new token before the limit of requests of the last one is met.
        if next(numbers) % 100 == 0:
            token = create_token(user=bo, name="bench", scopes=scopes, now=timezone.now())[1]
            headers.token = f"Bearer {token}"  # type: ignore[attr-defined]
        return {"Authorization": headers.token}  # type: ignore[attr-defined]

    def timed(ask: Callable[[], Any], status: int) -> float:
        begun = time.perf_counter()
        answer = ask()
        spent = time.perf_counter() - begun
        assert answer.status_code == status, answer.content[:500]
        return spent

    def compare(name: str, ours: Callable[[], Any], bare: Callable[[], Any], at_most: float, **more: float) -> None:
        times: tuple[list[float], list[float]] = ([], [])
        for number in range(samples):
            pair = ((0, ours), (1, bare)) if number % 2 else ((1, bare), (0, ours))
            for place, ask in pair:
                times[place].append(timed(ask, 200))
        tell(name, statistics.median(times[0]), statistics.median(times[1]), at_most, **more)

    counts: dict[int, int] = {}
    for rows in (1, 50, 500):
        fill(rows - max(counts, default=0))
        client.get("/v1/contributions?limit=100", headers=headers())
        with CaptureQueriesContext(connection) as seen:
            client.get("/v1/contributions?limit=100", headers=headers())
        counts[rows] = len(seen)
    print(
        json.dumps(
            {"bench": "api", "what": "queries", "by_rows": counts, "verdict": verdict(len({*counts.values()}) == 1)}
        )
    )

    alone = []
    for _number in range(samples):
        begun = time.perf_counter()
        assert len(bare_rows()) == 51
        alone.append(time.perf_counter() - begun)
    compare(
        "list",
        lambda: client.get("/v1/contributions", headers=headers()),
        lambda: client.get("/bare/list"),
        LIST_AT_MOST,
        sql_ms=round(statistics.median(alone) * 1000, 2),
    )
    name = json.loads(client.get("/v1/contributions?limit=1", headers=headers()).content)["data"][0]["id"]
    Bare.body = json.loads(client.get(f"/v1/contributions/{name}", headers=headers()).content)
    compare(
        "detail", lambda: client.get(f"/v1/contributions/{name}", headers=headers()),
        lambda: client.get("/bare/detail"), DETAIL_AT_MOST,
    )  # fmt: skip

    body = json.dumps(
        {
            "budget": world.budget.pk, "worked_on": world.today.isoformat(), "kind": "development", "minutes": 90,
            "description": "Work",
        }
    )  # fmt: skip
    first, second = [], []
    for number in range(samples):
        given = {**headers(), "Idempotency-Key": f"bench-{number}"}

        def send(given: dict[str, str] = given) -> Any:
            return client.post("/v1/contributions", body, content_type="application/json", headers=given)

        first.append(timed(send, 201))
        second.append(timed(send, 201))
    tell("replay", statistics.median(second), statistics.median(first), REPLAY_AT_MOST)


def verdict(good: bool) -> str:
    """In a word."""
    return "right" if good else "short"


def tell(what: str, ours: float, bare: float, at_most: float, **more: float) -> None:
    """One line: milliseconds of both and their ratio."""
    ratio = ours / bare
    line = {
        "bench": "api", "what": what, "ours_ms": round(ours * 1000, 2), "beside_ms": round(bare * 1000, 2),
        "ratio": round(ratio, 2), "at_most": at_most, "verdict": verdict(ratio <= at_most),
        **more,
    }  # fmt: skip
    print(json.dumps(line), flush=True)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
