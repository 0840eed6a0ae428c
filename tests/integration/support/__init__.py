"""Starting real servers and talking to them: shared by the integration tests, demo and benchmarks.

Everything here ends only what it started, and keeps a log of it.
"""
