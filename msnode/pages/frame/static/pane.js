// One image of the viewer: greys by a window, outlines as thin lines, sides and a scale bar.

const STROKES = {
  new: { colour: "#ff5a3c", width: 2.4 },
  enlarging: { colour: "#ffd640", width: 1.6, twice: true },
  rest: { colour: "#40beff", width: 1.2 },
  lesion: { colour: "#40beff", width: 1.2 },
  gone: { colour: "#ececec", width: 1.2, dash: [3, 3] },
  added: { colour: "#7dff9a", width: 1.6 },
  mark: { colour: "#7dff9a", width: 1.6, dash: [4, 3] },
};
const REJECTED = [2, 4];

export class Pane {
  constructor(canvas, stack, scale) {
    this.canvas = canvas;
    this.stack = stack;
    this.scale = scale;
    this.grey = document.createElement("canvas");
    this.grey.width = stack.columns;
    this.grey.height = stack.rows;
    this.image = this.grey.getContext("2d").createImageData(stack.columns, stack.rows);
  }

  // CSS pixels by pixels of the image, and where its corner lies; x or y below 0 where it is flipped
  place(view) {
    const [column, row] = this.stack.spacing;
    const [first, last, top, bottom] = this.stack.box;
    const { clientWidth: width, clientHeight: height } = this.canvas;
    const fit = Math.min(width / ((last - first + 9) * column), height / ((bottom - top + 9) * row));
    const mm = fit * view.zoom;
    const [x, y] = [this.stack.flips[0] ? -mm * column : mm * column, this.stack.flips[1] ? -mm * row : mm * row];
    return { x, y, left: width / 2 - x * view.column, top: height / 2 - y * view.row, mm };
  }

  // Pixel of the image, centre-based, under a point of the page
  under(event, view) {
    const box = this.canvas.getBoundingClientRect();
    const at = this.place(view);
    return {
      column: (event.clientX - box.left - at.left) / at.x - 0.5,
      row: (event.clientY - box.top - at.top) / at.y - 0.5,
    };
  }

  draw(pixels, view, lines, told = "") {
    const ratio = window.devicePixelRatio || 1;
    const { clientWidth: width, clientHeight: height } = this.canvas;
    this.canvas.width = Math.round(width * ratio);
    this.canvas.height = Math.round(height * ratio);
    const context = this.canvas.getContext("2d");
    context.setTransform(ratio, 0, 0, ratio, 0, 0);
    context.fillStyle = "#000";
    context.fillRect(0, 0, width, height);
    if (!pixels) return;
    this.greys(pixels, view);
    const at = this.place(view);
    context.imageSmoothingEnabled = true;
    context.imageSmoothingQuality = "high";
    const { columns, rows } = this.stack;
    context.save();
    context.translate(at.left, at.top);
    context.scale(at.x, at.y);
    context.drawImage(this.grey, 0, 0, columns, rows);
    context.restore();
    for (const line of lines) this.stroke(context, at, line);
    this.signs(context, at, width, height, [told, `C ${view.centre.toFixed(0)}  W ${view.width.toFixed(0)}`]);
  }

  greys(pixels, view) {
    const low = view.centre - view.width / 2;
    const factor = 255 / Math.max(view.width, 1e-6);
    const data = this.image.data;
    for (let from = 0, to = 0; from < pixels.length; from += 1, to += 4) {
      const grey = (pixels[from] * this.scale - low) * factor;
      data[to] = grey; // clamped
      data[to + 1] = grey;
      data[to + 2] = grey;
      data[to + 3] = 255;
    }
    this.grey.getContext("2d").putImageData(this.image, 0, 0);
  }

  stroke(context, at, line) {
    const stroke = STROKES[line.group];
    const path = new Path2D();
    for (const points of line.points ?? []) {
      points.forEach(([x, y], index) => {
        const place = [at.left + x * at.x, at.top + y * at.y];
        if (index) path.lineTo(...place);
        else path.moveTo(...place);
      });
      path.closePath();
    }
    if (line.circle) {
      const { column, row, mm } = line.circle;
      const x = at.left + (column + 0.5) * at.x;
      const y = at.top + (row + 0.5) * at.y;
      path.arc(x, y, Math.max((at.mm * mm) / 2, 3), 0, 2 * Math.PI);
    }
    context.setLineDash(line.rejected ? REJECTED : (stroke.dash ?? []));
    context.lineJoin = "round";
    context.globalAlpha = line.rejected ? 0.6 : 1;
    if (stroke.twice) this.line(context, path, stroke.width + 3, stroke.colour, 0.35);
    this.line(context, path, stroke.width + (line.chosen ? 1.6 : 0), stroke.colour, 1);
    if (line.chosen) this.halo(context, path);
    context.globalAlpha = 1;
    context.setLineDash([]);
  }

  line(context, path, width, colour, alpha) {
    const before = context.globalAlpha;
    context.globalAlpha = before * alpha;
    context.lineWidth = width;
    context.strokeStyle = colour;
    context.stroke(path);
    context.globalAlpha = before;
  }

  halo(context, path) {
    context.lineWidth = 0.8;
    context.strokeStyle = "#fff";
    context.stroke(path);
  }

  signs(context, at, width, height, told) {
    const { left, right, top, bottom } = this.stack.sides;
    context.font = "600 15px system-ui, sans-serif";
    const write = (text, x, y, align, base) => {
      context.textAlign = align;
      context.textBaseline = base;
      context.lineWidth = 3;
      context.strokeStyle = "#000";
      context.strokeText(text, x, y);
      context.fillStyle = "#fff";
      context.fillText(text, x, y);
    };
    write(left, 7, height / 2, "left", "middle");
    write(right, width - 7, height / 2, "right", "middle");
    write(top, width / 2, 6, "center", "top");
    write(bottom, width / 2, height - 6, "center", "bottom");
    const cm = [50, 20, 10, 5, 2].find((mm) => mm * at.mm < width / 3) ?? 1;
    const end = width - 12;
    context.strokeStyle = "#fff";
    context.lineWidth = 2;
    context.beginPath();
    context.moveTo(end - cm * at.mm, height - 12);
    context.lineTo(end, height - 12);
    context.stroke();
    context.font = "12px system-ui, sans-serif";
    write(`${cm} mm`, end, height - 17, "right", "bottom");
    told.forEach((line, index) => write(line, 7, height - 24 + 17 * index, "left", "bottom"));
  }

  // The lesion under a point; of several the smallest
  hit(event, view, lines) {
    const place = this.under(event, view);
    const inside = lines.filter((line) => line.number && this.holds(line, place));
    return inside.at(-1)?.number ?? 0;
  }

  holds(line, { column, row }) {
    const [x, y] = [column + 0.5, row + 0.5];
    let odd = false;
    for (const points of line.points ?? []) {
      points.forEach(([x1, y1], index) => {
        const [x2, y2] = points[(index + 1) % points.length];
        if (y1 > y !== y2 > y && x < ((x2 - x1) * (y - y1)) / (y2 - y1) + x1) odd = !odd;
      });
    }
    return odd;
  }
}
