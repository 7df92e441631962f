"""How many synthetic crystals have, to spglib, the space group of their label."""
