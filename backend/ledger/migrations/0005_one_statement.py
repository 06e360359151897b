"""An entry and its lines come in one statement, through two functions; PostgreSQL verifies the set, then moves balances."""

import django.db.models.deletion
from django.contrib.postgres.indexes import BrinIndex
from django.db import migrations, models

COLUMNS = """
DROP TRIGGER entry_is_verified ON ledger_journalentry;
DROP FUNCTION ledger_verify_entry();
DROP TRIGGER postings_are_booked ON ledger_posting;
DROP FUNCTION ledger_book_postings();
ALTER TABLE ledger_posting DISABLE TRIGGER ledger_posting_append_only;
ALTER TABLE ledger_balance DISABLE TRIGGER balance_follows_postings;

-- Each line carries its place in the entry and the two dates of its entry, so that one index answers for a purse.
ALTER TABLE ledger_posting ADD COLUMN line integer, ADD COLUMN happened_on date, ADD COLUMN booked_at timestamptz;
UPDATE ledger_posting posting SET line = placed.line, happened_on = entry.happened_on, booked_at = entry.booked_at
  FROM (SELECT id, row_number() OVER (PARTITION BY entry_id ORDER BY id) AS line FROM ledger_posting) placed,
       ledger_journalentry entry
 WHERE placed.id = posting.id AND entry.id = posting.entry_id;
ALTER TABLE ledger_balance ADD COLUMN currency varchar(3);
UPDATE ledger_balance held SET currency = account.currency FROM ledger_account account WHERE account.id = held.account_id;
SET CONSTRAINTS ALL IMMEDIATE;
ALTER TABLE ledger_posting ENABLE TRIGGER ledger_posting_append_only;
ALTER TABLE ledger_balance ENABLE TRIGGER balance_follows_postings;
ALTER TABLE ledger_posting ALTER line SET NOT NULL, ALTER happened_on SET NOT NULL, ALTER booked_at SET NOT NULL;
ALTER TABLE ledger_balance ALTER currency SET NOT NULL;

-- The key of a line is its entry and its place. `id` stays, for the order in which lines came.
ALTER TABLE ledger_posting DROP CONSTRAINT ledger_posting_pkey;
ALTER TABLE ledger_posting ADD PRIMARY KEY (entry_id, line);
ALTER TABLE ledger_posting ADD CONSTRAINT posting_numbered_once UNIQUE (id), ALTER id SET GENERATED ALWAYS;
-- The trigger below verifies entries, purses and currencies as a set; row by row it would cost as much as the rows.
ALTER TABLE ledger_posting DROP CONSTRAINT posting_in_the_purse_currency;
DO $$
DECLARE
    named record;
BEGIN
    FOR named IN SELECT conname FROM pg_constraint WHERE conrelid = 'ledger_posting'::regclass AND contype = 'f' LOOP
        EXECUTE format('ALTER TABLE ledger_posting DROP CONSTRAINT %I', named.conname);
    END LOOP;
    -- Nobody searches these columns by the beginning of a text, nor entries by day or reference, but for whole ranges.
    FOR named IN SELECT indexname FROM pg_indexes
                  WHERE tablename IN ('ledger_posting', 'ledger_journalentry', 'ledger_account', 'ledger_balance')
                    AND (indexname LIKE '%\\_like' OR indexname ~ '(happened_on|posting_entry_id)_[0-9a-f]+$') LOOP
        EXECUTE format('DROP INDEX %I', named.indexname);
    END LOOP;
END $$;
DROP INDEX posting_by_account;
CREATE INDEX posting_of_purse ON ledger_posting (account_id, happened_on, id) INCLUDE (amount, booked_at);
CREATE INDEX posting_by_day ON ledger_posting USING brin (happened_on);
CREATE INDEX entry_by_day ON ledger_journalentry USING brin (happened_on);
"""

SQL = """
-- The last line of an entry exists: there is no entry without its lines.
ALTER TABLE ledger_journalentry ADD CONSTRAINT entry_has_its_lines
    FOREIGN KEY (id, lines) REFERENCES ledger_posting (entry_id, line);
-- What is sealed is these texts joined by marks: none may contain a mark.
ALTER TABLE ledger_journalentry ADD CONSTRAINT entry_reads_one_way
    CHECK (strpos(id || kind || reference, '|') = 0 AND id <> '' AND kind <> '' AND reference <> '');
-- Days that a calendar, a file and a fiscal year can hold.
ALTER TABLE ledger_journalentry ADD CONSTRAINT entry_is_of_our_time CHECK (
    happened_on >= '1900-01-01' AND happened_on < '2200-01-01' AND booked_at >= '1900-01-01 00:00Z' AND booked_at < '2200-01-01 00:00Z');
-- Nothing is booked before it happens (a day of grace for the host's time zone): what was known at a moment is then found
-- among the days up to it.
ALTER TABLE ledger_journalentry ADD CONSTRAINT booked_after_it_happened
    CHECK (happened_on <= (booked_at AT TIME ZONE 'UTC')::date + 1);
ALTER TABLE ledger_posting ADD CONSTRAINT posting_reads_one_way CHECK (chart ~ '^[0-9A-Za-z]+$');
ALTER TABLE ledger_account ADD CONSTRAINT purse_reads_one_way CHECK (id !~ '[|:,]' AND currency ~ '^[A-Z]{3}$');

-- A purse is born with its balance row, which nobody else may write.
CREATE OR REPLACE FUNCTION ledger_open_balance() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
BEGIN
    IF TG_RELID <> 'public.ledger_account'::regclass THEN
        RAISE EXCEPTION 'only purses open balances' USING ERRCODE = 'insufficient_privilege';
    END IF;
    INSERT INTO ledger_balance (account_id, currency, balance, normal_side, guarded)
    VALUES (NEW.id, NEW.currency, 0, NEW.normal_side, NEW.guarded);
    RETURN NULL;
END $$;

-- Who locks a month (0007) waits for who posts, and who posts later sees the month locked: taken before the first line
-- gets its number.
CREATE FUNCTION ledger_begin_postings() RETURNS trigger LANGUAGE plpgsql SET search_path = public, pg_temp AS $$
DECLARE
    taken text;
BEGIN
    IF current_setting('transaction_isolation') <> 'read committed' THEN
        RAISE EXCEPTION 'entries are booked in READ COMMITTED: another snapshot may not see a lock'
            USING ERRCODE = 'integrity_constraint_violation', CONSTRAINT = 'booked_in_read_committed';
    END IF;
    taken := pg_advisory_xact_lock_shared(hashtextextended('tronc.closing', 0))::text;
    RETURN NULL;
END $$;
CREATE TRIGGER postings_begin BEFORE INSERT ON ledger_posting FOR EACH STATEMENT EXECUTE FUNCTION ledger_begin_postings();

-- What waits to be sealed (0008).
CREATE TABLE ledger_unsealed (entry_id varchar(48) NOT NULL);
INSERT INTO ledger_unsealed SELECT id FROM ledger_journalentry entry
 WHERE NOT EXISTS (SELECT 1 FROM ledger_seal seal WHERE seal.entry_id = entry.id) ORDER BY booked_at, id;
REVOKE INSERT, UPDATE, DELETE, TRUNCATE ON ledger_unsealed FROM tronc_app;
CREATE TRIGGER unsealed_by_booking BEFORE INSERT ON ledger_unsealed
    FOR EACH STATEMENT WHEN (pg_trigger_depth() < 1) EXECUTE FUNCTION ledger_append_only();
CREATE TRIGGER unsealed_is_kept BEFORE UPDATE ON ledger_unsealed FOR EACH STATEMENT EXECUTE FUNCTION ledger_append_only();
CREATE TRIGGER unsealed_not_truncated BEFORE TRUNCATE ON ledger_unsealed
    FOR EACH STATEMENT EXECUTE FUNCTION ledger_append_only();

-- All lines of all entries of a statement are verified as a set, then the balances move, locked in one order.
-- By index alone: the plans are kept for the session, whatever the size of the first set; a bitmap would lock in another order.
CREATE FUNCTION ledger_book_postings() RETURNS trigger LANGUAGE plpgsql SET search_path = public, pg_temp
SET enable_seqscan = off SET enable_bitmapscan = off SET enable_hashjoin = off SET enable_mergejoin = off AS $$
DECLARE
    together record;
    entry record;
    moved bigint;
    wrong text;
BEGIN
    IF TG_RELID <> 'public.ledger_posting'::regclass THEN
        RAISE EXCEPTION 'only postings move balances' USING ERRCODE = 'insufficient_privilege';
    END IF;
    SELECT count(*) AS lines, sum(amount) AS total, min(entry_id) AS first_entry, max(entry_id) AS last_entry,
           min(currency) AS first_money, max(currency) AS last_money, min(line) AS first_line, max(line) AS last_line,
           min(happened_on) AS first_day, max(happened_on) AS last_day,
           min(booked_at) AS first_time, max(booked_at) AS last_time,
           CASE WHEN count(*) <= 8 THEN array_agg(account_id ORDER BY account_id) END AS purses,
           CASE WHEN count(*) <= 8 THEN array_agg(amount ORDER BY account_id) END AS amounts
      INTO together FROM added;
    IF together.lines = 0 THEN
        RETURN NULL;
    END IF;

    -- The short way: one entry of two lines on two purses.
    IF together.lines = 2 AND together.first_entry = together.last_entry AND together.first_money = together.last_money
       AND together.purses[1] <> together.purses[2] THEN
        SELECT head.lines, head.happened_on, head.booked_at, head.reverses_id,
               (SELECT max(ends_before) FROM ledger_closing WHERE locked_at IS NOT NULL AND unlocked_at IS NULL) AS open_from
          INTO entry FROM ledger_journalentry head WHERE head.id = together.first_entry;
        IF together.total <> 0 THEN
            RAISE EXCEPTION 'unbalanced entry: %', together.first_entry
                USING ERRCODE = 'check_violation', CONSTRAINT = 'entry_balances';
        END IF;
        IF entry.lines IS DISTINCT FROM 2 OR together.first_line <> 1 OR together.last_line <> 2 THEN
            RAISE EXCEPTION 'entry with missing or added lines: %', together.first_entry
                USING ERRCODE = 'check_violation', CONSTRAINT = 'entry_has_its_lines';
        END IF;
        IF entry.happened_on <> together.first_day OR entry.happened_on <> together.last_day
           OR entry.booked_at <> together.first_time OR entry.booked_at <> together.last_time THEN
            RAISE EXCEPTION 'lines of another day than their entry: %', together.first_entry
                USING ERRCODE = 'check_violation', CONSTRAINT = 'lines_have_the_dates_of_their_entry';
        END IF;
        IF entry.happened_on < entry.open_from THEN
            RAISE EXCEPTION '% is in a locked month: %', entry.happened_on, together.first_entry
                USING ERRCODE = 'check_violation', CONSTRAINT = 'month_is_open';
        END IF;
        IF entry.reverses_id IS NOT NULL THEN
            PERFORM ledger_verify_reversals(ARRAY[together.first_entry]);
        END IF;
        INSERT INTO ledger_unsealed VALUES (together.first_entry);
        UPDATE ledger_balance held
           SET balance = held.balance + CASE held.account_id WHEN together.purses[1] THEN together.amounts[1] ELSE together.amounts[2] END
         WHERE held.account_id = ANY (together.purses) AND held.currency = together.first_money;
        GET DIAGNOSTICS moved = ROW_COUNT;
        IF moved <> 2 THEN
            RAISE EXCEPTION 'no such purse in this currency: %', together.first_entry
                USING ERRCODE = 'foreign_key_violation', CONSTRAINT = 'posting_in_the_purse_currency';
        END IF;
        RETURN NULL;
    END IF;

    SELECT sums.entry_id INTO wrong FROM (
        SELECT entry_id FROM added GROUP BY entry_id, currency HAVING sum(amount) <> 0
    ) sums LIMIT 1;
    IF FOUND THEN
        RAISE EXCEPTION 'unbalanced entry: %', wrong USING ERRCODE = 'check_violation', CONSTRAINT = 'entry_balances';
    END IF;
    SELECT min(there.entry_id) FILTER (WHERE head.lines IS DISTINCT FROM there.lines OR there.first_line <> 1
                                          OR there.last_line <> there.lines) AS without_lines,
           min(there.entry_id) FILTER (WHERE head.happened_on <> there.first_day OR head.happened_on <> there.last_day
                                          OR head.booked_at <> there.first_time OR head.booked_at <> there.last_time) AS of_another_day,
           min(there.entry_id) FILTER (WHERE head.happened_on < (
               SELECT max(ends_before) FROM ledger_closing WHERE locked_at IS NOT NULL AND unlocked_at IS NULL)) AS too_late,
           array_agg(there.entry_id) FILTER (WHERE head.reverses_id IS NOT NULL) AS reversals
      INTO entry
      FROM (SELECT entry_id, count(*) AS lines, min(line) AS first_line, max(line) AS last_line,
                   min(happened_on) AS first_day, max(happened_on) AS last_day,
                   min(booked_at) AS first_time, max(booked_at) AS last_time
              FROM added GROUP BY entry_id) there
      LEFT JOIN ledger_journalentry head ON head.id = there.entry_id;
    IF entry.without_lines IS NOT NULL THEN
        RAISE EXCEPTION 'entry with missing or added lines: %', entry.without_lines
            USING ERRCODE = 'check_violation', CONSTRAINT = 'entry_has_its_lines';
    END IF;
    IF entry.of_another_day IS NOT NULL THEN
        RAISE EXCEPTION 'lines of another day than their entry: %', entry.of_another_day
            USING ERRCODE = 'check_violation', CONSTRAINT = 'lines_have_the_dates_of_their_entry';
    END IF;
    IF entry.too_late IS NOT NULL THEN
        RAISE EXCEPTION 'in a locked month: %', entry.too_late
            USING ERRCODE = 'check_violation', CONSTRAINT = 'month_is_open';
    END IF;
    IF entry.reversals IS NOT NULL THEN
        PERFORM ledger_verify_reversals(entry.reversals);
    END IF;
    INSERT INTO ledger_unsealed SELECT DISTINCT entry_id FROM added;
    PERFORM 1 FROM ledger_balance held WHERE held.account_id IN (SELECT account_id FROM added)
      ORDER BY held.account_id FOR UPDATE;
    UPDATE ledger_balance held SET balance = held.balance + sums.amount
      FROM (SELECT account_id, currency, sum(amount)::bigint AS amount FROM added GROUP BY account_id, currency) sums
     WHERE held.account_id = sums.account_id AND held.currency = sums.currency;
    GET DIAGNOSTICS moved = ROW_COUNT;
    IF moved <> (SELECT count(*) FROM (SELECT DISTINCT account_id, currency FROM added) purses) THEN
        RAISE EXCEPTION 'no such purse in this currency'
            USING ERRCODE = 'foreign_key_violation', CONSTRAINT = 'posting_in_the_purse_currency';
    END IF;
    RETURN NULL;
END $$;

-- A reversal mirrors another entry line for line, and that entry is no reversal itself. (Twice: refused by UNIQUE.)
CREATE FUNCTION ledger_verify_reversals(made varchar[]) RETURNS void LANGUAGE plpgsql SET search_path = public, pg_temp AS $$
DECLARE
    wrong text;
BEGIN
    SELECT entry.id INTO wrong
      FROM ledger_journalentry entry LEFT JOIN ledger_journalentry undone ON undone.id = entry.reverses_id
     WHERE entry.id = ANY (made) AND (undone.id IS NULL OR undone.reverses_id IS NOT NULL) LIMIT 1;
    IF FOUND THEN
        RAISE EXCEPTION 'reversal of a reversal, or of nothing: %', wrong
            USING ERRCODE = 'check_violation', CONSTRAINT = 'reversal_is_not_reversed';
    END IF;
    SELECT pair.id INTO wrong
      FROM ledger_journalentry pair, ledger_posting posting
     WHERE pair.id = ANY (made) AND posting.entry_id IN (pair.id, pair.reverses_id)
     GROUP BY pair.id, posting.account_id, posting.currency, posting.chart HAVING sum(posting.amount) <> 0 LIMIT 1;
    IF FOUND THEN
        RAISE EXCEPTION 'reversal that is no mirror: %', wrong
            USING ERRCODE = 'check_violation', CONSTRAINT = 'reversal_mirrors';
    END IF;
END $$;

CREATE TRIGGER postings_are_booked AFTER INSERT ON ledger_posting REFERENCING NEW TABLE AS added
    FOR EACH STATEMENT EXECUTE FUNCTION ledger_book_postings();

-- Book one entry. The same scope and key again: the first entry when the mark of the payload is the same, else refused.
CREATE FUNCTION ledger_post(
    new_id varchar, new_kind varchar, day date, at timestamptz, new_scope varchar, new_key varchar, mark varchar,
    about varchar, undoes varchar, purses varchar[], monies varchar[], amounts bigint[], charts varchar[],
    OUT entry varchar, OUT fresh boolean
) LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE
    known varchar;
BEGIN
    WITH made AS (
        INSERT INTO ledger_journalentry
               (id, kind, happened_on, booked_at, scope, key, fingerprint, reference, lines, reverses_id)
        VALUES (new_id, new_kind, day, at, new_scope, new_key, mark, about, cardinality(purses), undoes)
        ON CONFLICT (scope, key) DO NOTHING RETURNING id
    ), lines AS (
        INSERT INTO ledger_posting (entry_id, line, account_id, currency, amount, chart, happened_on, booked_at)
        SELECT made.id, given.line, given.purse, given.money, given.amount, given.chart, day, at
          FROM made, unnest(purses, monies, amounts, charts) WITH ORDINALITY AS given (purse, money, amount, chart, line)
    )
    SELECT made.id INTO entry FROM made;
    fresh := entry IS NOT NULL;
    IF NOT fresh THEN
        SELECT there.id, there.fingerprint INTO entry, known
          FROM ledger_journalentry there WHERE there.scope = new_scope AND there.key = new_key;
        IF known IS DISTINCT FROM mark THEN
            RAISE EXCEPTION 'fact booked otherwise: % %', new_scope, new_key
                USING ERRCODE = 'unique_violation', CONSTRAINT = 'fact_booked_otherwise';
        END IF;
    END IF;
END $$;

-- Book many entries in one statement: one element an entry, then one element a line with the number of its entry (from 1).
-- Entries whose scope and key are already booked are passed over, or refuse the whole when their mark differs.
CREATE FUNCTION ledger_post_many(
    ids varchar[], kinds varchar[], days date[], at timestamptz, scopes varchar[], keys varchar[], marks varchar[],
    abouts varchar[], undoes varchar[], counts integer[],
    owners integer[], places integer[], purses varchar[], monies varchar[], amounts bigint[], charts varchar[],
    OUT number integer, OUT entry varchar, OUT fresh boolean
) RETURNS SETOF record LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp SET enable_seqscan = off AS $$
DECLARE
    known integer[];
    wrong text;
BEGIN
    IF EXISTS (SELECT 1 FROM unnest(owners) owner WHERE owner IS NULL OR owner NOT BETWEEN 1 AND cardinality(ids)) THEN
        RAISE EXCEPTION 'a line belongs to none of the entries'
            USING ERRCODE = 'check_violation', CONSTRAINT = 'entry_has_its_lines';
    END IF;
    SELECT array_agg(given.n::integer), min(given.scope || ' ' || given.key) FILTER (WHERE there.fingerprint IS DISTINCT FROM given.mark)
      INTO known, wrong
      FROM unnest(scopes, keys, marks) WITH ORDINALITY AS given (scope, key, mark, n)
      JOIN ledger_journalentry there ON there.scope = given.scope AND there.key = given.key;
    IF wrong IS NOT NULL THEN
        RAISE EXCEPTION 'fact booked otherwise: %', wrong
            USING ERRCODE = 'unique_violation', CONSTRAINT = 'fact_booked_otherwise';
    END IF;
    -- Dynamic, so that each call is planned for the sizes it has. Keys in order, so that two calls wait for each other
    -- one way only.
    EXECUTE $insert$
        WITH made AS (
            INSERT INTO ledger_journalentry
                   (id, kind, happened_on, booked_at, scope, key, fingerprint, reference, lines, reverses_id)
            SELECT given.id, given.kind, given.day, $4, given.scope, given.key, given.mark, given.about, given.lines, given.undoes
              FROM unnest($1, $2, $3, $5, $6, $7, $8, $9, $10)
                   WITH ORDINALITY AS given (id, kind, day, scope, key, mark, about, undoes, lines, n)
             WHERE $17 IS NULL OR NOT (given.n::integer = ANY ($17))
             ORDER BY given.scope, given.key
        )
        INSERT INTO ledger_posting (entry_id, line, account_id, currency, amount, chart, happened_on, booked_at)
        SELECT ($1)[given.owner], given.place, given.purse, given.money, given.amount, given.chart, ($3)[given.owner], $4
          FROM unnest($11, $12, $13, $14, $15, $16) AS given (owner, place, purse, money, amount, chart)
         WHERE $17 IS NULL OR NOT (given.owner = ANY ($17))
    $insert$ USING ids, kinds, days, at, scopes, keys, marks, abouts, undoes, counts, owners, places, purses, monies,
                   amounts, charts, known;
    IF known IS NULL THEN
        RETURN QUERY SELECT given.n::integer, given.id, true FROM unnest(ids) WITH ORDINALITY AS given (id, n);
        RETURN;
    END IF;
    RETURN QUERY
        SELECT given.n::integer, coalesce(there.id, given.id), there.id IS NULL
          FROM unnest(ids, scopes, keys) WITH ORDINALITY AS given (id, scope, key, n)
          LEFT JOIN ledger_journalentry there
            ON given.n::integer = ANY (known) AND there.scope = given.scope AND there.key = given.key
         ORDER BY given.n;
END $$;

-- The functions are the application's only way in.
REVOKE EXECUTE ON FUNCTION ledger_open_balance(), ledger_book_postings(), ledger_begin_postings(), ledger_verify_reversals(varchar[]) FROM PUBLIC, tronc_app;
REVOKE EXECUTE ON FUNCTION ledger_post, ledger_post_many FROM PUBLIC;
GRANT EXECUTE ON FUNCTION ledger_post, ledger_post_many TO tronc_app;
REVOKE INSERT ON ledger_journalentry, ledger_posting FROM tronc_app;

-- Balances move only from inside a trigger, even for the owner of the table; said without calling a function each time.
DROP TRIGGER balance_follows_postings ON ledger_balance;
CREATE TRIGGER balance_follows_postings BEFORE INSERT OR UPDATE ON ledger_balance
    FOR EACH STATEMENT WHEN (pg_trigger_depth() < 1) EXECUTE FUNCTION ledger_balance_guard();
CREATE TRIGGER balance_is_not_deleted BEFORE DELETE ON ledger_balance
    FOR EACH STATEMENT EXECUTE FUNCTION ledger_balance_guard();
"""


class Migration(migrations.Migration):
    dependencies = [("ledger", "0004_seals")]

    operations = [
        migrations.SeparateDatabaseAndState(
            database_operations=[migrations.RunSQL(COLUMNS + SQL, migrations.RunSQL.noop)],
            state_operations=[
                migrations.AddField("posting", "line", models.PositiveIntegerField(default=1), preserve_default=False),
                migrations.AddField(
                    "posting", "happened_on", models.DateField(default="2000-01-01"), preserve_default=False
                ),
                migrations.AddField(
                    "posting", "booked_at", models.DateTimeField(default="2000-01-01"), preserve_default=False
                ),
                migrations.AddField(
                    "balance", "currency", models.CharField(max_length=3, default=""), preserve_default=False
                ),
                migrations.AlterField(
                    "posting",
                    "entry",
                    models.ForeignKey(
                        db_constraint=False,
                        db_index=False,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="postings",
                        to="ledger.journalentry",
                    ),
                ),
                migrations.AlterField(
                    "posting",
                    "account",
                    models.ForeignKey(
                        db_constraint=False,
                        db_index=False,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="postings",
                        to="ledger.account",
                    ),
                ),
                migrations.AlterField("journalentry", "happened_on", models.DateField()),
                migrations.RemoveIndex("posting", "posting_by_account"),
                migrations.AddIndex(
                    "posting",
                    models.Index(
                        fields=["account", "happened_on", "id"],
                        include=["amount", "booked_at"],
                        name="posting_of_purse",
                    ),
                ),
                migrations.AddIndex("posting", BrinIndex(fields=["happened_on"], name="posting_by_day")),
                migrations.AddIndex("journalentry", BrinIndex(fields=["happened_on"], name="entry_by_day")),
            ],
        )
    ]
