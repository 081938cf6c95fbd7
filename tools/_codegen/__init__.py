"""The generator of wire types and names: see `tools/codegen.py`."""

import sys
from pathlib import Path

# The role tables are read from the package beside these tools, installed or not.
sys.path.insert(0, str(Path(__file__).resolve().parents[2]))
