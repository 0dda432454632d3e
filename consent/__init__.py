"""Whether a client's rows may be used: levels, purposes, the register, epochs, decisions."""
