"""Widgets that cost few bytes: a list that paints one run per row, and lines that repaint only changed cells."""
