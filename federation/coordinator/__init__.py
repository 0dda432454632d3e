"""The coordinator: takes plans, prices and reserves them, sends them out, keeps the releases."""
