"""An event says in whose name it was done, what changed, why, and by which door and request it came."""

from typing import ClassVar

from django.db import migrations, models


class Migration(migrations.Migration):
    """Columns only: a default given by ALTER TABLE rewrites no row, so the guard against changes stays in place."""

    dependencies: ClassVar = [("events", "0002_guards")]
    operations: ClassVar = [
        migrations.AddField("event", "on_behalf", models.CharField(max_length=48, blank=True, default="")),
        migrations.AddField("event", "before", models.JSONField(null=True)),
        migrations.AddField("event", "after", models.JSONField(null=True)),
        migrations.AddField("event", "why", models.CharField(max_length=500, blank=True, default="")),
        migrations.AddField("event", "origin", models.CharField(max_length=8, blank=True, default="")),
        migrations.AddField("event", "request_id", models.CharField(max_length=64, blank=True, default="")),
        migrations.AddIndex("event", models.Index(fields=["actor", "created_at"], name="event_actor_time")),
        migrations.AddIndex("event", models.Index(fields=["-created_at", "-id"], name="event_newest_first")),
    ]
