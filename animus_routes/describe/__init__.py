"""An app told without running it."""
