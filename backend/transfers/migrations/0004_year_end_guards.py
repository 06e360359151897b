"""What the end of a year says never changes: proposed, then booked, refused or taken back; booked, then undone."""

from django.db import migrations

SQL = """
CREATE FUNCTION transfers_year_end_is_kept() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'UPDATE' AND TG_TABLE_NAME = 'transfers_yearend' THEN
        IF (OLD.id, OLD.kind, OLD.year, OLD.last_day, OLD.digest, OLD.proposed_at)
               IS NOT DISTINCT FROM (NEW.id, NEW.kind, NEW.year, NEW.last_day, NEW.digest, NEW.proposed_at)
           AND (OLD.state = 'proposed' OR (OLD.state = 'booked' AND NEW.state IN ('booked', 'undone'))
                OR OLD.state = NEW.state) THEN
            RETURN NEW;
        END IF;
    ELSIF TG_OP = 'UPDATE' THEN
        IF (to_jsonb(OLD) - 'live' - 'entry') = (to_jsonb(NEW) - 'live' - 'entry') AND (OLD.live OR NOT NEW.live)
           AND (OLD.entry = '' OR OLD.entry = NEW.entry) THEN
            RETURN NEW;
        END IF;
    END IF;
    RAISE EXCEPTION '% on % is refused: the end of a year stays as it was written', TG_OP, TG_TABLE_NAME
        USING ERRCODE = 'restrict_violation', CONSTRAINT = 'year_end_is_kept';
END $$;
CREATE TRIGGER year_end_is_kept BEFORE UPDATE ON transfers_yearend
    FOR EACH ROW EXECUTE FUNCTION transfers_year_end_is_kept();
CREATE TRIGGER year_end_line_is_kept BEFORE UPDATE ON transfers_yearendline
    FOR EACH ROW EXECUTE FUNCTION transfers_year_end_is_kept();
CREATE TRIGGER year_end_is_not_removed BEFORE DELETE OR TRUNCATE ON transfers_yearend
    FOR EACH STATEMENT EXECUTE FUNCTION transfers_year_end_is_kept();
CREATE TRIGGER year_end_line_is_not_removed BEFORE DELETE OR TRUNCATE ON transfers_yearendline
    FOR EACH STATEMENT EXECUTE FUNCTION transfers_year_end_is_kept();
REVOKE DELETE, TRUNCATE ON transfers_yearend, transfers_yearendline FROM tronc_app;
"""


class Migration(migrations.Migration):
    dependencies = [("transfers", "0003_year_ends")]
    operations = [migrations.RunSQL(SQL, migrations.RunSQL.noop)]
