"""What was received, and what is given back, is written once: only how it stands may change, and nothing is removed."""

from django.db import migrations

SQL = """
CREATE FUNCTION payments_written_once() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    free text[];
BEGIN
    IF TG_OP = 'DELETE' THEN
        RAISE EXCEPTION 'DELETE on % is refused: what came and went is kept', TG_TABLE_NAME
            USING ERRCODE = 'restrict_violation', CONSTRAINT = 'payments_are_kept';
    END IF;
    free := CASE TG_TABLE_NAME
        WHEN 'payments_payment' THEN ARRAY['state', 'taken_back', 'payer_index']
        WHEN 'payments_surplus' THEN
            ARRAY['state', 'used', 'decided_by_id', 'decided_at', 'reason', 'entry', 'payer_index']
        WHEN 'payments_refund' THEN
            ARRAY['state', 'name', 'reason', 'iban_sealed', 'iban_index', 'iban_hint']
        WHEN 'payments_deposit' THEN ARRAY['state', 'total', 'line', 'entry', 'cleared_on']
        ELSE ARRAY['state', 'deposit_id', 'drawer', 'number', 'returned_on', 'returned_reason']
    END;
    IF to_jsonb(OLD) - free IS DISTINCT FROM to_jsonb(NEW) - free THEN
        RAISE EXCEPTION 'UPDATE on % is refused: what came and went is written once', TG_TABLE_NAME
            USING ERRCODE = 'restrict_violation', CONSTRAINT = 'payments_are_kept';
    END IF;
    RETURN NEW;
END $$;
DROP TRIGGER what_came_stays ON payments_surplus;
DROP TRIGGER what_came_stays ON payments_paperpayment;
DROP TRIGGER what_came_stays ON payments_refund;
DROP TRIGGER what_came_stays ON payments_deposit;
DROP FUNCTION payments_what_came_stays();
CREATE TRIGGER written_once BEFORE UPDATE OR DELETE ON payments_payment
    FOR EACH ROW EXECUTE FUNCTION payments_written_once();
CREATE TRIGGER written_once BEFORE UPDATE OR DELETE ON payments_surplus
    FOR EACH ROW EXECUTE FUNCTION payments_written_once();
CREATE TRIGGER written_once BEFORE UPDATE OR DELETE ON payments_refund
    FOR EACH ROW EXECUTE FUNCTION payments_written_once();
CREATE TRIGGER written_once BEFORE UPDATE OR DELETE ON payments_deposit
    FOR EACH ROW EXECUTE FUNCTION payments_written_once();
CREATE TRIGGER written_once BEFORE UPDATE OR DELETE ON payments_paperpayment
    FOR EACH ROW EXECUTE FUNCTION payments_written_once();
REVOKE DELETE, TRUNCATE ON payments_payment FROM tronc_app;
"""


class Migration(migrations.Migration):
    dependencies = [("payments", "0004_surpluses_refunds_paper")]
    operations = [migrations.RunSQL(SQL, migrations.RunSQL.noop)]
