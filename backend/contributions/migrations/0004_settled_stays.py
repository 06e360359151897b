"""What is in a distribution stays as it was shared; a review never changes and validates no more than was declared."""

from django.db import migrations

SQL = """
-- Booking settles what is included; nothing else touches the facts of a contribution once its period is closed.
CREATE FUNCTION contributions_included_stays() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'UPDATE' AND (OLD.budget_id, OLD.period_id, OLD.contributor_id, OLD.worked_on, OLD.kind, OLD.minutes,
                             OLD.amount, OLD.currency, OLD.validated_at, OLD.remainder_of_id)
            IS NOT DISTINCT FROM (NEW.budget_id, NEW.period_id, NEW.contributor_id, NEW.worked_on, NEW.kind,
                                  NEW.minutes, NEW.amount, NEW.currency, NEW.validated_at, NEW.remainder_of_id) THEN
        IF (OLD.state, OLD.settled_amount) IS NOT DISTINCT FROM (NEW.state, NEW.settled_amount)
                OR (OLD.state = 'included' AND NEW.state = 'settled' AND NEW.settled_amount IS NOT NULL) THEN
            RETURN NEW;
        END IF;
    END IF;
    RAISE EXCEPTION '% of contribution % is refused: it is %', TG_OP, OLD.id, OLD.state
        USING ERRCODE = 'restrict_violation', CONSTRAINT = 'included_contribution_stays';
END $$;
CREATE TRIGGER included_contribution_stays BEFORE UPDATE OR DELETE ON contributions_contribution
    FOR EACH ROW WHEN (OLD.state IN ('included', 'settled')) EXECUTE FUNCTION contributions_included_stays();
CREATE TRIGGER contribution_settled_from_a_distribution BEFORE UPDATE ON contributions_contribution
    FOR EACH ROW WHEN (NEW.state = 'settled' AND OLD.state NOT IN ('included', 'settled'))
    EXECUTE FUNCTION contributions_included_stays();

CREATE FUNCTION contributions_review_within() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    declared integer;
BEGIN
    SELECT minutes INTO declared FROM contributions_contribution WHERE id = NEW.contribution_id FOR SHARE;
    IF NEW.minutes > declared THEN
        RAISE EXCEPTION 'review %: % minutes are more than the % that were declared', NEW.id, NEW.minutes, declared
            USING ERRCODE = 'check_violation', CONSTRAINT = 'review_within_declared_minutes';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER review_within_declared_minutes BEFORE INSERT OR UPDATE ON contributions_review
    FOR EACH ROW WHEN (NEW.minutes IS NOT NULL) EXECUTE FUNCTION contributions_review_within();

CREATE FUNCTION contributions_minutes_above_reviews() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF EXISTS (SELECT 1 FROM contributions_review WHERE contribution_id = NEW.id AND minutes > NEW.minutes) THEN
        RAISE EXCEPTION 'contribution %: more minutes than that were validated', NEW.id
            USING ERRCODE = 'check_violation', CONSTRAINT = 'review_within_declared_minutes';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER minutes_above_reviews BEFORE UPDATE ON contributions_contribution
    FOR EACH ROW WHEN (NEW.minutes < OLD.minutes) EXECUTE FUNCTION contributions_minutes_above_reviews();

REVOKE UPDATE, DELETE, TRUNCATE ON contributions_review FROM tronc_app;
REVOKE DELETE, TRUNCATE ON contributions_contribution FROM tronc_app;
"""


class Migration(migrations.Migration):
    dependencies = [("contributions", "0003_expenses_and_minutes")]
    operations = [migrations.RunSQL(SQL, migrations.RunSQL.noop)]
