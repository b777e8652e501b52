"""A small IPP client of our own: the binary message, the exchange over HTTP, and the printer's words in French."""
