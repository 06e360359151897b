"""The contributor copied on a review is that of the contribution, so that the check against one's own holds."""

from django.db import migrations

SQL = """
ALTER TABLE contributions_review ADD CONSTRAINT review_of_its_contributor
    FOREIGN KEY (contribution_id, contributor_id) REFERENCES contributions_contribution (id, contributor_id);
"""


class Migration(migrations.Migration):
    dependencies = [("contributions", "0001_initial")]
    operations = [migrations.RunSQL(SQL, migrations.RunSQL.noop)]
