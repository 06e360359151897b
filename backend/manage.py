"""Runs management commands; those that change tables run as the role that owns them."""

import os
import sys

SCHEMA_COMMANDS = {"migrate", "sqlmigrate", "showmigrations", "makemigrations"}


def main() -> None:
    """Run the command named on the command line, as the owner role when it changes tables."""
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "backend.settings")
    if len(sys.argv) > 1 and sys.argv[1] in SCHEMA_COMMANDS:
        os.environ["TRONC_DATABASE_ROLE"] = "tronc_owner"
    from django.core.management import execute_from_command_line

    execute_from_command_line(sys.argv)


if __name__ == "__main__":
    main()
