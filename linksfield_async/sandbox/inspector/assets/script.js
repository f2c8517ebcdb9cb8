// The frame of the page: asks for the state every second, and shows the view that was chosen.

import { ask, el, tell } from "./dom.js";
import { LISTS } from "./lists.js";
import { Requests } from "./requests.js";

const EVERY = 1000;
const TABS = ["requests", "cards", "orders", "payments", "subscriptions", "groups", "jobs", "notifications", "faults"];
// Views with something to type into are asked again only after a change.
const STILL = new Set(["cards", "faults"]);

const at = (id) => document.getElementById(id);
const view = at("view");
const requests = new Requests((index) => go("requests", index));
const pages = Object.fromEntries(TABS.map((name) => [name, { act, guard }]));
let known = { run: null, since: 0, counts: {}, total: 0, url: "" };
let shown = null;
let asking = false;

function here() {
  const [name, index] = location.hash.slice(1).split("/");
  return [TABS.includes(name) ? name : "requests", /^\d+$/.test(index ?? "") ? Number(index) : null];
}

function go(name, index = null) {
  location.hash = index === null ? name : `${name}/${index}`;
}

function complain(error) {
  at("message").textContent = error ? error.message : "";
  at("message").hidden = !error;
}

async function guard(work) {
  try {
    await work();
    complain(null);
  } catch (error) {
    complain(error);
  }
}

async function act(path, value) {
  await guard(async () => {
    await tell(path, value);
    await refresh();
    await fill(true);
  });
}

function tabs() {
  const [name] = here();
  at("tabs").replaceChildren(...TABS.map((tab) => {
    const count = tab === "requests" ? known.total : known.counts[tab];
    return el("button", { type: "button", "aria-current": tab === name ? "page" : null, onclick: () => go(tab) },
      tab[0].toUpperCase() + tab.slice(1),
      count ? el("span", { class: "count" }, count.toLocaleString("en")) : null);
  }));
  at("tabs").querySelector("[aria-current]").scrollIntoView({ block: "nearest", inline: "center" });
}

async function fill(anew) {
  const [name, index] = here();
  if (name === "requests") {
    if (anew || shown !== name) {
      requests.chosen = index;
      requests.show(view, known.total, known.url);
    } else if (requests.chosen !== index) {
      await requests.choose(index);
    }
  } else if (anew || shown !== name || !(STILL.has(name) || view.querySelector("details[open]"))) {
    if (anew || shown !== name) pages[name].told = null;
    await LISTS[name](view, pages[name]);
  }
  shown = name;
}

async function refresh() {
  const told = await ask(`state?since=${known.since}`);
  if (known.run !== null && told.run !== known.run) {
    requests.forget();
    known = { ...known, run: null, since: 0 };
    return refresh();
  }
  const fresh = requests.add(told.requests);
  const counted = JSON.stringify([told.counts, told.total]) !== JSON.stringify([known.counts, known.total]);
  known = { run: told.run, since: told.total, counts: told.counts, total: told.total, url: told.url };
  at("url").textContent = told.url;
  at("partner").textContent = told.partner;
  at("now").textContent = `${told.now.slice(0, 19).replace("T", " ")} UTC`;
  at("now").dateTime = told.now;
  if (counted || !at("tabs").children.length) tabs();
  if (fresh && shown === "requests") requests.fill(known.total);
  return null;
}

async function tick() {
  if (!asking && !document.hidden) {
    asking = true;
    try {
      await refresh();
      await fill(false);
      at("live").className = "live on";
      at("live").textContent = "live";
    } catch (error) {
      at("live").className = "live off";
      at("live").textContent = error instanceof TypeError ? "the sandbox is gone" : error.message;
    }
    asking = false;
  }
  setTimeout(tick, EVERY);
}

addEventListener("hashchange", () => guard(async () => {
  complain(null);
  tabs();
  await fill(false);
}));
for (const button of document.querySelectorAll(".clock button")) {
  const move = button.dataset.days ? { days: Number(button.dataset.days) } : { seconds: Number(button.dataset.seconds) };
  button.addEventListener("click", () => act("clock/advance", move));
}
tick();
