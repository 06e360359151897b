"""Whether the host may write invoices in the name of a payee, and how far their numbers went."""

from django.db import migrations, models

SQL = """
-- Numbers have no gap: one more at a time, and never back.
CREATE FUNCTION payees_invoices_count() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF NEW.last_invoice <> OLD.last_invoice + 1 OR NEW.mandate_at IS NULL THEN
        RAISE EXCEPTION 'payee %: invoice numbers go up one by one, under a mandate', OLD.id
            USING ERRCODE = 'restrict_violation', CONSTRAINT = 'invoice_numbers_without_gap';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER invoice_numbers_without_gap BEFORE UPDATE OF last_invoice ON payees_payee
    FOR EACH ROW WHEN (OLD.last_invoice <> NEW.last_invoice) EXECUTE FUNCTION payees_invoices_count();
"""


class Migration(migrations.Migration):
    dependencies = [("payees", "0004_directors")]
    operations = [
        migrations.AddField("payee", "mandate_at", models.DateTimeField(null=True)),
        migrations.AddField(
            "payee", "invoice_prefix", models.CharField(blank=True, db_default="", default="", max_length=16)
        ),
        migrations.AddField("payee", "last_invoice", models.PositiveIntegerField(db_default=0, default=0)),
        migrations.RunSQL(SQL, migrations.RunSQL.noop),
    ]
