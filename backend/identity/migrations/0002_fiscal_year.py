"""The month in which the host's fiscal years begin."""

from django.db import migrations, models
from django.db.models import Q


class Migration(migrations.Migration):
    dependencies = [("identity", "0001_initial")]

    operations = [
        migrations.AddField(
            model_name="host",
            name="fiscal_year_starts_on",
            field=models.PositiveSmallIntegerField(default=1, db_default=1),
        ),
        migrations.AddConstraint(
            model_name="host",
            constraint=models.CheckConstraint(
                condition=Q(fiscal_year_starts_on__gte=1, fiscal_year_starts_on__lte=12), name="host_fiscal_year_month"
            ),
        ),
    ]
