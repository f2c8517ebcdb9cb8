// The page. It keeps nothing that matters: every order is the server's, found by its address.

import { showPayment } from "./payment.js";

const find = (id) => document.getElementById(id);
const STEPS = [
  ["verified", "Card checked", "Check of the card"],
  ["planned", "Plan and price fixed", "Plan and price"],
  ["ordered", "Order placed", "Order"],
  ["authorized", "Payment prepared", "Preparation of the payment"],
  ["paid", "Paid", "Payment"],
  ["confirmed", "Plan on your card", "Plan on your card"],
];
// Said while the shop cannot be told that the buyer has paid.
const SENT = {
  headline: "We are waiting for your payment to arrive",
  detail: "Your payment was sent, but the shop does not answer yet. Please do not pay again.",
  next: "wait",
  tone: "unsure",
};
const RETRY = 2000;
let config = { stand_in: false };
let stream = null;
let current = null; // the order that is shown
let reporting = false;
let payShown = ""; // what the payment form was made for, so that no update takes it from the buyer

class Problem extends Error {
  constructor(status, told) {
    super(told.text || "The shop does not answer at the moment. What was begun goes on by itself.");
    Object.assign(this, { status, code: told.code || "" });
  }
}

async function ask(path, body) {
  let answer;
  try {
    answer = await fetch(path, body === undefined ? {} : {
      method: "POST",
      headers: { "Content-Type": "application/json" },
      body: JSON.stringify(body),
    });
  } catch {
    throw new Problem(0, {});
  }
  const told = await answer.json().catch(() => ({}));
  if (!answer.ok) throw new Problem(answer.status, told);
  return told;
}

function made(tag, words, attributes = {}) {
  const element = document.createElement(tag);
  element.textContent = words;
  Object.assign(element, attributes);
  return element;
}

function price(amount, currency) {
  try {
    return new Intl.NumberFormat("en", { style: "currency", currency }).format(amount);
  } catch {
    return `${amount} ${currency}`;
  }
}

function say(element, words) {
  element.textContent = words;
  element.hidden = !words;
}

// A second click does nothing while the first is under way; the server would refuse it as well.
async function busy(button, work) {
  if (button.getAttribute("aria-busy") === "true") return;
  button.setAttribute("aria-busy", "true");
  try {
    await work();
  } finally {
    button.removeAttribute("aria-busy");
  }
}

// --- choosing -----------------------------------------------------------------------------

function cardNumber() {
  return find("iccid").value.replace(/[\s-]/g, "").toUpperCase();
}

function cardProblem(iccid) {
  if (!iccid) return "Enter the number of your card.";
  if (!/^[0-9]+F?$/.test(iccid)) return "A card number has digits only.";
  if (!iccid.startsWith("89")) return "A card number starts with 89.";
  if (!/^[0-9]{18,20}F?$/.test(iccid)) return `A card number has 18 to 20 digits; these are ${iccid.length}.`;
  return "";
}

function showCardProblem(words) {
  find("iccid-error").textContent = words;
  find("iccid").toggleAttribute("aria-invalid", false);
  if (words) find("iccid").setAttribute("aria-invalid", "true");
}

async function showPlans() {
  const iccid = cardNumber();
  const problem = cardProblem(iccid);
  showCardProblem(problem);
  find("plans").hidden = true;
  if (problem) return find("iccid").focus();
  let plans;
  try {
    plans = await ask("/api/plans", { iccid });
  } catch (error) {
    showCardProblem(error.message);
    return find("iccid").focus();
  }
  find("plan-list").replaceChildren(...plans.map((plan) => planCard(iccid, plan)));
  say(find("plans-error"), plans.length ? "" : "There is no plan for this card at the moment.");
  find("plans").hidden = false;
  find("plans-title").focus();
  find("live").textContent = `${plans.length} plans`;
}

function planCard(iccid, plan) {
  const item = made("li", "");
  const actions = made("div", "", { className: "actions" });
  const told = price(plan.amount, plan.currency);
  const once = made("button", "Buy once", { type: "button", className: "primary buy" });
  once.setAttribute("aria-label", `Buy ${plan.name} once for ${told}`);
  once.addEventListener("click", () => busy(once, () => begin(iccid, plan, "purchase")));
  actions.append(once);
  if (plan.renews) {
    const often = made("button", "Subscribe", { type: "button", className: "subscribe" });
    often.setAttribute("aria-label", `Subscribe to ${plan.name} for ${told} each period`);
    often.addEventListener("click", () => busy(often, () => begin(iccid, plan, "subscription")));
    actions.append(often);
  }
  item.append(
    made("h3", plan.name),
    made("p", told, { className: "price" }),
    made("p", plan.renews ? "One payment, or renewed until you cancel" : "One payment", { className: "help" }),
    actions,
  );
  return item;
}

// The same choice has the same key until its order is over: clicking again, or going back and
// buying again, finds the order that was begun.
function cartKey(iccid, plan, kind) {
  const name = `cart ${iccid} ${plan.code} ${kind}`;
  const key = sessionStorage.getItem(name) || crypto.randomUUID();
  sessionStorage.setItem(name, key);
  return key;
}

function forgetCart(key) {
  for (const name of Object.keys(sessionStorage)) {
    if (name.startsWith("cart ") && sessionStorage.getItem(name) === key) sessionStorage.removeItem(name);
  }
}

async function begin(iccid, plan, kind) {
  const key = cartKey(iccid, plan, kind);
  say(find("plans-error"), "");
  try {
    const { code, amount, currency } = plan;
    const order = await ask("/api/orders", { key, iccid, plan: code, kind, amount, currency });
    open(key, order);
  } catch (error) {
    await notBegun(key, error);
  }
}

// The answer may be lost and the order begun all the same: the server knows.
async function notBegun(key, error) {
  try {
    open(key, await ask(`/api/orders/${key}`));
  } catch (unknown) {
    const words = unknown.status === 404 ? `${error.message} Nothing was ordered.` : error.message;
    say(find("plans-error"), words);
    find("plans-error").scrollIntoView({ block: "center" });
  }
}

function open(key, order) {
  history.pushState({}, "", `/orders/${key}`);
  show(order);
  follow(key);
  window.scrollTo(0, 0);
  find("order-title").focus({ preventScroll: true });
}

// --- the order ----------------------------------------------------------------------------

function follow(key) {
  stream?.close();
  stream = new EventSource(`/api/orders/${key}/events`);
  const mine = stream;
  stream.onmessage = (event) => {
    if (mine !== stream) return;
    find("order-line").hidden = true;
    show(JSON.parse(event.data));
  };
  stream.onerror = () => {
    if (mine !== stream) return;
    find("order-line").hidden = false;
    find("order-head").className = "notice unsure";
    // A browser gives up after an answer that is no stream, as while the shop starts again.
    if (mine.readyState === EventSource.CLOSED) setTimeout(() => mine === stream && follow(key), RETRY);
  };
}

function show(order) {
  const before = current?.key === order.key ? current : null;
  // A stream may be overtaken by the answer to a click: what is older is not shown.
  if (before && before.revision > order.revision) return;
  if (order.next === "pay" && hasPaid(order.key)) {
    order = { ...order, ...SENT };
    report(order.key);
  }
  current = order;
  find("choose").hidden = true;
  find("order").hidden = false;
  find("order-head").className = `notice ${order.tone}`;
  find("order-title").textContent = order.headline;
  find("order-detail").textContent = order.detail;
  find("order-asked").hidden = order.asked;
  find("again").hidden = order.next !== "over";
  document.title = `${order.headline} · Roamwell`;
  document.body.dataset.state = order.state;
  if (before?.headline !== order.headline) {
    find("live").textContent = `${order.headline}. ${order.detail}`;
    if (before) find("order-head").scrollIntoView({ block: "nearest" });
  }
  if (order.next === "over") forgetCart(order.key);
  showSteps(order);
  showSummary(order);
  showPay(order);
  find("proceed").hidden = order.next !== "proceed";
  // What is known again can go on; after a failed try it is the buyer who asks for another.
  if (order.next === "proceed" && before?.state !== order.state) goOn(order.key);
}

function showSteps(order) {
  const reached = STEPS.findIndex(([state]) => state === order.reached);
  find("steps").replaceChildren(...STEPS.map(([, done, ahead], place) => {
    const item = made("li", place <= reached ? done : ahead);
    const over = order.next === "over" && order.tone === "good";
    if (place <= reached) {
      item.className = "done";
      item.append(made("span", " (done)", { className: "visually-hidden" }));
    } else if (place === reached + 1 && !over) {
      item.className = `now${order.state === "unknown" ? " stuck" : ""}${order.tone === "bad" ? " failed" : ""}`;
      item.setAttribute("aria-current", "step");
      if (order.state === "unknown") item.textContent += ": being checked";
      if (order.state === "failed") item.textContent += order.reached === "planned" ? ": refused" : ": declined";
    }
    return item;
  }));
}

function showSummary(order) {
  const total = made("dd", price(order.amount, order.currency), { className: "total" });
  find("summary").replaceChildren(
    made("dt", "Plan"), made("dd", order.plan),
    made("dt", "Card"), made("dd", order.card),
    made("dt", "Charged"), made("dd", order.kind === "subscription" ? "each period" : "once"),
    made("dt", "Order"), made("dd", order.number, { className: "number" }),
    made("dt", "Total"), total,
  );
  find("facts").replaceChildren(...order.facts.map((fact) => made("li", fact.told)));
}

function showPay(order) {
  const form = find("pay");
  const wanted = order.next === "pay" ? `${order.key} ${order.client_secret}` : "";
  if (wanted === payShown) return;
  payShown = wanted;
  form.hidden = !wanted;
  if (!wanted) return form.replaceChildren();
  const pay = showPayment(form, order, config.stand_in);
  form.onsubmit = (event) => event.preventDefault();
  if (!pay) return;
  const words = order.kind === "subscription" ? "Subscribe for" : "Pay";
  const button = made("button", `${words} ${price(order.amount, order.currency)}`, { className: "primary", id: "pay-button" });
  form.append(button);
  form.onsubmit = (event) => {
    event.preventDefault();
    busy(button, () => paying(order.key, pay));
  };
}

async function paying(key, pay) {
  say(find("order-error"), "");
  let given;
  try {
    given = await pay();
  } catch (error) {
    if (error.message !== "invalid") say(find("order-error"), `${error.message}. You can try again.`);
    return;
  }
  if (given.pm_id) return settle(key, "subscription", given);
  // Kept until the shop knows: after a reload the buyer must not be asked for money again.
  if (given.paid) sessionStorage.setItem(`paid ${key}`, "1");
  if (given.paid) return report(key);
  await settle(key, "look", {});
}

function hasPaid(key) {
  return sessionStorage.getItem(`paid ${key}`) !== null;
}

// Tells the shop that the buyer has paid, until it answers.
async function report(key) {
  if (reporting) return;
  reporting = true;
  while (hasPaid(key) && current?.key === key) {
    try {
      const order = await ask(`/api/orders/${key}/look`, { paid: true });
      sessionStorage.removeItem(`paid ${key}`);
      if (current?.key === key) show(order);
    } catch {
      if (current?.key === key) show(current);
      await new Promise((soon) => setTimeout(soon, RETRY));
    }
  }
  reporting = false;
}

function goOn(key) {
  return busy(find("proceed").firstElementChild, () => settle(key, "look", {}));
}

async function settle(key, action, body) {
  try {
    const order = await ask(`/api/orders/${key}/${action}`, body);
    say(find("order-error"), "");
    if (current?.key === key) show(order);
    return true;
  } catch (error) {
    say(find("order-error"), error.message);
    return false;
  }
}

// --- where we are -------------------------------------------------------------------------

async function route() {
  const [, place, key] = location.pathname.split("/");
  if (place !== "orders") return showChoice();
  try {
    show(await ask(`/api/orders/${key}`));
    follow(key);
  } catch (error) {
    if (error.status === 404 || error.status === 422) {
      showChoice();
      showCardProblem("Nothing was ordered under this address. You can start here.");
      return;
    }
    find("order").hidden = false;
    find("order-title").textContent = "We are looking for your order";
    find("order-line").hidden = false;
    setTimeout(route, RETRY);
  }
}

function showChoice() {
  stream?.close();
  [stream, current, payShown] = [null, null, ""];
  find("order").hidden = true;
  find("choose").hidden = false;
  document.title = "Top up your SIM · Roamwell";
  delete document.body.dataset.state;
}

async function start() {
  find("card-form").addEventListener("submit", (event) => {
    event.preventDefault();
    busy(event.submitter || event.target.querySelector("button"), showPlans);
  });
  find("iccid").addEventListener("input", () => showCardProblem(""));
  find("iccid").addEventListener("change", () => find("iccid").value && showCardProblem(cardProblem(cardNumber())));
  find("proceed").firstElementChild.addEventListener("click", () => current && goOn(current.key));
  window.addEventListener("popstate", route);
  config = await ask("/api/config").catch(() => config);
  find("demo").hidden = !config.stand_in;
  await route();
}

start();
