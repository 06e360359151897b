"""The host's fee of a budget: not set (null), or set, 0 included."""

from typing import ClassVar

from django.db import migrations, models
from django.db.models import Q


class Migration(migrations.Migration):
    """Adds the fee; every budget keeps following the host's."""

    dependencies: ClassVar = [("commons", "0006_life")]
    operations: ClassVar = [
        migrations.AddField("budget", "fee_bp", models.PositiveSmallIntegerField(null=True)),
        migrations.AddConstraint(
            "budget",
            models.CheckConstraint(
                condition=Q(fee_bp__isnull=True) | Q(fee_bp__lte=10_000), name="budget_fee_at_most_all"
            ),
        ),
    ]
