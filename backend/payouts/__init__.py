"""Payout batches: money out, prepared by one person and approved by another, once."""
