// Elements, texts and calls. Everything from outside becomes text, never markup.

export function el(name, about = {}, ...children) {
  const made = document.createElement(name);
  for (const [key, value] of Object.entries(about)) {
    if (value === null || value === undefined || value === false) continue;
    if (key.startsWith("on")) made.addEventListener(key.slice(2), value);
    else made.setAttribute(key, value === true ? "" : value);
  }
  made.append(...children.filter((child) => child !== null && child !== undefined));
  return made;
}

export const code = (text) => (text === null || text === undefined ? "" : el("code", {}, String(text)));

const COLOURS = {
  ok: "good", success: "good", paid: "good", active: "good", "in use": "good", valid: "good",
  sign: "bad", failed: "bad", unpaid: "warn", canceled: "", expired: "",
  refused: "warn", pending: "info", processing: "info", partial: "warn", incomplete: "warn",
  suspended: "warn", foreign: "odd", fault: "odd", unknown: "", sent: "good", waiting: "info",
};

export function chip(text, kind = text) {
  return el("span", { class: `chip ${COLOURS[kind] ?? ""}`, title: text }, text);
}

export function moment(text) {
  if (!text) return "";
  const [day, time] = text.split("T");
  return el("time", { datetime: text, title: text }, `${day} ${time.slice(0, 8)}`);
}

export function hour(text) {
  return el("time", { datetime: text, title: text }, text.split("T")[1].slice(0, 12));
}

export function table(columns, rows, empty) {
  if (!rows.length) return el("div", { class: "sheet" }, empty);
  const head = columns.map(([name, , about]) => el("th", { scope: "col", class: about }, name));
  const body = rows.map((row) =>
    el("tr", {}, ...columns.map(([, show, about]) => el("td", { class: about }, show(row) ?? ""))));
  return el("div", { class: "sheet" },
    el("table", {}, el("thead", {}, el("tr", {}, ...head)), el("tbody", {}, ...body)));
}

export function nothing(title, ...told) {
  return el("p", { class: "empty" }, el("strong", {}, title), ...told);
}

export async function ask(path) {
  return read(await fetch(`/_inspector/${path}`, { cache: "no-store" }));
}

export async function tell(path, value) {
  return read(await fetch(`/_inspector/${path}`, {
    method: "POST",
    headers: { "Content-Type": "application/json", "X-Linksfield-Inspector": "1" },
    body: JSON.stringify(value),
  }));
}

async function read(answer) {
  const told = await answer.json();
  if (!answer.ok) throw new Error(told.error ?? `HTTP ${answer.status}`);
  return told;
}
