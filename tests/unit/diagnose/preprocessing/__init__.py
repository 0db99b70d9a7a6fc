"""Tests of `diagnose.preprocessing`."""
