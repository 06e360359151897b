"""The saved layouts of CSV statements."""

import django.db.models.deletion
from django.db import migrations, models


class Migration(migrations.Migration):
    """One new table; nothing else moves."""

    dependencies = [
        ("identity", "0001_initial"),
        ("banking", "0002_payer_index"),
    ]

    operations = [
        migrations.CreateModel(
            name="CsvLayout",
            fields=[
                ("id", models.CharField(max_length=48, primary_key=True, serialize=False)),
                ("name", models.CharField(max_length=60)),
                ("mapping", models.JSONField()),
                (
                    "account",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="csv_layouts",
                        to="identity.hostbankaccount",
                    ),
                ),
            ],
            options={
                "constraints": [models.UniqueConstraint(fields=("account", "name"), name="csv_layout_once")],
            },
        ),
    ]
