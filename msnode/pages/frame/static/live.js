// A part of a page that the server sends anew when it changes. Without script: reload the page.
import { localise } from "./pages.js";

const root = document.querySelector("[data-live]");
const state = document.querySelector("[data-live-state]");
const shown = new Map();

function show(html) {
  const fresh = document.createElement("template");
  fresh.innerHTML = html; // the server has escaped it
  for (const part of fresh.content.querySelectorAll("[data-part]")) {
    const name = part.dataset.part;
    const here = root.querySelector(`[data-part="${name}"]`);
    if (!here || shown.get(name) === part.innerHTML) continue;
    shown.set(name, part.innerHTML);
    const focused = here.contains(document.activeElement) ? document.activeElement.id : "";
    here.className = part.className;
    here.replaceChildren(...part.childNodes);
    localise(here);
    if (focused) document.getElementById(focused)?.focus();
  }
}

const AGAIN_MS = 30_000; // after an answer that is no stream, after which browsers give up
const say = (word) => { if (state) state.textContent = state.dataset[word]; };

// What was well a while ago may not be so now: nothing green stays that nobody looks after.
function lost() {
  say("off");
  const verdict = root.querySelector('[data-part="verdict"]');
  if (!verdict || !state) return;
  verdict.className = "verdict warn";
  verdict.querySelector(".sentence").textContent = state.dataset.off;
  shown.delete("verdict");
}

function follow() {
  const source = new EventSource(root.dataset.live);
  source.addEventListener("open", () => say("on"));
  source.addEventListener("message", (event) => show(event.data));
  source.addEventListener("ended", () => { source.close(); location.reload(); });
  source.addEventListener("error", () => {
    lost();
    if (source.readyState === EventSource.CLOSED) setTimeout(follow, AGAIN_MS);
  });
  window.addEventListener("pagehide", () => source.close());
}

follow();
