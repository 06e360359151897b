"""A payout that the bank sent back is named as such."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("payouts", "0003_refunds")]
    operations = [
        migrations.AlterField(
            model_name="payout",
            name="state",
            field=models.CharField(
                choices=[
                    ("prepared", "prepared"),
                    ("sent", "handed to the bank"),
                    ("settled", "paid"),
                    ("returned", "sent back by the bank"),
                    ("cancelled", "cancelled"),
                ],
                default="prepared",
                max_length=12,
            ),
        ),
    ]
