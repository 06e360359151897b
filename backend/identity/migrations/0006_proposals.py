"""What takes two people: roles of treasurers, settings and accounts of the host."""

from typing import ClassVar

import django.db.models.deletion
from django.conf import settings
from django.db import migrations, models
from django.db.models import F, Q

# A decision is final, but for an accepted IBAN that waits: it can be stopped until it applies, and then is applied.
# What is proposed never changes, so that whoever decides decides on what was proposed; sealing it again is no change.
GUARDS = """
CREATE FUNCTION identity_proposal_is_final() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION '% on % is refused: what was proposed stays, and a decision is final', TG_OP, TG_TABLE_NAME
        USING ERRCODE = 'restrict_violation', CONSTRAINT = 'proposal_is_final';
END $$;
CREATE TRIGGER proposal_content_is_final BEFORE UPDATE ON identity_proposal
    FOR EACH ROW WHEN ((OLD.kind, OLD.subject, OLD.payload, OLD.digest, OLD.reason, OLD.proposed_by_id, OLD.proposed_at)
        IS DISTINCT FROM (NEW.kind, NEW.subject, NEW.payload, NEW.digest, NEW.reason, NEW.proposed_by_id,
                          NEW.proposed_at))
    EXECUTE FUNCTION identity_proposal_is_final();
CREATE TRIGGER proposal_decision_is_final BEFORE UPDATE ON identity_proposal
    FOR EACH ROW WHEN (OLD.state <> 'proposed' AND OLD.iban_sealed = NEW.iban_sealed
        AND NOT (OLD.state = 'accepted' AND OLD.applied_at IS NULL
                 AND NEW.state IN ('accepted', 'refused', 'withdrawn')))
    EXECUTE FUNCTION identity_proposal_is_final();
CREATE TRIGGER proposal_state_is_final BEFORE UPDATE ON identity_proposal
    FOR EACH ROW WHEN (OLD.state <> NEW.state AND OLD.state <> 'proposed'
        AND NOT (OLD.state = 'accepted' AND OLD.applied_at IS NULL AND NEW.state IN ('refused', 'withdrawn')))
    EXECUTE FUNCTION identity_proposal_is_final();
CREATE TRIGGER proposal_is_kept BEFORE DELETE OR TRUNCATE ON identity_proposal
    FOR EACH STATEMENT EXECUTE FUNCTION identity_proposal_is_final();
REVOKE DELETE, TRUNCATE ON identity_proposal FROM tronc_app;
"""
USER = settings.AUTH_USER_MODEL


class Migration(migrations.Migration):
    """What takes two people: roles of treasurers, settings and accounts of the host."""

    dependencies: ClassVar = [("identity", "0005_organisations")]
    operations: ClassVar = [
        migrations.CreateModel(
            name="Proposal",
            fields=[
                ("id", models.CharField(max_length=48, primary_key=True, serialize=False)),
                (
                    "kind",
                    models.CharField(
                        choices=[
                            ("role.treasurer", "a treasurer to name"),
                            ("host.settings", "settings of the host"),
                            ("host.bank_account", "a bank account of the host"),
                        ],
                        max_length=20,
                    ),
                ),
                ("subject", models.CharField(db_index=True, max_length=48)),
                ("payload", models.JSONField(default=dict)),
                ("iban_sealed", models.TextField(blank=True, default="")),
                ("digest", models.CharField(max_length=64)),
                ("reason", models.CharField(max_length=500)),
                (
                    "state",
                    models.CharField(
                        choices=[
                            ("proposed", "awaiting a second person"),
                            ("accepted", "accepted"),
                            ("refused", "refused"),
                            ("withdrawn", "taken back"),
                        ],
                        default="proposed",
                        max_length=12,
                    ),
                ),
                ("proposed_at", models.DateTimeField()),
                ("decided_at", models.DateTimeField(null=True)),
                ("decision_reason", models.CharField(blank=True, max_length=500)),
                ("applies_at", models.DateTimeField(null=True)),
                ("applied_at", models.DateTimeField(null=True)),
                (
                    "decided_by",
                    models.ForeignKey(
                        null=True, on_delete=django.db.models.deletion.PROTECT, related_name="+", to=USER
                    ),
                ),
                (
                    "proposed_by",
                    models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name="+", to=USER),
                ),
            ],
            options={
                "constraints": [
                    models.CheckConstraint(
                        condition=Q(("decided_by", F("proposed_by")), _negated=True), name="proposal_takes_two"
                    ),
                    models.CheckConstraint(
                        condition=~Q(kind="role.treasurer")
                        | (~Q(proposed_by=F("subject")) & (Q(decided_by=None) | ~Q(decided_by=F("subject")))),
                        name="treasurer_named_by_others",
                    ),
                    models.CheckConstraint(
                        condition=Q(state__in=["proposed", "withdrawn"], decided_by=None)
                        | Q(state__in=["accepted", "refused"], decided_by__isnull=False, decided_at__isnull=False),
                        name="proposal_decided_by_somebody",
                    ),
                    models.CheckConstraint(
                        condition=Q(applied_at=None) | Q(state="accepted"), name="proposal_applied_once_accepted"
                    ),
                    models.UniqueConstraint(
                        fields=("kind", "subject"), condition=Q(state="proposed"), name="one_open_proposal"
                    ),
                ],
            },
        ),
        migrations.RunSQL(GUARDS, migrations.RunSQL.noop),
    ]
