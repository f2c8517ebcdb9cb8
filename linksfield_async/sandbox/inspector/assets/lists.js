// The other views: each asks for its rows and shows them as a table.

import { ask, chip, code, el, moment, nothing, table } from "./dom.js";

const yes = (value) => (value ? "yes" : "");

async function cards(into, page) {
  const options = ["", "valid", "foreign", "suspended", "unknown"].map((kind) =>
    el("option", { value: kind, selected: kind === page.kind }, kind || "All kinds"));
  const told = el("span", { class: "told" });
  const sheet = el("div", {});
  const fill = async () => {
    const search = new URLSearchParams({ search: page.search ?? "", kind: page.kind ?? "" });
    const found = await ask(`cards?${search}`);
    told.textContent = found.searched < found.total && page.search
      ? `first ${found.rows.length}; looked at ${found.searched.toLocaleString("en")} of ${found.total.toLocaleString("en")} cards and all that were sold`
      : `first ${found.rows.length} of ${found.total.toLocaleString("en")} cards`;
    sheet.replaceChildren(table([
      ["ICCID", (row) => code(row.iccid)],
      ["Kind", (row) => chip(row.kind)],
      ["Partner", (row) => row.partner ?? "", "wide"],
      ["Orders", (row) => String(row.orders || ""), "number wide"],
      ["Plan in use", (row) => row.plan ?? ""],
      ["Until", (row) => moment(row.until), "wide"],
    ], found.rows, nothing("No card fits", "A whole ICCID is always found.")));
  };
  let timer;
  const later = () => { clearTimeout(timer); timer = setTimeout(() => page.guard(fill), 200); };
  into.replaceChildren(el("div", { class: "bar" },
    el("input", { type: "search", placeholder: "ICCID or a part of it", "aria-label": "Search cards", inputmode: "numeric",
      value: page.search ?? "", oninput: (event) => { page.search = event.target.value; later(); } }),
    el("select", { "aria-label": "Kind", onchange: (event) => { page.kind = event.target.value; page.guard(fill); } }, ...options),
    told), sheet);
  await fill();
}

function listed(path, columns, empty) {
  return async (into, page) => {
    const found = await ask(path);
    // What has not changed stays, so that a click never meets a button that was just replaced.
    const told = JSON.stringify(found);
    if (page.told === told) return;
    page.told = told;
    const bar = found.total > found.rows.length
      ? el("div", { class: "bar" }, el("span", { class: "told" }, `the last ${found.rows.length} of ${found.total.toLocaleString("en")}`)) : "";
    into.replaceChildren(bar, table(columns(page), found.rows, empty));
  };
}

const orders = listed("orders", () => [
  ["Order", (row) => code(row.order), "shrink"],
  ["Card", (row) => code(row.iccid), "wide"],
  ["Plan", (row) => `${row.plan}${row.periods > 1 ? ` × ${row.periods}` : ""}`, "wide"],
  ["Amount", (row) => row.amount, "number"],
  ["State", (row) => chip(row.state)],
  ["Confirmed", (row) => yes(row.confirmed), "wide"],
  ["Renews", (row) => yes(row.renews), "wide"],
  ["Start", (row) => moment(row.start), "wide"],
  ["End", (row) => moment(row.end), "wide"],
], nothing("No orders yet", "They appear when a client calls ", code("singleOrder"), " or ", code("SynOrderInfo"), "."));

const payments = listed("payments", (page) => [
  ["#", (row) => String(row.number), "number soft wide"],
  ["Order", (row) => code(row.order), "shrink"],
  ["Card", (row) => code(row.iccid), "wide"],
  ["Amount", (row) => row.amount, "number"],
  ["State", (row) => chip(row.state)],
  ["Created", (row) => moment(row.created), "wide"],
  ["Transaction", (row) => code(row.transaction), "wide"],
  ["", (row) => row.open ? el("span", { class: "buttons" },
    el("button", { type: "button", class: "small", onclick: () => page.act("payments/decide", { number: row.number, action: "complete" }) }, "Complete"),
    el("button", { type: "button", class: "small no", disabled: row.state === "failed", onclick: () => page.act("payments/decide", { number: row.number, action: "decline" }) }, "Decline")) : ""],
], nothing("No payments yet", "They appear when a client calls ", code("stripePay"), "."));

const subscriptions = listed("subscriptions", () => [
  ["Subscription", (row) => code(row.subscription), "shrink"],
  ["Card", (row) => code(row.iccid), "wide"],
  ["Plan", (row) => row.plan, "wide"],
  ["State", (row) => chip(row.state)],
  ["Charges", (row) => String(row.charges), "number"],
  ["Method", (row) => (row.declines ? chip("declines", "failed") : "good"), "wide"],
  ["Renews", (row) => moment(row.renews_at), "wide"],
], nothing("No subscriptions yet", "They appear when a client calls ", code("stripeSubDirectly"), "."));

const groups = listed("groups", () => [
  ["Group", (row) => code(row.group)],
  ["Name", (row) => row.name, "wrap"],
  ["Partner", (row) => row.partner, "wide"],
  ["Plans", (row) => row.plans.join(", "), "wide wrap"],
  ["Members", (row) => row.size ? el("details", {}, el("summary", {}, `${row.size.toLocaleString("en")}${row.size > row.members.length ? `, first ${row.members.length}` : ""}`),
    ...row.members.map(code)) : "0"],
], nothing("No groups", ""));

const jobs = listed("jobs", () => [
  ["Request id", (row) => code(row.request_id)],
  ["Group", (row) => code(row.group), "wide"],
  ["Change", (row) => row.change],
  ["Cards", (row) => row.cards.toLocaleString("en"), "number"],
  ["State", (row) => chip(row.state)],
  ["Failed", (row) => row.failed ? el("details", {}, el("summary", {}, String(row.failed)),
    ...row.problems.map(([iccid, problem]) => el("div", {}, code(iccid), problem))) : ""],
  ["Accepted", (row) => moment(row.accepted), "wide"],
  ["Due", (row) => moment(row.due), "wide"],
], nothing("No group jobs yet", "They appear when a client adds SIMs to a group or removes them."));

const notifications = listed("notifications", () => [
  ["Event", (row) => String(row.event), "number"],
  ["Attempt", (row) => String(row.attempt), "number"],
  ["Sent", (row) => moment(row.at), "wide"],
  ["Answer", (row) => (row.status === null ? chip("no answer", "failed") : chip(`HTTP ${row.status}`, row.taken ? "ok" : "refused"))],
  ["Message", (row) => el("details", {}, el("summary", {}, "body"), el("pre", { class: "boxed" }, row.body))],
], nothing("No notifications yet", "They are sent when an order is paid, where the sandbox was given an address to send to."));

const SETTINGS = {
  slow: ["seconds", "number", "2"],
  refuse: ["message", "text", "the service is busy"],
  server_error: ["status", "number", "503"],
  throttled: ["retry_after", "number", "1"],
  odd_answer: ["shape", "shape", "html"],
};

async function faults(into, page) {
  const found = await ask("faults");
  const kind = el("select", {}, ...found.kinds.map((name) => el("option", { value: name }, name.replaceAll("_", " "))));
  const operation = el("select", {}, el("option", { value: "" }, "any operation"), ...found.operations.map((name) => el("option", {}, name)));
  const setting = el("label", { hidden: true });
  const choose = () => {
    const [name, type, initial] = SETTINGS[kind.value] ?? [];
    setting.hidden = !name;
    if (!name) return setting.replaceChildren();
    const field = type === "shape"
      ? el("select", {}, ...found.shapes.map((shape) => el("option", {}, shape)))
      : el("input", { type, value: initial, step: "any", min: type === "number" ? "0" : null });
    return setting.replaceChildren(name.replaceAll("_", " "), field);
  };
  kind.addEventListener("change", choose);
  choose();
  const inject = (event) => {
    event.preventDefault();
    const [name, type] = SETTINGS[kind.value] ?? [];
    const value = setting.querySelector("input, select")?.value;
    const settings = name ? { [name]: type === "number" ? Number(value) : value } : {};
    page.act("faults/set", { kind: kind.value, operation: operation.value || null, settings });
  };
  into.replaceChildren(
    el("form", { class: "form", onsubmit: inject },
      el("label", {}, "What goes wrong", kind), setting, el("label", {}, "with the next", operation),
      el("button", { type: "submit", class: "main" }, "Inject once"),
      el("button", { type: "button", disabled: !found.total, onclick: () => page.act("faults/set", { clear: true }) }, "Clear all")),
    table([
      ["Fault", (row) => chip(row.fault.replaceAll("_", " "), "fault")],
      ["Operation", (row) => row.operation ?? "any"],
      ["When", (row) => row.when, "words"],
    ], found.rows, nothing("No faults are set", "Requests are answered as they should be.")));
}

export const LISTS = { cards, orders, payments, subscriptions, groups, jobs, notifications, faults };
