// The slices of a result: fetched as 16 bit, held while the page is open, neighbours in advance.

const AHEAD = 3;
const MOST = 400;

export class Slices {
  constructor(address, which, stack) {
    this.address = `${address}/${which}`;
    this.stack = stack;
    this.held = new Map();
  }

  get(index) {
    const known = this.held.get(index);
    if (known) return known;
    const coming = this.fetched(index);
    this.held.set(index, coming);
    coming.catch(() => this.held.delete(index));
    if (this.held.size > MOST) this.held.delete(this.held.keys().next().value);
    return coming;
  }

  ahead(index) {
    for (let step = 1; step <= AHEAD; step += 1) {
      for (const near of [index + step, index - step]) {
        if (near >= 0 && near < this.stack.slices) this.get(near).catch(() => {});
      }
    }
  }

  async fetched(index) {
    const answer = await fetch(`${this.address}/${index}`);
    if (!answer.ok) throw new Error(`slice ${index}: ${answer.status}`);
    const bytes = await answer.arrayBuffer();
    const view = new DataView(bytes);
    const pixels = new Uint16Array(bytes.byteLength / 2);
    for (let at = 0; at < pixels.length; at += 1) pixels[at] = view.getUint16(2 * at, true);
    return pixels;
  }
}
