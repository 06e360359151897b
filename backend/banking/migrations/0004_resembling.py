"""Lines that look like one known already wait for a person; statements say the format that they were read from."""

import django.db.models.deletion
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("banking", "0003_csv_layouts")]
    operations = [
        migrations.AddField(
            model_name="statement",
            name="format",
            field=models.CharField(blank=True, db_default="", default="", max_length=24),
        ),
        migrations.AddField(
            model_name="bankline",
            name="resembles",
            field=models.ForeignKey(
                null=True, on_delete=django.db.models.deletion.PROTECT, related_name="+", to="banking.bankline"
            ),
        ),
        migrations.AlterField(
            model_name="bankline",
            name="state",
            field=models.CharField(
                choices=[
                    ("new", "just imported"),
                    ("suspect", "perhaps known already"),
                    ("suggested", "to identify"),
                    ("matched", "matched"),
                    ("booked", "booked"),
                    ("duplicate", "duplicate"),
                ],
                default="new",
                max_length=12,
            ),
        ),
    ]
