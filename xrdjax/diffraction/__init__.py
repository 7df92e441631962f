"""From a crystal to its powder pattern."""
