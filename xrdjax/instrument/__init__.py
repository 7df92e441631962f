"""The measurement: radiation, angles, peak profile, specimen."""
