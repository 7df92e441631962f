"""Building blocks: safe functions, phases, chunks of uneven work, processes."""
