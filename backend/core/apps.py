"""Registers the core application and its system checks."""

from django.apps import AppConfig


class CoreConfig(AppConfig):
    """The foundations."""

    name = "backend.core"

    def ready(self) -> None:
        """Load the system checks."""
        from backend.core import checks  # noqa: F401
