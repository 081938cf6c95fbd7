"""The author's function: read once, decoded for, called."""
