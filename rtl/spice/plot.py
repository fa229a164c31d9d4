"""Runs both netlists with ngspice and draws docs/analog-energy.svg: python3 rtl/spice/plot.py (standard library only)."""

import math
import pathlib
import subprocess

HERE = pathlib.Path(__file__).parent
OUT = HERE.parent.parent / "docs" / "analog-energy.svg"
WIDTH, HEIGHT, TOP, BOTTOM = 960, 440, 60, 385
X_RANGE, INK, PALE = (0.4, 10.0), "#1d2733", "#d5dae1"


def points(netlist):
    out = subprocess.run(["ngspice", "-b", str(HERE / netlist)], capture_output=True, text=True, check=False).stdout
    return [[float(n) for n in line.split()[1:]] for line in out.splitlines() if line.startswith("point ")]


def fit(series):
    logs = [(math.log(x), math.log(y)) for x, y in series]
    n = len(logs)
    x, y = sum(p[0] for p in logs) / n, sum(p[1] for p in logs) / n
    slope = sum((a - x) * (b - y) for a, b in logs) / sum((a - x) ** 2 for a, _ in logs)
    return slope, math.exp(y - slope * x)


def power_of_ten(exponent):
    return {-9: "1 nW", -8: "10 nW", -7: "100 nW", -6: "1 µW", -5: "10 µW", -4: "100 µW", -3: "1 mW"}[exponent]


class Panel:
    def __init__(self, left, right, decades, title):
        self.left, self.right, self.decades, self.legend = left, right, decades, 0
        self.parts = [f'<text x="{left}" y="{TOP - 18}" font-weight="bold">{title}</text>']
        for exponent in range(decades[0], decades[1] + 1):
            y = self.y(10.0**exponent)
            self.parts.append(f'<path d="M{left} {y:.1f} H{right}" stroke="{PALE}"/>')
            self.parts.append(f'<text x="{left - 8}" y="{y + 5:.1f}" text-anchor="end">{power_of_ten(exponent)}</text>')
        for level in (0.5, 1.5, 2.5, 4.5, 7.5):
            x = self.x(level)
            self.parts.append(f'<path d="M{x:.1f} {TOP} V{BOTTOM}" stroke="{PALE}"/>')
            self.parts.append(f'<text x="{x:.1f}" y="{BOTTOM + 20}" text-anchor="middle">{level}</text>')
        middle = (left + right) / 2
        label = "weight |W_int| (log scale)"
        self.parts.append(f'<text x="{middle}" y="{BOTTOM + 44}" text-anchor="middle">{label}</text>')
        place = f'transform="translate({left - 72} {(TOP + BOTTOM) / 2}) rotate(-90)"'
        self.parts.append(f'<text {place} text-anchor="middle">power (log scale)</text>')

    def x(self, value):
        low, high = (math.log(end) for end in X_RANGE)
        return self.left + (math.log(value) - low) / (high - low) * (self.right - self.left)

    def y(self, value):
        low, high = self.decades
        return BOTTOM - (math.log10(value) - low) / (high - low) * (BOTTOM - TOP)

    def add(self, series, color, name):
        slope, factor = fit(series)
        ends = [(x, factor * x**slope) for x in (0.45, 8.3)]
        line = " L".join(f"{self.x(x):.1f} {self.y(y):.1f}" for x, y in ends)
        self.parts.append(f'<path d="M{line}" stroke="{color}" stroke-width="1.6" fill="none"/>')
        for x, y in series:
            self.parts.append(f'<circle cx="{self.x(x):.1f}" cy="{self.y(y):.1f}" r="4" fill="{color}"/>')
        if self.legend == 0:
            box = f'x="{self.right - 230}" y="298" width="222" height="84" fill="#ffffff" stroke="{PALE}"'
            self.parts.append(f"<rect {box}/>")
        self.legend += 1
        x, y = self.right - 203, 319 + 24 * self.legend - 24
        label = f'{name} ∝ |W|<tspan dy="-6" font-size="11">{slope:.2f}</tspan>'
        self.parts.append(f'<circle cx="{x - 12}" cy="{y - 5}" r="4" fill="{color}"/>')
        self.parts.append(f'<text x="{x}" y="{y}" fill="{color}">{label}</text>')


def main():
    stage, column = points("class_b.cir"), points("resistive_column.cir")
    left = Panel(90, 470, (-6, -3), "Class-B stage: the weight is an amplitude")
    left.add([(p[0], p[2]) for p in stage], "#c2453a", "supply, fixed rails")
    left.add([(p[0], p[4]) for p in stage], "#d98a3d", "supply, rails follow")
    left.add([(p[0], p[1]) for p in stage], "#3d7fc4", "load")
    right = Panel(570, 940, (-9, -5), "Resistive column: the weight is a conductance")
    for volt, color in ((0.2, "#2f6b3a"), (0.1, "#4d9a5b"), (0.05, "#7fbd8a")):
        right.add([(p[0], p[2]) for p in column if p[1] == volt], color, f"inputs up to {volt} V")
    body = "\n".join(left.parts + right.parts)
    OUT.write_text(
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" '
        f'font-family="Helvetica, Arial, sans-serif" font-size="14" fill="{INK}">\n'
        "<title>Power against weight: measured points and fitted exponents</title>\n"
        f'<rect width="{WIDTH}" height="{HEIGHT}" fill="#ffffff"/>\n{body}\n</svg>\n'
    )


main()
