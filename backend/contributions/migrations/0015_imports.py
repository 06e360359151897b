"""Tables of work that somebody imported."""

import django.db.models.deletion
from django.conf import settings
from django.db import migrations, models

# What was imported stays known; an erasure takes the name of the file.
SQL = """
REVOKE UPDATE, DELETE, TRUNCATE ON contributions_import FROM tronc_app;
GRANT UPDATE (undone_at, file_name) ON contributions_import TO tronc_app;
"""


class Migration(migrations.Migration):
    """One table."""

    dependencies = [
        ("commons", "0008_provider"),
        ("contributions", "0014_kept_back_stays"),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.CreateModel(
            name="Import",
            fields=[
                ("id", models.CharField(max_length=48, primary_key=True, serialize=False)),
                ("file_name", models.CharField(max_length=120)),
                ("sha256", models.CharField(max_length=64)),
                ("columns", models.JSONField(default=dict)),
                ("rows", models.PositiveSmallIntegerField()),
                ("form_key", models.CharField(max_length=64)),
                ("created_at", models.DateTimeField()),
                ("undone_at", models.DateTimeField(null=True)),
                (
                    "budget",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT, related_name="imports", to="commons.budget"
                    ),
                ),
                (
                    "made_by",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT, related_name="imports", to=settings.AUTH_USER_MODEL
                    ),
                ),
            ],
            options={
                "constraints": [
                    models.UniqueConstraint(
                        condition=models.Q(("undone_at", None)),
                        fields=("made_by", "budget", "sha256"),
                        name="file_imported_once",
                    ),
                    models.UniqueConstraint(fields=("made_by", "form_key"), name="one_import_per_form"),
                    models.CheckConstraint(
                        condition=models.Q(("rows__gte", 1), ("rows__lte", 500)), name="import_of_1_to_500_rows"
                    ),
                ],
            },
        ),
        migrations.RunSQL(SQL, migrations.RunSQL.noop),
    ]
