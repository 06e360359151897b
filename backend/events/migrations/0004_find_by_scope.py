"""Events are found by what they belong to."""

from typing import ClassVar

from django.contrib.postgres.indexes import GinIndex
from django.db import migrations


class Migration(migrations.Migration):
    """An index of the scopes, for those who read the acts of one budget or organisation."""

    dependencies: ClassVar = [("events", "0003_who_as_whom_and_why")]
    operations: ClassVar = [
        migrations.AddIndex(
            "event", GinIndex(fields=["scopes"], name="event_scopes", opclasses=["jsonb_path_ops"]),
        )
    ]  # fmt: skip
