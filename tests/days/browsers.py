"""What people see in their browsers."""

from __future__ import annotations

from playwright.sync_api import Page

PICTURE = """() => {
  const img = document.querySelector('[data-frame]');
  if (!img || !img.complete || !img.naturalWidth) return false;
  const canvas = document.createElement('canvas');
  canvas.width = canvas.height = 64;
  const pen = canvas.getContext('2d');
  pen.drawImage(img, 0, 0, 64, 64);
  const reds = pen.getImageData(0, 0, 64, 64).data.filter((v, i) => i % 4 === 0);
  return reds.filter((v) => v > 60).length > 80 && reds.filter((v) => v < 20).length > 80;
}"""


def sees_a_picture(page: Page) -> None:
    """The picture is on the screen: bright tissue on a dark ground, not an empty frame."""
    page.wait_for_function(PICTURE)
