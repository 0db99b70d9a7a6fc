"""Whole pytest runs, on projects of a few files: a file per option, runner or behaviour."""
