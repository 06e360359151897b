"""What was forgotten in work that was shared out: a contribution linked to it, of the same person."""

import django.db.models.deletion
from django.conf import settings
from django.db import migrations, models

SQL = """
ALTER TABLE contributions_contribution ADD CONSTRAINT correction_of_the_same_person
    FOREIGN KEY (corrects_id, contributor_id) REFERENCES contributions_contribution (id, contributor_id);
"""


class Migration(migrations.Migration):
    """The link."""

    dependencies = [
        ("commons", "0008_provider"),
        ("contributions", "0011_volunteering"),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.AddField(
            model_name="contribution",
            name="corrects",
            field=models.ForeignKey(
                null=True,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="corrections",
                to="contributions.contribution",
            ),
        ),
        migrations.AddConstraint(
            model_name="contribution",
            constraint=models.CheckConstraint(
                condition=models.Q(("corrects", models.F("id")), _negated=True), name="corrects_another"
            ),
        ),
        migrations.RunSQL(SQL, migrations.RunSQL.noop),
    ]
