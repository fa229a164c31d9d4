"use strict";
const view = {
  cost: data.cost, accuracy: data.accuracy, logX: true, logY: false,
  methods: data.methods.map(() => true), networks: data.networks.map(() => true),
  pins: data.pins.slice(), shown: null,
};
const COLORS = ["var(--c0)", "var(--c1)", "var(--c2)"];
const manyNetworks = data.networks.length > 1;
for (const point of data.points) {
  point.costs = point.exact.map((text) => (text === null ? null : Number(text)));
  point.accuracies = point.right.map((right) => right && right[0] / right[1]);
  point.accuracyErrors = point.accuracies.map((p, i) => (p === null ? null : Math.sqrt((p * (1 - p)) / point.right[i][1])));
}
const accuracyText = (point, i) => point.right[i] && `${(100 * point.accuracies[i]).toFixed(2)} ± ${(100 * point.accuracyErrors[i]).toFixed(2)} % (${point.right[i][0]} of ${point.right[i][1]})`;

// In a large store points behind the frontiers are not here one by one, but counted in the cells of a honeycomb.
const planeInView = () => data.planes && data.planes.find((p) => p.cost === view.cost && p.accuracy === view.accuracy);
const groupsOf = (plane) => plane.groups.filter((g) => view.methods[g.method] && view.networks[g.network]);
// Cells of what is switched on, each with how many points of each method lie in it.
function cellsOf(plane) {
  const cells = new Map();
  for (const group of groupsOf(plane)) {
    for (let i = 0; i < group.cells.length; i += 2) {
      const counts = cells.get(group.cells[i]) || data.methods.map(() => 0);
      counts[group.method] += group.cells[i + 1];
      cells.set(group.cells[i], counts);
    }
  }
  return [...cells].map(([cell, counts]) => ({ cell, counts, total: counts.reduce((a, b) => a + b, 0) }));
}
// Corners of a cell as cost and accuracy: hexagons with a corner up, every other row half a cell to the right.
function cornersOf(plane, cell) {
  const { stride, corners } = data.honeycomb;
  const [row, column] = [Math.floor(cell / stride), cell % stride];
  return corners.map(([right, up]) => [10 ** (plane.x[0] + plane.x[1] * (column + (row % 2) / 2 + right)), plane.y[0] + plane.y[1] * (row + up / 3)]);
}

// One mark of a shape around a place; shapes tell networks apart, or methods where there is one network.
function mark(point, x, y, r, attributes) {
  const shape = (manyNetworks ? point.network : point.method) % 4;
  const style = { ...attributes, fill: COLORS[point.method] };
  if (shape === 0) return draw("circle", { ...style, cx: x, cy: y, r });
  if (shape === 1) return draw("rect", { ...style, x: x - r * 0.9, y: y - r * 0.9, width: r * 1.8, height: r * 1.8 });
  const corners = shape === 2 ? [[0, -1.25], [1.15, 0.8], [-1.15, 0.8]] : [[0, -1.3], [1.3, 0], [0, 1.3], [-1.3, 0]];
  return draw("polygon", { ...style, points: corners.map(([a, b]) => `${x + a * r},${y + b * r}`).join(" ") });
}
function sign(point) {
  return draw("svg", { width: 14, height: 14, "aria-hidden": "true" }, mark(point, 7, 7, 5, {}));
}

// Points with both figures whose method and network are switched on, cheapest first.
function visible() {
  return data.points
    .map((point, index) => ({ ...point, index, x: point.costs[view.cost], y: point.accuracies[view.accuracy] }))
    .filter((p) => p.x !== null && p.y !== null && view.methods[p.method] && view.networks[p.network])
    .filter((p) => !view.logX || p.x > 0)
    .sort((a, b) => rank(a) - rank(b) || accuracyRank(b) - accuracyRank(a));
}
// Ranks were made from exact integers; the numbers here are only for drawing.
const rank = (point) => point.costRanks[view.cost];
const accuracyRank = (point) => point.accuracyRanks[view.accuracy];
function frontierOf(points) {
  const on = [];
  for (const point of points) {
    const last = on[on.length - 1];
    const equal = last && rank(last) === rank(point) && accuracyRank(last) === accuracyRank(point);
    if (!last || accuracyRank(point) > accuracyRank(last) || equal) on.push(point);
  }
  return on;
}
const percent = (x) => (100 * x).toFixed(2) + " %";
// The standard error of a point's accuracy, and whether it differs from the best point that costs less by no more than the
// error of the difference.
const errorOf = (point) => point.accuracyErrors[view.accuracy] || 0;
function withinNoise(point, points) {
  const cheaper = points.filter((p) => rank(p) < rank(point));
  if (cheaper.length === 0) return false;
  const best = cheaper.reduce((a, b) => (accuracyRank(b) > accuracyRank(a) ? b : a));
  return Math.abs(point.y - best.y) <= Math.hypot(errorOf(point), errorOf(best));
}

function drawChart() {
  const width = Math.max(280, plot.clientWidth);
  const height = Math.max(320, Math.min(620, Math.round(width * 0.62)));
  const box = { left: 58, right: width - 14, top: 14, bottom: height - 50 };
  const known = visible();
  const plane = planeInView();
  const on = frontierOf(known);
  const ways = data.methods.map((_, method) => frontierOf(known.filter((p) => p.method === method)));
  // Of a large store only frontiers are drawn point by point.
  const drawn = new Set([on, ...ways].flat().map((p) => p.index).concat(view.pins));
  const points = data.planes ? known.filter((p) => drawn.has(p.index)) : known;
  chart.replaceChildren();
  chart.setAttribute("viewBox", `0 0 ${width} ${height}`);
  chart.setAttribute("height", height);
  [view.drawn, view.cells] = [[], []];
  if (points.length === 0 || (data.planes && !plane)) {
    const reason = points.length === 0 ? "no point to show" : "left out: this cost and accuracy have too many points on frontiers";
    chart.append(draw("text", { x: width / 2, y: height / 2, "text-anchor": "middle" }, reason));
    fillTable([], []);
    return;
  }
  const floats = data.floats.filter((f) => view.networks[f.network] && f.accuracies[view.accuracy] !== null);
  const [x, y] = scales(points, floats, box, plane);
  drawAxes(x, y, box, width, height);
  if (plane) drawCells(plane, x, y, box);
  for (const float of floats) {
    const at = place(y, float.accuracies[view.accuracy]);
    const name = (manyNetworks ? data.networks[float.network] : "original") + ", in float";
    chart.append(draw("line", { class: "reference", x1: box.left, x2: box.right, y1: at, y2: at }),
      draw("text", { x: box.left + 6, y: at - 5 }, name));
  }
  ways.forEach((own, method) => {
    chart.append(draw("path", { d: line(own, x, y), fill: "none", stroke: COLORS[method], "stroke-width": 1.5, "stroke-opacity": 0.7 }));
  });
  chart.append(draw("path", { class: "frontier", d: line(on, x, y) }));
  const best = new Set(on.map((p) => p.index));
  for (const point of points) {
    const [px, py] = [x(point.x), place(y, point.y)];
    view.drawn.push({ ...point, px, py });
    if (best.has(point.index)) {
      const [low, high] = [place(y, point.y - errorOf(point)), place(y, point.y + errorOf(point))];
      chart.append(draw("line", { class: "whisker", x1: px, x2: px, y1: low, y2: high }));
    }
    chart.append(mark(point, px, py, best.has(point.index) ? 5.5 : 4, { class: best.has(point.index) ? "mark on" : "mark" }));
    if (view.pins.includes(point.index)) chart.append(draw("circle", { class: "halo", cx: px, cy: py, r: 9 }));
  }
  hover = draw("circle", { class: "halo", r: 8, visibility: "hidden" });
  cellHover = draw("polygon", { class: "halo", points: "", visibility: "hidden" });
  chart.append(cellHover, hover);
  fillTable(on, points);
}
// The darker a cell, the more points lie in it.
function drawCells(plane, x, y, box) {
  view.cells = cellsOf(plane);
  const most = Math.max(1, ...view.cells.map((c) => c.total));
  const floor = 10 ** plane.x[0] / 2;
  for (const cell of view.cells) {
    const corners = cornersOf(plane, cell.cell).map(([cost, accuracy]) => [x(view.logX ? cost : Math.max(cost, floor)), place(y, Math.min(accuracy, 1))]);
    cell.corners = corners.map(([px, py]) => [Math.min(Math.max(px, box.left), box.right), Math.min(Math.max(py, box.top), box.bottom)]);
    const opacity = 0.12 + (0.5 * Math.log1p(cell.total)) / Math.log1p(most);
    chart.append(draw("polygon", { points: cell.corners.map((c) => c.join(",")).join(" "), fill: "var(--soft)", "fill-opacity": opacity.toFixed(3) }));
  }
}
// The vertical axis shows the accuracy, or its distance from 1 on a logarithmic scale.
const place = (y, accuracy) => y(view.logY ? Math.max(1 - accuracy, 5e-4) : accuracy);
const line = (points, x, y) => points.map((p, i) => `${i ? "L" : "M"}${x(p.x)} ${place(y, p.y)}`).join("");

function scales(points, floats, box, plane) {
  const xs = points.map((p) => p.x).concat(plane ? plane.costs : []);
  let [low, high] = [Math.min(...xs), Math.max(...xs)];
  const x = view.logX
    ? logarithmic(low / 1.2, high * 1.2, box.left, box.right)
    : linear(low - (high - low || high || 1) * 0.04, high + (high - low || high || 1) * 0.04, box.left, box.right);
  const ys = points.map((p) => p.y).concat(plane ? plane.accuracies : [], floats.map((f) => f.accuracies[view.accuracy]));
  if (view.logY) {
    const errors = ys.map((a) => Math.max(1 - a, 5e-4));
    return [x, logarithmic(Math.min(...errors) / 1.15, Math.min(1.05, Math.max(...errors) * 1.1), box.top, box.bottom)];
  }
  [low, high] = [Math.min(...ys), Math.max(...ys)];
  const room = Math.max((high - low) * 0.06, 0.01);
  return [x, linear(Math.max(0, low - room), Math.min(1.02, high + room), box.bottom, box.top)];
}
function drawAxes(x, y, box, width, height) {
  const taken = [];
  const ticks = x.ticks((box.right - box.left) / 62).sort((a, b) => (a.weight || 0) - (b.weight || 0));
  for (const tick of ticks) {
    const at = x(tick.x);
    const text = view.logX ? tick.text : short(tick.x);
    const half = text.length * 3.6 + 4;
    chart.append(draw("line", { class: "gridline", x1: at, x2: at, y1: box.top, y2: box.bottom }));
    // Labels that would run into a rounder one are left out; their lines stay.
    if (taken.some(([place, size]) => Math.abs(place - at) < size + half)) continue;
    taken.push([at, half]);
    chart.append(draw("text", { x: at, y: box.bottom + 17, "text-anchor": "middle" }, text));
  }
  for (const tick of y.ticks((box.bottom - box.top) / 46)) {
    const at = y(tick.x);
    const text = view.logY ? String(Number(tick.x.toPrecision(3))) : tick.x.toFixed(2);
    chart.append(draw("line", { class: "gridline", x1: box.left, x2: box.right, y1: at, y2: at }),
      draw("text", { x: box.left - 7, y: at + 4, "text-anchor": "end" }, text));
  }
  chart.append(
    draw("line", { class: "axis", x1: box.left, x2: box.right, y1: box.bottom, y2: box.bottom }),
    draw("line", { class: "axis", x1: box.left, x2: box.left, y1: box.top, y2: box.bottom }),
    draw("text", { class: "title", x: (box.left + box.right) / 2, y: height - 10, "text-anchor": "middle" }, data.costs[view.cost]),
    draw("text", { class: "title", transform: `translate(15 ${(box.top + box.bottom) / 2}) rotate(-90)`, "text-anchor": "middle" },
      (view.logY ? "1 − " : "") + data.accuracies[view.accuracy]));
}

function under(event) {
  const bounds = chart.getBoundingClientRect();
  return [event.clientX - bounds.left, event.clientY - bounds.top];
}
// Among hexagons a point answers from near by, so that they answer, too.
function nearest(event) {
  const [x, y] = under(event);
  const reach = data.planes ? 9 : 32;
  let best = null;
  for (const point of view.drawn) {
    const distance = Math.hypot(point.px - x, point.py - y);
    if (distance < reach && (best === null || distance < best.distance)) best = { point, distance };
  }
  return best && best.point;
}
function pointed(event) {
  const point = nearest(event);
  show(point);
  if (!point) showCell(event);
}
function showCell(event) {
  const [x, y] = under(event);
  // Inside: on one side of every edge.
  const inside = (corners) => corners.every(([ax, ay], i) => {
    const [bx, by] = corners[(i + 1) % corners.length];
    return (bx - ax) * (y - ay) - (by - ay) * (x - ax) >= -1e-9;
  });
  const cell = (view.cells || []).find((c) => inside(c.corners));
  cellHover.setAttribute("visibility", cell ? "visible" : "hidden");
  if (!cell) return;
  cellHover.setAttribute("points", cell.corners.map((c) => c.join(",")).join(" "));
  tip.hidden = false;
  const ways = data.methods.map((name, i) => cell.counts[i] > 0 && `${name}: ${grouped(cell.counts[i])}`).filter(Boolean);
  tip.replaceChildren(el("b", {}, cell.total === 1 ? "1 point" : grouped(cell.total) + " points"), ...ways.map((text) => el("div", {}, text)));
  const [cx, cy] = [cell.corners[1][0], (cell.corners[0][1] + cell.corners[3][1]) / 2];
  putTip({ px: cx, py: cy });
}
function show(point) {
  cellHover.setAttribute("visibility", "hidden");
  view.shown = point ? point.index : null;
  hover.setAttribute("visibility", point ? "visible" : "hidden");
  tip.hidden = !point;
  if (!point) return;
  hover.setAttribute("cx", point.px);
  hover.setAttribute("cy", point.py);
  const lines = [data.costs[view.cost] + ": " + grouped(point.exact[view.cost]),
    data.accuracies[view.accuracy] + ": " + accuracyText(point, view.accuracy)];
  const equal = equalTo(point);
  if (equal > 1) lines.push(`${grouped(equal)} points are equal in both`);
  tip.replaceChildren(el("b", {}, point.label), manyNetworks ? el("div", {}, data.networks[point.network]) : "",
    ...lines.map((text) => el("div", {}, text)));
  putTip(point);
  describe(point.index);
}
// How many points of its method and network a point stands for.
function equalTo(point) {
  const found = planeInView() && planeInView().equal.find(([index]) => index === point.index);
  return found ? found[1] : 1;
}
// Beside the point where there is room, else above or below it.
function putTip(point) {
  const [width, height, room] = [tip.offsetWidth, tip.offsetHeight, plot.clientWidth];
  let [left, top] = [point.px + 14, point.py - height / 2];
  if (left + width > room) left = point.px - width - 14;
  if (left < 0) {
    left = Math.min(Math.max(0, point.px - width / 2), room - width);
    top = point.py > height + 14 ? point.py - height - 14 : point.py + 14;
  }
  tip.style.left = left + "px";
  tip.style.top = Math.max(0, top) + "px";
}
function pin(index) {
  view.pins = view.pins.includes(index) ? view.pins.filter((i) => i !== index) : view.pins.concat(index).slice(-4);
  drawChart();
  drawHistogram();
}
function describe(index) {
  const point = data.points[index];
  const pairs = [["network", data.networks[point.network]], ["method", data.methods[point.method]], ["configuration", point.label]];
  data.accuracies.forEach((name, i) => point.right[i] && pairs.push([name, accuracyText(point, i)]));
  data.costs.forEach((name, i) => point.exact[i] && pairs.push([name, grouped(point.exact[i])]));
  point.facts.forEach((value, i) => pairs.push([data.facts[i], grouped(value)]));
  details.replaceChildren(el("h2", {}, "Point"), facts(pairs), ...point.notes.map((note) => el("p", { class: "hint" }, note)));
}

function drawHistogram() {
  const pins = view.pins.map((i) => data.points[i]);
  bars.replaceChildren();
  legend.replaceChildren(...pins.map((point, i) => {
    const name = (manyNetworks ? data.networks[point.network] + ": " : "") + point.label;
    return el("p", { class: "hint" }, swatch(point, i), ` ${name}: ${point.accuracies[view.accuracy] === null ? "–" : percent(point.accuracies[view.accuracy])}`);
  }));
  if (pins.length === 0) {
    legend.append(el("p", { class: "hint" }, "Click a point of the chart to see its filters here."));
    bars.setAttribute("height", 0);
    return;
  }
  const [width, height] = [Math.max(240, histogram.clientWidth), 230];
  const box = { left: 44, right: width - 4, top: 10, bottom: height - 42 };
  bars.setAttribute("viewBox", `0 0 ${width} ${height}`);
  bars.setAttribute("height", height);
  const widest = Math.max(1, ...pins.map((p) => p.bits.findLastIndex((n) => n > 0)));
  const most = Math.max(1, ...pins.flatMap((p) => p.bits));
  const y = linear(0, most * 1.05, box.bottom, box.top);
  for (const tick of y.ticks(5)) {
    bars.append(draw("line", { class: "gridline", x1: box.left, x2: box.right, y1: y(tick.x), y2: y(tick.x) }),
      draw("text", { x: box.left - 6, y: y(tick.x) + 4, "text-anchor": "end" }, tick.text));
  }
  const slot = (box.right - box.left) / (widest + 1);
  const bar = (slot * 0.8) / pins.length;
  for (let bits = 0; bits <= widest; bits++) {
    const left = box.left + bits * slot + slot * 0.1;
    pins.forEach((point, i) => {
      const top = y(point.bits[bits] || 0);
      bars.append(draw("rect", { x: left + i * bar, y: top, width: Math.max(1, bar - 1), height: box.bottom - top, fill: COLORS[point.method], "fill-opacity": opacity(i) },
        draw("title", {}, `${point.bits[bits] || 0} filters of ${bits} bits: ${point.label}`)));
    });
    bars.append(draw("text", { x: left + slot * 0.4, y: box.bottom + 16, "text-anchor": "middle" }, String(bits)));
  }
  bars.append(draw("text", { class: "title", x: (box.left + box.right) / 2, y: height - 6, "text-anchor": "middle" }, "largest bit width of the filter (0: pruned)"));
}
// Pins of one method are told apart by how strong their colour is.
function opacity(pin) {
  const before = view.pins.slice(0, pin).filter((i) => data.points[i].method === data.points[view.pins[pin]].method).length;
  return [1, 0.6, 0.4, 0.25][before];
}
function swatch(point, i) {
  return el("span", { class: "swatch", style: `background:${COLORS[point.method]};opacity:${opacity(i)}` });
}

function fillTable(on, points) {
  const cost = data.costs[view.cost];
  const columns = [view.cost].concat(data.tableCosts.filter((c) => c !== view.cost));
  const head = [el("th", { class: "text" }, "configuration"), manyNetworks ? el("th", { class: "text" }, "network") : null,
    el("th", { class: "text" }, "method"), el("th", {}, data.accuracies[view.accuracy]), el("th", {}, "± s.e."), columns.map((c) => el("th", {}, data.costs[c]))];
  const row = (point) => el("tr", { "data-point": point.index, onclick: () => { pin(point.index); describe(point.index); } },
    el("td", { class: "text wide" }, point.label + (equalTo(point) > 1 ? ` (${grouped(equalTo(point))} equal points)` : "")), manyNetworks ? el("td", { class: "text" }, data.networks[point.network]) : null,
    el("td", { class: "text" }, data.methods[point.method]), el("td", {}, percent(point.y)),
    el("td", {}, percent(errorOf(point)) + (withinNoise(point, points) ? " ~" : "")),
    columns.map((c) => el("td", {}, point.exact[c] ? grouped(point.exact[c]) : "–")));
  const plane = planeInView();
  const all = plane ? groupsOf(plane).reduce((sum, g) => sum + g.points, 0) : view.drawn.length;
  table.replaceChildren(el("h2", {}, `Frontier by ${cost}: ${on.length} of ${grouped(all)} points` + (plane ? "" : " shown")),
    el("div", { class: "scroll" }, el("table", {}, el("thead", {}, el("tr", {}, head)), el("tbody", {}, on.map(row)))),
    el("p", { class: "hint" }, "~: the gain over the best cheaper point is no larger than the standard error of the difference."));
}

let hover = draw("circle", {});
let cellHover = draw("polygon", {});
const chart = draw("svg", { tabindex: "0", role: "img", "aria-label": "accuracy against cost; arrow keys go from point to point" });
const tip = el("div", { class: "tip", hidden: "" });
const plot = el("div", { class: "plot" }, chart, tip);
const bars = draw("svg", { role: "img", "aria-label": "filters by their largest bit width" });
const histogram = el("div", { class: "plot" }, bars);
const legend = el("div", {});
const details = el("div", { class: "card" }, el("h2", {}, "Point"), el("p", { class: "hint" }, "Point at one in the chart; click it to keep its histogram."));
const table = el("div", { class: "card" });
chart.addEventListener("pointermove", pointed);
chart.addEventListener("pointerleave", () => show(null));
chart.addEventListener("click", (event) => {
  const point = nearest(event);
  if (point) pin(point.index);
});
chart.addEventListener("keydown", (event) => {
  const step = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
  if (event.key === "Enter" && view.shown !== null) pin(view.shown);
  if (!step || view.drawn.length === 0) return;
  event.preventDefault();
  const at = view.drawn.findIndex((p) => p.index === view.shown);
  show(view.drawn[(at + step + view.drawn.length) % view.drawn.length]);
});
const redraw = () => { show(null); drawChart(); drawHistogram(); };
const methods = data.methods.map((name, i) => data.points.some((p) => p.method === i)
  ? chip(sign({ method: i, network: 0 }), name, true, (now) => { view.methods[i] = now; redraw(); }) : null);
const networks = manyNetworks ? data.networks.map((name, i) => {
  const symbol = sign({ method: 0, network: i });
  symbol.firstChild.setAttribute("fill", "var(--soft)");
  return chip(symbol, name, true, (now) => { view.networks[i] = now; redraw(); });
}) : null;
put(page, {}, [
  heading(data.title, data.lines),
  el("div", { class: "bar" },
    choice("cost", data.costs, view.cost, (i) => { view.cost = i; redraw(); }),
    choice("accuracy", data.accuracies, view.accuracy, (i) => { view.accuracy = i; redraw(); }),
    choice("cost axis", ["logarithmic", "linear"], 0, (i) => { view.logX = i === 0; redraw(); }),
    choice("accuracy axis", ["linear", "logarithm of 1 − accuracy"], 0, (i) => { view.logY = i === 1; redraw(); })),
  el("div", { class: "bar" }, methods, networks),
  el("div", { class: "grid two" },
    el("div", { class: "stack" },
      el("div", { class: "card" }, plot, el("p", { class: "hint" }, "Dashed: the frontier of what is shown, with a standard error up and down. Coloured lines: the frontier of each method."
        + (data.planes ? " Grey hexagons: how many points lie there, on a logarithmic scale; point at one for the count. Single points are drawn on frontiers alone." : ""))),
      table),
    el("div", { class: "stack" }, el("div", { class: "card" }, el("h2", {}, "Largest bit width of each filter"), histogram, legend), details)),
]);
whenResized(plot, redraw);
if (view.pins.length > 0) describe(view.pins[view.pins.length - 1]);
