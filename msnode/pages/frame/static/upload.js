// Files and folders, dropped or chosen, two at a time, each a request of its own. Their names stay here.
import { csrf } from "./pages.js";

const AT_ONCE = 2;
const SHOWN = 500; // refusals
const AGAIN_MS = 1000;
const drop = document.querySelector("[data-upload]");
const find = (name) => document.querySelector(`[data-${name}]`);
const said = drop.dataset;
const longest = Number(said.longest);

let batch = "";
let queue = [];
let total = 0;
let ended = 0;
let stopped = false;
const going = new Set();
const counts = { stored: 0, known: 0, refused: 0 };
const studies = new Set();

function show() {
  for (const [name, value] of Object.entries(counts)) find(`count="${name}"`).textContent = value;
  find('count="left"').textContent = queue.length + going.size;
  const part = [...going].reduce((sum, one) => sum + one.part, 0);
  find("all").value = total ? (ended + part) / total : 0;
  find("stop").hidden = !going.size && !queue.length;
}

function say(text) { find("state").textContent = text; }

function refuse(name, why, detail = "") {
  counts.refused += 1;
  if (counts.refused > SHOWN) return;
  find("refusals").hidden = false;
  const row = document.createElement("tr");
  const head = document.createElement("th");
  head.scope = "row";
  head.textContent = name;
  const cell = document.createElement("td");
  cell.textContent = detail ? `${why} ` : why;
  if (detail) cell.append(Object.assign(document.createElement("span"), { className: "detail muted", textContent: detail }));
  row.append(head, cell);
  find("refused").append(row);
}

function link(study) {
  if (studies.has(study)) return;
  studies.add(study);
  find("studies-line").hidden = false;
  const to = Object.assign(document.createElement("a"), { href: `/studies/${study}`, className: "key", textContent: study });
  find("studies").append(to, " ");
}

function take(status, body, name) {
  if (status === 200) {
    counts[body.outcome === "stored" ? "stored" : "known"] += 1;
    if (body.study) link(body.study);
  } else refuse(name, body.said || said.saidLost, body.detail);
}

function send(file, name) {
  return new Promise((resolve) => {
    const item = document.createElement("li");
    const bar = Object.assign(document.createElement("progress"), { max: 1, value: 0 });
    bar.setAttribute("aria-label", name);
    item.append(Object.assign(document.createElement("span"), { textContent: name }), bar);
    find("going").append(item);
    const request = new XMLHttpRequest();
    const one = { part: 0, request };
    going.add(one);
    const end = (result) => { going.delete(one); item.remove(); resolve(result); };
    request.open("POST", `/upload/${batch}`);
    request.setRequestHeader("X-CSRF-Token", csrf());
    request.setRequestHeader("Content-Type", "application/dicom");
    request.setRequestHeader("Accept", "application/json");
    request.responseType = "text";
    request.upload.onprogress = (event) => { one.part = bar.value = event.loaded / (event.total || 1); show(); };
    request.onload = () => end({ status: request.status, text: request.responseText });
    request.onerror = () => end({ status: 0, text: "" });
    request.onabort = () => end({ status: -1, text: "" });
    request.send(file);
  });
}

async function one(entry) {
  const { file, name } = entry;
  if (file.size > longest) return refuse(name, said.saidTooLarge);
  const answer = await send(file, name);
  if (answer.status === -1) return;
  if (answer.status === 429) { // others upload, too
    await new Promise((resolve) => setTimeout(resolve, AGAIN_MS));
    if (!stopped) { queue.unshift(entry); ended -= 1; }
    return;
  }
  if (answer.status === 401 || answer.status === 403) { stop(said.saidSession); return refuse(name, said.saidSession); }
  let body = {};
  try { body = JSON.parse(answer.text); } catch { body = {}; }
  take(answer.status, body, name);
}

async function work() {
  while (queue.length && !stopped) {
    await one(queue.shift());
    ended += 1;
    show();
  }
}

function finish(how) {
  return fetch(`/upload/${batch}/${how}`, { method: "POST", headers: { "X-CSRF-Token": csrf() }, keepalive: true });
}

function stop(text) {
  if (stopped) return;
  stopped = true;
  queue = [];
  for (const each of [...going]) each.request.abort();
  say(text);
  show();
}

async function begin(entries) {
  if (!entries.length) return;
  queue.push(...entries);
  total += entries.length;
  find("progress").hidden = false;
  show();
  if (batch) return; // the workers see it
  batch = Array.from(crypto.getRandomValues(new Uint8Array(16)), (byte) => byte.toString(16).padStart(2, "0")).join("");
  stopped = false;
  say(said.saidGoing);
  await Promise.all(Array.from({ length: AT_ONCE }, work));
  if (!stopped) say(said.saidDone);
  await finish(stopped ? "stopped" : "whole").catch(() => {});
  const rest = queue; // came meanwhile
  batch = "";
  queue = [];
  total = ended = 0;
  show();
  if (!stopped) find("all").value = 1;
  await begin(rest);
}

// folders that were dropped: each list of entries comes in parts
const files = (entry) => new Promise((resolve, reject) => entry.file(resolve, reject));
const part = (reader) => new Promise((resolve, reject) => reader.readEntries(resolve, reject));

async function* walk(entry) {
  if (entry.isFile) {
    try { yield { file: await files(entry), name: entry.fullPath.slice(1) }; } catch { refuse(entry.fullPath.slice(1), said.saidLost); }
    return;
  }
  const reader = entry.createReader();
  for (let some = await part(reader); some.length; some = await part(reader)) {
    for (const child of some) yield* walk(child);
  }
}

async function dropped(transfer) {
  const items = [...transfer.items].filter((item) => item.kind === "file");
  const entries = items.map((item) => [item.webkitGetAsEntry?.(), item.getAsFile()]); // now: they go with the event
  const found = [];
  for (const [entry, file] of entries) {
    if (entry) for await (const inside of walk(entry)) found.push(inside);
    else if (file) found.push({ file, name: file.name });
  }
  await begin(found);
}

for (const name of ["dragenter", "dragover"]) {
  document.addEventListener(name, (event) => { event.preventDefault(); drop.classList.add("over"); });
}
for (const name of ["dragleave", "drop"]) {
  document.addEventListener(name, (event) => { event.preventDefault(); drop.classList.remove("over"); });
}
document.addEventListener("drop", (event) => dropped(event.dataTransfer));
for (const button of document.querySelectorAll("[data-choose]")) {
  const input = document.getElementById(button.dataset.choose);
  button.addEventListener("click", () => input.click());
  input.addEventListener("change", () => {
    const chosen = [...input.files].map((file) => ({ file, name: file.webkitRelativePath || file.name }));
    input.value = "";
    begin(chosen);
  });
}
find("stop").addEventListener("click", () => stop(said.saidStopped));
window.addEventListener("beforeunload", (event) => { if (batch) event.preventDefault(); });
window.addEventListener("pagehide", () => { if (batch) finish("stopped"); });
