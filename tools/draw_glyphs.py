"""Draw the letters of static pictures, which may use no font of the system.

    pip install pillow; python tools/draw_glyphs.py /usr/share/fonts/truetype/dejavu/DejaVuSans.ttf

writes reweightviz/figures/glyphs.npz: codes (G,), advances (G,) in pixels, and coverage
(G, HEIGHT, WIDTH) from 0 to 255. DejaVu Sans is free to use and to pass on (Bitstream Vera).
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from reweightviz.figures.glyphs import HEIGHT

OUT = Path(__file__).parents[1] / "reweightviz" / "figures" / "glyphs.npz"
SIZE = 12
WIDTH = 16
RANGES = ((0x20, 0x7F), (0xA0, 0x180), (0x386, 0x3CF), (0x400, 0x460))
OTHERS = "–—‘’“”•…→−□"


def main(font_file: str) -> None:
    """Write the letters of a font."""
    font = ImageFont.truetype(font_file, SIZE)
    codes = [code for low, high in RANGES for code in range(low, high) if chr(code).isprintable()]
    codes = sorted({*codes, 0xA0, *map(ord, OTHERS)})
    coverage = np.zeros((len(codes), HEIGHT, WIDTH), np.uint8)
    for place, code in enumerate(codes):
        image = Image.new("L", (WIDTH, HEIGHT))
        ImageDraw.Draw(image).text((1, 0), chr(code), 255, font)
        coverage[place] = np.asarray(image)
    advances = np.array([round(font.getlength(chr(code))) for code in codes], np.uint8)
    np.savez_compressed(OUT, codes=np.array(codes, np.uint16), advances=advances, coverage=coverage)
    print(f"{len(codes)} letters, {OUT.stat().st_size:,} bytes")


if __name__ == "__main__":
    main(sys.argv[1])
