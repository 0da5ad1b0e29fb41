"""
Make project_scan.djvu: two pages about this project that look as if they came from a scanner.

Needs Pillow and DjVuLibre's encoders: apt-get install djvulibre-bin. Run ``python tests/data/make_project_scan.py``.
"""

from __future__ import annotations

import random
import subprocess
import tempfile
import textwrap
from pathlib import Path

from PIL import Image, ImageDraw, ImageFilter, ImageFont

HERE = Path(__file__).parent
FONTS = HERE.parent.parent / "airflow_provider_docconv" / "sandbox" / "fonts"
DPI = 200
SIZE = (1654, 2339)  # A4
MARGIN = 190

Word = tuple[str, tuple[int, int, int, int]]

PAGES = [
    (
        "Documents by the thousand",
        [
            "airflow_provider_docconv is an Apache Airflow provider. It gives data teams a dependable way to have "
            "documents converted by an asynchronous conversion service: slides to PDF, office files to whatever the "
            "next step reads, and scanned DjVu books to PDF.",
            "Such a service answers a request with an operation id and does the work later. Whoever asks has to come "
            "back, to ask again, and to fetch the result once it is there. Done by hand in a Dag, that is a loop that "
            "sleeps in a worker slot and forgets its operation when the worker is restarted.",
            "The provider writes the operation id down before anything else happens, waits in the triggerer and not in "
            "a worker, and puts each result into object storage under its final name only when it is whole.",
            "Nothing lost, nothing paid twice, and no worker slot spent on waiting.",
        ],
    ),
    (
        "About this page",
        [
            "This page is test data. It was drawn with Pillow, tilted and speckled like paper on a flatbed scanner, "
            "and encoded with DjVuLibre: the first page as a bitonal picture with cjb2, this one as a wavelet picture "
            "with c44, and the two bound together with djvm.",
            "The words lie under the picture, too, as a hidden text layer, so that a converter can be asked whether "
            "it kept them.",
            "The sandbox converts it to PDF with djvu-rs or with DjVuLibre. No account, no network and no money is "
            "needed to see the whole way from a scan in a bucket to a PDF in another.",
        ],
    ),
]


def draw(title: str, paragraphs: list[str], paper: int) -> tuple[Image.Image, list[list[Word]]]:
    """
    Draw a page.

    :param title: its title
    :param paragraphs: its text
    :param paper: how white the paper is
    :return: the page, and its lines of words
    """
    page = Image.new("L", SIZE, paper)
    pen = ImageDraw.Draw(page)
    lines = []
    y = MARGIN
    for text, size, width in [(title, 64, 40), *((paragraph, 38, 66) for paragraph in paragraphs)]:
        font = ImageFont.truetype(FONTS / f"LiberationSans-{'Bold' if size == 64 else 'Regular'}.ttf", size)
        for line in textwrap.wrap(text, width):
            pen.text((MARGIN, y), line, fill=25, font=font)
            words: list[Word] = []
            x = float(MARGIN)
            for word in line.split():
                words.append((word, (int(x), y, int(x + font.getlength(word)), y + size)))
                x += font.getlength(f"{word} ")
            lines.append(words)
            y += int(size * 1.35)
        y += 38
    return page, lines


def age(page: Image.Image, seed: int, paper: int) -> Image.Image:
    """Tilt a page and put dust on it."""
    dice = random.Random(seed)
    page = page.rotate(dice.uniform(-0.5, 0.5), resample=Image.Resampling.BICUBIC, fillcolor=paper)
    pen = ImageDraw.Draw(page)
    for _ in range(60):
        x, y, r = dice.randrange(SIZE[0]), dice.randrange(SIZE[1]), dice.choice((1, 1, 1, 2))
        pen.ellipse((x, y, x + r, y + r), fill=dice.randrange(60, 160))
    return page.filter(ImageFilter.GaussianBlur(0.6))


def text_layer(lines: list[list[Word]]) -> str:
    """Write a hidden text layer as djvused reads it; its origin is the lower left corner."""
    zones = []
    for words in lines:
        (_, (left, top, _, bottom)), (_, (_, _, right, _)) = words[0], words[-1]
        inner = " ".join(f'(word {x0} {SIZE[1] - y1} {x1} {SIZE[1] - y0} "{text}")' for text, (x0, y0, x1, y1) in words)
        zones.append(f" (line {left} {SIZE[1] - bottom} {right} {SIZE[1] - top} {inner})")
    return f"(page 0 0 {SIZE[0]} {SIZE[1]}\n" + "\n".join(zones) + ")"


def main() -> None:
    """Make the document beside this file."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        script = []
        for number, (title, paragraphs) in enumerate(PAGES, 1):
            paper = 255 if number == 1 else 236
            page, lines = draw(title, paragraphs, paper)
            page = age(page, number, paper)
            if number == 1:
                page.point(lambda value: 255 * (value > 140)).convert("1").save(folder / "page.pbm")
                encode = ["cjb2", "-dpi", str(DPI), "-clean", str(folder / "page.pbm")]
            else:
                page.save(folder / "page.pgm")
                encode = ["c44", "-dpi", str(DPI), "-slice", "72+8", str(folder / "page.pgm")]
            subprocess.run([*encode, str(folder / f"{number}.djvu")], check=True)
            (folder / f"{number}.txt").write_text(text_layer(lines), encoding="utf-8")
            script.append(f"select {number}; set-txt {folder / f'{number}.txt'}")
        output = HERE / "project_scan.djvu"
        subprocess.run(["djvm", "-c", str(output), str(folder / "1.djvu"), str(folder / "2.djvu")], check=True)
        subprocess.run(["djvused", str(output), "-e", "; ".join([*script, "save"])], check=True)


if __name__ == "__main__":
    main()
