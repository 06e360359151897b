"""The other account of a bank line, known again by its keyed hash."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("banking", "0001_initial"),
    ]

    operations = [
        migrations.AddField(
            model_name="bankline",
            name="counterparty_index",
            field=models.CharField(blank=True, db_default="", default="", max_length=64),
        ),
    ]
