"""What a question may ask: one fixed template for each kind of statistic."""
