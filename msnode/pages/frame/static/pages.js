// What every page does: moments in the reader's own time, the theme, selects that submit, boxes that tick all.

export const csrf = () => document.body.dataset.csrf ?? "";

// ISO 8601 in the reader's zone, as 11/12/26 is two days: Swedish writes dates so.
const format = new Intl.DateTimeFormat("sv-SE", { dateStyle: "short", timeStyle: "medium" });

export function localise(root) {
  for (const element of root.querySelectorAll("time[data-moment]")) {
    const moment = new Date(element.dateTime);
    if (!Number.isNaN(moment.valueOf())) element.textContent = format.format(moment);
  }
}

function switchTheme() {
  const root = document.documentElement;
  const dark = getComputedStyle(root).colorScheme.startsWith("dark");
  root.dataset.theme = dark ? "light" : "dark";
  localStorage.setItem("theme", root.dataset.theme);
}

localise(document);
document.querySelector("[data-theme-switch]")?.addEventListener("click", switchTheme);
for (const select of document.querySelectorAll("select[data-submits]")) {
  select.addEventListener("change", () => select.form.requestSubmit());
}
for (const all of document.querySelectorAll("[data-ticks-all]")) {
  const boxes = all.closest("table").querySelectorAll("tbody input[type=checkbox]:enabled");
  all.hidden = boxes.length < 2;
  all.addEventListener("change", () => boxes.forEach((one) => { one.checked = all.checked; }));
}
