"""Tests of `session`."""
