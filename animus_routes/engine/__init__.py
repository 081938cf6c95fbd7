"""Bytes and frames, lifecycle, dispatch, cancellation, order, streams. Knows no role, no model."""

import animus_routes._lean  # noqa: F401 - before anything here imports msgspec
