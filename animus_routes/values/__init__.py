"""What hints mean, and JSON bytes as typed values."""
