"""Tests of `diagnose.network`."""
