// The viewer of a result: this scan and the earlier one in step, by wheel, drag, keys and slider.

import { Pane } from "./pane.js";
import { Slices } from "./slices.js";

const ZOOMS = [0.5, 12];

export class Viewer extends EventTarget {
  constructor(root, stack) {
    super();
    this.root = root;
    this.stack = stack;
    this.panes = [];
    this.view = { slice: 0, centre: 0, width: 1, ...this.middle() };
    this.chosen = 0;
    this.mark = null;
    this.outlines = true;
    for (const figure of root.querySelectorAll("[data-pane]")) this.addPane(figure);
    this.slider = root.querySelector("#slice");
    this.box = root.querySelector(".panes");
    this.listen();
    this.window("default");
    this.to(this.first());
    new ResizeObserver(() => this.draw()).observe(this.box);
  }

  get span() {
    const [low, high] = this.stack.windows.default;
    return high - low;
  }

  addPane(figure) {
    const which = figure.dataset.pane;
    const scale = which === "now" ? this.stack.scale : this.stack.priorScale;
    const canvas = figure.querySelector("canvas");
    const slices = new Slices(this.root.dataset.slices, which, this.stack);
    this.panes.push({ which, figure, slices, pane: new Pane(canvas, this.stack, scale) });
  }

  // The slice of the first lesion of the table, else the middle
  first() {
    const jump = document.querySelector("#lesions .jump");
    return jump ? Number(jump.dataset.slice) : Math.floor(this.stack.slices / 2);
  }

  middle() {
    const [first, last, top, bottom] = this.stack.box;
    return { zoom: 1, column: (first + last + 1) / 2, row: (top + bottom + 1) / 2 };
  }

  window(name) {
    const [low, high] = this.stack.windows[name];
    Object.assign(this.view, { centre: (low + high) / 2, width: high - low });
    this.draw();
  }

  // Which window it is, if it is one of those with a name
  tellWindow() {
    const near = (one, other) => Math.abs(one - other) < this.span / 1000;
    for (const button of this.root.querySelectorAll("[data-window]")) {
      const [low, high] = this.stack.windows[button.dataset.window];
      const is = near(this.view.centre, (low + high) / 2) && near(this.view.width, high - low);
      button.setAttribute("aria-pressed", String(is));
    }
  }

  to(slice) {
    this.view.slice = Math.min(Math.max(Math.round(slice), 0), this.stack.slices - 1);
    this.slider.value = String(this.view.slice);
    this.slider.setAttribute("aria-valuetext", this.stack.labels[this.view.slice]);
    this.dispatchEvent(new Event("slice"));
    this.draw();
  }

  choose(number, slice) {
    this.chosen = number;
    if (this.view.zoom > 1) this.centre();
    this.to(slice ?? this.stack.places[number]?.[0] ?? this.view.slice);
    this.dispatchEvent(new Event("chosen"));
  }

  // What was chosen comes to the middle
  centre() {
    const place = this.stack.places[this.chosen];
    if (place) Object.assign(this.view, { column: place[1] + 0.5, row: place[2] + 0.5 });
  }

  zoom(factor) {
    if (this.view.zoom === 1 && factor > 1) this.centre();
    this.view.zoom = Math.min(Math.max(this.view.zoom * factor, ZOOMS[0]), ZOOMS[1]);
    this.draw();
  }

  reset() {
    Object.assign(this.view, this.middle());
    this.draw();
  }

  // A place for a lesion that was missed: {slice, column, row, mm}, or null
  place(mark) {
    this.mark = mark;
    if (mark) this.dispatchEvent(new Event("mark"));
    this.draw();
  }

  // Drawn with the pixels that it is about, so that it never stands beside another slice
  told(which, slice) {
    const label = this.stack.labels[slice];
    return which === "now" ? label : label.split(" · ")[0];
  }

  lines(which) {
    const { outlines } = this.stack;
    const slice = this.view.slice;
    const drawn = (one, changes) => ({ number: one.n, group: one.g, points: one.p, ...changes });
    if (!this.outlines) return [];
    if (which === "prior") return (outlines.prior[slice] ?? []).map((one) => drawn(one, { number: 0 }));
    const now = (outlines.now[slice] ?? []).map((one) =>
      drawn(one, { chosen: one.n === this.chosen, rejected: this.rejected().has(one.n) }),
    );
    const gone = (outlines.gone[slice] ?? []).map((one) => drawn(one, { number: 0 }));
    return [...gone, ...now, ...this.added(slice)];
  }

  rejected() {
    const rows = document.querySelectorAll("#lesions [data-rejected]");
    return new Set([...rows].map((row) => Number(row.dataset.lesion)));
  }

  added(slice) {
    const said = [...document.querySelectorAll("#said [data-said][data-slice]")]
      .filter((one) => Number(one.dataset.slice) === slice)
      .map(({ dataset }) => ({
        group: "added",
        circle: { column: Number(dataset.column), row: Number(dataset.row), mm: Number(dataset.mm) },
      }));
    const mark = this.mark?.slice === slice ? [{ group: "mark", circle: this.mark }] : [];
    return [...said, ...mark];
  }

  draw() {
    this.asked = (this.asked ?? 0) + 1;
    const asked = this.asked;
    const { slice } = this.view;
    for (const { which, figure, slices, pane } of this.panes) {
      if (figure.hidden) continue;
      slices.get(slice).then(
        (pixels) => {
          if (asked !== this.asked) return;
          pane.draw(pixels, this.view, this.lines(which), this.told(which, slice));
          figure.dataset.drawn = String(slice);
          slices.ahead(slice);
        },
        () => {
          if (asked !== this.asked) return;
          pane.draw(null, this.view, []); // never another slice's image under this one's label
          this.dispatchEvent(new Event("failed"));
        },
      );
    }
    this.tellWindow();
    this.dispatchEvent(new Event("view"));
  }

  listen() {
    this.slider.addEventListener("input", () => this.to(Number(this.slider.value)));
    for (const { pane } of this.panes) this.follow(pane);
    this.box.addEventListener("keydown", (event) => this.key(event));
  }

  follow(pane) {
    const { canvas } = pane;
    let from = null;
    canvas.addEventListener("wheel", (event) => {
      event.preventDefault();
      if (event.ctrlKey) this.zoom(event.deltaY < 0 ? 1.15 : 1 / 1.15);
      else this.to(this.view.slice + Math.sign(event.deltaY));
    }, { passive: false });
    canvas.addEventListener("contextmenu", (event) => event.preventDefault());
    canvas.addEventListener("pointerdown", (event) => {
      from = { x: event.clientX, y: event.clientY, moved: 0, button: event.button, ...this.view };
      canvas.setPointerCapture(event.pointerId);
    });
    canvas.addEventListener("pointermove", (event) => {
      if (from) this.drag(pane, from, event.clientX - from.x, event.clientY - from.y, event.shiftKey);
    });
    canvas.addEventListener("pointerup", (event) => {
      if (from && from.moved < 4) this.click(pane, event);
      from = null;
    });
    canvas.addEventListener("pointercancel", () => { from = null; });
  }

  // Left: window (right: wider, down: darker); with shift, middle or right: move the image
  drag(pane, from, x, y, shift) {
    from.moved = Math.max(from.moved, Math.abs(x) + Math.abs(y));
    if (from.moved < 4) return;
    if (from.button || shift) {
      const at = pane.place(this.view);
      Object.assign(this.view, { column: from.column - x / at.x, row: from.row - y / at.y });
    } else {
      const span = this.span;
      this.view.width = Math.max(from.width + (x / 300) * span, span / 200);
      this.view.centre = from.centre + (y / 300) * span;
    }
    this.draw();
  }

  click(pane, event) {
    const place = pane.under(event, this.view);
    if (this.mark) this.place({ ...this.mark, ...this.within(place), slice: this.view.slice });
    else if (pane === this.panes[0].pane) this.choose(pane.hit(event, this.view, this.lines("now")), this.view.slice);
    this.box.focus();
  }

  within({ column, row }) {
    const inside = (value, count) => Math.min(Math.max(Math.round(10 * value) / 10, 0), count - 1);
    return { column: inside(column, this.stack.columns), row: inside(row, this.stack.rows) };
  }

  key(event) {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    const does = (this.mark && this.markKeys()[event.key]) ?? this.keys()[event.key];
    if (!does) return;
    event.preventDefault();
    does();
  }

  keys() {
    const { slice, centre, width } = this.view;
    const step = this.span / 25;
    const wider = (by) => () => { this.view.width = Math.max(width + by, step / 8); this.draw(); };
    const brighter = (by) => () => { this.view.centre = centre + by; this.draw(); };
    return {
      ArrowUp: () => this.to(slice - 1), ArrowDown: () => this.to(slice + 1), // as the wheel
      PageUp: () => this.to(slice - 5), PageDown: () => this.to(slice + 5),
      Home: () => this.to(0), End: () => this.to(this.stack.slices - 1),
      n: () => this.next(1), b: () => this.next(-1),
      "+": () => this.zoom(1.25), "-": () => this.zoom(1 / 1.25), 0: () => this.reset(),
      w: wider(step), q: wider(-step), s: brighter(step), a: brighter(-step),
      1: () => this.window("default"), 2: () => this.window("lesions"), 3: () => this.window("wide"),
      o: () => this.toggle("outlines"), p: () => this.toggle("prior"),
    };
  }

  markKeys() {
    const [x, y] = this.stack.flips.map((flip) => (flip ? -1 : 1));
    const move = (column, row) => () =>
      this.place({ ...this.mark, ...this.within({ column: this.mark.column + x * column, row: this.mark.row + y * row }) });
    return {
      ArrowLeft: move(-1, 0), ArrowRight: move(1, 0), ArrowUp: move(0, -1), ArrowDown: move(0, 1),
      Escape: () => { this.place(null); this.dispatchEvent(new Event("unmark")); },
      PageUp: () => this.moveMark(-1), PageDown: () => this.moveMark(1),
    };
  }

  moveMark(by) {
    this.to(this.view.slice + by);
    this.place({ ...this.mark, slice: this.view.slice });
  }

  // The next lesion in the order of the table
  next(step) {
    const jumps = [...document.querySelectorAll("#lesions .jump")];
    if (!jumps.length) return;
    const here = jumps.findIndex((one) => Number(one.dataset.number) === this.chosen);
    const to = here < 0 ? 0 : (here + step + jumps.length) % jumps.length;
    this.choose(Number(jumps[to].dataset.number), Number(jumps[to].dataset.slice));
  }

  toggle(what) {
    const button = this.root.querySelector(`[data-tool="${what}"]`);
    if (!button) return;
    const on = button.getAttribute("aria-pressed") !== "true";
    button.setAttribute("aria-pressed", String(on));
    if (what === "outlines") this.outlines = on;
    else for (const one of this.panes) if (one.which === "prior") one.figure.hidden = !on;
    this.draw();
  }
}
