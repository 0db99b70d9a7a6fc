"""One pytest run: its hooks, what its tests left, its verdict, and the models that it loads."""
