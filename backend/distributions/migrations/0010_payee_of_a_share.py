"""The payee of a booked share may change, and nothing else of it, while it is owed and no batch holds it."""

from django.db import migrations

SQL = """
DROP TRIGGER booked_share_is_final ON distributions_share;
CREATE TRIGGER booked_share_is_final BEFORE UPDATE ON distributions_share
    FOR EACH ROW WHEN ((OLD.distribution_id, OLD.contributor_id, OLD.asked, OLD.amount)
        IS DISTINCT FROM (NEW.distribution_id, NEW.contributor_id, NEW.asked, NEW.amount))
    EXECUTE FUNCTION distributions_share_is_final();

CREATE FUNCTION distributions_share_payee_changes() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF NOT EXISTS (SELECT FROM distributions_distribution WHERE id = OLD.distribution_id AND state = 'booked') THEN
        RETURN NEW;
    END IF;
    IF OLD.state NOT IN ('owed', 'documented', 'payable', 'returned') OR NEW.state <> 'owed'
            OR OLD.waived <> NEW.waived THEN
        RAISE EXCEPTION 'share %: its payee changes while it is owed and nothing holds it, then it is owed', OLD.id
            USING ERRCODE = 'restrict_violation', CONSTRAINT = 'booked_distribution_is_final';
    END IF;
    IF NOT EXISTS (SELECT FROM payees_payee WHERE id = NEW.payee_id AND user_id = NEW.contributor_id
                      AND closed_at IS NULL) THEN
        RAISE EXCEPTION 'share %: it is owed to an open payee of its contributor', OLD.id
            USING ERRCODE = 'restrict_violation', CONSTRAINT = 'share_of_its_contributors_payee';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER share_payee_changes BEFORE UPDATE OF payee_id ON distributions_share
    FOR EACH ROW WHEN (OLD.payee_id <> NEW.payee_id) EXECUTE FUNCTION distributions_share_payee_changes();
"""


class Migration(migrations.Migration):
    dependencies = [
        ("distributions", "0009_automatic"),
        ("payees", "0003_payees"),
    ]
    operations = [migrations.RunSQL(SQL, migrations.RunSQL.noop)]
