"""What the web processes count by themselves: requests and their durations, shared through one folder."""

import os

from prometheus_client import CollectorRegistry, Counter, Histogram, generate_latest
from prometheus_client.multiprocess import MultiProcessCollector
from prometheus_client.registry import REGISTRY

METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS")
CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"
_requests = Counter("tronc_http_requests", "Requests answered.", ["method", "route", "status"])
_seconds = Histogram(
    "tronc_http_request_duration_seconds",
    "Time from the first middleware to the answer.",
    ["method", "route"],
    buckets=(0.025, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0),
)


def count_request(*, method: str, route: str, status: int, seconds: float) -> None:
    """Count one answered request. route: without the values in it, so that their number stays small."""
    _requests.labels(method, route, str(status)).inc()
    _seconds.labels(method, route).observe(seconds)


def counted() -> bytes:
    """What all the web processes counted, as Prometheus reads it; of this process alone without a shared folder."""
    if not os.environ.get("PROMETHEUS_MULTIPROC_DIR"):
        return generate_latest(REGISTRY)
    together = CollectorRegistry()
    MultiProcessCollector(together)  # type: ignore[no-untyped-call]  # the library leaves it untyped
    return generate_latest(together)
