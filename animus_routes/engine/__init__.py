"""Bytes and frames, lifecycle, dispatch, cancellation, order, streams. Knows no role, no model."""
