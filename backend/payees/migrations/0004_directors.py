"""Who directs the host, and what they may be paid in a month."""

import django.db.models.deletion
from django.conf import settings
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("payees", "0003_payees"),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.CreateModel(
            name="Director",
            fields=[
                ("id", models.CharField(max_length=48, primary_key=True, serialize=False)),
                ("starts_on", models.DateField()),
                ("ends_before", models.DateField(null=True)),
                ("marked_at", models.DateTimeField()),
                (
                    "ended_by",
                    models.ForeignKey(
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
                (
                    "marked_by",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT, related_name="+", to=settings.AUTH_USER_MODEL
                    ),
                ),
                (
                    "user",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="directorships",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
            ],
            options={
                "constraints": [
                    models.CheckConstraint(
                        condition=models.Q(
                            ("ends_before", None), ("ends_before__gt", models.F("starts_on")), _connector="OR"
                        ),
                        name="director_for_a_day_at_least",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            models.Q(("ended_by", None), ("ends_before", None)),
                            models.Q(("ended_by__isnull", False), ("ends_before__isnull", False)),
                            _connector="OR",
                        ),
                        name="director_ended_by_somebody",
                    ),
                    models.UniqueConstraint(
                        condition=models.Q(("ends_before", None)), fields=("user",), name="director_once_at_a_time"
                    ),
                ],
            },
        ),
        migrations.CreateModel(
            name="DirectorLimit",
            fields=[
                ("id", models.CharField(max_length=48, primary_key=True, serialize=False)),
                ("starts_on", models.DateField(unique=True)),
                ("amount", models.BigIntegerField()),
                ("source", models.CharField(max_length=200)),
                ("set_at", models.DateTimeField()),
                (
                    "set_by",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT, related_name="+", to=settings.AUTH_USER_MODEL
                    ),
                ),
            ],
            options={
                "constraints": [
                    models.CheckConstraint(condition=models.Q(("amount__gt", 0)), name="director_limit_positive"),
                    models.CheckConstraint(
                        condition=models.Q(("source", ""), _negated=True), name="director_limit_has_a_source"
                    ),
                ],
            },
        ),
    ]
