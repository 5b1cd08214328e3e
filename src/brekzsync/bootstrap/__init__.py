"""The composition root: from settings to engines, repositories and flows. The only room that knows them all.

One module for each noun of the command line, named like it; what several share is in ``state.py``.
"""
