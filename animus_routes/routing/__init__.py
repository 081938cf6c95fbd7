"""Which handler serves which wire method."""
