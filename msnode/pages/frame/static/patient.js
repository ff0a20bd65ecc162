// The page of a patient: who is like him takes seconds, so it comes after the page.

const place = document.querySelector("#similar");
const BUSY = 429;
const TRIES = 6;

const pause = (seconds) => new Promise((done) => { setTimeout(done, 1000 * seconds); });

// The node looks through its record for one reader at a time
async function answer() {
  for (let tries = 1; ; tries += 1) {
    const came = await fetch(place.dataset.from, { headers: { Accept: "text/html" } });
    if (came.ok) return came.text();
    if (came.status !== BUSY || tries === TRIES) throw new Error(String(came.status));
    await pause(Number(came.headers.get("Retry-After")) || 4);
  }
}

async function load() {
  const parts = new DOMParser().parseFromString(await answer(), "text/html");
  place.replaceChildren(...parts.body.childNodes);
}

if (place) load().catch(() => { place.textContent = place.dataset.failed; });
