"""Mutation testing of the core: `make mutation`."""
