// The tensor walk, alive. Python drew the first state (page.py) and recorded every float. This
// looks numbers up, multiplies and adds integers (int32 is exact in a double), and writes what is
// new where the old stood. A module: its names are its own, and the page is there when it runs.

const REAL = /^(x|scale|filter_scale|factor|dequantized|bias|pre_activation|output)$/;
const OUTPUTS = ["accumulator", "pre_activation", "output"]; // grids that can be pointed at
// JSON has each float in its shortest digits, and a number's text is its shortest digits
const real = (x) => (Object.is(x, -0) ? "-0" : String(x));
const whole = (n) => String(n).replace(/\B(?=(\d{3})+$)/g, ",");
const write = (name, value) => (REAL.test(name) ? real : whole)(value);
const minus = (text) => text.replace(/-/g, "\u2212");
const fill = (pattern, numbers) =>
  minus(
    pattern.replace(/\{(\w+)(!?)\}/g, (_, name, brackets) => {
      const text = write(name, numbers[name]);
      return brackets && text[0] === "-" ? `(${text})` : text;
    }),
  );
// the browser lays out again only what really changed
const put = (element, text) => {
  if (element.textContent !== text) element.textContent = text;
};
const clamp = (value, most) => Math.min(Math.max(value, 0), most);

class DrqWalk extends HTMLElement {
  connectedCallback() {
    if (!this.data) this.prepare();
    // on window, because JupyterLab takes the arrow keys for itself on document
    window.addEventListener("keydown", this.onKey, true);
  }

  disconnectedCallback() {
    window.removeEventListener("keydown", this.onKey, true);
  }

  one(selector) {
    return this.querySelector(selector);
  }

  all(selector) {
    return [...this.querySelectorAll(selector)];
  }

  prepare() {
    const data = (this.data = JSON.parse(this.dataset.walk));
    [, this.tall, this.wide, this.depth] = data.filter_shape;
    this.taps = this.tall * this.wide;
    [this.height, this.width, this.channels] = data.output_shape;
    const [row, column, channel, k] = data.start;
    this.chosen = this.first = { row, column, channel, k }; // what stays when the pointer leaves
    this.slots = this.all("[data-text]");
    this.windows = this.all("[data-window]");
    this.parts = this.all(".drq-parts > li");
    this.steps = this.all("li[data-stage]");
    this.one(".drq-walk-steps").tabIndex = 0; // it may scroll
    this.grids = this.all("[data-cells]").map((element) => this.grid(element));
    this.output = this.grids.find((grid) => grid.name === "output");
    this.listen();
    this.toggleAttribute("data-live", true);
    this.choose({}, false);
    this.walkTo(0);
  }

  // ---- grids ----
  grid(element) {
    const { data } = this;
    const name = element.dataset.cells;
    const reads = name.startsWith("input");
    const center = name === "input_quantized" ? data.zero_point[0] : 0;
    const largest = data[name].reduce((most, v) => Math.max(most, Math.abs(v - center)), 0);
    const [top, left] = reads ? data.before : [0, 0];
    const cols = Number(getComputedStyle(element).getPropertyValue("--cols"));
    const cells = [...element.querySelectorAll("i")];
    const inner = cells.filter((cell) => !cell.classList.contains("drq-pad"));
    const lit = cells.filter((cell) => cell.classList.contains("drq-on"));
    return { name, element, reads, center, largest, top, left, cols, cells, inner, lit };
  }

  // where in its tensor the value of a pixel, or of a tap, lies
  indexOf(grid, { channel, k }, pixel) {
    if (grid.name === "filter") return (channel * this.taps + pixel) * this.depth + k;
    if (grid.reads) return pixel * this.data.input_shape[2] + this.data.first[channel] + k;
    return pixel * this.channels + channel;
  }

  paint(grid, state, numbers) {
    const shown = `${state.channel} ${state.k}`;
    if (grid.shown === shown) return;
    grid.shown = shown;
    grid.element.setAttribute("aria-label", fill(grid.element.dataset.label, numbers));
    grid.inner.forEach((cell, at) => {
      const value = this.data[grid.name][this.indexOf(grid, state, at)];
      const shade = grid.largest ? (Math.abs(value - grid.center) / grid.largest) * 100 : 0;
      cell.style.setProperty("--shade", `${Math.round(shade)}%`);
      cell.classList.toggle("drq-below", value < grid.center);
      if (grid !== this.output) return;
      const place = `row ${Math.floor(at / this.width)}, column ${at % this.width}`;
      cell.setAttribute("aria-label", minus(`${place}: ${real(value)}`));
    });
  }

  // ---- the numbers: those of Layer.numbers in numbers.py ----
  numbers(state) {
    const { data, depth, channels } = this;
    const { channel, k } = state;
    const [rows, columns, inputs] = data.input_shape;
    const pixel = state.row * this.width + state.column;
    const at = pixel * channels + channel;
    const own = data.scale.length > 1 ? pixel : 0; // does every pixel have a scale?
    const zero = data.zero_point[own];
    const first = data.first[channel];
    const taps = { x: [], q: [], w: [], products: [], places: [] };
    const parts = new Array(depth).fill(0);
    for (let tap = 0; tap < this.taps; tap++) {
      const down = Math.floor(tap / this.wide) * data.dilation[0];
      const right = (tap % this.wide) * data.dilation[1];
      const row = state.row * data.stride[0] - data.before[0] + down;
      const column = state.column * data.stride[1] - data.before[1] + right;
      const inside = row >= 0 && column >= 0 && row < rows && column < columns;
      const from = (row * columns + column) * inputs + first;
      const weights = (channel * this.taps + tap) * depth;
      const code = (c) => (inside ? data.input_quantized[from + c] : zero);
      for (let c = 0; c < depth; c++) parts[c] += code(c) * data.filter[weights + c];
      taps.places.push({ row, column, inside });
      taps.x.push(inside ? data.input[from + k] : 0);
      taps.q.push(code(k));
      taps.w.push(data.filter[weights + k]);
      taps.products.push(code(k) * data.filter[weights + k]);
    }
    const numbers = { ...state, ...taps, parts, k: first + k, part: parts[k] };
    const take = (names, from) => {
      for (const name of names) numbers[name] = data[name][from];
    };
    take(["scale", "zero_point"], own);
    take(["filter_scale", "bias", "row_sum"], channel);
    take(["dequantized", "pre_activation", "output"], at);
    take(["factor"], data.factor.length > channels ? at : channel);
    numbers.raw = parts.reduce((sum, part) => sum + part, 0);
    numbers.correction = zero * numbers.row_sum;
    numbers.accumulator = numbers.raw - numbers.correction;
    return numbers;
  }

  // ---- what is seen ----
  show(state) {
    const numbers = this.numbers(state);
    for (const slot of this.slots) put(slot, fill(slot.dataset.text, numbers));
    for (const table of this.windows) {
      const name = table.dataset.window;
      table.querySelectorAll("td").forEach((cell, tap) => {
        put(cell, minus(write(name, numbers[name][tap])));
        const padding = !numbers.places[tap].inside && (name === "x" || name === "q");
        cell.classList.toggle("drq-pad", padding);
      });
    }
    this.parts.forEach((part, at) => {
      put(part.children[0], String(numbers.k - state.k + at));
      put(part.children[1], minus(whole(numbers.parts[at])));
      part.classList.toggle("drq-on", at === state.k);
    });
    for (const grid of this.grids) {
      this.paint(grid, state, numbers);
      if (grid.name === "filter") continue; // the sum reads all of it
      for (const cell of grid.lit) cell.classList.remove("drq-on");
      grid.lit = [];
      for (const { row, column } of grid.reads ? numbers.places : [state]) {
        const at = (row + grid.top) * grid.cols + column + grid.left;
        grid.lit.push(grid.cells[at]);
        grid.cells[at].classList.add("drq-on");
      }
    }
    return numbers;
  }

  choose(changes, speak = true) {
    const chosen = { ...this.chosen, ...changes };
    chosen.row = clamp(chosen.row, this.height - 1);
    chosen.column = clamp(chosen.column, this.width - 1);
    this.chosen = chosen;
    const numbers = this.show(chosen);
    this.output.cells.forEach((cell, at) => {
      const here = at === chosen.row * this.width + chosen.column;
      cell.tabIndex = here ? 0 : -1;
      cell.setAttribute("aria-selected", here);
    });
    for (const select of this.all("[data-choose]")) {
      const first = select.dataset.choose === "k" ? numbers.k - chosen.k : 0;
      [...select.options].forEach((option, at) => (option.textContent = first + at));
      select.selectedIndex = chosen[select.dataset.choose];
    }
    const region = this.one("[data-spoken]");
    if (speak) region.textContent = fill(region.dataset.spoken, numbers);
  }

  // to a stage, and with it into view
  goTo(stage) {
    this.walkTo(stage);
    this.steps[this.stage].scrollIntoView({ block: "nearest" });
  }

  walkTo(stage) {
    const last = this.steps.length - 1;
    this.stage = clamp(stage, last);
    for (const element of this.all("[data-stage]")) {
      element.classList.toggle("drq-now", Number(element.dataset.stage) === this.stage + 1);
    }
    const told = this.steps[this.stage].querySelectorAll("[data-told]");
    const [name, ...kept] = [...told].map((element) => element.textContent);
    this.one("[data-says] b").textContent = `${this.stage + 1} of ${last + 1}: ${name}`;
    this.one("[data-says] span").textContent = kept.join(". ");
    const [back, next] = this.all("[data-go]");
    // not `disabled`: that would drop the keyboard's focus
    back.setAttribute("aria-disabled", this.stage === 0);
    next.setAttribute("aria-disabled", this.stage === last);
  }

  // ---- pointing, choosing, stepping ----
  placeOf(element) {
    const cell = element?.closest?.("i");
    const grid = this.grids.find((each) => each.element.contains(cell));
    if (!cell || !OUTPUTS.includes(grid?.name)) return null;
    const at = grid.cells.indexOf(cell);
    return { row: Math.floor(at / grid.cols), column: at % grid.cols };
  }

  listen() {
    this.addEventListener("pointerover", ({ target, pointerType }) => {
      const place = pointerType !== "touch" && this.placeOf(target);
      if (place) this.show({ ...this.chosen, ...place });
    });
    this.addEventListener("pointerout", ({ target, relatedTarget }) => {
      if (this.placeOf(target) && !this.placeOf(relatedTarget)) this.show(this.chosen);
    });
    this.addEventListener("click", ({ target }) => {
      const place = this.placeOf(target);
      const part = this.parts.indexOf(target.closest("li"));
      const step = this.steps.indexOf(target.closest("li[data-stage]"));
      const go = target.closest("[data-go]");
      if (place) this.choose(place);
      if (part >= 0) this.choose({ k: part });
      if (step >= 0) this.walkTo(step);
      if (go) this.goTo(this.stage + Number(go.dataset.go));
    });
    this.addEventListener("change", ({ target }) => {
      this.choose({ [target.dataset.choose]: target.selectedIndex });
    });
    this.onKey = (event) => {
      if (!this.contains(event.target) || event.ctrlKey || event.metaKey || event.altKey) return;
      if (!this.press(event.key, event.target)) return;
      event.preventDefault();
      event.stopPropagation();
    };
  }

  // true if the key meant something here
  press(key, target) {
    const { row, column } = this.chosen;
    const move = {
      ArrowUp: { row: row - 1 },
      ArrowDown: { row: row + 1 },
      ArrowLeft: { column: column - 1 },
      ArrowRight: { column: column + 1 },
      Home: { column: 0 },
      End: { column: this.width },
      Escape: this.first,
    }[key];
    const inGrid = this.output.element.contains(target);
    const onButton = target.closest("[data-go]") && { ArrowLeft: -1, ArrowRight: 1 }[key];
    if (onButton) this.goTo(this.stage + onButton);
    else if (move && (inGrid || key === "Escape")) {
      this.choose(move);
      if (key === "Escape") this.goTo(0);
      if (inGrid) this.output.cells.find((cell) => cell.tabIndex === 0).focus();
    } else return false;
    return true;
  }
}

// another walk on the page may have brought it already
customElements.get("drq-walk") || customElements.define("drq-walk", DrqWalk);
