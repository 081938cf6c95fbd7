"""Starts a contender: `python start.py NAME [--manifest]`.

Python compiles the script it is given on every start and caches only what is imported. A
hand-written loop is one long file where a framework's plugin is short, so every contender is an
imported module behind this one launcher, and none pays for compiling.
"""

import importlib
import sys

sys.path.insert(1, __file__.rpartition("/tools/")[0])
importlib.import_module(sys.argv.pop(1)).main()
