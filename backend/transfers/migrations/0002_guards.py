"""What is booked, refused or withdrawn stays so; nothing of it is deleted."""

from django.db import migrations

SQL = """
CREATE FUNCTION transfers_decision_is_final() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION '% on % is refused: a decision is final', TG_OP, TG_TABLE_NAME
        USING ERRCODE = 'restrict_violation', CONSTRAINT = 'transfer_decision_is_final';
END $$;
CREATE TRIGGER transfer_decision_is_final BEFORE UPDATE ON transfers_transfer
    FOR EACH ROW WHEN (OLD.state <> 'proposed') EXECUTE FUNCTION transfers_decision_is_final();
CREATE TRIGGER opening_decision_is_final BEFORE UPDATE ON transfers_opening
    FOR EACH ROW WHEN (OLD.state <> 'proposed') EXECUTE FUNCTION transfers_decision_is_final();
CREATE TRIGGER opening_line_is_final BEFORE UPDATE ON transfers_openingline
    FOR EACH ROW WHEN (NOT OLD.live OR NEW.live OR (OLD.opening_id, OLD.amount) IS DISTINCT FROM (NEW.opening_id, NEW.amount))
    EXECUTE FUNCTION transfers_decision_is_final();
CREATE TRIGGER transfer_is_kept BEFORE DELETE OR TRUNCATE ON transfers_transfer
    FOR EACH STATEMENT EXECUTE FUNCTION transfers_decision_is_final();
CREATE TRIGGER opening_is_kept BEFORE DELETE OR TRUNCATE ON transfers_opening
    FOR EACH STATEMENT EXECUTE FUNCTION transfers_decision_is_final();
CREATE TRIGGER opening_line_is_kept BEFORE DELETE OR TRUNCATE ON transfers_openingline
    FOR EACH STATEMENT EXECUTE FUNCTION transfers_decision_is_final();
REVOKE DELETE, TRUNCATE ON transfers_transfer, transfers_opening, transfers_openingline FROM tronc_app;
"""


class Migration(migrations.Migration):
    dependencies = [("transfers", "0001_initial")]
    operations = [migrations.RunSQL(SQL, migrations.RunSQL.noop)]
