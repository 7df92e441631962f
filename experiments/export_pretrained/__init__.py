"""A checkpoint of a run as the bundled network."""
