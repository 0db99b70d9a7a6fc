"""How accurate both sides are on labelled images, and what their difference shows.

Whole images in, numbers out: `labels` reads what is right, `counts` what a side found of it, `interval` how far chance
could have made the difference, `verdict` what follows. It knows nothing of pytest, sessions or reports.
"""
