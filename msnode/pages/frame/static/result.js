// The page of a result: joins the viewer with the table of lesions and with what readers say.

import { whileHere } from "./here.js";
import { localise } from "./pages.js";
import { Viewer } from "./viewer.js";

const replaced = document.querySelector("#notices .note.bad:not([hidden])") !== null;
const result = document.querySelector("#result");
const root = document.querySelector("#viewer");
let viewer = null;

async function openViewer() {
  const answer = await fetch(root.dataset.stack);
  if (!answer.ok) throw new Error(String(answer.status));
  viewer = new Viewer(root, await answer.json());
  const label = root.querySelector("#slice-label");
  const centre = root.querySelector("#centre");
  const width = root.querySelector("#width");
  const tell = () => {
    label.textContent = viewer.stack.labels[viewer.view.slice];
    for (const figure of root.querySelectorAll("[data-pane]")) {
      const caption = figure.querySelector("figcaption").textContent.trim();
      figure.querySelector("canvas").setAttribute("aria-label", `${caption} · ${label.textContent}`);
    }
  };
  viewer.addEventListener("slice", tell);
  viewer.addEventListener("chosen", tellChosen);
  viewer.addEventListener("failed", () => { label.textContent = root.dataset.failed; });
  viewer.addEventListener("view", () => {
    if (document.activeElement !== centre) centre.value = viewer.view.centre.toFixed(0);
    if (document.activeElement !== width) width.value = viewer.view.width.toFixed(0);
  });
  viewer.addEventListener("mark", tellMark);
  viewer.addEventListener("unmark", () => { emptyPlace(); result.querySelector("[data-mark]")?.focus(); });
  for (const input of [centre, width]) input.addEventListener("change", windowed);
  root.querySelector(".tools").addEventListener("click", tool);
  tell();
  viewer.draw();
  prepare();
}

function windowed() {
  viewer.view.centre = Number(root.querySelector("#centre").value);
  viewer.view.width = Math.max(Number(root.querySelector("#width").value), 1e-3);
  viewer.draw();
}

function tool(event) {
  const button = event.target.closest("[data-tool]");
  if (!button) return;
  const does = {
    window: () => viewer.window(button.dataset.window),
    in: () => viewer.zoom(1.25), out: () => viewer.zoom(1 / 1.25), reset: () => viewer.reset(),
    outlines: () => viewer.toggle("outlines"), prior: () => viewer.toggle("prior"),
  };
  does[button.dataset.tool]();
}

function tellChosen() {
  for (const row of result.querySelectorAll("[data-lesion]")) {
    const chosen = viewer.chosen > 0 && Number(row.dataset.lesion) === viewer.chosen;
    row.classList.toggle("chosen", chosen);
    row.querySelector(".jump")?.setAttribute("aria-pressed", String(chosen));
    if (chosen) row.scrollIntoView({ block: "nearest" });
  }
  const choice = result.querySelector(".reject select[name=lesion]");
  if (choice && [...choice.options].some((one) => one.value === String(viewer.chosen))) {
    choice.value = String(viewer.chosen);
  }
}

// The form of a lesion that was missed, and the mark in the image, are one
function form() {
  return result.querySelector("#adding");
}

function tellMark() {
  const { elements } = form();
  elements.slice_number.value = String(viewer.mark.slice + 1);
  elements.column.value = String(viewer.mark.column);
  elements.row.value = String(viewer.mark.row);
}

// What is not marked can not be added
function emptyPlace() {
  for (const name of ["column", "row"]) form().elements[name].value = "";
}

function marked() {
  const { elements } = form();
  const number = (name) => Number(elements[name].value);
  viewer.mark = { slice: number("slice_number") - 1, column: number("column"), row: number("row"), mm: number("diameter_mm") };
  viewer.to(viewer.mark.slice);
}

function prepare() {
  localise(result);
  const adding = form();
  if (!adding || !viewer) return;
  const begin = adding.querySelector("[data-mark]");
  begin.hidden = false;
  begin.addEventListener("click", () => {
    const { slice, column, row } = viewer.view;
    const mm = Number(adding.elements.diameter_mm.value);
    emptyPlace(); // until it is put somewhere: the middle is nobody's lesion
    viewer.mark = { slice, mm, ...viewer.within({ column, row }) };
    viewer.draw();
    viewer.box.focus();
  });
  for (const input of adding.querySelectorAll("input[type=number]")) {
    input.addEventListener("input", () => { if (adding.elements.column.value && adding.elements.row.value) marked(); });
  }
}

result?.addEventListener("click", (event) => {
  const jump = event.target.closest(".jump");
  if (!jump || !viewer) return;
  viewer.choose(Number(jump.dataset.number), Number(jump.dataset.slice));
});

// Forms are sent without leaving the page; what comes back takes the place of what was there
result?.addEventListener("submit", async (event) => {
  const sent = event.target.closest("form[data-fragment]");
  if (!sent) return;
  event.preventDefault();
  const body = new URLSearchParams(new FormData(sent, event.submitter));
  const buttons = [...sent.querySelectorAll("button")];
  for (const one of buttons) one.disabled = true;
  try {
    const answer = await fetch(sent.action, {
      method: "POST", body, headers: { Accept: "text/html", "X-Fragment": "reading" },
    });
    if (!answer.ok) throw new Error(String(answer.status));
    put(await answer.text());
    if (viewer) viewer.mark = null;
    prepare();
    viewer?.draw();
    tellChosenIfAny();
    focusAfter(body.get("kind"));
    lookForNewer().catch(() => {});
  } catch {
    for (const one of buttons) one.disabled = false;
    sent.submit(); // the page that comes then says what is wrong
  }
});

function put(text) {
  const parts = new DOMParser().parseFromString(text, "text/html");
  for (const id of ["lesions", "said"]) {
    document.querySelector(`#${id}`).replaceChildren(...parts.querySelector(`#${id}`).childNodes);
  }
}

// The button that was pressed is a new one now; who uses keys goes on where he was
function focusAfter(kind) {
  const next = [...result.querySelectorAll("form[data-fragment]")]
    .find((one) => one.elements.kind.value === kind)
    ?.querySelector("button:not([disabled]):not([data-mark])");
  (next ?? document.querySelector("#said-title")).focus({ preventScroll: true });
}

function tellChosenIfAny() {
  if (viewer?.chosen) tellChosen();
}

async function lookForNewer() {
  const answer = await fetch(`/results/${result.dataset.study}/newest`);
  if (!answer.ok) return;
  const { generation } = await answer.json();
  const isNewer = !replaced && generation > Number(result.dataset.generation);
  document.querySelector("#newer").hidden = !isNewer;
  document.querySelector("#notices").classList.toggle("newer", isNewer); // stays in sight
}

if (root) {
  openViewer().catch(() => { root.querySelector("#slice-label").textContent = root.dataset.failed; });
}
if (result) prepare();
if (result && !replaced) whileHere(lookForNewer);
