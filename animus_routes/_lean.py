"""Imports msgspec without `typing_extensions`, which costs it a quarter of its start-up.

msgspec asks for `typing_extensions` and takes the same names from `typing` where it is missing.
Since Python 3.11 the two agree on everything msgspec asks for. If a program has imported either of
them already, nothing is done.
"""

import sys

if "msgspec" not in sys.modules and "typing_extensions" not in sys.modules:
    sys.modules["typing_extensions"] = None  # type: ignore[assignment]
    try:
        import msgspec  # noqa: F401  # pyright: ignore[reportUnusedImport]
    finally:
        del sys.modules["typing_extensions"]
