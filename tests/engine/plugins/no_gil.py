"""The probe as it serves on an interpreter without a GIL, or as it would."""

import sys

from probe import app

from animus_routes.engine import turn

if "pretended" in sys.argv[1:]:
    turn.gil_enabled = lambda: False

if __name__ == "__main__":
    app.run([])
