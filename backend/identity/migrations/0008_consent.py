"""Memberships begin once the person said yes; what an IBAN waits for and who pays are guarded in PostgreSQL too."""

from typing import ClassVar

import django.db.models.deletion
from django.conf import settings
from django.db import migrations, models
from django.db.models import Q

GUARDS = """
-- A proposal begins as one, and an IBAN waits for three days from the decision, however the row is written.
CREATE FUNCTION identity_proposal_waits() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION '% on % is refused: a proposal begins undecided, and an IBAN waits for three days', TG_OP,
        TG_TABLE_NAME USING ERRCODE = 'restrict_violation', CONSTRAINT = 'proposal_waits';
END $$;
CREATE TRIGGER proposal_begins_undecided BEFORE INSERT ON identity_proposal
    FOR EACH ROW WHEN (NEW.state <> 'proposed' OR NEW.decided_by_id IS NOT NULL OR NEW.decided_at IS NOT NULL
        OR NEW.applies_at IS NOT NULL OR NEW.applied_at IS NOT NULL)
    EXECUTE FUNCTION identity_proposal_waits();
CREATE TRIGGER proposal_notice_is_whole BEFORE UPDATE ON identity_proposal
    FOR EACH ROW WHEN (
        (NEW.applies_at IS NOT NULL AND (NEW.kind <> 'host.bank_account' OR NEW.decided_at IS NULL
            OR NEW.applies_at < NEW.decided_at + interval '72 hours'))
        OR (OLD.applies_at IS NOT NULL AND NEW.applies_at IS NOT NULL AND OLD.applies_at <> NEW.applies_at)
        OR (OLD.state = 'accepted' AND NEW.state = 'accepted' AND OLD.decided_at <> NEW.decided_at)
        OR (NEW.kind = 'host.bank_account' AND OLD.applied_at IS NULL AND NEW.applied_at IS NOT NULL
            AND (OLD.applies_at IS NULL OR NEW.applied_at < OLD.applies_at)))
    EXECUTE FUNCTION identity_proposal_waits();

-- Who gives roles never touches money, and a third treasurer is named by two people.
CREATE FUNCTION identity_role_takes_two() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF (NEW.kind = 'administrator' AND EXISTS (SELECT FROM identity_role
            WHERE user_id = NEW.user_id AND kind IN ('treasurer', 'steward') AND id IS DISTINCT FROM NEW.id))
        OR (NEW.kind IN ('treasurer', 'steward') AND EXISTS (SELECT FROM identity_role
            WHERE user_id = NEW.user_id AND kind = 'administrator' AND id IS DISTINCT FROM NEW.id)) THEN
        RAISE EXCEPTION '% on % is refused: an administrator is neither treasurer nor steward', TG_OP, TG_TABLE_NAME
            USING ERRCODE = 'restrict_violation', CONSTRAINT = 'administrator_apart';
    END IF;
    IF NEW.kind = 'treasurer'
        AND (SELECT count(*) FROM identity_role
             WHERE kind = 'treasurer' AND scope = NEW.scope AND id IS DISTINCT FROM NEW.id) >= 2
        AND NOT EXISTS (SELECT FROM identity_proposal
             WHERE kind = 'role.treasurer' AND subject = NEW.user_id AND state = 'accepted') THEN
        RAISE EXCEPTION '% on % is refused: a treasurer is named by two people', TG_OP, TG_TABLE_NAME
            USING ERRCODE = 'restrict_violation', CONSTRAINT = 'treasurer_takes_two';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER role_takes_two BEFORE INSERT OR UPDATE ON identity_role
    FOR EACH ROW EXECUTE FUNCTION identity_role_takes_two();

-- An IBAN of the host changes through a proposal that two people signed for; before anything is booked, freely.
CREATE FUNCTION identity_iban_takes_two() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF EXISTS (SELECT FROM ledger_journalentry) AND NOT EXISTS (SELECT FROM identity_proposal
            WHERE kind = 'host.bank_account' AND subject = NEW.id AND state = 'accepted' AND applied_at IS NULL) THEN
        RAISE EXCEPTION '% on % is refused: an IBAN of the host takes two people', TG_OP, TG_TABLE_NAME
            USING ERRCODE = 'restrict_violation', CONSTRAINT = 'iban_takes_two';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER iban_takes_two BEFORE UPDATE ON identity_hostbankaccount
    FOR EACH ROW WHEN (OLD.iban <> NEW.iban) EXECUTE FUNCTION identity_iban_takes_two();
"""
USER = settings.AUTH_USER_MODEL


class Migration(migrations.Migration):
    """Memberships offered, and guards of proposals, roles and accounts."""

    dependencies: ClassVar = [("identity", "0007_retractions")]
    operations: ClassVar = [
        migrations.CreateModel(
            name="Offer",
            fields=[
                ("id", models.CharField(max_length=48, primary_key=True, serialize=False)),
                ("kind", models.CharField(max_length=24)),
                ("email", models.EmailField(max_length=254)),
                ("created_at", models.DateTimeField()),
                (
                    "offered_by",
                    models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name="+", to=USER),
                ),
                (
                    "organisation",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT, related_name="offers", to="identity.organisation"
                    ),
                ),
                (
                    "user",
                    models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name="offers", to=USER),
                ),
            ],
            options={
                "constraints": [
                    models.UniqueConstraint(fields=("user", "organisation"), name="one_offer_at_a_time"),
                    models.CheckConstraint(condition=Q(kind__startswith="organisation_"), name="offer_of_a_membership"),
                ],
            },
        ),
        migrations.RunSQL(GUARDS, migrations.RunSQL.noop),
    ]
