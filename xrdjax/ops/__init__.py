"""Numerical building blocks: safe functions, phases, uneven work in blocks."""
