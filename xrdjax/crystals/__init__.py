"""Crystals: tables, files, statistics and sampling."""
