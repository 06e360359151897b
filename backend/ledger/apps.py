"""Registers the ledger and its system checks."""

from django.apps import AppConfig


class LedgerConfig(AppConfig):
    """The books."""

    name = "backend.ledger"

    def ready(self) -> None:
        """Load the system checks."""
        from backend.ledger import checks  # noqa: F401
