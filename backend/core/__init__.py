"""Foundations: ids, money, errors, due rows and sweeps, nudges, idempotency, encryption."""
