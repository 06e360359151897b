"""Browsers from which a person signed in."""

from typing import ClassVar

import django.db.models.deletion
from django.conf import settings
from django.db import migrations, models


class Migration(migrations.Migration):
    """Browsers from which a person signed in."""

    dependencies: ClassVar = [("identity", "0003_tokens")]
    operations: ClassVar = [
        migrations.CreateModel(
            name="KnownDevice",
            fields=[
                ("id", models.CharField(max_length=48, primary_key=True, serialize=False)),
                ("digest", models.CharField(max_length=64)),
                ("words", models.CharField(max_length=80)),
                ("first_seen_at", models.DateTimeField()),
                ("last_seen_at", models.DateTimeField()),
                (
                    "user",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="known_devices",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
            ],
            options={
                "constraints": [models.UniqueConstraint(fields=("user", "digest"), name="device_known_once")],
            },
        ),
    ]
