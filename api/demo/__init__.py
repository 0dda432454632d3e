"""The demonstration: any folder of departments, run as one federation on this machine."""
