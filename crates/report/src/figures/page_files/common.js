"use strict";
// What the pages share. Text out of files is only ever set as text content.
const data = JSON.parse(document.getElementById("data").textContent);
const page = document.getElementById("page");
const SVG = "http://www.w3.org/2000/svg";

function put(node, attributes, children) {
  for (const [name, value] of Object.entries(attributes || {})) {
    if (name.startsWith("on")) node.addEventListener(name.slice(2), value);
    else if (value !== null && value !== undefined && value !== false) node.setAttribute(name, value);
  }
  for (const child of children.flat(Infinity)) {
    if (child !== null && child !== undefined) node.append(child);
  }
  return node;
}
const el = (tag, attributes, ...children) => put(document.createElement(tag), attributes, children);
const draw = (tag, attributes, ...children) => put(document.createElementNS(SVG, tag), attributes, children);

// 62046401 -> ["62.05", "M"], 7.8e-8 -> ["78", "n"].
function scaled(x) {
  if (x === 0) return ["0", ""];
  const prefixes = ["a", "f", "p", "n", "µ", "m", "", "k", "M", "G", "T", "P", "E"];
  let power = Math.floor(Math.log10(Math.abs(x)) / 3 + 1e-9);
  power = Math.max(-6, Math.min(6, power));
  return [String(Number((x / 1000 ** power).toPrecision(4))), prefixes[power + 6]];
}
const short = (x) => scaled(x).join("");
const amount = (x, unit) => {
  if (unit === "") return short(x);
  return unit === "u" ? `${short(x)} u` : `${scaled(x)[0]} ${scaled(x)[1]}${unit}`;
};
// Digits in groups of three; the fraction stays. A number with an exponent gets a prefix.
function grouped(text) {
  if (/e-?\d+$/.test(text)) return short(Number(text));
  const [whole, fraction] = String(text).split(".");
  if (!/^\d+$/.test(whole)) return String(text);
  const digits = whole.replace(/\B(?=(\d{3})+$)/g, ",");
  return fraction === undefined ? digits : digits + "." + fraction;
}

function heading(title, lines) {
  const order = ["auto", "light", "dark"];
  const button = el("button", { type: "button", title: "Colours: as the system has them, light, dark" }, "◐ auto");
  button.addEventListener("click", () => {
    const next = order[(order.indexOf(document.documentElement.dataset.theme || "auto") + 1) % 3];
    document.documentElement.dataset.theme = next;
    button.textContent = "◐ " + next;
  });
  return el("header", {}, el("div", {}, el("h1", {}, title), lines.map((line) => el("p", { class: "sub" }, line))), button);
}
function choice(name, options, selected, change) {
  const select = el("select", { onchange: () => change(select.selectedIndex) },
    options.map((option, i) => el("option", { selected: i === selected ? "" : null }, option)));
  return el("label", {}, name, select);
}
function chip(sign, text, pressed, toggle) {
  const button = el("button", { class: "chip", type: "button", "aria-pressed": String(pressed) }, sign, el("span", {}, text));
  button.addEventListener("click", () => {
    const now = button.getAttribute("aria-pressed") !== "true";
    button.setAttribute("aria-pressed", String(now));
    toggle(now);
  });
  return button;
}
function facts(pairs) {
  return el("dl", { class: "facts" }, pairs.map(([name, value]) => [el("dt", {}, name), el("dd", {}, value)]));
}
function whenResized(node, redraw) {
  let width = 0;
  new ResizeObserver(() => {
    if (Math.abs(node.clientWidth - width) > 1) {
      width = node.clientWidth;
      redraw();
    }
  }).observe(node);
}

// Scales: a number to a place, and where to put ticks.
function linear(low, high, from, to) {
  const scale = (x) => from + ((x - low) / (high - low)) * (to - from);
  scale.ticks = (count) => {
    const rough = (high - low) / Math.max(1, count);
    const power = 10 ** Math.floor(Math.log10(rough));
    const step = [1, 2, 5, 10].map((m) => m * power).find((s) => s >= rough);
    const ticks = [];
    for (let i = Math.ceil(low / step - 1e-9); i * step <= high * (1 + 1e-12); i++) ticks.push(i * step);
    return ticks.map((x) => ({ x, text: String(Number(x.toPrecision(10))) }));
  };
  return scale;
}
function logarithmic(low, high, from, to) {
  const inner = linear(Math.log10(low), Math.log10(high), from, to);
  const scale = (x) => inner(Math.log10(x));
  scale.ticks = (count) => {
    const decades = Math.log10(high / low);
    let marks = [1];
    if (decades * 3 <= count) marks = [1, 2, 5];
    if (decades * 9 <= count) marks = [1, 2, 3, 4, 5, 6, 7, 8, 9];
    const every = Math.max(1, Math.ceil(decades / Math.max(1, count)));
    const ticks = [];
    for (let e = Math.floor(Math.log10(low)); e <= Math.log10(high); e++) {
      if (marks.length === 1 && e % every !== 0) continue;
      for (const m of marks) {
        const x = Number((m * 10 ** e).toPrecision(3));
        if (x >= low && x <= high) ticks.push({ x, text: short(x), weight: { 1: 0, 5: 1, 2: 2 }[m] ?? 3 });
      }
    }
    return ticks.length >= 2 ? ticks : linear(low, high, 0, 1).ticks(count).map((t) => ({ x: t.x, text: short(t.x) }));
  };
  return scale;
}
