"""The faults of recognisers: frozen before what answers them, and written without looking at `diagnose/`."""
