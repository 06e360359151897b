"""Who is at the other end of a connection: this machine itself, or a proxy that passes somebody's request on."""

from collections.abc import Mapping
from ipaddress import ip_address
from typing import Any

FORWARDED = (
    "HTTP_X_FORWARDED_FOR", "HTTP_X_FORWARDED_PROTO", "HTTP_X_FORWARDED_HOST", "HTTP_X_ORIGINAL_FORWARDED_FOR",
    "HTTP_FORWARDED", "HTTP_VIA", "HTTP_X_REAL_IP", "HTTP_X_CLIENT_IP", "HTTP_CF_CONNECTING_IP", "HTTP_TRUE_CLIENT_IP",
)  # fmt: skip


def is_loopback(host: str) -> bool:
    """Whether a host name or address is this machine's own."""
    if host == "localhost":
        return True
    try:
        return ip_address(host.partition("%")[0]).is_loopback
    except ValueError:
        return False


def forwarded(meta: Mapping[str, Any]) -> bool:
    """Whether a request came through a proxy, which signs it with a header of its own; `meta` is the request's META."""
    return any(name in meta for name in FORWARDED)


def from_here(meta: Mapping[str, Any]) -> bool:
    """Whether a request was made on this machine: a proxy on it does not count, who asks it may be anywhere."""
    return is_loopback(meta.get("REMOTE_ADDR", "")) and not forwarded(meta)
