"""What peers say: nobody of themselves, each thing once, of the version it was said of; states move along their edges."""

from django.db import migrations

SQL = """
-- A review is of the version it looked at, within what that version declared.
CREATE OR REPLACE FUNCTION contributions_review_within() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    declared integer;
    current integer;
BEGIN
    SELECT minutes, version INTO declared, current FROM contributions_contribution WHERE id = NEW.contribution_id FOR SHARE;
    IF NEW.version <> current THEN
        RAISE EXCEPTION 'review %: of version %, and the contribution is at version %', NEW.id, NEW.version, current
            USING ERRCODE = 'check_violation', CONSTRAINT = 'review_of_the_version';
    END IF;
    IF NEW.minutes > declared THEN
        RAISE EXCEPTION 'review %: % minutes are more than the % that were declared', NEW.id, NEW.minutes, declared
            USING ERRCODE = 'check_violation', CONSTRAINT = 'review_within_declared_minutes';
    END IF;
    RETURN NEW;
END $$;
DROP TRIGGER review_within_declared_minutes ON contributions_review;
CREATE TRIGGER review_within_declared_minutes BEFORE INSERT OR UPDATE OF minutes, version, contribution_id
    ON contributions_review FOR EACH ROW EXECUTE FUNCTION contributions_review_within();

DROP TRIGGER minutes_above_reviews ON contributions_contribution;
DROP FUNCTION contributions_minutes_above_reviews();

-- What was declared changes by an amendment alone, which makes a new version; what is given up is counted beside.
CREATE FUNCTION contributions_amended() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF NEW.version = OLD.version + 1 AND OLD.state IN ('declared', 'questioned') THEN
        RETURN NEW;
    END IF;
    IF NEW.version = OLD.version AND NEW.amount + NEW.waived = OLD.amount + OLD.waived AND NEW.waived >= OLD.waived
            AND (OLD.worked_on, OLD.kind, OLD.minutes, OLD.currency, OLD.budget_id)
                IS NOT DISTINCT FROM (NEW.worked_on, NEW.kind, NEW.minutes, NEW.currency, NEW.budget_id) THEN
        RETURN NEW;
    END IF;
    RAISE EXCEPTION 'contribution %: what was declared changes by an amendment', OLD.id
        USING ERRCODE = 'restrict_violation', CONSTRAINT = 'contribution_amended_as_a_version';
END $$;
CREATE TRIGGER contribution_amended BEFORE UPDATE ON contributions_contribution
    FOR EACH ROW WHEN (OLD.state NOT IN ('draft', 'included', 'settled')
        AND (OLD.worked_on, OLD.kind, OLD.minutes, OLD.amount, OLD.waived, OLD.currency, OLD.budget_id, OLD.version)
            IS DISTINCT FROM (NEW.worked_on, NEW.kind, NEW.minutes, NEW.amount, NEW.waived, NEW.currency, NEW.budget_id, NEW.version))
    EXECUTE FUNCTION contributions_amended();

CREATE FUNCTION contributions_edges() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    rule jsonb;
    said integer;
BEGIN
    IF (OLD.state, NEW.state) NOT IN (
            ('draft', 'declared'),
            ('declared', 'questioned'), ('questioned', 'declared'), ('declared', 'validated'), ('validated', 'included'),
            ('included', 'settled'), ('declared', 'rejected'), ('questioned', 'rejected'),
            ('declared', 'withdrawn'), ('questioned', 'withdrawn'), ('validated', 'withdrawn'), ('rejected', 'withdrawn'),
            ('declared', 'waived'), ('questioned', 'waived'), ('validated', 'waived')) THEN
        RAISE EXCEPTION 'contribution %: from % to %', OLD.id, OLD.state, NEW.state
            USING ERRCODE = 'restrict_violation', CONSTRAINT = 'contribution_moves_along_its_edges';
    END IF;
    IF NEW.state = 'validated' THEN
        SELECT c.document -> 'review' INTO rule FROM commons_period p JOIN commons_charter c ON c.id = p.charter_id
            WHERE p.id = NEW.period_id;
        SELECT count(*) INTO said FROM contributions_review
            WHERE contribution_id = NEW.id AND version = NEW.version AND verdict = 'approve';
        IF NEW.validated_at IS NULL
                OR (rule ->> 'mode' = 'approvals' AND said < (rule ->> 'approvals')::integer)
                OR (rule ->> 'mode' = 'consent' AND (OLD.accepted_at IS NULL OR OLD.accepted_at > NEW.validated_at)) THEN
            RAISE EXCEPTION 'contribution %: its charter does not validate it yet', OLD.id
                USING ERRCODE = 'restrict_violation', CONSTRAINT = 'contribution_validated_by_its_charter';
        END IF;
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER contribution_edges BEFORE UPDATE ON contributions_contribution
    FOR EACH ROW WHEN (OLD.state <> NEW.state AND OLD.state NOT IN ('included', 'settled'))
    EXECUTE FUNCTION contributions_edges();

-- Only what was never told to anybody can be deleted.
CREATE FUNCTION contributions_told_stays() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'contribution % stays: it is %', OLD.id, OLD.state
        USING ERRCODE = 'restrict_violation', CONSTRAINT = 'only_drafts_are_deleted';
END $$;
CREATE TRIGGER only_drafts_are_deleted BEFORE DELETE ON contributions_contribution
    FOR EACH ROW WHEN (OLD.state <> 'draft') EXECUTE FUNCTION contributions_told_stays();
GRANT DELETE ON contributions_contribution TO tronc_app;

ALTER TABLE contributions_question ADD CONSTRAINT question_of_its_contributor
    FOREIGN KEY (contribution_id, contributor_id) REFERENCES contributions_contribution (id, contributor_id);
ALTER TABLE contributions_objection ADD CONSTRAINT objection_of_its_contributor
    FOREIGN KEY (contribution_id, contributor_id) REFERENCES contributions_contribution (id, contributor_id);
ALTER TABLE contributions_opinion ADD CONSTRAINT opinion_of_its_people
    FOREIGN KEY (objection_id, contributor_id, objector_id)
    REFERENCES contributions_objection (id, contributor_id, objector_id);

-- An end is written once; what was said is not rewritten (names in it are forgotten by privacy_forget_in_reviews alone).
CREATE FUNCTION contributions_ended_once() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION '% % has ended: that is not rewritten', TG_TABLE_NAME, OLD.id
        USING ERRCODE = 'restrict_violation', CONSTRAINT = 'said_once';
END $$;
CREATE TRIGGER said_once BEFORE UPDATE OF answer, closed_at ON contributions_question
    FOR EACH ROW WHEN (OLD.closed_at IS NOT NULL AND current_user = 'tronc_app')
    EXECUTE FUNCTION contributions_ended_once();
CREATE TRIGGER said_once BEFORE UPDATE OF state, ended_at ON contributions_objection
    FOR EACH ROW WHEN (OLD.state <> 'open' AND current_user = 'tronc_app')
    EXECUTE FUNCTION contributions_ended_once();

CREATE FUNCTION contributions_recorder_decides() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF EXISTS (SELECT 1 FROM contributions_objection o JOIN contributions_contribution c ON c.id = o.contribution_id
               WHERE o.id = NEW.objection_id AND c.recorded_by_id = NEW.steward_id) THEN
        RAISE EXCEPTION 'opinion % is refused: its steward recorded the contribution', NEW.id
            USING ERRCODE = 'restrict_violation', CONSTRAINT = 'nobody_decides_what_they_recorded';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER nobody_decides_what_they_recorded BEFORE INSERT OR UPDATE ON contributions_opinion
    FOR EACH ROW EXECUTE FUNCTION contributions_recorder_decides();

REVOKE DELETE, TRUNCATE ON contributions_question, contributions_objection, contributions_opinion FROM tronc_app;
REVOKE UPDATE ON contributions_question, contributions_objection, contributions_opinion FROM tronc_app;
GRANT UPDATE (answer, closed_at) ON contributions_question TO tronc_app;
GRANT UPDATE (state, ended_at) ON contributions_objection TO tronc_app;
"""


class Migration(migrations.Migration):
    """Guards of what peers say."""

    dependencies = [("contributions", "0007_peers"), ("commons", "0008_provider")]
    operations = [migrations.RunSQL(SQL, migrations.RunSQL.noop)]
