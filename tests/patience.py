"""How long tests wait for what should have come: a busy or old machine is no failure.

All limits are for a developer's machine; what checks them multiplies by `PATIENCE`.
"""

PATIENCE = 3
