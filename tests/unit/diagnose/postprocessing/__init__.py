"""Tests of `diagnose.postprocessing`."""
