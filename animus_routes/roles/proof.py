"""What a run hands back of its authority: the fence unchanged, and receipts that fit it (newer 3.6)."""

from __future__ import annotations

from typing import Any, Final, cast

from animus_routes.errors import Mistake

FENCE: Final = "execution_fence"
RECEIPT: Final = "publication_receipt"


def with_fence(result: dict[str, Any], params: dict[str, Any]) -> dict[str, Any]:
    """The result with the fence that the host sent, unchanged.

    Raises:
        Mistake: The handler gave another one.
    """
    sent, given = params.get(FENCE), result.get(FENCE)
    if given is not None and _said(given) != _said(sent):
        raise Mistake(
            f"returned another `{FENCE}` than the host sent: leave it out, it is handed back as it is"
        )
    return result if sent is None else {**result, FENCE: sent}


def hold_receipts(result: dict[str, Any], params: dict[str, Any]) -> None:
    """Hold that every receipt in a result follows the rules, and is one of this execution.

    Raises:
        Mistake: One does not; it says which field.
    """
    phases = cast("list[dict[str, Any]]", result.get("phase_results") or ())
    found = [one[RECEIPT] for one in (result, *phases) if one.get(RECEIPT) is not None]
    if not found:
        return
    from animus_routes.values.receipts import unsound_receipt

    if error := unsound_receipt(found, params.get(FENCE)):
        raise Mistake(f"returned a `{RECEIPT}` that does not hold: {error}")


def _said(value: Any) -> Any:
    """Without what is null: absent and null mean the same."""
    if not isinstance(value, dict):
        return value
    found = cast("dict[str, Any]", value)
    return {name: _said(item) for name, item in found.items() if item is not None}
