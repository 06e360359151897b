"""What machines ask the web process: is it alive, is it ready, what does it count; and the page of its own failures."""

import hmac
import json
from collections.abc import Callable
from functools import lru_cache

from cryptography.exceptions import InvalidTag
from django.conf import settings
from django.db import Error, connection
from django.db.migrations.loader import MigrationLoader
from django.db.migrations.recorder import MigrationRecorder
from django.db.models import Model
from django.http import HttpRequest, HttpResponse, HttpResponseNotAllowed, HttpResponseNotFound
from django.template.loader import get_template
from django.utils import timezone

from backend.core import crypto, metrics
from backend.core.checks import encryption_keys
from backend.core.models import PersonKey
from backend.core.peers import forwarded
from backend.operations.metrics import read_from_database
from backend.payees.models import Payee

LOOPBACK = ("127.0.0.1", "::1", "")  # a UNIX socket has no address
BROKER_SECONDS = 0.5


class Probes:
    """Answers the three addresses of machines before hosts, sessions and languages are looked at.

    They ask on the loopback interface, under whatever name of the host they know.
    """

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        """Keep the rest of the chain."""
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        """Answer a probe, or pass on."""
        view = PROBES.get(request.path)
        if view is None:
            return self.get_response(request)
        if request.method not in ("GET", "HEAD"):
            return HttpResponseNotAllowed(["GET", "HEAD"])
        answer = view(request)
        answer.headers["Content-Length"] = str(len(answer.content))
        answer.headers["Cache-Control"] = "max-age=0, no-cache, no-store, must-revalidate, private"
        return answer


def healthz(request: HttpRequest) -> HttpResponse:
    """200 when this process lives and the database answers, else 503."""
    try:
        _ask_database()
    except Error:
        return HttpResponse("the database does not answer\n", content_type="text/plain", status=503)
    return HttpResponse("ok\n", content_type="text/plain")


def _ask_database() -> None:
    with connection.cursor() as cursor:
        cursor.execute("SELECT 1")


def readyz(request: HttpRequest) -> HttpResponse:
    """200 when requests can be served, else 503; the broker is told but not needed: the database is the queue."""
    checks: dict[str, str] = {}
    try:
        _ask_database()
        checks["database"] = "ok"
        checks["migrations"] = _migrations()
        checks["encryption_keys"] = _keys() if checks["migrations"] == "ok" else "not looked at"
    except Error as failure:
        checks = {"database": f"does not answer ({type(failure).__name__})"}
    ready = all(said == "ok" for said in checks.values())
    checks["broker"] = _broker()
    body = json.dumps({"ready": ready, "checks": checks})
    return HttpResponse(body + "\n", content_type="application/json", status=200 if ready else 503)


@lru_cache(maxsize=1)
def _migrations_here() -> frozenset[tuple[str, str]]:
    """The migrations of this code: they do not change while it runs."""
    loader = MigrationLoader(None, load=False)
    loader.load_disk()
    return frozenset(loader.disk_migrations)


def _migrations() -> str:
    missing = sorted(_migrations_here() - set(MigrationRecorder(connection).applied_migrations()))
    return "ok" if not missing else f"{len(missing)} not applied, the first is {'.'.join(missing[0])}"


def _keys() -> str:
    """Whether the keys are well made, seal and open, and open one row of each key number in use."""
    if encryption_keys(None):
        return "TRONC_ENCRYPTION_KEYS is malformed"
    if crypto.decrypt(crypto.encrypt("probe", bound_to="readyz"), bound_to="readyz") != "probe":
        return "what was sealed does not open"
    # People's own keys, and the accounts that were sealed before people had keys.
    for model, column in ((PersonKey, "key_sealed"), (Payee, "iban_sealed")):
        seen = {crypto.OWN}
        while row := _sealed_with_another(model, column, seen):
            number = getattr(row, column).partition(":")[0]
            try:
                crypto.decrypt(getattr(row, column), bound_to=row.pk)
            except (KeyError, ValueError, InvalidTag):
                return f"key {number} does not open what it sealed"
            seen.add(number)
    return "ok"


def _sealed_with_another(model: type[Model], column: str, seen: set[str]) -> Model | None:
    """A row whose column was sealed with a key number not seen yet."""
    rows = model._default_manager.exclude(**{column: ""})
    for number in seen:
        rows = rows.exclude(**{f"{column}__startswith": f"{number}:"})
    return rows.first()


def _broker() -> str:
    """What Redis or Valkey says; only names of errors, since addresses hold passwords."""
    import redis

    client = redis.Redis.from_url(
        settings.REDIS_URL, socket_connect_timeout=BROKER_SECONDS, socket_timeout=BROKER_SECONDS
    )
    try:
        client.ping()
    except (redis.RedisError, OSError) as failure:
        return f"does not answer ({type(failure).__name__}): due work waits for the timetable"
    finally:
        client.close()
    return "ok"


def prometheus(request: HttpRequest) -> HttpResponse:
    """The figures of Prometheus, for who asks on the loopback interface itself or with the token; others get a 404."""
    if not _may_read_metrics(request):
        return HttpResponseNotFound("not found\n", content_type="text/plain")
    try:
        known = read_from_database(timezone.now()) + b"# TYPE tronc_database_up gauge\ntronc_database_up 1.0\n"
    except Error:
        known = b"# TYPE tronc_database_up gauge\ntronc_database_up 0.0\n"
    return HttpResponse(metrics.counted() + known, content_type=metrics.CONTENT_TYPE)


def _may_read_metrics(request: HttpRequest) -> bool:
    """The reverse proxy also comes from the loopback interface: what it passes on carries its headers."""
    scheme, _space, token = request.headers.get("Authorization", "").partition(" ")
    if settings.METRICS_TOKEN and scheme.lower() == "bearer":
        return hmac.compare_digest(token.strip().encode(), settings.METRICS_TOKEN.encode())
    return not forwarded(request.META) and request.META.get("REMOTE_ADDR", "") in LOOPBACK


PROBES: dict[str, Callable[[HttpRequest], HttpResponse]] = {
    "/healthz": healthz,
    "/readyz": readyz,
    "/metrics": prometheus,
}


def failed(request: HttpRequest) -> HttpResponse:
    """The page of a failure that nobody foresaw: it names the request, so that its lines can be found in the log."""
    page = get_template("500.html").render({"request_id": getattr(request, "request_id", "")})
    return HttpResponse(page, status=500)
