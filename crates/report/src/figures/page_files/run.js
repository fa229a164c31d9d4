"use strict";
const view = { measure: 0, log: false, hardware: data.hardware.map(() => true), of: 0 };
const COLORS = Array.from({ length: 13 }, (_, i) => `var(--c${i})`);
const color = (i) => COLORS[i % COLORS.length];
const MEASURES = ["energy", "cycles"];

// From pale to strong with the bits; a pruned weight is grey.
function bitColor(bits, widest) {
  if (bits === 0) return "var(--line)";
  return `color-mix(in srgb, var(--c1) ${15 + (85 * bits) / widest}%, var(--paper))`;
}
// What tells layers apart in little room: their names without the operator at the end.
const brief = (name) => name.replace(/\/(Conv|Gemm|MatMul)$/, "");
const valueOf = (layer, h) => (view.measure === 0 ? layer.energy[h] : layer.cycles[h]);
const unitOf = (h) => (view.measure === 0 ? data.hardware[h].unit : "");
const textOf = (layer, h) => amount(valueOf(layer, h), unitOf(h));

function drawLayers() {
  const shown = data.hardware.map((_, h) => h).filter((h) => view.hardware[h]);
  // Normalized energies and joules have a scale each.
  const scales = {};
  for (const unit of new Set(shown.map(unitOf))) {
    const alike = shown.filter((h) => unitOf(h) === unit);
    const values = data.layers.flatMap((layer) => alike.map((h) => valueOf(layer, h))).filter((x) => x > 0);
    const most = Math.max(...values, 0);
    scales[unit] = { most, least: Math.min(...values, most) };
  }
  const share = (x, { most, least }) => {
    if (x <= 0 || most <= 0) return 0;
    if (!view.log) return x / most;
    return (Math.log10(x / least) + 0.3) / (Math.log10(most / least) + 0.3);
  };
  layers.replaceChildren(...data.layers.flatMap((layer) => [
    el("div", { class: "name", title: `${layer.name}: ${layer.text}` }, el("bdi", {}, brief(layer.name))),
    el("div", { class: "bars" }, shown.map((h) => el("div", {
      class: "barrow", style: `width:${100 * share(valueOf(layer, h), scales[unitOf(h)])}%;background:${color(h)}`,
      title: `${layer.name}, ${data.hardware[h].name}: ${textOf(layer, h)}; ${layer.checks[h]}`,
    }))),
    el("div", { class: "values" }, shown.map((h) => el("div", { class: "value" }, textOf(layer, h)))),
  ]));
  if (shown.length === 0) layers.replaceChildren(el("p", { class: "hint" }, "no hardware is shown"));
}
function drawBits() {
  const of = ({ bits }) => (view.of === 0 ? bits.weights : bits.filters);
  const widest = Math.max(1, ...data.layers.map((layer) => of(layer).findLastIndex((n) => n > 0)));
  const row = (name, counts) => {
    const total = counts.reduce((a, b) => a + b, 0) || 1;
    const parts = counts.map((n, bits) => n > 0
      ? el("div", { style: `width:${(100 * n) / total}%;background:${bitColor(bits, widest)}`, title: `${name}: ${grouped(n)} of ${bits} bits, ${((100 * n) / total).toFixed(1)} %` }) : null);
    const mean = counts.reduce((sum, n, bits) => sum + n * bits, 0) / Math.max(1, total - counts[0]);
    return [el("div", { class: "name", title: name }, el("bdi", {}, brief(name))), el("div", { class: "stackbar" }, parts),
      el("div", { class: "value" }, mean.toFixed(2) + " bits")];
  };
  // Layers that share a tensor have it once in the sum.
  bits.replaceChildren(...row("all layers", of(data)), ...data.layers.flatMap((layer) => row(layer.name, of(layer))));
  const key = [];
  for (let b = 0; b <= widest; b++) {
    key.push(el("label", {}, el("span", { class: "swatch", style: `background:${bitColor(b, widest)}` }), b === 0 ? "0 (pruned)" : String(b)));
  }
  bitKey.replaceChildren(...key);
}

const layers = el("div", { class: "layers" });
const bits = el("div", { class: "layers" });
const bitKey = el("div", { class: "bar" });
const cell = (text, attributes) => el("td", attributes || {}, text);
const checks = el("table", {},
  el("thead", {}, el("tr", {}, ["hardware", "metric", "its value", "counted", "cycles of the metric", "cycles", "energy", "check"]
    .map((name, i) => el("th", { class: i < 2 ? "text" : null }, name)))),
  el("tbody", {}, data.checks.map((check) => el("tr", {}, cell(check.hardware, { class: "text" }), cell(check.metric, { class: "text" }),
    cell(check.expected), cell(grouped(check.counted)), cell(grouped(check.expectedCycles)), cell(grouped(check.cycles)),
    cell(amount(check.energy, check.unit)), cell(check.verdict, { class: check.kind })))));
const merits = el("table", {},
  el("thead", {}, el("tr", {}, ["hardware", "bound by", "compute", "conversion", "memory", "ratio", "cycle ratio", "latency", "TOPS/W", "effective TOPS/W", "bits of weights"]
    .map((name, i) => el("th", { class: i < 2 ? "text" : null }, name)))),
  el("tbody", {}, data.merits.map((row) => el("tr", { title: `energy by entry: ${row.entries}` },
    row.cells.map((text, i) => cell(text, { class: i < 2 ? "text" : null }))))));
// Columns of accuracy in which some row has a figure.
const filled = (i) => i < 4 || data.accuracy.rows.some((row) => row[i] !== "–");
const accuracy = data.accuracy === null ? null : el("div", { class: "card" }, el("h2", {}, `Accuracy on ${grouped(data.accuracy.images)} images`),
  el("div", { class: "scroll" }, el("table", {},
    el("thead", {}, el("tr", {}, ["network or hardware", "activations", "top-1", "± s.e.", "top-5", "agrees with float", "with reference"]
      .map((name, i) => (filled(i) ? el("th", { class: i < 2 ? "text" : null }, name) : null)))),
    el("tbody", {}, data.accuracy.rows.map((row) => el("tr", {},
      row.map((text, i) => (filled(i) ? cell(text, { class: ["text wide", "text"][i] || null }) : null))))))));
const record = el("table", {}, el("tbody", {}, data.record.map(([name, text]) => el("tr", {},
  cell(name, { class: "text" }), cell(text, { class: "text wide" })))));
const hardware = data.hardware.map((h, i) => chip(el("span", { class: "swatch", style: `background:${color(i)}` }), h.name, true,
  (now) => { view.hardware[i] = now; drawLayers(); }));
put(page, {}, [
  heading(data.title, data.lines),
  el("div", { style: "height:10px" }),
  el("div", { class: "stack" },
    el("div", { class: "card" }, el("h2", {}, "The check: engines against the effective signal norm"), el("div", { class: "scroll" }, checks)),
    el("div", { class: "card" }, el("h2", {}, "What it makes of the network, of one image"), el("div", { class: "scroll" }, merits)),
    accuracy,
    el("div", { class: "card" }, el("h2", {}, "Layers, of one image"),
      el("div", { class: "bar" },
        choice("measure", MEASURES, 0, (i) => { view.measure = i; drawLayers(); }),
        choice("scale", ["linear", "logarithmic"], 0, (i) => { view.log = i === 1; drawLayers(); }), hardware),
      layers,
      el("p", { class: "hint" }, "Energies in u are normalized: compare them within one hardware alone.")),
    el("div", { class: "card" }, el("h2", {}, "Bit widths"),
      el("div", { class: "bar" }, choice("of", ["weights", "filters, by their widest weight"], 0, (i) => { view.of = i; drawBits(); }), bitKey),
      bits),
    el("div", { class: "card" }, el("h2", {}, "To run it again"), el("div", { class: "scroll" }, record))),
]);
drawLayers();
drawBits();
