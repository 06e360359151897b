"""What came with an export of HelloAsso is written once; what its payout carries may grow until the bank shows it."""

from django.db import migrations

SQL = """
CREATE FUNCTION payments_helloasso_stays() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    free text[];
BEGIN
    IF TG_OP = 'DELETE' THEN
        RAISE EXCEPTION 'DELETE on % is refused: what was imported is kept', TG_TABLE_NAME
            USING ERRCODE = 'restrict_violation', CONSTRAINT = 'helloasso_is_kept';
    END IF;
    free := CASE TG_TABLE_NAME
        WHEN 'payments_helloassoline' THEN ARRAY['payout', 'paid_with_id', 'undone_at']
        ELSE ARRAY['undone_at', 'undone_by_id', 'undone_reason', 'file_name']
    END;
    IF to_jsonb(OLD) - free IS DISTINCT FROM to_jsonb(NEW) - free
            OR ((to_jsonb(OLD) ->> 'undone_at') IS NOT NULL
                AND to_jsonb(OLD) -> 'undone_at' IS DISTINCT FROM to_jsonb(NEW) -> 'undone_at') THEN
        RAISE EXCEPTION 'UPDATE on % is refused: what was imported is written once', TG_TABLE_NAME
            USING ERRCODE = 'restrict_violation', CONSTRAINT = 'helloasso_is_kept';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER helloasso_stays BEFORE UPDATE OR DELETE ON payments_helloassoline
    FOR EACH ROW EXECUTE FUNCTION payments_helloasso_stays();
CREATE TRIGGER helloasso_stays BEFORE UPDATE OR DELETE ON payments_helloassoimport
    FOR EACH ROW EXECUTE FUNCTION payments_helloasso_stays();
REVOKE DELETE, TRUNCATE ON payments_helloassoline, payments_helloassoimport FROM tronc_app;

CREATE OR REPLACE FUNCTION payments_provider_facts_stay() RETURNS trigger LANGUAGE plpgsql AS $$
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
    -- Exports tell a payout of HelloAsso piece by piece; once the bank has shown it, it stays what it was.
    IF TG_TABLE_NAME = 'payments_providerpayout' AND (to_jsonb(OLD) ->> 'provider') = 'helloasso'
            AND (to_jsonb(OLD) ->> 'state') <> 'settled' AND (to_jsonb(NEW) ->> 'state') <> 'settled' THEN
        free := free || 'amount'::text;
    END IF;
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
"""


class Migration(migrations.Migration):
    dependencies = [("payments", "0011_helloasso")]
    operations = [migrations.RunSQL(SQL, migrations.RunSQL.noop)]
