"""Whole runs under each distribution of pytest-xdist, with killed workers and duplicated tests: `make runners`."""
