"""Examines a recogniser: how its line is resized, filled up and normalised, and what its decoder reads in a map.

The network is examined as a detector's, see `diagnose.network`.
"""
