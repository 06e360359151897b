"""Objections to a published distribution; while one stands, PostgreSQL lets nobody approve it."""

import django.db.models.deletion
from django.conf import settings
from django.db import migrations, models

SQL = """
-- An approval and an objection wait for each other on the row of the distribution: whichever comes second is refused.
CREATE FUNCTION distributions_objection_in_time() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    found record;
BEGIN
    SELECT state, digest INTO found FROM distributions_distribution WHERE id = NEW.distribution_id FOR SHARE;
    IF found.state <> 'published' OR found.digest <> NEW.digest OR NEW.state <> 'open' THEN
        RAISE EXCEPTION 'objection % is refused: the distribution is not open to it', NEW.id
            USING ERRCODE = 'check_violation', CONSTRAINT = 'objection_before_approval';
    END IF;
    IF EXISTS (SELECT 1 FROM distributions_distributionobjection
                WHERE distribution_id = NEW.distribution_id AND objector_id = NEW.objector_id
                  AND digest = NEW.digest AND state = 'overruled') THEN
        RAISE EXCEPTION 'objection % is refused: it was decided', NEW.id
            USING ERRCODE = 'check_violation', CONSTRAINT = 'objection_decided_once';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER objection_in_time BEFORE INSERT ON distributions_distributionobjection
    FOR EACH ROW EXECUTE FUNCTION distributions_objection_in_time();

CREATE FUNCTION distributions_objection_moves() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    needed int;
BEGIN
    IF (OLD.state, NEW.state) NOT IN (
        ('open', 'lifted'), ('open', 'arbitrated'), ('open', 'overruled'), ('open', 'upheld'),
        ('upheld', 'lifted'), ('upheld', 'arbitrated')
    ) THEN
        RAISE EXCEPTION 'objection %: from % to % is refused', OLD.id, OLD.state, NEW.state
            USING ERRCODE = 'restrict_violation', CONSTRAINT = 'objection_moves_along_its_states';
    END IF;
    IF NEW.state IN ('overruled', 'upheld') THEN
        SELECT (c.document -> 'objections' ->> 'settled_by')::int INTO needed
          FROM distributions_distribution d JOIN commons_charter c ON c.id = d.charter_id
         WHERE d.id = OLD.distribution_id;
        IF (SELECT count(*) FROM distributions_distributionopinion
             WHERE objection_id = OLD.id AND upholds = (NEW.state = 'upheld')) < coalesce(needed, 1) THEN
            RAISE EXCEPTION 'objection %: not enough stewards decided', OLD.id
                USING ERRCODE = 'check_violation', CONSTRAINT = 'objection_decided_by_enough';
        END IF;
    END IF;
    IF NEW.state = 'arbitrated' AND NOT EXISTS (
        SELECT 1 FROM distributions_arbitration
         WHERE distribution_id = OLD.distribution_id AND state = 'accepted' AND ended_at >= OLD.created_at
    ) THEN
        RAISE EXCEPTION 'objection %: no amounts were agreed on since', OLD.id
            USING ERRCODE = 'check_violation', CONSTRAINT = 'objection_answered_by_amounts';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER objection_moves_along_its_states BEFORE UPDATE OF state ON distributions_distributionobjection
    FOR EACH ROW WHEN (OLD.state <> NEW.state) EXECUTE FUNCTION distributions_objection_moves();

CREATE FUNCTION distributions_opinion_of_another() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    raised record;
BEGIN
    SELECT o.state, o.objector_id, d.id, d.prepared_by_id INTO raised
      FROM distributions_distributionobjection o JOIN distributions_distribution d ON d.id = o.distribution_id
     WHERE o.id = NEW.objection_id FOR SHARE OF o;
    IF raised.state <> 'open' OR NEW.steward_id IN (raised.objector_id, raised.prepared_by_id)
            OR EXISTS (SELECT 1 FROM distributions_share
                        WHERE distribution_id = raised.id AND contributor_id = NEW.steward_id AND amount > 0)
            OR EXISTS (SELECT 1 FROM distributions_arbitration
                        WHERE distribution_id = raised.id AND entered_by_id = NEW.steward_id
                          AND state IN ('waiting', 'accepted')) THEN
        RAISE EXCEPTION 'opinion % is refused: its steward is involved, or the objection has ended', NEW.id
            USING ERRCODE = 'check_violation', CONSTRAINT = 'distribution_opinion_of_somebody_uninvolved';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER opinion_of_somebody_uninvolved BEFORE INSERT ON distributions_distributionopinion
    FOR EACH ROW EXECUTE FUNCTION distributions_opinion_of_another();

CREATE FUNCTION distributions_waits_for_objections() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF EXISTS (SELECT 1 FROM distributions_distributionobjection
                WHERE distribution_id = NEW.id AND state IN ('open', 'upheld')) THEN
        RAISE EXCEPTION 'distribution %: an objection stands', NEW.id
            USING ERRCODE = 'check_violation', CONSTRAINT = 'distribution_waits_for_objections';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER distribution_waits_for_objections BEFORE UPDATE ON distributions_distribution
    FOR EACH ROW WHEN (NEW.approved_by_id IS NOT NULL OR NEW.state = 'booked')
    EXECUTE FUNCTION distributions_waits_for_objections();

REVOKE DELETE, TRUNCATE, UPDATE ON distributions_distributionobjection, distributions_distributionopinion FROM tronc_app;
GRANT UPDATE (state, ended_at) ON distributions_distributionobjection TO tronc_app;
"""


class Migration(migrations.Migration):
    dependencies = [
        ("distributions", "0006_share_states"),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]
    operations = [
        migrations.CreateModel(
            name="DistributionObjection",
            fields=[
                ("id", models.CharField(max_length=48, primary_key=True, serialize=False)),
                ("digest", models.CharField(max_length=64)),
                ("reason", models.CharField(max_length=1000)),
                (
                    "state",
                    models.CharField(
                        choices=[
                            ("open", "open"),
                            ("lifted", "lifted by who raised it"),
                            ("arbitrated", "answered by other amounts, which those concerned accepted"),
                            ("overruled", "set aside by stewards"),
                            ("upheld", "upheld by stewards: other amounts must be agreed"),
                        ],
                        default="open",
                        max_length=10,
                    ),
                ),
                ("created_at", models.DateTimeField()),
                ("ended_at", models.DateTimeField(null=True)),
                (
                    "distribution",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="objections",
                        to="distributions.distribution",
                    ),
                ),
                (
                    "objector",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT, related_name="+", to=settings.AUTH_USER_MODEL
                    ),
                ),
            ],
        ),
        migrations.CreateModel(
            name="DistributionOpinion",
            fields=[
                ("id", models.CharField(max_length=48, primary_key=True, serialize=False)),
                ("upholds", models.BooleanField()),
                ("reason", models.CharField(max_length=500)),
                ("created_at", models.DateTimeField()),
                (
                    "objection",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="opinions",
                        to="distributions.distributionobjection",
                    ),
                ),
                (
                    "steward",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT, related_name="+", to=settings.AUTH_USER_MODEL
                    ),
                ),
            ],
        ),
        migrations.AddConstraint(
            model_name="distributionobjection",
            constraint=models.CheckConstraint(
                condition=models.Q(("state__in", ["open", "upheld"]), ("ended_at__isnull", False), _connector="XOR"),
                name="distribution_objection_ends_once",
            ),
        ),
        migrations.AddConstraint(
            model_name="distributionobjection",
            constraint=models.UniqueConstraint(
                condition=models.Q(("state__in", ["open", "upheld"])),
                fields=("distribution", "objector"),
                name="one_standing_objection_per_person",
            ),
        ),
        migrations.AddConstraint(
            model_name="distributionopinion",
            constraint=models.UniqueConstraint(
                fields=("objection", "steward"), name="one_distribution_opinion_per_steward"
            ),
        ),
        migrations.RunSQL(SQL, migrations.RunSQL.noop),
    ]
