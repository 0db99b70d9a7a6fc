"""Runs with other plugins active; collected only when they are named."""
