"""Makes the report's package importable to the tests beside this file."""

import sys

from conftest import ROOT

sys.path.insert(0, str(ROOT / "analysis"))
