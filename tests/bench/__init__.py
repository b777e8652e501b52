"""Measurements, side by side with the servers others use. Never collected as tests: figures are not verdicts."""
