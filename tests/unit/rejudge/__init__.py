"""Tests of `rejudge`."""
