"""Space groups, their operations and Wyckoff positions, and spglib's search."""
