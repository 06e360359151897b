"""Limits of payouts and the format of their files, of each bank account of the host."""

from django.db import migrations, models

SQL = """
-- Once something is booked, the limits of an account change through a proposal that two people signed for.
CREATE FUNCTION identity_limits_take_two() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF EXISTS (SELECT FROM ledger_journalentry) AND NOT EXISTS (SELECT FROM identity_proposal
            WHERE kind = 'host.payouts' AND subject = NEW.id AND state = 'accepted' AND applied_at IS NULL) THEN
        RAISE EXCEPTION '% on % is refused: limits of payouts take two people', TG_OP, TG_TABLE_NAME
            USING ERRCODE = 'restrict_violation', CONSTRAINT = 'limits_take_two';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER limits_take_two BEFORE UPDATE ON identity_hostbankaccount
    FOR EACH ROW WHEN ((OLD.limit_payee, OLD.limit_batch, OLD.limit_day, OLD.file_format)
        IS DISTINCT FROM (NEW.limit_payee, NEW.limit_batch, NEW.limit_day, NEW.file_format))
    EXECUTE FUNCTION identity_limits_take_two();
"""


class Migration(migrations.Migration):
    dependencies = [
        ("identity", "0011_people_merges"),
    ]

    operations = [
        migrations.AddField(
            model_name="hostbankaccount",
            name="file_format",
            field=models.CharField(
                choices=[("pain.001.001.09", "pain.001.001.09"), ("pain.001.001.03", "pain.001.001.03")],
                db_default="pain.001.001.09",
                default="pain.001.001.09",
                max_length=16,
            ),
        ),
        migrations.AddField(
            model_name="hostbankaccount",
            name="limit_batch",
            field=models.BigIntegerField(null=True),
        ),
        migrations.AddField(
            model_name="hostbankaccount",
            name="limit_day",
            field=models.BigIntegerField(null=True),
        ),
        migrations.AddField(
            model_name="hostbankaccount",
            name="limit_payee",
            field=models.BigIntegerField(null=True),
        ),
        migrations.AlterField(
            model_name="proposal",
            name="kind",
            field=models.CharField(
                choices=[
                    ("role.treasurer", "a treasurer to name"),
                    ("host.settings", "settings of the host"),
                    ("host.bank_account", "a bank account of the host"),
                    ("host.payouts", "limits and file format of a bank account"),
                ],
                max_length=20,
            ),
        ),
        migrations.AddConstraint(
            model_name="hostbankaccount",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    models.Q(("limit_payee", None), ("limit_payee__gt", 0), _connector="OR"),
                    models.Q(("limit_batch", None), ("limit_batch__gt", 0), _connector="OR"),
                    models.Q(("limit_day", None), ("limit_day__gt", 0), _connector="OR"),
                ),
                name="account_limits_positive",
            ),
        ),
        migrations.RunSQL(SQL, migrations.RunSQL.noop),
    ]
