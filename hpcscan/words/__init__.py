"""How numbers, places and tables are written."""
