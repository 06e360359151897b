"""How many requests a token may make: a window counted by PostgreSQL in one statement, so that no limit fails open."""

from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from django.conf import settings
from django.db import connection
from django.utils import timezone
from rest_framework.request import Request
from rest_framework.throttling import BaseThrottle

from backend.identity.models import ApiToken

if TYPE_CHECKING:
    from rest_framework.views import APIView

WINDOW_SECONDS = 60


def requests_per_minute() -> int:
    """The limit of one token, from the settings."""
    configured: dict[str, Any] = settings.REST_FRAMEWORK
    return int(configured["DEFAULT_THROTTLE_RATES"]["user"].removesuffix("/min"))


def count_request(name: str, *, now: datetime) -> tuple[int, datetime]:
    """Count one request of a name in its current window.

    By itself it does not wait for the disk: the count is right for all at once, and a server that loses its power
    forgets those of its last second. Within a transaction it leaves the commit as it is.

    Returns: how many were made in it, this one included, and when it ends.
    """
    with connection.cursor() as cursor:
        cursor.execute(
            """
            INSERT INTO core_cache AS known (cache_key, value, expires)
            SELECT %(name)s, '1', %(ends)s FROM (
                SELECT set_config('synchronous_commit', CASE WHEN %(alone)s THEN 'off'
                                                        ELSE current_setting('synchronous_commit') END, true)
            ) AS said
            ON CONFLICT (cache_key) DO UPDATE SET
                value = CASE WHEN known.expires > %(now)s THEN (known.value::bigint + 1)::text ELSE '1' END,
                expires = CASE WHEN known.expires > %(now)s THEN known.expires ELSE EXCLUDED.expires END
            RETURNING value::bigint, expires
            """,
            {
                "name": f"throttle:{name}",
                "now": now,
                "ends": now + timedelta(seconds=WINDOW_SECONDS),
                "alone": connection.get_autocommit(),
            },
        )
        count, ends = cursor.fetchone()
    return count, ends


class TokenThrottle(BaseThrottle):
    """Lets a token make so many requests a minute, and tells it what is left in the headers RateLimit."""

    seconds = 0

    def allow_request(self, request: Request, view: "APIView") -> bool:
        """Count the request; False above the limit."""
        if not isinstance(request.auth, ApiToken):
            return True
        now = timezone.now()
        most = requests_per_minute()
        count, ends = count_request(request.auth.pk, now=now)
        self.seconds = max(1, -int((now - ends).total_seconds() // 1))
        request.META["tronc.rate_limit"] = f'"token";r={max(0, most - count)};t={self.seconds}'
        return count <= most

    def wait(self) -> float:
        """Seconds until the window ends."""
        return self.seconds
