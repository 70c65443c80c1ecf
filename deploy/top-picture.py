#!/usr/bin/env python3
"""Makes .github/top.svg, the picture of `netapi ise top` in the README, from a real terminal.

tmux is the terminal: the lab and the screen run in it, a few keys are pressed, and what stands
there then is drawn as text on a grid. Needs tmux and a built program:

    python3 deploy/top-picture.py target/debug/netapi
"""

import html
import os
import re
import subprocess
import sys
import time
import unicodedata

COLUMNS, LINES = 120, 36
CELL, LINE, SIZE = 7.8, 17, 13
# Blanks side by side are one blank in an SVG.
NO_BREAK = "\u00a0"
SESSION = f"netapi-picture-{os.getpid()}"
FOREGROUND, BACKGROUND = "#d7dae0", "#16191f"
COLOURS = ["#3b4048", "#e06c75", "#98c379", "#e5c07b", "#4a7ebb", "#c678dd", "#56b6c2", "#e6e9ef"]


def tmux(*words):
    done = subprocess.run(["tmux", *words], check=True, capture_output=True, text=True)
    return done.stdout


def until(wanted, seconds=60):
    for _ in range(seconds * 5):
        shown = tmux("capture-pane", "-p", "-t", SESSION)
        if wanted in shown:
            return
        time.sleep(0.2)
    sys.exit(f"there is no {wanted!r} on the screen:\n{shown}")


def recorded(program):
    command = (
        f"{program} ise lab run --events-per-second 40 --sessions 1500 --"
        f" {program} ise top"
    )
    size = ["-x", str(COLUMNS), "-y", str(LINES)]
    environment = ["-e", "TERM=xterm-256color", "-e", "NO_COLOR="]
    tmux("new-session", "-d", "-s", SESSION, *size, *environment, command)
    try:
        until("pxGrid: on")
        until("events 4")
        for key in ["Down", "Down", "Down"]:
            tmux("send-keys", "-t", SESSION, key)
        time.sleep(3)
        return tmux("capture-pane", "-e", "-p", "-t", SESSION).split("\n")[:LINES]
    finally:
        tmux("kill-session", "-t", SESSION)


class Style:
    """What the escapes said so far."""

    def __init__(self):
        self.take([0])

    def take(self, codes):
        codes = iter(codes)
        for code in codes:
            if code == 0:
                self.bold = self.dim = self.reverse = self.underline = False
                self.fore = self.back = None
            elif code in (1, 2, 4, 7):
                name = {1: "bold", 2: "dim", 4: "underline", 7: "reverse"}[code]
                setattr(self, name, True)
            elif code in (22, 24, 27):
                for name in {22: ["bold", "dim"], 24: ["underline"], 27: ["reverse"]}[code]:
                    setattr(self, name, False)
            elif 30 <= code <= 37:
                self.fore = COLOURS[code - 30]
            elif 90 <= code <= 97:
                self.fore = COLOURS[code - 90]
            elif 40 <= code <= 47:
                self.back = COLOURS[code - 40]
            elif code == 39:
                self.fore = None
            elif code == 49:
                self.back = None
            elif code in (38, 48):
                kind, number = next(codes), next(codes)
                if kind != 5 or number > 15:
                    sys.exit("a colour beyond the sixteen: teach this script about it")
                setattr(self, "fore" if code == 38 else "back", COLOURS[number % 8])

    def colours(self):
        fore, back = self.fore or FOREGROUND, self.back
        if self.reverse:
            fore, back = back or BACKGROUND, fore
        return fore, back


def width(text):
    wide = sum(unicodedata.east_asian_width(c) in "WF" for c in text)
    return len(text) + wide


def runs(line, style):
    """Text of one style, with its column."""
    column = 0
    for escape, text in re.findall(r"\x1b\[([\d;]*)m|([^\x1b]+)", line):
        if text:
            yield column, text, style
            column += width(text)
        else:
            style.take([int(code or 0) for code in escape.split(";")])


def drawn(lines):
    body, style = [], Style()
    for row, line in enumerate(lines):
        top = 8 + row * LINE
        for column, text, style in runs(line, style):
            left, wide = 8 + column * CELL, width(text) * CELL
            fore, back = style.colours()
            if back:
                body.append(
                    f'<rect x="{left:.1f}" y="{top}" width="{wide:.1f}" height="{LINE}" fill="{back}"/>'
                )
            if not text.strip():
                continue
            more = ' font-weight="bold"' if style.bold else ""
            more += ' opacity=".65"' if style.dim else ""
            more += ' text-decoration="underline"' if style.underline else ""
            body.append(
                f'<text x="{left:.1f}" y="{top + SIZE}" textLength="{wide:.1f}"'
                f' fill="{fore}"{more}>{html.escape(text).replace(" ", NO_BREAK)}</text>'
            )
    across, down = 16 + COLUMNS * CELL, 16 + LINES * LINE
    return "\n".join(
        [
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {across:.0f} {down}"'
            f' width="{across:.0f}" height="{down}" role="img"'
            ' aria-label="netapi ise top: sessions, failures and events of the lab">',
            f'<rect width="100%" height="100%" rx="6" fill="{BACKGROUND}"/>',
            f'<g font-family="ui-monospace,Menlo,Consolas,monospace" font-size="{SIZE}"'
            ' lengthAdjust="spacingAndGlyphs">',
            *body,
            "</g></svg>\n",
        ]
    )


def main():
    program = os.path.abspath(sys.argv[1] if len(sys.argv) > 1 else "target/release/netapi")
    picture = drawn(recorded(program))
    root = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
    path = os.path.join(root, ".github", "top.svg")
    with open(path, "w", encoding="utf-8") as file:
        file.write(picture)
    print(f"{path}: {len(picture.encode()) // 1000} kB")


main()
