"""Injected faults: a right deployment with one thing wrong, and what the diagnosis makes of it."""
