"""Tests of one module each, in the tree of the package. None runs a whole pytest session."""
