"""What a delivery of a forge did or why it did nothing; refused signatures, counted; kinds that nobody knows."""

from django.db import migrations, models


class Migration(migrations.Migration):
    """Columns alone."""

    dependencies = [
        ("contributions", "0017_firm"),
    ]

    operations = [
        migrations.AddField(
            model_name="forgecommit",
            name="kind_said",
            field=models.CharField(blank=True, db_default="", max_length=40),
        ),
        migrations.AddField(
            model_name="forgedelivery",
            name="did",
            field=models.JSONField(db_default={}, default=dict),
        ),
        migrations.AddField(
            model_name="forgedelivery",
            name="nothing",
            field=models.CharField(
                blank=True,
                choices=[
                    ("other_event", "A test, or an event that tells of no work. Nothing was to be done."),
                    (
                        "other_branch",
                        "It is of another branch or a tag: work counts once it is in the main branch. Nothing was to be done.",
                    ),
                    ("branch_ended", "The branch was deleted. Nothing was to be done."),
                    ("not_merged", "A request that is not merged: work counts once it is. Nothing was to be done."),
                ],
                db_default="",
                max_length=20,
            ),
        ),
        migrations.AddField(
            model_name="repository",
            name="unsigned",
            field=models.PositiveIntegerField(db_default=0, default=0),
        ),
        migrations.AddField(
            model_name="repository",
            name="unsigned_at",
            field=models.DateTimeField(null=True),
        ),
        migrations.AlterField(
            model_name="forgecommit",
            name="outcome",
            field=models.CharField(
                choices=[
                    ("drafted", "draft made"),
                    ("declared", "declared already"),
                    ("unknown", "author not known here"),
                    ("refused", "no draft could be made"),
                    ("unreadable", "duration not readable"),
                ],
                max_length=10,
            ),
        ),
    ]
