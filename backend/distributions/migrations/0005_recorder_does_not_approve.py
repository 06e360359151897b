"""Who recorded somebody's acceptance on their behalf does not approve the distribution it changed."""

from django.db import migrations

SQL = """
CREATE FUNCTION distributions_approver_recorded_nothing() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF EXISTS (SELECT 1 FROM distributions_arbitrationline line
                 JOIN distributions_arbitration arbitration ON arbitration.id = line.arbitration_id
                WHERE arbitration.distribution_id = NEW.id AND arbitration.state = 'accepted'
                  AND line.recorded_by_id = NEW.approved_by_id) THEN
        RAISE EXCEPTION 'distribution %: who recorded an answer to its arbitration does not approve it', NEW.id
            USING ERRCODE = 'check_violation', CONSTRAINT = 'arbitrated_distribution_takes_another';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER approver_recorded_no_answer BEFORE INSERT OR UPDATE ON distributions_distribution
    FOR EACH ROW WHEN (NEW.approved_by_id IS NOT NULL) EXECUTE FUNCTION distributions_approver_recorded_nothing();
"""


class Migration(migrations.Migration):
    dependencies = [("distributions", "0004_answers_first")]
    operations = [migrations.RunSQL(SQL, migrations.RunSQL.noop)]
