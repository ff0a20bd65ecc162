// Asks the server something once a minute while somebody is at the page.
// A page that nobody is at asks nothing: it would keep the session open for whoever passes by.

const EVERY_MS = 60_000;
const AWAY_MS = 300_000;

export function whileHere(ask) {
  let seen = Date.now();
  const isAway = () => Date.now() - seen > AWAY_MS;
  const quietly = () => ask().catch(() => {});
  const here = () => {
    if (isAway()) quietly();
    seen = Date.now();
  };
  for (const one of ["pointermove", "keydown", "wheel"]) addEventListener(one, here, { passive: true });
  setInterval(() => { if (!isAway()) quietly(); }, EVERY_MS);
}
