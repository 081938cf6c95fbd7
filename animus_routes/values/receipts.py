"""Receipts of publications, as JSON has them (newer 3.6.2)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec

from animus_routes.errors import Invalid
from animus_routes.fences import check_receipt
from animus_routes.structs.execution import ExecutionFence
from animus_routes.structs.workflow_runner import PublicationReceipt

if TYPE_CHECKING:
    from collections.abc import Iterable


def unsound_receipt(receipts: Iterable[Any], fence: Any) -> str:
    """Why one of several receipts does not hold; "" if all of them do.

    Args:
        receipts: JSON objects.
        fence: The JSON object of the execution that they have to be of; None if there is none.
    """
    try:
        for given in receipts:
            receipt = msgspec.convert(given, PublicationReceipt)
            receipt.check()
            if fence is not None:
                check_receipt(receipt, msgspec.convert(fence, ExecutionFence))
    except (msgspec.ValidationError, Invalid) as error:
        return str(error)
    return ""
