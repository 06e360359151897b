"""The version that an objection is about; what somebody says is missing in a statement round."""

from django.db import migrations, models

SQL = """
GRANT UPDATE (missing) ON contributions_roundanswer TO tronc_app;
"""


class Migration(migrations.Migration):
    """A column each."""

    dependencies = [("contributions", "0018_what_forges_told")]

    operations = [
        migrations.AddField(
            model_name="objection",
            name="version",
            field=models.PositiveIntegerField(db_default=1, default=1),
        ),
        migrations.AddField(
            model_name="roundanswer",
            name="missing",
            field=models.CharField(blank=True, db_default="", max_length=500),
        ),
        migrations.RunSQL(SQL, reverse_sql=migrations.RunSQL.noop),
    ]
