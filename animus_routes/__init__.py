"""Write Animus plugins by decorating plain functions."""

__version__ = "0.1.0"
