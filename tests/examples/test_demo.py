import os
import sys
from pathlib import Path

from example_host import EXAMPLES, INSTALLED, run


def test_the_demo_comes_out_right(tmp_path: Path) -> None:
    environment = {"PATH": os.environ["PATH"], **INSTALLED}
    code, output, errors = run([sys.executable, str(EXAMPLES / "demo.py")], tmp_path, environment)
    assert (code, errors) == (0, "")
    assert output.rstrip().endswith("All of it came out right.")
    assert list(tmp_path.iterdir()) == []
