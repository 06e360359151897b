"""Lines and answers belong to an arbitration that waits; it is accepted by all of them; nothing is emptied at once."""

from django.db import migrations

SQL = """
-- The row of the arbitration is locked, so that nothing is added while it is being ended.
CREATE FUNCTION distributions_line_in_time() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    found varchar;
BEGIN
    SELECT state INTO found FROM distributions_arbitration WHERE id = NEW.arbitration_id FOR SHARE;
    IF found IS DISTINCT FROM 'waiting' THEN
        RAISE EXCEPTION '% on % is refused: arbitration % does not wait', TG_OP, TG_TABLE_NAME, NEW.arbitration_id
            USING ERRCODE = 'restrict_violation', CONSTRAINT = 'arbitration_line_in_time';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER arbitration_line_in_time BEFORE INSERT OR UPDATE ON distributions_arbitrationline
    FOR EACH ROW EXECUTE FUNCTION distributions_line_in_time();

CREATE FUNCTION distributions_accepted_by_all() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'INSERT' THEN
        RAISE EXCEPTION 'arbitration %: it waits first', NEW.id
            USING ERRCODE = 'check_violation', CONSTRAINT = 'arbitration_waits_first';
    END IF;
    IF NOT EXISTS (SELECT 1 FROM distributions_arbitrationline WHERE arbitration_id = NEW.id)
            OR EXISTS (SELECT 1 FROM distributions_arbitrationline
                        WHERE arbitration_id = NEW.id AND answer <> 'accepted') THEN
        RAISE EXCEPTION 'arbitration %: not everyone has accepted', NEW.id
            USING ERRCODE = 'check_violation', CONSTRAINT = 'arbitration_accepted_by_all';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER arbitration_waits_first BEFORE INSERT ON distributions_arbitration
    FOR EACH ROW WHEN (NEW.state <> 'waiting') EXECUTE FUNCTION distributions_accepted_by_all();
CREATE TRIGGER arbitration_accepted_by_all BEFORE UPDATE ON distributions_arbitration
    FOR EACH ROW WHEN (NEW.state = 'accepted') EXECUTE FUNCTION distributions_accepted_by_all();

CREATE FUNCTION distributions_are_kept() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION '% on % is refused: distributions are kept', TG_OP, TG_TABLE_NAME
        USING ERRCODE = 'restrict_violation', CONSTRAINT = 'distributions_are_kept';
END $$;
CREATE TRIGGER distributions_are_kept BEFORE TRUNCATE ON distributions_distribution
    FOR EACH STATEMENT EXECUTE FUNCTION distributions_are_kept();
CREATE TRIGGER shares_are_kept BEFORE TRUNCATE ON distributions_share
    FOR EACH STATEMENT EXECUTE FUNCTION distributions_are_kept();
CREATE TRIGGER parts_are_kept BEFORE TRUNCATE ON distributions_sharepart
    FOR EACH STATEMENT EXECUTE FUNCTION distributions_are_kept();
CREATE TRIGGER moves_are_kept BEFORE TRUNCATE ON distributions_distributionmove
    FOR EACH STATEMENT EXECUTE FUNCTION distributions_are_kept();
REVOKE TRUNCATE ON distributions_sharepart FROM tronc_app;
"""


class Migration(migrations.Migration):
    dependencies = [("distributions", "0003_guards")]
    operations = [migrations.RunSQL(SQL, migrations.RunSQL.noop)]
