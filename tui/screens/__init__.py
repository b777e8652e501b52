"""One file a screen; each is a title, a body, a status line and a footer made from the table of keys."""
