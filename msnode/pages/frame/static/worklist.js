// The worklist: says when results have come since it was opened; it does not move under the hand.

import { whileHere } from "./here.js";

const newer = document.querySelector("#newer");

async function look() {
  const answer = await fetch("/worklist/newest");
  if (!answer.ok) return;
  newer.hidden = (await answer.json()).created_at <= Number(newer.dataset.newest);
}

if (newer) whileHere(look);
