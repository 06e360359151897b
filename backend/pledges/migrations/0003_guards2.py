"""What a pledge is stays as it was made; what it awaits is written by its instalments; until when one may be paid."""

from django.db import migrations, models

SQL = """
CREATE FUNCTION pledges_pledge_guard() RETURNS trigger LANGUAGE plpgsql SET search_path = public, pg_temp AS $$
BEGIN
    -- An organisation that was entered twice hands its pledges over to another one; nobody else does.
    IF (OLD.budget_id, OLD.person_id, OLD.donor_id, OLD.made_by_id, OLD.currency, OLD.reference, OLD."group",
        OLD.form_key, OLD.rhythm, OLD.starts_on, OLD.created_at, OLD.organisation_id IS NULL)
       IS DISTINCT FROM
       (NEW.budget_id, NEW.person_id, NEW.donor_id, NEW.made_by_id, NEW.currency, NEW.reference, NEW."group",
        NEW.form_key, NEW.rhythm, NEW.starts_on, NEW.created_at, NEW.organisation_id IS NULL) THEN
        RAISE EXCEPTION 'UPDATE on pledges_pledge is refused: who promised what to which budget stays'
            USING ERRCODE = 'restrict_violation', CONSTRAINT = 'pledge_stays_what_it_is';
    END IF;
    IF NEW.expected <> OLD.expected AND pg_trigger_depth() < 2 THEN
        RAISE EXCEPTION 'UPDATE on pledges_pledge is refused: what is awaited follows the instalments'
            USING ERRCODE = 'restrict_violation', CONSTRAINT = 'pledge_expected_follows';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER pledge_stays_what_it_is BEFORE UPDATE ON pledges_pledge
    FOR EACH ROW EXECUTE FUNCTION pledges_pledge_guard();
CREATE FUNCTION pledges_are_kept() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION '% on % is refused: promises are kept', TG_OP, TG_TABLE_NAME
        USING ERRCODE = 'restrict_violation', CONSTRAINT = 'pledges_are_kept';
END $$;
CREATE TRIGGER pledges_are_kept BEFORE DELETE ON pledges_pledge
    FOR EACH ROW EXECUTE FUNCTION pledges_are_kept();
"""


class Migration(migrations.Migration):
    dependencies = [("pledges", "0002_instalments")]

    operations = [
        migrations.AddField(model_name="instalment", name="pay_by", field=models.DateField(null=True)),
        migrations.RunSQL(SQL, migrations.RunSQL.noop),
    ]
