"""How much may be released: sums with their sensitivity, OpenDP noise, accounting, the ledger."""
