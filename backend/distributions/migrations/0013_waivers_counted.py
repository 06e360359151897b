"""A waiver counts in its share, and its parts add up to it, whoever writes them."""

from django.db import migrations

SQL = """
-- Looked at when the transaction ends, like the share itself (migration 0008).
CREATE FUNCTION distributions_waiver_counts() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    waiver record;
BEGIN
    IF TG_TABLE_NAME = 'distributions_sharewaiver' THEN
        SELECT * INTO waiver FROM distributions_sharewaiver WHERE id = NEW.id;
    ELSE
        SELECT * INTO waiver FROM distributions_sharewaiver WHERE id = NEW.waiver_id;
    END IF;
    IF (SELECT waived FROM distributions_share WHERE id = waiver.share_id)
            <> (SELECT sum(amount) FROM distributions_sharewaiver WHERE share_id = waiver.share_id) THEN
        RAISE EXCEPTION 'share %: what is waived is not what its waivers add up to', waiver.share_id
            USING ERRCODE = 'check_violation', CONSTRAINT = 'share_waived_by_its_waivers';
    END IF;
    IF waiver.amount <> (SELECT coalesce(sum(amount), 0) FROM distributions_sharewaiverpart WHERE waiver_id = waiver.id)
    THEN
        RAISE EXCEPTION 'waiver %: its parts do not add up to it', waiver.id
            USING ERRCODE = 'check_violation', CONSTRAINT = 'waiver_of_its_parts';
    END IF;
    RETURN NULL;
END $$;
CREATE CONSTRAINT TRIGGER waiver_counts AFTER INSERT ON distributions_sharewaiver
    DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION distributions_waiver_counts();
CREATE CONSTRAINT TRIGGER waiver_part_counts AFTER INSERT ON distributions_sharewaiverpart
    DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION distributions_waiver_counts();
"""


class Migration(migrations.Migration):
    dependencies = [("distributions", "0012_paid_with_a_document")]
    operations = [migrations.RunSQL(SQL, migrations.RunSQL.noop)]
