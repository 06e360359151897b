"""Celery workers: they call the sweeps of the backend, and nothing else."""
