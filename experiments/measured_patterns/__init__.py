"""How well a network recognises the space groups of measured patterns."""
