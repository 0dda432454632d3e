"""People: who signs in, by which password or provider, and for how long."""
