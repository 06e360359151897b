"""The archive of the names under which payees were booked: added to, kept ten years, then removed."""

from django.db import migrations, models
from django.db.models import Q

SQL = """
-- A name is kept for ten years after the last entry of its payee (Code de commerce, L123-22). Its sealing key may change.
CREATE FUNCTION payees_booked_name_guard() RETURNS trigger LANGUAGE plpgsql
    SET search_path = public, pg_temp AS $$
BEGIN
    IF TG_OP = 'TRUNCATE' THEN
        RAISE EXCEPTION 'TRUNCATE on payees_bookedname is refused: booked names are kept ten years'
            USING ERRCODE = 'restrict_violation', CONSTRAINT = 'booked_name_is_kept';
    END IF;
    IF TG_OP = 'UPDATE' THEN
        IF (NEW.id, NEW.owner, NEW.since) <> (OLD.id, OLD.owner, OLD.since) THEN
            RAISE EXCEPTION 'a booked name is never changed: %', OLD.id
                USING ERRCODE = 'restrict_violation', CONSTRAINT = 'booked_name_is_kept';
        END IF;
        RETURN NEW;
    END IF;
    IF OLD.since > now() - interval '10 years' OR EXISTS (
        SELECT FROM ledger_account account
          JOIN ledger_posting posting ON posting.account_id = account.id
          JOIN ledger_journalentry entry ON entry.id = posting.entry_id
         WHERE account.kind = 'payee' AND account.owner = OLD.owner
           AND entry.happened_on > current_date - interval '10 years'
    ) THEN
        RAISE EXCEPTION 'a booked name is kept ten years after the last entry of its payee: %', OLD.id
            USING ERRCODE = 'restrict_violation', CONSTRAINT = 'booked_name_is_kept';
    END IF;
    RETURN OLD;
END $$;
CREATE TRIGGER booked_name_is_kept BEFORE UPDATE OR DELETE ON payees_bookedname
    FOR EACH ROW EXECUTE FUNCTION payees_booked_name_guard();
CREATE TRIGGER booked_names_are_not_truncated BEFORE TRUNCATE ON payees_bookedname
    FOR EACH STATEMENT EXECUTE FUNCTION payees_booked_name_guard();
REVOKE TRUNCATE ON payees_bookedname FROM tronc_app;
"""


class Migration(migrations.Migration):
    dependencies = [
        ("payees", "0001_initial"),
        ("ledger", "0002_guards"),
    ]

    operations = [
        migrations.CreateModel(
            name="BookedName",
            fields=[
                ("id", models.CharField(max_length=48, primary_key=True, serialize=False)),
                ("owner", models.CharField(max_length=48)),
                ("name_sealed", models.TextField()),
                ("since", models.DateTimeField()),
            ],
            options={
                "constraints": [
                    models.UniqueConstraint(fields=["owner", "since"], name="one_booked_name_at_a_time"),
                    models.CheckConstraint(condition=~Q(name_sealed=""), name="booked_name_is_sealed"),
                ],
            },
        ),
        migrations.RunSQL(SQL, migrations.RunSQL.noop),
    ]
