"""What an hour of volunteering is valued at."""

import django.db.models.deletion
from django.conf import settings
from django.db import migrations, models


class Migration(migrations.Migration):
    """A memorandum of the host."""

    dependencies = [
        ("contributions", "0010_rounds"),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.CreateModel(
            name="TimeRate",
            fields=[
                ("id", models.CharField(max_length=48, primary_key=True, serialize=False)),
                ("first_year", models.PositiveSmallIntegerField()),
                ("currency", models.CharField(max_length=3)),
                ("amount", models.BigIntegerField()),
                ("reason", models.CharField(max_length=200)),
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
                    models.UniqueConstraint(fields=("currency", "first_year"), name="one_time_rate_per_year"),
                    models.CheckConstraint(condition=models.Q(("amount__gt", 0)), name="time_rate_positive"),
                    models.CheckConstraint(
                        condition=models.Q(("reason", ""), _negated=True), name="time_rate_has_a_reason"
                    ),
                ],
            },
        ),
        migrations.RunSQL("REVOKE DELETE, TRUNCATE ON contributions_timerate FROM tronc_app;", migrations.RunSQL.noop),
    ]
