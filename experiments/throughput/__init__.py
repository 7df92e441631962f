"""How fast crystals are sampled, simulated and learned from; beside other programs."""
