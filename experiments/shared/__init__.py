"""What several experiments need: checks of flags, and the form of figures."""
