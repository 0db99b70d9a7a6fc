"""Whole runs of pytest: one file per runner, option or way of using the fixtures."""
