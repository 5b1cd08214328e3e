"""The agent beside Exact Globe: fetches documents from the shop, has AsImport import them, posts what became of them.

The standard library only, and nothing else of brekzsync: it runs on a bare Python on Windows, also from the one
file that ``python -m scripts.build_agent`` makes.
"""
