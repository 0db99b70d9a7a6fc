"""Tests of `report.pictures`."""
