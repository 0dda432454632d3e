"""The model card as a page: self-contained, without script, for the screen and for paper."""
