"""What many plugins need beside the protocol, a module each; authors import them, nothing else does."""
