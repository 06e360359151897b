"""What is booked stays; who wrote an arbitration does not approve what came of it; an ended one stays so."""

from django.db import migrations

SQL = """
CREATE FUNCTION distributions_is_final() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION '% on % is refused: what is booked stays, corrections go to the next period', TG_OP, TG_TABLE_NAME
        USING ERRCODE = 'restrict_violation', CONSTRAINT = 'booked_distribution_is_final';
END $$;
CREATE TRIGGER booked_distribution_is_final BEFORE UPDATE OR DELETE ON distributions_distribution
    FOR EACH ROW WHEN (OLD.state = 'booked') EXECUTE FUNCTION distributions_is_final();

CREATE FUNCTION distributions_share_is_final() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    owner varchar;
BEGIN
    IF TG_TABLE_NAME = 'distributions_sharepart' THEN
        SELECT distribution_id INTO owner FROM distributions_share
         WHERE id = CASE TG_OP WHEN 'INSERT' THEN NEW.share_id ELSE OLD.share_id END;
    ELSE
        owner := CASE TG_OP WHEN 'INSERT' THEN NEW.distribution_id ELSE OLD.distribution_id END;
    END IF;
    IF EXISTS (SELECT 1 FROM distributions_distribution WHERE id = owner AND state = 'booked') THEN
        RAISE EXCEPTION '% on % is refused: distribution % is booked', TG_OP, TG_TABLE_NAME, owner
            USING ERRCODE = 'restrict_violation', CONSTRAINT = 'booked_distribution_is_final';
    END IF;
    IF TG_OP = 'DELETE' THEN RETURN OLD; END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER booked_share_is_added BEFORE INSERT OR DELETE ON distributions_share
    FOR EACH ROW EXECUTE FUNCTION distributions_share_is_final();
CREATE TRIGGER booked_share_is_final BEFORE UPDATE ON distributions_share
    FOR EACH ROW WHEN ((OLD.distribution_id, OLD.contributor_id, OLD.payee_id, OLD.asked, OLD.amount)
        IS DISTINCT FROM (NEW.distribution_id, NEW.contributor_id, NEW.payee_id, NEW.asked, NEW.amount))
    EXECUTE FUNCTION distributions_share_is_final();
CREATE TRIGGER booked_part_is_final BEFORE INSERT OR UPDATE OR DELETE ON distributions_sharepart
    FOR EACH ROW EXECUTE FUNCTION distributions_share_is_final();
CREATE TRIGGER booked_move_is_final BEFORE INSERT OR UPDATE OR DELETE ON distributions_distributionmove
    FOR EACH ROW EXECUTE FUNCTION distributions_share_is_final();

CREATE FUNCTION distributions_approver_wrote_nothing() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF EXISTS (SELECT 1 FROM distributions_arbitration
                WHERE distribution_id = NEW.id AND state = 'accepted' AND entered_by_id = NEW.approved_by_id) THEN
        RAISE EXCEPTION 'distribution %: who wrote its arbitration does not approve it', NEW.id
            USING ERRCODE = 'check_violation', CONSTRAINT = 'arbitrated_distribution_takes_another';
    END IF;
    IF EXISTS (SELECT 1 FROM distributions_arbitration WHERE distribution_id = NEW.id AND state = 'waiting') THEN
        RAISE EXCEPTION 'distribution %: an arbitration awaits its answers', NEW.id
            USING ERRCODE = 'check_violation', CONSTRAINT = 'distribution_awaits_no_answer';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER approver_wrote_no_arbitration BEFORE INSERT OR UPDATE ON distributions_distribution
    FOR EACH ROW WHEN (NEW.approved_by_id IS NOT NULL) EXECUTE FUNCTION distributions_approver_wrote_nothing();

CREATE FUNCTION distributions_arbitration_in_time() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'UPDATE' AND (OLD.state <> 'waiting' OR (OLD.distribution_id, OLD.digest, OLD.reason, OLD.entered_by_id)
            IS DISTINCT FROM (NEW.distribution_id, NEW.digest, NEW.reason, NEW.entered_by_id)) THEN
        RAISE EXCEPTION 'arbitration % is final', OLD.id
            USING ERRCODE = 'restrict_violation', CONSTRAINT = 'arbitration_is_final';
    END IF;
    IF NEW.state IN ('waiting', 'accepted') AND
            NOT EXISTS (SELECT 1 FROM distributions_distribution WHERE id = NEW.distribution_id AND state = 'published') THEN
        RAISE EXCEPTION 'arbitration %: the distribution is not awaiting its approval', NEW.id
            USING ERRCODE = 'check_violation', CONSTRAINT = 'arbitration_before_approval';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER arbitration_in_time BEFORE INSERT OR UPDATE ON distributions_arbitration
    FOR EACH ROW EXECUTE FUNCTION distributions_arbitration_in_time();

CREATE FUNCTION distributions_answer_is_final() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION '% on % is refused: what was agreed and answered stays', TG_OP, TG_TABLE_NAME
        USING ERRCODE = 'restrict_violation', CONSTRAINT = 'arbitration_is_final';
END $$;
CREATE TRIGGER answer_is_final BEFORE UPDATE ON distributions_arbitrationline
    FOR EACH ROW WHEN (OLD.answer <> '' OR (OLD.arbitration_id, OLD.person_id, OLD.budget_id, OLD.before, OLD.agreed)
        IS DISTINCT FROM (NEW.arbitration_id, NEW.person_id, NEW.budget_id, NEW.before, NEW.agreed))
    EXECUTE FUNCTION distributions_answer_is_final();
CREATE TRIGGER arbitration_is_kept BEFORE DELETE OR TRUNCATE ON distributions_arbitration
    FOR EACH STATEMENT EXECUTE FUNCTION distributions_answer_is_final();
CREATE TRIGGER arbitration_line_is_kept BEFORE DELETE OR TRUNCATE ON distributions_arbitrationline
    FOR EACH STATEMENT EXECUTE FUNCTION distributions_answer_is_final();
REVOKE DELETE, TRUNCATE ON distributions_arbitration, distributions_arbitrationline FROM tronc_app;
REVOKE DELETE, TRUNCATE ON distributions_distribution, distributions_share, distributions_distributionmove FROM tronc_app;
"""


class Migration(migrations.Migration):
    dependencies = [("distributions", "0002_purses_and_arbitration")]
    operations = [migrations.RunSQL(SQL, migrations.RunSQL.noop)]
