"""Results that another program wrote, read as a side. Imports no framework."""
