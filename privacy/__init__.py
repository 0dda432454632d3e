"""How much may be released: sums with their sensitivity, OpenDP noise, zCDP accounting, the ledger."""
