"""Nothing is validated from the beginning; what time, order and validation hang on does not change by the way."""

from typing import ClassVar

from django.db import migrations

SQL = """
-- Born as a draft or declared; validated only as the unpaid part of a settled request, once, and no more than that part.
CREATE OR REPLACE FUNCTION contributions_born_declared() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF NEW.state = 'validated' AND NEW.settled_amount IS NULL AND NEW.minutes = 0
            AND EXISTS (SELECT 1 FROM contributions_contribution c
                        WHERE c.id = NEW.remainder_of_id AND c.state = 'settled'
                            AND NEW.amount BETWEEN 1 AND c.amount - c.settled_amount
                            AND (c.contributor_id, c.budget_id, c.kind, c.currency, c.validated_at)
                                = (NEW.contributor_id, NEW.budget_id, NEW.kind, NEW.currency, NEW.validated_at))
            AND NOT EXISTS (SELECT 1 FROM contributions_contribution c WHERE c.remainder_of_id = NEW.remainder_of_id) THEN
        RETURN NEW;
    END IF;
    RAISE EXCEPTION 'contribution % is refused: it is declared first', NEW.id
        USING ERRCODE = 'restrict_violation', CONSTRAINT = 'contribution_born_declared';
END $$;
DROP TRIGGER contribution_born_declared ON contributions_contribution;
CREATE TRIGGER contribution_born_declared BEFORE INSERT ON contributions_contribution
    FOR EACH ROW WHEN (NEW.state NOT IN ('draft', 'declared') OR NEW.settled_amount IS NOT NULL
                       OR NEW.validated_at IS NOT NULL OR NEW.waived <> 0 OR NEW.version <> 1)
    EXECUTE FUNCTION contributions_born_declared();

-- A review is said while the contribution is under review: later ones would change what was validated.
CREATE FUNCTION contributions_reviewed_in_time() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    found text;
BEGIN
    SELECT state INTO found FROM contributions_contribution WHERE id = NEW.contribution_id FOR SHARE;
    IF found NOT IN ('declared', 'questioned') THEN
        RAISE EXCEPTION 'review % is refused: the contribution is %', NEW.id, found
            USING ERRCODE = 'restrict_violation', CONSTRAINT = 'review_while_under_review';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER review_while_under_review BEFORE INSERT ON contributions_review
    FOR EACH ROW EXECUTE FUNCTION contributions_reviewed_in_time();

CREATE FUNCTION contributions_stays_firm() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    why text := '';
BEGIN
    IF (NEW.created_at, NEW.remainder_of_id, NEW.corrects_id)
            IS DISTINCT FROM (OLD.created_at, OLD.remainder_of_id, OLD.corrects_id) THEN
        why := 'when it came and what it follows stay';
    ELSIF NEW.version <> OLD.version AND OLD.state IN ('included', 'settled') THEN
        why := 'its version is that which was shared';
    ELSIF NEW.validated_at IS DISTINCT FROM OLD.validated_at
            AND NOT (OLD.state = 'declared' AND NEW.state = 'validated') THEN
        why := 'it is validated once';
    ELSIF NEW.settled_amount IS DISTINCT FROM OLD.settled_amount AND NEW.state <> 'settled' THEN
        why := 'it is settled with its state';
    ELSIF NEW.contributor_id <> OLD.contributor_id AND OLD.recorded_by_id IS NULL AND current_user = 'tronc_app' THEN
        why := 'its contributor declared it';
    END IF;
    IF why <> '' THEN
        RAISE EXCEPTION 'contribution %: %', OLD.id, why
            USING ERRCODE = 'restrict_violation', CONSTRAINT = 'contribution_stays_firm';
    END IF;
    RETURN NEW;
END $$;
-- Its name comes after those of the guards that say more: triggers speak in the order of their names.
CREATE TRIGGER stays_firm BEFORE UPDATE ON contributions_contribution
    FOR EACH ROW WHEN (
        (OLD.created_at, OLD.remainder_of_id, OLD.corrects_id, OLD.version, OLD.validated_at, OLD.settled_amount,
         OLD.contributor_id)
        IS DISTINCT FROM (NEW.created_at, NEW.remainder_of_id, NEW.corrects_id, NEW.version, NEW.validated_at,
                          NEW.settled_amount, NEW.contributor_id))
    EXECUTE FUNCTION contributions_stays_firm();

-- Nobody has less time to object than the charter says: a clock ends no sooner, and is not set while it runs.
CREATE FUNCTION contributions_clock() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    rule jsonb;
BEGIN
    SELECT c.document -> 'review' INTO rule FROM commons_period p JOIN commons_charter c ON c.id = p.charter_id
        WHERE p.id = NEW.period_id;
    IF rule ->> 'mode' IS DISTINCT FROM 'consent'
            OR NEW.accepted_at < NEW.created_at + make_interval(days => (rule ->> 'days')::integer)
            OR (TG_OP = 'UPDATE' AND OLD.accepted_at IS NOT NULL AND NEW.version = OLD.version) THEN
        RAISE EXCEPTION 'contribution %: its charter gives more time to object', NEW.id
            USING ERRCODE = 'restrict_violation', CONSTRAINT = 'clock_of_its_charter';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER clock_of_its_charter_set BEFORE INSERT ON contributions_contribution
    FOR EACH ROW WHEN (NEW.accepted_at IS NOT NULL) EXECUTE FUNCTION contributions_clock();
CREATE TRIGGER clock_of_its_charter BEFORE UPDATE ON contributions_contribution
    FOR EACH ROW WHEN (NEW.accepted_at IS NOT NULL AND NEW.accepted_at IS DISTINCT FROM OLD.accepted_at)
    EXECUTE FUNCTION contributions_clock();
"""


class Migration(migrations.Migration):
    """Guards alone: no column changes."""

    dependencies: ClassVar = [("contributions", "0016_people_merges")]
    operations: ClassVar = [migrations.RunSQL(SQL, migrations.RunSQL.noop)]
