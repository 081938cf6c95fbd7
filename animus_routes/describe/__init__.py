"""What can be said of an app without running it."""
