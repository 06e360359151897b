"""Registers payments, and what they have against the approval of a distribution."""

from django.apps import AppConfig


class PaymentsConfig(AppConfig):
    """Money in."""

    name = "backend.payments"

    def ready(self) -> None:
        """Distributions are below us: they ask whoever told them to."""
        from backend.distributions import booking
        from backend.payments.disputes import stop_of

        if stop_of not in booking.STOPS:
            booking.STOPS.append(stop_of)
