"""Networks that classify powder patterns."""
