"""A booked period never changes; a version of a charter never changes."""

from django.db import migrations

SQL = """
CREATE FUNCTION commons_period_is_final() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF OLD.state = 'booked' THEN
        RAISE EXCEPTION 'period % is booked: corrections go to the next one', OLD.id
            USING ERRCODE = 'restrict_violation', CONSTRAINT = 'booked_period_is_final';
    END IF;
    IF TG_OP = 'DELETE' THEN RETURN OLD; END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER booked_period_is_final BEFORE UPDATE OR DELETE ON commons_period
    FOR EACH ROW EXECUTE FUNCTION commons_period_is_final();

CREATE FUNCTION commons_charter_is_final() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'a version of a charter never changes: write the next one'
        USING ERRCODE = 'restrict_violation', CONSTRAINT = 'charter_version_is_final';
END $$;
CREATE TRIGGER charter_version_is_final BEFORE UPDATE OR DELETE OR TRUNCATE ON commons_charter
    FOR EACH STATEMENT EXECUTE FUNCTION commons_charter_is_final();
REVOKE UPDATE, DELETE, TRUNCATE ON commons_charter FROM tronc_app;
"""


class Migration(migrations.Migration):
    dependencies = [("commons", "0001_initial")]
    operations = [migrations.RunSQL(SQL, migrations.RunSQL.noop)]
