"""Work stands in an open period of its own pot, is validated when it was, and what forges told stays as it was told."""

from typing import ClassVar

from django.db import migrations

SQL = """
-- Work comes to, or moves to, a period that is open, and of its budget or the one above: no other pot pays for it.
CREATE FUNCTION contributions_in_open_period() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF NOT EXISTS (SELECT FROM commons_period p JOIN commons_budget b ON b.id = NEW.budget_id
                   WHERE p.id = NEW.period_id AND p.state = 'open' AND p.budget_id IN (b.id, b.parent_id)) THEN
        RAISE EXCEPTION 'contribution %: its period is not an open one of its budget', NEW.id
            USING ERRCODE = 'restrict_violation', CONSTRAINT = 'work_in_an_open_period';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER work_in_an_open_period_first BEFORE INSERT ON contributions_contribution
    FOR EACH ROW EXECUTE FUNCTION contributions_in_open_period();
CREATE TRIGGER work_in_an_open_period BEFORE UPDATE ON contributions_contribution
    FOR EACH ROW WHEN ((OLD.period_id, OLD.budget_id) IS DISTINCT FROM (NEW.period_id, NEW.budget_id))
    EXECUTE FUNCTION contributions_in_open_period();

-- As in 0008, and: it is validated at the moment of the last approval, or when its clock ran out. Requests are served in
-- this order by the rule `as_asked`.
CREATE OR REPLACE FUNCTION contributions_edges() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    rule jsonb;
    said integer;
    latest timestamptz;
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
        SELECT count(*), max(created_at) INTO said, latest FROM contributions_review
            WHERE contribution_id = NEW.id AND version = NEW.version AND verdict = 'approve';
        IF NEW.validated_at IS NULL
                OR (rule ->> 'mode' = 'approvals' AND said < (rule ->> 'approvals')::integer)
                OR (rule ->> 'mode' = 'approvals' AND NEW.validated_at IS DISTINCT FROM latest)
                OR (rule ->> 'mode' = 'consent' AND NEW.validated_at IS DISTINCT FROM OLD.accepted_at) THEN
            RAISE EXCEPTION 'contribution %: its charter does not validate it yet, or not at that moment', OLD.id
                USING ERRCODE = 'restrict_violation', CONSTRAINT = 'contribution_validated_by_its_charter';
        END IF;
    END IF;
    RETURN NEW;
END $$;

-- As in 0008, and: an account that was merged is one with the account that stays.
CREATE OR REPLACE FUNCTION contributions_recorder_decides() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF EXISTS (SELECT FROM contributions_objection o JOIN contributions_contribution c ON c.id = o.contribution_id
               JOIN identity_user u ON u.id IN (c.recorded_by_id, o.objector_id)
               WHERE o.id = NEW.objection_id AND NEW.steward_id IN (u.id, u.merged_into_id)) THEN
        RAISE EXCEPTION 'opinion % is refused: its steward recorded the contribution, or objected to it', NEW.id
            USING ERRCODE = 'restrict_violation', CONSTRAINT = 'nobody_decides_what_they_recorded';
    END IF;
    IF EXISTS (SELECT FROM contributions_opinion one JOIN identity_user u ON u.id = one.steward_id
               WHERE one.objection_id = NEW.objection_id AND one.id <> NEW.id AND u.merged_into_id = NEW.steward_id) THEN
        RAISE EXCEPTION 'opinion % is refused: its steward spoke already, by an account that is merged', NEW.id
            USING ERRCODE = 'restrict_violation', CONSTRAINT = 'one_voice_per_person';
    END IF;
    RETURN NEW;
END $$;

-- A repository stays that of its budget and address, and disconnected once it was; what it told stays what it told.
CREATE FUNCTION contributions_repository_stays() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'repository %: another address or budget is another repository, connected anew', OLD.id
        USING ERRCODE = 'restrict_violation', CONSTRAINT = 'repository_stays';
END $$;
CREATE TRIGGER repository_stays BEFORE UPDATE ON contributions_repository
    FOR EACH ROW WHEN (
        (OLD.id, OLD.budget_id, OLD.forge, OLD.address, OLD.created_at, OLD.created_by_id)
            IS DISTINCT FROM (NEW.id, NEW.budget_id, NEW.forge, NEW.address, NEW.created_at, NEW.created_by_id)
        OR (OLD.revoked_at IS NOT NULL AND (OLD.revoked_at, OLD.revoked_by_id)
            IS DISTINCT FROM (NEW.revoked_at, NEW.revoked_by_id)))
    EXECUTE FUNCTION contributions_repository_stays();
REVOKE DELETE, TRUNCATE ON contributions_repository FROM tronc_app;

CREATE FUNCTION contributions_delivery_stays() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'delivery %: what a forge signed is not written again', OLD.id
        USING ERRCODE = 'restrict_violation', CONSTRAINT = 'delivery_stays';
END $$;
CREATE TRIGGER delivery_stays BEFORE UPDATE ON contributions_forgedelivery
    FOR EACH ROW WHEN (
        (OLD.id, OLD.repository_id, OLD.delivery_id, OLD.event, OLD.size, OLD.received_at)
            IS DISTINCT FROM (NEW.id, NEW.repository_id, NEW.delivery_id, NEW.event, NEW.size, NEW.received_at)
        OR (OLD.body <> NEW.body AND NEW.body <> ''::bytea))
    EXECUTE FUNCTION contributions_delivery_stays();

-- A commit is noted of one repository, and stands for work of the budget of that one.
CREATE FUNCTION contributions_commit_stays() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF (TG_OP = 'UPDATE' AND (OLD.repository_id, OLD.sha, OLD.part) IS DISTINCT FROM (NEW.repository_id, NEW.sha, NEW.part))
            OR (NEW.contribution_id IS NOT NULL AND NOT EXISTS (
                SELECT FROM contributions_contribution c JOIN contributions_repository r ON r.budget_id = c.budget_id
                WHERE c.id = NEW.contribution_id AND r.id = NEW.repository_id)) THEN
        RAISE EXCEPTION 'commit % is of its repository, and of work of the same budget', NEW.sha
            USING ERRCODE = 'restrict_violation', CONSTRAINT = 'commit_of_its_repository';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER commit_of_its_repository BEFORE INSERT OR UPDATE ON contributions_forgecommit
    FOR EACH ROW EXECUTE FUNCTION contributions_commit_stays();
REVOKE TRUNCATE ON contributions_forgecommit, contributions_forgedelivery FROM tronc_app;
"""


class Migration(migrations.Migration):
    """Guards alone: no column changes."""

    dependencies: ClassVar = [
        ("contributions", "0019_what_is_missing"),
        ("commons", "0008_provider"),
        ("identity", "0011_people_merges"),
    ]
    operations: ClassVar = [migrations.RunSQL(SQL, migrations.RunSQL.noop)]
