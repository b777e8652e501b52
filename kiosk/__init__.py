"""The browser face: ward lists, images by `<img>`, reading list, reports; all of it without JavaScript too.

`create_app(services)` makes the Flask application; `kiosk.serve` runs it under waitress.
"""

from kiosk.application import create_app

__all__ = ["create_app"]
