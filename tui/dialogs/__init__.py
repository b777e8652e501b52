"""Questions asked in the lower lines of a screen: no window opens, nothing else moves, few bytes are sent."""
