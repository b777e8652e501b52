"""How each door is opened on the house: one module a door, a few lines each. No rule lives here."""
