"""What the host says of itself on its papers: its address, its RNA number, its VAT status."""

from django.db import migrations, models
from django.db.models import Q


class Migration(migrations.Migration):
    dependencies = [("identity", "0008_consent")]

    operations = [
        migrations.AddField(
            model_name="host", name="address", field=models.TextField(blank=True, default="", db_default="")
        ),
        migrations.AddField(
            model_name="host", name="rna", field=models.CharField(blank=True, default="", db_default="", max_length=10)
        ),
        migrations.AddField(
            model_name="host",
            name="vat_status",
            field=models.CharField(
                blank=True,
                choices=[
                    ("", "not said yet"),
                    ("non_profit", "outside VAT, as a non-profit (article 261-7-1° of the CGI)"),
                    ("franchise", "exempt as a small organisation (franchise en base, article 293 B of the CGI)"),
                ],
                default="",
                db_default="",
                max_length=12,
            ),
        ),
        migrations.AddField(
            model_name="host", name="tax_receipts", field=models.BooleanField(default=False, db_default=False)
        ),
        migrations.AddConstraint(
            model_name="host",
            constraint=models.CheckConstraint(
                condition=Q(vat_status__in=["", "non_profit", "franchise"]), name="host_vat_status_known"
            ),
        ),
        migrations.AddConstraint(
            model_name="host",
            constraint=models.CheckConstraint(condition=Q(tax_receipts=False), name="host_tax_receipts_not_built"),
        ),
    ]
