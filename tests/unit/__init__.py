"""Parts of the package by themselves."""
