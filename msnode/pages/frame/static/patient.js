// The page of a patient: who is like him takes seconds, so it comes after the page.

const place = document.querySelector("#similar");

async function load() {
  const answer = await fetch(place.dataset.from, { headers: { Accept: "text/html" } });
  if (!answer.ok) throw new Error(String(answer.status));
  const parts = new DOMParser().parseFromString(await answer.text(), "text/html");
  place.replaceChildren(...parts.body.childNodes);
}

if (place) load().catch(() => { place.textContent = place.dataset.failed; });
