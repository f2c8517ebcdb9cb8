// Stripe's part in the browser. Here the sandbox plays it; README.md shows what Stripe.js needs.
//
// showPayment(form, order, standIn) fills the form and gives a function that pays: it resolves to
// {paid} for one payment, or {pm_id, email} for a subscription, once Stripe has seen the card. `paid`
// only keeps the page from asking again: what became of the money the shop asks the service.

const CARDS = [
  { value: "good", number: "4242 4242 4242 4242", told: "is accepted" },
  { value: "declined", number: "4000 0000 0000 0002", told: "is declined" },
];

export function showPayment(form, order, standIn) {
  if (!standIn) {
    form.replaceChildren(text("p", "Stripe is not plugged in yet: see examples/shop/README.md, \"Real payments\"."));
    return null;
  }
  const fields = document.createElement("fieldset");
  fields.append(text("legend", "Test card"));
  for (const card of CARDS) {
    const label = text("label", "");
    label.className = "choice";
    const input = document.createElement("input");
    Object.assign(input, { type: "radio", name: "card", value: card.value, checked: card.value === "good" });
    const words = text("span", card.number);
    words.append(text("small", card.told));
    label.append(input, words);
    fields.append(label);
  }
  form.replaceChildren(fields);
  if (order.kind === "subscription") form.append(...emailField());
  return async () => {
    const card = new FormData(form).get("card");
    const setup = order.kind === "subscription";
    const email = setup ? checkedEmail(form) : undefined;
    const told = await post(setup ? "setup" : "payment", { client_secret: order.client_secret, card });
    return setup ? { pm_id: told.payment_method, email } : { paid: told.status === "succeeded" };
  };
}

function emailField() {
  const box = document.createElement("div");
  const label = text("label", "E-mail for receipts");
  label.htmlFor = "email";
  const input = document.createElement("input");
  Object.assign(input, { id: "email", name: "email", type: "email", autocomplete: "email", required: true });
  input.setAttribute("aria-describedby", "email-error");
  const error = text("p", "");
  Object.assign(error, { id: "email-error", className: "error" });
  error.setAttribute("role", "alert");
  input.addEventListener("input", () => { error.textContent = ""; input.removeAttribute("aria-invalid"); });
  box.append(label, input, error);
  return [box];
}

function checkedEmail(form) {
  const input = form.querySelector("#email");
  const email = input.value.trim();
  if (/^[^@\s]+@[^@\s]+\.[^@\s]+$/.test(email)) return email;
  form.querySelector("#email-error").textContent = "Enter an e-mail address, like name@example.com.";
  input.setAttribute("aria-invalid", "true");
  input.focus();
  throw new Error("invalid");
}

async function post(action, body) {
  const answer = await fetch(`/stand-in/${action}`, {
    method: "POST",
    headers: { "Content-Type": "application/json" },
    body: JSON.stringify(body),
  });
  if (!answer.ok) throw new Error("the payment service does not answer");
  return answer.json();
}

function text(tag, words) {
  const made = document.createElement(tag);
  made.textContent = words;
  return made;
}
