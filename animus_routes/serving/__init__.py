"""One connection of one host."""
