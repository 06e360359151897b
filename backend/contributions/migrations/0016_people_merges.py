"""Work under way of an account that was merged goes over to the one that stays; nobody counts twice by two accounts."""

from typing import ClassVar

from django.db import migrations

SQL = """
-- The application may change neither a review nor an objection: this alone gives them their contributor's new account,
-- for work that no distribution has taken, of an account that is merged. One statement, since each row names the other.
CREATE FUNCTION contributions_follow_merge(merged text) RETURNS TABLE (contribution text, budget text)
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE
    keep text;
BEGIN
    SELECT merged_into_id INTO keep FROM identity_user WHERE id = merged;
    IF keep IS NULL THEN
        RAISE EXCEPTION 'account % is not merged', merged
            USING ERRCODE = 'restrict_violation', CONSTRAINT = 'work_follows_a_merge';
    END IF;
    RETURN QUERY
    WITH moved AS (
        UPDATE contributions_contribution one
           SET contributor_id = keep,
               form_key = CASE WHEN EXISTS (SELECT FROM contributions_contribution two
                                            WHERE two.contributor_id = keep AND two.form_key = one.form_key)
                               THEN one.id ELSE one.form_key END
         WHERE one.contributor_id = merged AND one.state IN ('draft', 'declared', 'questioned', 'validated')
        RETURNING one.id, one.budget_id
    ), reviews AS (
        UPDATE contributions_review SET contributor_id = keep WHERE contribution_id IN (SELECT id FROM moved)
    ), questions AS (
        UPDATE contributions_question SET contributor_id = keep WHERE contribution_id IN (SELECT id FROM moved)
    ), objections AS (
        UPDATE contributions_objection SET contributor_id = keep WHERE contribution_id IN (SELECT id FROM moved)
    ), opinions AS (
        UPDATE contributions_opinion SET contributor_id = keep WHERE objection_id IN (
            SELECT id FROM contributions_objection WHERE contribution_id IN (SELECT id FROM moved))
    )
    SELECT id::text, budget_id::text FROM moved;
END $$;
REVOKE ALL ON FUNCTION contributions_follow_merge(text) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION contributions_follow_merge(text) TO tronc_app;

-- What is sent at the moment of a merge waits for its end (the merge holds the account), then is refused.
CREATE FUNCTION contributions_of_open_account() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM 1 FROM identity_user WHERE id = NEW.contributor_id FOR KEY SHARE;
    IF EXISTS (SELECT FROM identity_user WHERE id = NEW.contributor_id AND merged_into_id IS NOT NULL) THEN
        RAISE EXCEPTION 'contribution % is refused: its account is merged', NEW.id
            USING ERRCODE = 'restrict_violation', CONSTRAINT = 'contribution_of_an_open_account';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER contribution_of_an_open_account BEFORE INSERT ON contributions_contribution
    FOR EACH ROW EXECUTE FUNCTION contributions_of_open_account();

-- One person has one voice on one version, also under an account that was merged since; and none on what they recorded.
CREATE FUNCTION contributions_one_voice() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF EXISTS (SELECT FROM contributions_review said JOIN identity_user who ON who.id = said.reviewer_id
               WHERE said.contribution_id = NEW.contribution_id AND said.version = NEW.version
                 AND who.merged_into_id = NEW.reviewer_id)
        OR EXISTS (SELECT FROM contributions_contribution one JOIN identity_user who ON who.id = one.recorded_by_id
                   WHERE one.id = NEW.contribution_id AND who.merged_into_id = NEW.reviewer_id) THEN
        RAISE EXCEPTION 'review % is refused: its reviewer spoke already, by an account that is merged', NEW.id
            USING ERRCODE = 'restrict_violation', CONSTRAINT = 'one_voice_per_person';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER one_voice_per_person BEFORE INSERT ON contributions_review
    FOR EACH ROW EXECUTE FUNCTION contributions_one_voice();
"""


class Migration(migrations.Migration):
    """Three guards."""

    dependencies: ClassVar = [("contributions", "0015_imports"), ("identity", "0011_people_merges")]
    operations: ClassVar = [migrations.RunSQL(SQL, migrations.RunSQL.noop)]
