"""Tests of `artifacts`."""
