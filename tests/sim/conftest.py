"""Makes the modules beside this file, and strategies.py and float_models.py, one folder up, importable (pytest's importlib mode does not)."""

import sys
from pathlib import Path

sys.path[:0] = [str(Path(__file__).parent), str(Path(__file__).resolve().parent.parent)]
