"""The benches are scripts that import each other from their own folder."""

import sys
from pathlib import Path

BENCHES = Path(__file__).resolve().parents[2] / "benches"
sys.path.insert(0, str(BENCHES))
