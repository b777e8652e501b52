"""Whether the machine runs on battery, as Linux says: one of its own that discharges, an UPS on USB among them.

Source: the kernel's Documentation/ABI/testing/sysfs-class-power (type, scope, status).
"""

from __future__ import annotations

from pathlib import Path

SUPPLIES = Path("/sys/class/power_supply")


def on_battery(supplies: Path = SUPPLIES) -> bool:
    """False where nothing is known: a desktop has no supply to ask. A mouse's battery is not the machine's."""
    return any(
        _read(supply / "type") in ("Battery", "UPS")
        and _read(supply / "scope") != "Device"
        and _read(supply / "status") == "Discharging"
        for supply in supplies.glob("*")
    )


def _read(file: Path) -> str:
    try:
        return file.read_text("ascii").strip()
    except (OSError, ValueError):
        return ""
