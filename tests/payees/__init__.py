"""Tests of who is paid."""
