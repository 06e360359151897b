"""What a provider moved, and what we asked of it, is written once: only how it stands may change."""

from django.db import migrations

SQL = """
CREATE TRIGGER give_back_is_final BEFORE UPDATE OR DELETE OR TRUNCATE ON payments_giveback
    FOR EACH STATEMENT EXECUTE FUNCTION payments_take_back_is_final();
REVOKE UPDATE, DELETE, TRUNCATE ON payments_giveback FROM tronc_app;

CREATE FUNCTION payments_provider_facts_stay() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    free text[];
BEGIN
    IF TG_OP = 'DELETE' THEN
        RAISE EXCEPTION 'DELETE on % is refused: what passed through a provider is kept', TG_TABLE_NAME
            USING ERRCODE = 'restrict_violation', CONSTRAINT = 'provider_facts_are_kept';
    END IF;
    free := CASE TG_TABLE_NAME
        WHEN 'payments_movement' THEN ARRAY['state', 'entries', 'why', 'explained_by_id', 'available_on']
        WHEN 'payments_operation' THEN ARRAY['state', 'attempts', 'first_sent_at', 'next_try_at', 'remote_id', 'error',
            'given_up_by_id', 'given_up_reason', 'done_at']
        WHEN 'payments_providerpayout' THEN ARRAY['state', 'line', 'entry', 'settled_on', 'arrives_on', 'text']
        ELSE ARRAY['state', 'operation_id', 'remote_id', 'failure', 'decided_by_id', 'decided_at']
    END;
    IF to_jsonb(OLD) - free IS DISTINCT FROM to_jsonb(NEW) - free THEN
        RAISE EXCEPTION 'UPDATE on % is refused: what was asked and told is written once', TG_TABLE_NAME
            USING ERRCODE = 'restrict_violation', CONSTRAINT = 'provider_facts_are_kept';
    END IF;
    IF TG_TABLE_NAME = 'payments_operation'
            AND (to_jsonb(OLD) ->> 'first_sent_at') IS NOT NULL
            AND to_jsonb(OLD) -> 'first_sent_at' IS DISTINCT FROM to_jsonb(NEW) -> 'first_sent_at' THEN
        RAISE EXCEPTION 'UPDATE on payments_operation is refused: the day it was first sent stays'
            USING ERRCODE = 'restrict_violation', CONSTRAINT = 'provider_facts_are_kept';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER provider_facts_stay BEFORE UPDATE OR DELETE ON payments_movement
    FOR EACH ROW EXECUTE FUNCTION payments_provider_facts_stay();
CREATE TRIGGER provider_facts_stay BEFORE UPDATE OR DELETE ON payments_operation
    FOR EACH ROW EXECUTE FUNCTION payments_provider_facts_stay();
CREATE TRIGGER provider_facts_stay BEFORE UPDATE OR DELETE ON payments_providerpayout
    FOR EACH ROW EXECUTE FUNCTION payments_provider_facts_stay();
CREATE TRIGGER provider_facts_stay BEFORE UPDATE OR DELETE ON payments_providerrefund
    FOR EACH ROW EXECUTE FUNCTION payments_provider_facts_stay();
REVOKE DELETE, TRUNCATE ON payments_movement, payments_operation, payments_providerpayout, payments_providerrefund
    FROM tronc_app;
"""


class Migration(migrations.Migration):
    dependencies = [("payments", "0006_provider")]
    operations = [migrations.RunSQL(SQL, migrations.RunSQL.noop)]
