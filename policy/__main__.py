"""The pack as the engine starts it: `pulumi preview --policy-pack policy`. Without a config, prod's levels hold."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from policy.crossguard import serve

serve()
