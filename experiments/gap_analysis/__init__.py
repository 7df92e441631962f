"""What distinguishes known crystals from synthetic ones, to a network."""
