"""The log: seals become the leaves of a Merkle tree (RFC 6962); blocks carry its signed heads."""

import django.db.models.deletion
from django.db import migrations, models
from django.db.models import Q

SQL = """
DROP TRIGGER seal_is_checked ON ledger_seal;
DROP FUNCTION ledger_check_seal();
ALTER TABLE ledger_seal DISABLE TRIGGER ledger_seal_append_only;
ALTER TABLE ledger_seal DROP COLUMN head, ADD COLUMN year smallint, ADD COLUMN journal varchar(6), ADD COLUMN number integer;
UPDATE ledger_seal seal SET year = made.year, journal = made.journal, number = made.number
  FROM (SELECT id, position, year, journal, row_number() OVER (PARTITION BY year, journal ORDER BY position) AS number FROM (
            SELECT entry.id, old.position, extract(year FROM entry.happened_on)::smallint AS year,
                   CASE WHEN entry.kind ~ '^(payment|bank|payout)[.]' THEN 'BQ'
                        WHEN entry.kind LIKE 'distribution.%' THEN 'AC' ELSE 'OD' END AS journal
              FROM ledger_seal old JOIN ledger_journalentry entry ON entry.id = old.entry_id) kinds) made
 WHERE made.position = seal.position;
ALTER TABLE ledger_seal ENABLE TRIGGER ledger_seal_append_only;
ALTER TABLE ledger_seal ALTER year SET NOT NULL, ALTER journal SET NOT NULL, ALTER number SET NOT NULL;
DO $$
DECLARE
    named record;
BEGIN
    FOR named IN SELECT conname FROM pg_constraint WHERE conrelid = 'ledger_seal'::regclass AND contype = 'f' LOOP
        EXECUTE format('ALTER TABLE ledger_seal DROP CONSTRAINT %I', named.conname);
    END LOOP;
    FOR named IN SELECT indexname FROM pg_indexes WHERE tablename = 'ledger_seal' AND indexname LIKE '%\\_like' LOOP
        EXECUTE format('DROP INDEX %I', named.indexname);
    END LOOP;
END $$;

-- The last number given in each journal of each fiscal year.
CREATE TABLE ledger_numbering (
    year smallint NOT NULL, journal varchar(6) NOT NULL, last integer NOT NULL, PRIMARY KEY (year, journal)
);
INSERT INTO ledger_numbering SELECT year, journal, max(number) FROM ledger_seal GROUP BY year, journal;
REVOKE INSERT, UPDATE, DELETE, TRUNCATE ON ledger_numbering FROM tronc_app;
CREATE TRIGGER numbering_follows_seals BEFORE INSERT OR UPDATE ON ledger_numbering
    FOR EACH STATEMENT WHEN (pg_trigger_depth() < 1) EXECUTE FUNCTION ledger_append_only();
CREATE TRIGGER numbering_is_kept BEFORE DELETE ON ledger_numbering FOR EACH STATEMENT EXECUTE FUNCTION ledger_append_only();
CREATE TRIGGER numbering_not_truncated BEFORE TRUNCATE ON ledger_numbering
    FOR EACH STATEMENT EXECUTE FUNCTION ledger_append_only();
ALTER TABLE ledger_seal ADD CONSTRAINT journal_has_a_code CHECK (journal ~ '^[A-Z0-9]{1,6}$');

-- What leaves the queue is sealed in the same statement.
CREATE FUNCTION ledger_check_unsealed() RETURNS trigger LANGUAGE plpgsql SET search_path = public, pg_temp AS $$
BEGIN
    IF EXISTS (SELECT 1 FROM gone WHERE NOT EXISTS (SELECT 1 FROM ledger_seal seal WHERE seal.entry_id = gone.entry_id)) THEN
        RAISE EXCEPTION 'an entry left the queue without its seal'
            USING ERRCODE = 'restrict_violation', CONSTRAINT = 'unsealed_until_sealed';
    END IF;
    RETURN NULL;
END $$;
CREATE TRIGGER unsealed_until_sealed AFTER DELETE ON ledger_unsealed REFERENCING OLD TABLE AS gone
    FOR EACH STATEMENT EXECUTE FUNCTION ledger_check_unsealed();

-- The text whose hash is the leaf of an entry: ids and amounts only.
CREATE FUNCTION ledger_leaf_text(wanted text) RETURNS text LANGUAGE sql STABLE SET search_path = public, pg_temp AS $$
    SELECT concat_ws('|',
               'tronc-entry-1', entry.id, entry.kind, to_char(entry.happened_on, 'YYYY-MM-DD'),
               to_char(entry.booked_at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"'), entry.reference,
               coalesce(entry.reverses_id, '-'),
               (SELECT string_agg(concat_ws(':', account_id, currency, amount, chart), ',' ORDER BY line)
                  FROM ledger_posting WHERE entry_id = entry.id))
      FROM ledger_journalentry entry WHERE entry.id = wanted
$$;
CREATE OR REPLACE FUNCTION ledger_leaf(wanted text) RETURNS bytea LANGUAGE sql STABLE SET search_path = public, pg_temp AS $$
    SELECT sha256('\\x00'::bytea || convert_to(ledger_leaf_text(wanted), 'UTF8'))
$$;

-- Seal committed entries that wait, as many as said: in the order of the queue, each at the next position and with the next
-- number of its journal in its fiscal year. Returns how many. The caller holds the sealer's lock, signs the head and writes the block.
CREATE FUNCTION ledger_seal(most integer, first_month integer, kinds varchar[], journals varchar[], other varchar)
RETURNS bigint
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp SET enable_seqscan = off AS $$
DECLARE
    last_position bigint;
BEGIN
    IF first_month NOT BETWEEN 1 AND 12 OR first_month IS NULL OR most IS NULL THEN
        RAISE EXCEPTION 'fiscal years begin in a month from 1 to 12' USING ERRCODE = 'invalid_parameter_value';
    END IF;
    PERFORM pg_advisory_xact_lock(hashtextextended('tronc.seal', 0));
    SELECT coalesce(max(position), 0) INTO last_position FROM ledger_seal;
    -- Dynamic, so that each call is planned for what waits.
    EXECUTE $seal$
        WITH waiting AS (
            DELETE FROM ledger_unsealed WHERE ctid = ANY (ARRAY(SELECT ctid FROM ledger_unsealed LIMIT $1)) RETURNING entry_id
        ), placed AS (
            SELECT entry_id, row_number() OVER () AS place FROM waiting
        ), leaves AS (
            SELECT entry.id, waiting.place,
                   extract(year FROM entry.happened_on - make_interval(months => $3 - 1))::smallint AS year,
                   coalesce(given.journal, $6) AS journal,
                   sha256('\\x00'::bytea || convert_to(concat_ws('|',
                       'tronc-entry-1', entry.id, entry.kind, to_char(entry.happened_on, 'YYYY-MM-DD'),
                       to_char(entry.booked_at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"'), entry.reference,
                       coalesce(entry.reverses_id, '-'),
                       (SELECT string_agg(concat_ws(':', account_id, currency, amount, chart), ',' ORDER BY line)
                          FROM ledger_posting WHERE entry_id = entry.id)), 'UTF8')) AS leaf
              FROM placed waiting JOIN ledger_journalentry entry ON entry.id = waiting.entry_id
              LEFT JOIN unnest($4, $5) AS given (kind, journal)
                ON given.kind = CASE WHEN entry.kind LIKE '%.reversed' THEN left(entry.kind, -9) ELSE entry.kind END
        )
        INSERT INTO ledger_seal (position, entry_id, leaf, year, journal, number)
        SELECT $2 + leaves.place, leaves.id, leaves.leaf, leaves.year, leaves.journal,
               coalesce(numbering.last, 0)
               + row_number() OVER (PARTITION BY leaves.year, leaves.journal ORDER BY leaves.place)
          FROM leaves LEFT JOIN ledger_numbering numbering
            ON numbering.year = leaves.year AND numbering.journal = leaves.journal
    $seal$ USING most, last_position, first_month, kinds, journals, other;
    RETURN (SELECT coalesce(max(position), 0) FROM ledger_seal) - last_position;
END $$;
REVOKE EXECUTE ON FUNCTION ledger_seal FROM PUBLIC;
GRANT EXECUTE ON FUNCTION ledger_seal TO tronc_app;

-- Seals follow each other without a gap, and so do the numbers of each journal of each year, whoever writes them; the
-- application writes them through the function alone.
CREATE FUNCTION ledger_check_seals() RETURNS trigger LANGUAGE plpgsql SET search_path = public, pg_temp AS $$
DECLARE
    together record;
    wrong text;
BEGIN
    SELECT count(*) AS seals, min(position) AS first, max(position) AS last INTO together FROM added;
    IF together.seals = 0 THEN
        RETURN NULL;
    END IF;
    IF together.last - together.first + 1 <> together.seals OR together.first <> 1 + coalesce(
            (SELECT position FROM ledger_seal WHERE position < together.first ORDER BY position DESC LIMIT 1), 0) THEN
        RAISE EXCEPTION 'seals % to % leave a gap', together.first, together.last
            USING ERRCODE = 'check_violation', CONSTRAINT = 'seals_have_no_gap';
    END IF;
    SELECT made.year || ' ' || made.journal INTO wrong
      FROM (SELECT year, journal, count(DISTINCT number) AS numbers, min(number) AS first, max(number) AS last, count(*) AS seals
              FROM added GROUP BY year, journal) made
      LEFT JOIN ledger_numbering known ON known.year = made.year AND known.journal = made.journal
     WHERE made.numbers <> made.seals OR made.last - made.first + 1 <> made.seals OR made.first <> 1 + coalesce(known.last, 0)
     LIMIT 1;
    IF FOUND THEN
        RAISE EXCEPTION 'numbers of journal % leave a gap', wrong
            USING ERRCODE = 'check_violation', CONSTRAINT = 'numbers_have_no_gap';
    END IF;
    INSERT INTO ledger_numbering AS known (year, journal, last)
    SELECT year, journal, max(number) FROM added GROUP BY year, journal
    ON CONFLICT (year, journal) DO UPDATE SET last = excluded.last;
    RETURN NULL;
END $$;
CREATE TRIGGER seals_are_checked AFTER INSERT ON ledger_seal REFERENCING NEW TABLE AS added
    FOR EACH STATEMENT EXECUTE FUNCTION ledger_check_seals();
REVOKE INSERT ON ledger_seal FROM tronc_app;
REVOKE EXECUTE ON FUNCTION ledger_check_seals(), ledger_check_unsealed() FROM PUBLIC, tronc_app;

-- A block takes the next number and holds all seals there are, more than the block before.
CREATE FUNCTION ledger_check_block() RETURNS trigger LANGUAGE plpgsql SET search_path = public, pg_temp AS $$
DECLARE
    before record;
BEGIN
    SELECT number, size INTO before FROM ledger_block ORDER BY number DESC LIMIT 1;
    IF NEW.number <> coalesce(before.number, 0) + 1 OR NEW.size <= coalesce(before.size, 0)
       OR NEW.size <> (SELECT max(position) FROM ledger_seal) THEN
        RAISE EXCEPTION 'block % of % entries does not follow %', NEW.number, NEW.size, coalesce(before.number, 0)
            USING ERRCODE = 'check_violation', CONSTRAINT = 'blocks_have_no_gap';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER block_is_checked BEFORE INSERT ON ledger_block FOR EACH ROW EXECUTE FUNCTION ledger_check_block();
"""

PER_TABLE = """
CREATE TRIGGER {table}_append_only BEFORE UPDATE OR DELETE ON {table} FOR EACH STATEMENT EXECUTE FUNCTION ledger_append_only();
CREATE TRIGGER {table}_not_truncated BEFORE TRUNCATE ON {table} FOR EACH STATEMENT EXECUTE FUNCTION ledger_append_only();
REVOKE UPDATE, DELETE, TRUNCATE ON {table} FROM tronc_app;
"""


class Migration(migrations.Migration):
    dependencies = [("ledger", "0007_closings")]

    operations = [
        migrations.CreateModel(
            name="SealKey",
            fields=[
                ("id", models.CharField(max_length=8, primary_key=True, serialize=False)),
                ("name", models.CharField(max_length=120)),
                ("public", models.BinaryField(max_length=32)),
                ("made_at", models.DateTimeField()),
                ("endorsed_text", models.TextField(blank=True)),
                ("endorsement", models.BinaryField(max_length=64, null=True)),
                (
                    "endorsed_by",
                    models.OneToOneField(
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="successor",
                        to="ledger.sealkey",
                    ),
                ),
            ],
        ),
        migrations.CreateModel(
            name="Block",
            fields=[
                ("number", models.BigIntegerField(primary_key=True, serialize=False)),
                ("size", models.BigIntegerField()),
                ("root", models.BinaryField(max_length=32)),
                ("sealed_at", models.DateTimeField()),
                ("note", models.TextField()),
                (
                    "key",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT, related_name="blocks", to="ledger.sealkey"
                    ),
                ),
            ],
            options={
                "constraints": [
                    models.UniqueConstraint(fields=("size",), name="one_block_a_size"),
                    models.CheckConstraint(condition=Q(number__gte=1, size__gte=1), name="blocks_count_from_one"),
                ],
            },
        ),
        migrations.CreateModel(
            name="Subtree",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("level", models.PositiveSmallIntegerField()),
                ("index", models.BigIntegerField()),
                ("hash", models.BinaryField(max_length=32)),
            ],
            options={
                "constraints": [models.UniqueConstraint(fields=("level", "index"), name="one_hash_a_subtree")],
            },
        ),
        migrations.SeparateDatabaseAndState(
            state_operations=[
                migrations.RemoveField("seal", "head"),
                migrations.AddField("seal", "year", models.SmallIntegerField(default=0), preserve_default=False),
                migrations.AddField(
                    "seal", "journal", models.CharField(max_length=6, default=""), preserve_default=False
                ),
                migrations.AddField("seal", "number", models.IntegerField(default=0), preserve_default=False),
                migrations.AlterField(
                    "seal",
                    "entry",
                    models.OneToOneField(
                        db_constraint=False,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="seal",
                        to="ledger.journalentry",
                    ),
                ),
            ],
        ),
        migrations.RunSQL(
            SQL
            + "".join(PER_TABLE.format(table=table) for table in ("ledger_block", "ledger_subtree", "ledger_sealkey")),
            migrations.RunSQL.noop,
        ),
    ]
