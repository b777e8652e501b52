"""Value representations whose length has 16 bits in explicit VR, and those that have 32. Source: PS3.5 7.1.2."""

from __future__ import annotations

from typing import Final

SHORT: Final = frozenset(b"AE AS AT CS DA DS DT FL FD IS LO LT PN SH SL SS ST TM UI UL US".split())
LONG: Final = frozenset(b"OB OD OF OL OV OW SQ SV UC UN UR UT UV".split())
ANY: Final = SHORT | LONG
