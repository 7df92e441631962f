"""Networks trained on known crystals, on synthetic ones and on both, compared."""
