"""The files of a model, found and checked, never trusted; no framework is imported."""
