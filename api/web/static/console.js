"use strict";

// Everything works without this file. It copies a text, submits a filter when a choice changes,
// keeps a form that spends from being sent twice, and listens to a run that is under way.

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

// One stream for a page. Each event says that the run has changed, and htmx fetches what it shows;
// after the last one the server has nothing more to say, and the browser does not come back.
const followed = document.querySelector("[data-follow]");
if (followed) {
  const told = () => document.body.dispatchEvent(new Event("told"));
  new EventSource(followed.dataset.follow).addEventListener("run", told);
}
