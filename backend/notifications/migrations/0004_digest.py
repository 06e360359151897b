"""The daily mail of a person: wanted or not, and when it was looked at last."""

from typing import ClassVar

from django.conf import settings
from django.db import migrations, models


class Migration(migrations.Migration):
    """A row for each person who was looked at, or said what they want."""

    dependencies: ClassVar = [("identity", "0009_papers"), ("notifications", "0003_secret")]
    operations: ClassVar = [
        migrations.CreateModel(
            name="Digest",
            fields=[
                (
                    "user",
                    models.OneToOneField(
                        on_delete=models.CASCADE, primary_key=True, related_name="+", serialize=False,
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
                ("wanted", models.BooleanField(default=True)),
                ("looked_at", models.DateTimeField(null=True)),
            ],
        ),
    ]  # fmt: skip
