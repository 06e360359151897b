"""What the bank said is written once: a line and a statement keep their figures, days and words, and are not removed."""

from django.db import migrations

SQL = """
CREATE FUNCTION banking_written_once() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    free text[] := CASE TG_TABLE_NAME
        WHEN 'banking_bankline' THEN ARRAY['state', 'resembles_id', 'suspense_entry', 'entry', 'matched_by_id',
            'matched_to', 'counterparty_index']
        ELSE ARRAY[]::text[]
    END;
BEGIN
    IF TG_OP = 'DELETE' OR to_jsonb(OLD) - free IS DISTINCT FROM to_jsonb(NEW) - free THEN
        RAISE EXCEPTION '% on % is refused: what the bank said is written once', TG_OP, TG_TABLE_NAME
            USING ERRCODE = 'restrict_violation', CONSTRAINT = 'bank_said_so';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER bank_said_so BEFORE UPDATE OR DELETE ON banking_bankline
    FOR EACH ROW EXECUTE FUNCTION banking_written_once();
CREATE TRIGGER bank_said_so BEFORE UPDATE OR DELETE ON banking_statement
    FOR EACH ROW EXECUTE FUNCTION banking_written_once();
REVOKE DELETE, TRUNCATE ON banking_bankline, banking_statement FROM tronc_app;
"""


class Migration(migrations.Migration):
    dependencies = [("banking", "0004_resembling")]
    operations = [migrations.RunSQL(SQL, migrations.RunSQL.noop)]
