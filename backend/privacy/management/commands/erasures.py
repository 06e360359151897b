"""Lists the erasures that were done, by id and date: what an older backup must be told after a restore."""

import json
from typing import Any

from django.core.management.base import BaseCommand

from backend.privacy.models import Erasure


class Command(BaseCommand):
    """`erasures`: JSON lines; keep them beside the backups, they name nobody."""

    help = "Print the erasures done, one JSON object a line, for `erase_again` after a restore elsewhere."

    def handle(self, *args: Any, **options: Any) -> None:
        """Write the oldest first."""
        done = Erasure.objects.filter(done_at__isnull=False).order_by("done_at", "id")
        for erasure in done:
            at = erasure.done_at.isoformat() if erasure.done_at else ""
            self.stdout.write(json.dumps({"person": erasure.user_id, "done_at": at}))
