// The list of requests, and one of them with its sign beside the expected one.

import { ask, chip, code, el, hour, nothing } from "./dom.js";

const MOST = 200;
const MOST_COMPARED = 1_000_000;
const KINDS = [["", "All"], ["ok", "OK"], ["sign", "Sign"], ["refused", "Refused"], ["fault", "Fault"]];

export class Requests {
  constructor(open) {
    this.rows = [];
    this.chosen = null;
    this.kind = "";
    this.search = "";
    this.open = open;
    this.url = "";
  }

  add(fresh) {
    this.rows = [...fresh.slice().reverse(), ...this.rows].slice(0, MOST);
    return fresh.length > 0;
  }

  forget() {
    this.rows = [];
    this.chosen = null;
  }

  show(into, total, url) {
    this.url = url;
    this.total = total;
    this.list = el("div", { class: "list" });
    this.side = el("article", { class: "detail", hidden: true, "aria-label": "Request" });
    this.frame = el("div", { class: "requests" }, this.list, this.side);
    this.told = el("span", { class: "told" });
    into.replaceChildren(el("div", { class: "bar" }, this.picker(), this.searchBox(), this.told), this.frame);
    this.fill(total);
    if (this.chosen !== null) this.choose(this.chosen);
  }

  picker() {
    const buttons = KINDS.map(([kind, name]) =>
      el("button", { type: "button", "aria-pressed": String(kind === this.kind), onclick: () => {
        this.kind = kind;
        buttons.forEach((one, at) => one.setAttribute("aria-pressed", String(KINDS[at][0] === kind)));
        this.fill(this.total);
      } }, name));
    return el("span", { class: "pick", role: "group", "aria-label": "Outcome" }, ...buttons);
  }

  searchBox() {
    return el("input", {
      type: "search", placeholder: "Operation, path or outcome", "aria-label": "Search requests",
      value: this.search,
      oninput: (event) => { this.search = event.target.value.toLowerCase(); this.fill(this.total); },
    });
  }

  fits(row) {
    const text = `${row.operation ?? ""} ${row.path} ${row.outcome} ${row.fault ?? ""}`.toLowerCase();
    return (!this.kind || row.kind === this.kind) && text.includes(this.search);
  }

  fill(total) {
    this.total = total;
    const rows = this.rows.filter((row) => this.fits(row));
    this.told.textContent = total > this.rows.length
      ? `${rows.length} shown, the last ${this.rows.length} of ${total.toLocaleString("en")}`
      : `${rows.length} shown`;
    if (!rows.length) {
      this.list.replaceChildren(el("div", { class: "sheet" }, this.rows.length
        ? nothing("No request fits", "Another outcome or search may.")
        : nothing("No requests yet", "Point a client here: ", code(`LINKSFIELD_ENDPOINTS=${this.url}`))));
      return;
    }
    const head = [["#", "number"], ["Time", "wide"], ["Operation", ""], ["HTTP", "number"], ["Outcome", ""]];
    this.list.replaceChildren(el("div", { class: "sheet" }, el("table", {},
      el("thead", {}, el("tr", {}, ...head.map(([name, about]) => el("th", { scope: "col", class: about }, name)))),
      el("tbody", {}, ...rows.map((row) => this.line(row))))));
  }

  line(row) {
    const pick = () => this.open(row.index);
    return el("tr", {
      class: "link", tabindex: "0", "data-index": row.index,
      "aria-selected": String(row.index === this.chosen),
      onclick: pick,
      onkeydown: (event) => { if (event.key === "Enter" || event.key === " ") { event.preventDefault(); pick(); } },
    },
      el("td", { class: "number soft" }, String(row.index)),
      el("td", { class: "wide soft" }, hour(row.time)),
      el("td", { class: "cut" }, row.operation ?? el("span", { class: "soft" }, `${row.method} ${row.path}`)),
      el("td", { class: "number" }, row.status ? String(row.status) : "–"),
      el("td", { class: "cut" }, chip(row.fault?.replaceAll("_", " ") ?? row.outcome, row.kind)));
  }

  async choose(index) {
    this.chosen = index;
    for (const row of this.list.querySelectorAll("tr.link")) {
      row.setAttribute("aria-selected", String(Number(row.dataset.index) === index));
    }
    if (index === null) {
      this.frame.classList.remove("open");
      this.side.hidden = true;
      return;
    }
    this.frame.classList.add("open");
    this.side.hidden = false;
    try {
      const told = await ask(`requests/${index}`);
      if (this.chosen === index) this.side.replaceChildren(...this.sections(told));
    } catch (error) {
      this.side.replaceChildren(el("section", {}, nothing(`Request ${index}`, error.message),
        el("button", { type: "button", onclick: () => this.open(null) }, "Close")));
    }
    this.side.scrollTop = 0;
  }

  sections(told) {
    const facts = [
      ["Path", code(`${told.method} ${told.path}`)],
      ["Query", told.query ? code(told.query) : null],
      ["Received", hour(told.time)],
      ["Answered", told.status ? `HTTP ${told.status}` : "not at all"],
      ["Carried out", told.carried_out ? "yes" : "no"],
      ["Fault", told.fault ? chip(told.fault.replaceAll("_", " "), "fault") : null],
    ].filter(([, value]) => value !== null);
    return [
      el("section", {},
        el("div", { class: "title" }, el("h2", {}, told.operation ?? "No operation"),
          chip(told.outcome, told.kind === "fault" ? "" : told.kind),
          el("button", { type: "button", class: "small", onclick: () => this.open(null) }, "Close")),
        el("dl", {}, ...facts.flatMap(([name, value]) => [el("dt", {}, name), el("dd", {}, value)]))),
      signSection(told.sign),
      el("section", {}, el("h3", {}, `Body, ${told.bytes.toLocaleString("en")} bytes`),
        told.body ? el("pre", { class: "boxed" }, told.body) : el("p", { class: "soft" }, "None was sent.")),
      el("section", {}, el("h3", {}, "Headers"),
        el("dl", {}, ...told.headers.flatMap(([name, value]) => [el("dt", {}, code(name)), el("dd", {}, code(value))]))),
    ].filter((part) => part !== null);
  }
}

function signSection(sign) {
  if (sign === null) return null;
  const title = el("h3", {}, "Signature");
  if (sign.problem) return el("section", {}, title, el("div", { class: "verdict bad" }, sign.problem));
  const notes = sign.notes.length ? el("ul", { class: "notes" }, ...sign.notes.map((note) => el("li", {}, note))) : null;
  const [expected, implied] = compared(sign.text, sign.implied_text);
  const left = side("Canonical text", expected, sign.sign);
  if (sign.matches !== false) {
    const good = sign.matches === true;
    const verdict = el("div", { class: `verdict ${good ? "good" : ""}` },
      good ? "The sign is right." : "No sign was sent.");
    return el("section", {}, title, verdict, el("div", { class: "sides one" }, left), notes);
  }
  const why = sign.differences.length
    ? el("div", {}, "The sign is wrong:", el("ul", {}, ...sign.differences.map((one) => el("li", {}, one))))
    : el("div", {}, "The sign is wrong. No usual mistake, and no two of them, give it.");
  const right = side("What the caller signed", implied ?? null, sign.given);
  return el("section", {}, title, el("div", { class: "verdict bad" }, why), el("div", { class: "sides" }, left, right), notes);
}

function side(name, parts, sign) {
  return el("div", { class: "side" }, el("h3", {}, name),
    parts ? el("pre", {}, ...parts)
      : el("pre", { class: "none" }, "Not known: no text was found that gives this sign."),
    el("div", { class: "signed" }, code(sign)));
}

// Marks what differs, piece by piece; the first difference is told apart.
function compared(text, implied) {
  if (implied === null) return [[text], null];
  const [one, other] = [pieces(text), pieces(implied)];
  const same = one.length * other.length > MOST_COMPARED ? ends(one, other) : common(one, other);
  return [
    marked(one, new Set(same.map(([left]) => left)), "right"),
    marked(other, new Set(same.map(([, right]) => right)), "wrong"),
  ];
}

// A JSON text, an escape, or one character.
const pieces = (text) => text.match(/"(?:[^"\\]|\\.)*"|\\u[0-9a-fA-F]{4}|./gsu) ?? [];

function marked(parts, same, kind) {
  const shown = [];
  let first = true;
  for (let at = 0; at < parts.length;) {
    let until = at;
    while (until < parts.length && same.has(until) === same.has(at)) until += 1;
    const text = parts.slice(at, until).join("");
    if (same.has(at)) shown.push(text);
    else {
      shown.push(el("mark", { class: `${kind}${first ? " first" : ""}`, title: first ? "the first difference" : null }, text));
      first = false;
    }
    at = until;
  }
  return shown;
}

// The longest common pieces, as pairs of places.
function common(one, other) {
  const width = other.length + 1;
  const longest = new Uint16Array((one.length + 1) * width);
  for (let left = one.length - 1; left >= 0; left -= 1) {
    for (let right = other.length - 1; right >= 0; right -= 1) {
      longest[left * width + right] = one[left] === other[right]
        ? longest[(left + 1) * width + right + 1] + 1
        : Math.max(longest[(left + 1) * width + right], longest[left * width + right + 1]);
    }
  }
  const pairs = [];
  for (let left = 0, right = 0; left < one.length && right < other.length;) {
    if (one[left] === other[right]) pairs.push([left++, right++]);
    else if (longest[(left + 1) * width + right] >= longest[left * width + right + 1]) left += 1;
    else right += 1;
  }
  return pairs;
}

// For long texts: what they have in common at their beginning and end.
function ends(one, other) {
  const pairs = [];
  const shorter = Math.min(one.length, other.length);
  let start = 0;
  while (start < shorter && one[start] === other[start]) pairs.push([start, start++]);
  for (let end = 1; end <= shorter - start && one.at(-end) === other.at(-end); end += 1) {
    pairs.push([one.length - end, other.length - end]);
  }
  return pairs;
}
