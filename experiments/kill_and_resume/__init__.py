"""A run that is killed again and again, beside an uninterrupted one."""
