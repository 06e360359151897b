"""Contributions: work declared and reviewed by peers. Never money."""
