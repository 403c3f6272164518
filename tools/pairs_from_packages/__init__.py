"""Training pairs from openly licensed Debian and PyPI packages."""
