"""Bytes and frames, lifecycle, dispatch, cancellation, order, streams. It knows no role, no model."""

# Before anything here imports msgspec.
import animus_routes._lean  # noqa: F401  # pyright: ignore[reportUnusedImport]
