"""Tests of `golden`."""
