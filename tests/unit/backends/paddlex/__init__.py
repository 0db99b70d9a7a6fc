"""Tests of `backends.paddlex`."""
