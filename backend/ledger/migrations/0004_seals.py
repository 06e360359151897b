"""The seals of the books: one hash chain over the entries, which PostgreSQL continues or refuses."""

import django.db.models.deletion
from django.db import migrations, models

SQL = """
-- What is sealed of an entry, ids and amounts only. The first byte is that of a leaf of RFC 6962, so that the leaves of
-- a Merkle log can be built over the very same values. posting.id gives the order of the lines.
CREATE FUNCTION ledger_leaf(wanted text) RETURNS bytea LANGUAGE sql STABLE SET search_path = public, pg_temp AS $$
    SELECT sha256('\\x00'::bytea || convert_to(concat_ws('|',
               'tronc-entry-1', entry.id, entry.kind, to_char(entry.happened_on, 'YYYY-MM-DD'),
               to_char(entry.booked_at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"'), entry.reference,
               coalesce(entry.reverses_id, '-'),
               (SELECT string_agg(concat_ws(':', account_id, currency, amount, chart), ',' ORDER BY id)
                  FROM ledger_posting WHERE entry_id = entry.id)), 'UTF8'))
      FROM ledger_journalentry entry WHERE entry.id = wanted
$$;

-- A seal takes the next position, carries the leaf of its entry and continues the chain, or it is refused.
CREATE FUNCTION ledger_check_seal() RETURNS trigger LANGUAGE plpgsql SET search_path = public, pg_temp AS $$
DECLARE
    last_position bigint;
    last_head bytea;
BEGIN
    SELECT position, head INTO last_position, last_head FROM ledger_seal ORDER BY position DESC LIMIT 1;
    IF NEW.position <> coalesce(last_position, 0) + 1 THEN
        RAISE EXCEPTION 'seal % does not follow %', NEW.position, coalesce(last_position, 0)
            USING ERRCODE = 'check_violation', CONSTRAINT = 'seals_have_no_gap';
    END IF;
    IF NEW.leaf IS DISTINCT FROM ledger_leaf(NEW.entry_id) THEN
        RAISE EXCEPTION 'seal % does not carry its entry', NEW.position
            USING ERRCODE = 'check_violation', CONSTRAINT = 'seal_carries_its_entry';
    END IF;
    IF NEW.head <> sha256(coalesce(last_head, decode(repeat('00', 32), 'hex')) || NEW.leaf) THEN
        RAISE EXCEPTION 'seal % breaks the chain', NEW.position
            USING ERRCODE = 'check_violation', CONSTRAINT = 'seal_continues_the_chain';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER seal_is_checked BEFORE INSERT ON ledger_seal FOR EACH ROW EXECUTE FUNCTION ledger_check_seal();
CREATE TRIGGER ledger_seal_append_only BEFORE UPDATE OR DELETE ON ledger_seal
    FOR EACH STATEMENT EXECUTE FUNCTION ledger_append_only();
CREATE TRIGGER ledger_seal_not_truncated BEFORE TRUNCATE ON ledger_seal
    FOR EACH STATEMENT EXECUTE FUNCTION ledger_append_only();
REVOKE UPDATE, DELETE, TRUNCATE ON ledger_seal FROM tronc_app;
"""


class Migration(migrations.Migration):
    dependencies = [("ledger", "0003_freeze")]

    operations = [
        migrations.CreateModel(
            name="Seal",
            fields=[
                ("position", models.BigIntegerField(primary_key=True, serialize=False)),
                ("leaf", models.BinaryField(max_length=32)),
                ("head", models.BinaryField(max_length=32)),
                (
                    "entry",
                    models.OneToOneField(
                        on_delete=django.db.models.deletion.PROTECT, related_name="seal", to="ledger.journalentry"
                    ),
                ),
            ],
            options={
                "constraints": [
                    models.CheckConstraint(condition=models.Q(("position__gte", 1)), name="seals_count_from_one")
                ],
            },
        ),
        migrations.RunSQL(SQL, migrations.RunSQL.noop),
    ]
