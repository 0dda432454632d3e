"""How a plan travels: from the coordinator to the departments' nodes and back as one sum."""
