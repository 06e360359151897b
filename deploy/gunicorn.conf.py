"""gunicorn's settings, the same for systemd, compose and ./run; what differs comes from the environment.

gunicorn -c deploy/gunicorn.conf.py backend.wsgi:application
"""

import ipaddress
import os
import shutil
import tempfile
from pathlib import Path
from typing import Any


def _loopback(address: str) -> bool:
    """Whether only processes of this machine can reach an address to listen on."""
    if address.startswith("unix:"):
        return True
    host = address.rpartition(":")[0].strip("[]") or address
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _metrics_folder() -> str:
    """An empty folder in which the web processes share their counters; a reload in the same process keeps it."""
    owner = str(os.getpid())
    if os.environ.get("TRONC_METRICS_OWNER") == owner:
        return os.environ["PROMETHEUS_MULTIPROC_DIR"]
    folder = os.environ.get("TRONC_METRICS_FOLDER") or tempfile.mkdtemp(prefix="tronc-metrics-")
    Path(folder).mkdir(mode=0o700, parents=True, exist_ok=True)
    for left in Path(folder).glob("*.db"):
        left.unlink()
    os.environ["TRONC_METRICS_OWNER"] = owner
    return folder


bind = [os.environ.get("TRONC_BIND", "127.0.0.1:8000")]
if os.environ.get("TRONC_DEMO", "").lower() in {"1", "true", "yes"} and not all(map(_loopback, bind)):
    raise SystemExit(
        f"TRONC_DEMO is set and TRONC_BIND is {bind[0]}: anyone who reaches a demonstration may sign in as anyone. "
        "Listen on 127.0.0.1, or unset TRONC_DEMO."
    )

workers = int(os.environ.get("TRONC_WEB_WORKERS", "2"))
worker_class = "gthread"
threads = int(os.environ.get("TRONC_WEB_THREADS", "4"))
timeout = 90  # seconds without a sign of life; PostgreSQL cuts a statement at 60
graceful_timeout = int(os.environ.get("TRONC_GRACEFUL_SECONDS", "30"))
keepalive = 5
worker_tmp_dir = "/dev/shm" if os.access("/dev/shm", os.W_OK) else None  # noqa: S108 - in memory: a slow disk must not look like a dead worker
control_socket_disable = True

# Longer than anything that Tronc sends or is sent.
limit_request_line = 4094
limit_request_fields = 64
limit_request_field_size = 8190

# Before anything imports prometheus_client: it reads the variable once.
os.environ["PROMETHEUS_MULTIPROC_DIR"] = _metrics_folder()

from backend.core import logs  # noqa: E402

_ours: dict[str, Any] = {"level": "INFO", "handlers": [], "propagate": True}
logconfig_dict = {
    **logs.config(logs.chosen_form(os.environ)),
    "loggers": {"gunicorn.error": _ours, "gunicorn.access": {**_ours, "level": "CRITICAL"}},
}


def child_exit(server: Any, worker: Any) -> None:
    """Forget the gauges of a process that ended; its counters go on counting."""
    from prometheus_client.multiprocess import mark_process_dead

    mark_process_dead(worker.pid)


def on_exit(server: Any) -> None:
    """Remove a folder of our own making."""
    if not os.environ.get("TRONC_METRICS_FOLDER"):
        shutil.rmtree(os.environ["PROMETHEUS_MULTIPROC_DIR"], ignore_errors=True)
