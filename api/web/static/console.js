"use strict";

// Everything works without this file. It copies a text, submits a filter when a choice changes,
// and keeps a form that spends from being sent twice.

document.addEventListener("click", (event) => {
  const button = event.target.closest("button[data-copy]");
  if (!button) return;
  const source = document.getElementById(button.dataset.copy);
  const text = source.value ?? source.textContent;
  const told = () => {
    const status = document.getElementById(button.dataset.told);
    if (status) status.textContent = button.dataset.done;
  };
  if (navigator.clipboard) navigator.clipboard.writeText(text.trim()).then(told);
});

document.addEventListener("change", (event) => {
  const form = event.target.closest("form[data-live]");
  if (form && !event.target.closest("[data-not-live]")) form.requestSubmit(form.querySelector("[data-refresh]"));
});

document.addEventListener("submit", (event) => {
  const form = event.target;
  if (form.dataset.once === undefined) return;
  if (form.dataset.sent) event.preventDefault();
  form.dataset.sent = "yes";
});

window.addEventListener("pageshow", () => {
  document.querySelectorAll("form[data-sent]").forEach((form) => delete form.dataset.sent);
});

document.addEventListener("input", (event) => {
  const target = event.target.dataset && event.target.dataset.shows;
  if (target) document.getElementById(target).textContent = event.target.value;
});
