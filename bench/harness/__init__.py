"""Parts of the end-to-end benchmark that bench/run.py drives."""
