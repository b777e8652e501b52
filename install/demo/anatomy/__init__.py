"""Plausible children drawn with numpy: nobody's anatomy, everybody's landmarks."""
