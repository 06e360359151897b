"""Whether a budget bears what a payment provider keeps."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("commons", "0007_fee"),
    ]

    operations = [
        migrations.AddField(
            model_name="budget",
            name="bears_provider_fees",
            field=models.BooleanField(null=True),
        ),
    ]
