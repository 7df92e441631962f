"""How well a network names the space groups of measured patterns."""
