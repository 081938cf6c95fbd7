"""The base of the class-based SDK's models: lax, open, read and written with unset options null."""

from __future__ import annotations

import warnings
from typing import Annotated, Any, TypeAlias

from pydantic import BaseModel, ConfigDict, Field

from animus_routes.types._model import new_dict, new_list, no_plugins

__all__ = [
    "GeneratedModel",
    "Int32",
    "Int64",
    "UInt8",
    "UInt16",
    "UInt32",
    "UInt53",
    "UInt64",
    "new_dict",
    "new_list",
]

Int32: TypeAlias = int
Int64: TypeAlias = int
UInt8: TypeAlias = Annotated[int, Field(ge=0, le=2**8 - 1)]
UInt16: TypeAlias = Annotated[int, Field(ge=0, le=2**16 - 1)]
UInt32: TypeAlias = Annotated[int, Field(ge=0)]
UInt53: TypeAlias = Annotated[int, Field(ge=0)]
UInt64: TypeAlias = Annotated[int, Field(ge=0)]


class GeneratedModel(BaseModel):
    """Keeps unknown keys, in `model_extra`, and converts what can be: `"5"` is an int."""

    model_config = ConfigDict(
        extra="allow",
        protected_namespaces=(),
        populate_by_name=True,
        defer_build=True,
    )

    @classmethod
    def model_rebuild(cls, **options: Any) -> bool | None:
        """Build the model, at its first use; see `WireModel`."""
        with no_plugins():
            return super().model_rebuild(**options)

    def __getitem__(self, name: str) -> Any:
        """A field as a key, as of the dict that 0.1 gave to methods without a hint."""
        warnings.warn(
            f"params[{name!r}] of a model will not work in the next release: write params.{name}",
            DeprecationWarning,
            stacklevel=2,
        )
        written = self.model_dump(by_alias=True, exclude_unset=True)
        return written[name]
