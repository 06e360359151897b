"""Several payees a person, with what their papers say; a changed account waits three days, and PostgreSQL says so."""

from datetime import timedelta

import django.db.models.deletion
from django.conf import settings
from django.db import migrations, models
from django.db.models import F, Q

HOLD = timedelta(hours=72)

SQL = """
-- Another account is another moment. Emptying one stays free (erasure), and so does sealing an old row again with the
-- key of its person (rotation).
CREATE FUNCTION payees_account_moves() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF NEW.iban_sealed = '' OR OLD.iban_edited_at < NEW.iban_edited_at OR OLD.iban_edited_at IS NULL THEN
        RETURN NEW;
    END IF;
    IF NEW.iban_hint = OLD.iban_hint AND OLD.iban_sealed <> '' AND OLD.iban_sealed NOT LIKE 'own:%' THEN
        RETURN NEW;
    END IF;
    RAISE EXCEPTION 'payee %: its account changed and the moment of the change did not', OLD.id
        USING ERRCODE = 'restrict_violation', CONSTRAINT = 'changed_account_waits';
END $$;
CREATE TRIGGER changed_account_is_dated BEFORE UPDATE ON payees_payee
    FOR EACH ROW WHEN ((OLD.iban_sealed, OLD.iban_hint) IS DISTINCT FROM (NEW.iban_sealed, NEW.iban_hint)
        OR OLD.iban_edited_at IS DISTINCT FROM NEW.iban_edited_at AND NEW.iban_sealed <> '')
    EXECUTE FUNCTION payees_account_moves();
"""


def wait(apps, schema_editor):
    """Accounts given before are held like later ones: from the moment of their last change."""
    payees = apps.get_model("payees", "Payee")
    payees.objects.exclude(iban_edited_at=None).update(usable_from=F("iban_edited_at") + HOLD)


def text(size):
    return models.CharField(max_length=size, blank=True, default="", db_default="")


VAT = [
    ("unknown", "not said yet"),
    ("not_liable", "not a taxable person"),
    ("franchise", "franchise en base (article 293 B of the French tax code)"),
    ("liable", "liable"),
]


class Migration(migrations.Migration):
    dependencies = [
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
        ("payees", "0002_booked_names"),
    ]

    operations = [
        migrations.AlterField(
            "payee",
            "user",
            models.ForeignKey(
                on_delete=django.db.models.deletion.PROTECT, related_name="payees", to=settings.AUTH_USER_MODEL
            ),
        ),
        migrations.AddField("payee", "is_default", models.BooleanField(default=True, db_default=True)),
        migrations.AddField("payee", "legal_name", text(140)),
        migrations.AddField("payee", "siren", text(9)),
        migrations.AddField("payee", "rna", text(10)),
        migrations.AddField(
            "payee",
            "vat_status",
            models.CharField(choices=VAT, db_default="unknown", default="unknown", max_length=12),
        ),
        migrations.AddField("payee", "vat_number", text(16)),
        migrations.AddField("payee", "address_sealed", models.TextField(blank=True, default="", db_default="")),
        migrations.AddField("payee", "usable_from", models.DateTimeField(null=True)),
        migrations.AddField("payee", "blocked_at", models.DateTimeField(null=True)),
        migrations.AddField("payee", "closed_at", models.DateTimeField(null=True)),
        migrations.RunPython(wait, migrations.RunPython.noop),
        migrations.AddConstraint(
            "payee",
            models.UniqueConstraint(fields=["user"], condition=Q(is_default=True), name="one_default_payee"),
        ),
        migrations.AddConstraint(
            "payee",
            models.CheckConstraint(condition=Q(is_default=False) | Q(closed_at=None), name="default_payee_is_open"),
        ),
        migrations.AddConstraint(
            "payee",
            models.CheckConstraint(
                condition=Q(usable_from=None, iban_edited_at=None)
                | Q(
                    usable_from__isnull=False, iban_edited_at__isnull=False, usable_from__gte=F("iban_edited_at") + HOLD
                ),
                name="changed_account_waits",
            ),
        ),
        migrations.AddConstraint(
            "payee",
            models.CheckConstraint(
                condition=Q(iban_sealed="") | Q(iban_edited_at__isnull=False), name="account_given_at_some_time"
            ),
        ),
        migrations.AddConstraint(
            "payee",
            models.CheckConstraint(
                condition=Q(vat_number="") | Q(vat_status="liable"), name="payee_vat_number_of_the_liable"
            ),
        ),
        migrations.RunSQL(SQL, migrations.RunSQL.noop),
    ]
