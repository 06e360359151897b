"""While payouts are frozen, PostgreSQL refuses that a batch is made, approved or handed over, whoever asks."""

from django.db import migrations

SQL = """
CREATE FUNCTION payouts_refuse_when_frozen() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'INSERT' OR (NEW.state IN ('approved', 'claimed', 'sent', 'unknown') AND NEW.state <> OLD.state) THEN
        PERFORM pg_advisory_xact_lock_shared(hashtextextended('tronc.freeze', 0));
        IF EXISTS (SELECT 1 FROM ledger_freeze WHERE lifted_at IS NULL) THEN
            RAISE EXCEPTION 'payouts are frozen' USING ERRCODE = 'restrict_violation', CONSTRAINT = 'payouts_are_frozen';
        END IF;
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER payouts_are_frozen BEFORE INSERT OR UPDATE OF state ON payouts_payoutbatch
    FOR EACH ROW EXECUTE FUNCTION payouts_refuse_when_frozen();
"""


class Migration(migrations.Migration):
    dependencies = [("payouts", "0001_initial"), ("ledger", "0003_freeze")]
    operations = [migrations.RunSQL(SQL, migrations.RunSQL.noop)]
