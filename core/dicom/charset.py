"""Text of machines, under the name by which the door knows it; the rules are in `core.model.charset`."""

from core.model.charset import Charset, Encoder, charset_of

__all__ = ["Charset", "Encoder", "charset_of"]
