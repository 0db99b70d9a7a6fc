"""Faults in the layers of networks, drawn by a seed, and what a search for the layer makes of them."""
