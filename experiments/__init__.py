"""Checks and comparisons that are run by hand; the package needs none of them."""
