"""Registers the mail application and its system checks."""

from django.apps import AppConfig


class NotificationsConfig(AppConfig):
    """Mail."""

    name = "backend.notifications"

    def ready(self) -> None:
        """Load the system checks."""
        from backend.notifications import checks  # noqa: F401
