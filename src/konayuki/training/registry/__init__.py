"""Training pairs from openly licensed Debian and PyPI packages, on a machine that has none yet."""
