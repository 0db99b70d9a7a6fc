"""Whole pytest runs in projects as users have them."""
