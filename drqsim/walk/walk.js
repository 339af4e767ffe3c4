// The tensor walk, alive. Python drew the first state (page.py) and recorded every float; this
// script looks numbers up, multiplies and adds integers (exact in a double: int32 fits), and
// writes the new ones where the old ones stand.
(() => {
  "use strict";
  if (customElements.get("drq-walk")) return; // another walk on this page brought it

  const whole = (n) => String(n).replace(/\B(?=(\d{3})+$)/g, ",");
  // a float's text is what Python recorded: JSON numbers are its shortest digits
  const real = (x) => (Object.is(x, -0) ? "-0" : String(x));
  const minus = (text) => text.replace(/-/g, "\u2212");
  const REALS = new Set(
    "x scale filter_scale factor dequantized bias pre_activation output".split(" "),
  );
  const write = (name, value) => (REALS.has(name) ? real : whole)(value);
  const fill = (pattern, numbers) =>
    pattern.replace(/\{(\w+)(!?)\}/g, (_, name, brackets) => {
      const text = write(name, numbers[name]);
      return brackets && text[0] === "-" ? `(${text})` : text;
    });
  const setText = (element, text) => {
    if (element.textContent !== text) element.textContent = text;
  };
  const clamp = (value, low, high) => Math.min(Math.max(value, low), high);

  class DrqWalk extends HTMLElement {
    connectedCallback() {
      // while the page is still being read, the children are not there yet
      if (!this.querySelector("[data-spoken]") && document.readyState === "loading") {
        document.addEventListener("DOMContentLoaded", () => this.start(), { once: true });
      } else {
        this.start();
      }
    }

    disconnectedCallback() {
      window.removeEventListener("keydown", this.onKey, true);
    }

    start() {
      if (!this.data) this.prepare();
      // before the document: JupyterLab listens there and takes the arrow keys for itself
      window.addEventListener("keydown", this.onKey, true);
    }

    prepare() {
      const data = (this.data = JSON.parse(this.dataset.walk));
      const all = (selector) => [...this.querySelectorAll(selector)];
      [this.depth, this.outs] = [data.filter[3], data.output[2]];
      const [y, x, channel, k] = data.start;
      this.first = { y, x, channel, k };
      this.chosen = { ...this.first }; // what stays when the pointer leaves
      this.stage = 0;
      this.slots = all("[data-text]");
      this.labels = all("[data-label]");
      this.windows = all("[data-window]").map((table) => [
        table.dataset.window,
        [...table.querySelectorAll("td")],
      ]);
      this.parts = all(".drq-parts > li");
      this.grids = all("[data-cells]").map((element) => this.grid(element));
      this.output = this.grids.find((grid) => grid.name === "output");
      this.steps = all(".drq-walk-steps > li");
      this.staged = all("[data-stage]");
      this.listen(all("[data-choose]"), all("[data-go]"));
      this.toggleAttribute("data-live", true);
      this.show(this.chosen);
      this.walkTo(0);
    }

    // ---- one grid: its values, its cells, and what it centres its colours on ----
    grid(element) {
      const name = element.dataset.cells;
      const { data } = this;
      const [values, center] = {
        input: [data.x, 0],
        input_quantized: [data.q, data.zero_point[0]],
        filter: [data.w, 0],
      }[name] || [name === "output" ? data.output_values : data[name], 0];
      const size = { input: data.input, input_quantized: data.input, filter: data.filter.slice(1) };
      const [height, width, channels] = size[name] || data.output;
      const cells = [...element.querySelectorAll("i")];
      const cols = Number(getComputedStyle(element).getPropertyValue("--cols"));
      const [top, left] = name.startsWith("input") ? data.before : [0, 0];
      const largest = values.reduce((most, v) => Math.max(most, Math.abs(v - center)), 0);
      const grid = { name, element, values, center, height, width, channels, cells, cols, top };
      return Object.assign(grid, { left, largest, shown: undefined, lit: [] });
    }

    // which channel of its tensor a grid shows
    channelOf(grid, { channel, k }) {
      if (grid.name === "filter") return channel * this.depth + k;
      return grid.name.startsWith("input") ? this.firstOf(channel) + k : channel;
    }

    // the first input channel that an output channel reads: not 0 in later groups
    firstOf(channel) {
      const groups = this.data.input[2] / this.depth;
      return Math.floor(channel / (this.outs / groups)) * this.depth;
    }

    value(grid, state, row, column) {
      const at = row * grid.width + column;
      if (grid.name !== "filter") {
        return grid.values[at * grid.channels + this.channelOf(grid, state)];
      }
      const taps = grid.height * grid.width;
      return grid.values[(state.channel * taps + at) * this.depth + state.k];
    }

    paint(grid, state) {
      const channel = this.channelOf(grid, state);
      if (grid.shown === channel) return;
      grid.shown = channel;
      grid.cells.forEach((cell, at) => {
        const row = Math.floor(at / grid.cols) - grid.top;
        const column = (at % grid.cols) - grid.left;
        if (row < 0 || column < 0 || row >= grid.height || column >= grid.width) return;
        const value = this.value(grid, state, row, column);
        const shade = grid.largest ? (Math.abs(value - grid.center) / grid.largest) * 100 : 0;
        cell.style.setProperty("--shade", `${Math.round(shade)}%`);
        cell.classList.toggle("drq-below", value < grid.center);
        if (grid === this.output) {
          cell.setAttribute("aria-label", minus(`row ${row}, column ${column}: ${real(value)}`));
        }
      });
    }

    light(grid, places) {
      for (const cell of grid.lit) cell.classList.remove("drq-on");
      grid.lit = places.map(([y, x]) => grid.cells[(y + grid.top) * grid.cols + x + grid.left]);
      for (const cell of grid.lit) cell.classList.add("drq-on");
    }

    // ---- the numbers: the same as Layer.numbers in Python ----
    window({ y, x }) {
      const { before, stride, dilation, filter, input } = this.data;
      const places = [];
      for (let i = 0; i < filter[1]; i++) {
        for (let j = 0; j < filter[2]; j++) {
          const row = y * stride[0] - before[0] + i * dilation[0];
          const column = x * stride[1] - before[1] + j * dilation[1];
          const inside = row >= 0 && column >= 0 && row < input[0] && column < input[1];
          places.push({ row, column, inside });
        }
      }
      return places;
    }

    numbers(state) {
      const { data, depth, outs } = this;
      const { y, x, channel, k } = state;
      const pixel = y * data.output[1] + x;
      const at = pixel * outs + channel;
      const own = data.scale.length > 1 ? pixel : 0;
      const zero = data.zero_point[data.zero_point.length > 1 ? pixel : 0];
      const first = this.firstOf(channel);
      const places = this.window(state);
      const parts = new Array(depth).fill(0);
      const taps = { x: [], q: [], w: [], products: [] };
      places.forEach(({ row, column, inside }, tap) => {
        const from = (row * data.input[1] + column) * data.input[2] + first;
        const weights = (channel * places.length + tap) * depth;
        for (let c = 0; c < depth; c++) {
          const code = inside ? data.q[from + c] : zero;
          const product = code * data.w[weights + c];
          parts[c] += product;
          if (c !== k) continue;
          taps.x.push(inside ? data.x[from + c] : 0);
          taps.q.push(code);
          taps.w.push(data.w[weights + c]);
          taps.products.push(product + 0); // never -0
        }
      });
      const raw = parts.reduce((sum, part) => sum + part, 0);
      const correction = zero * data.row_sums[channel] + 0;
      return {
        ...taps,
        places,
        parts,
        raw,
        correction,
        row: y,
        column: x,
        channel,
        k: first + k,
        part: parts[k],
        zero_point: zero,
        row_sum: data.row_sums[channel],
        accumulator: raw - correction,
        scale: data.scale[own],
        filter_scale: data.filter_scale[channel],
        factor: data.factor[data.factor.length > outs ? at : channel],
        dequantized: data.dequantized[at],
        bias: data.bias[channel],
        pre_activation: data.pre_activation[at],
        output: data.output_values[at],
      };
    }

    show(state) {
      const numbers = this.numbers(state);
      for (const slot of this.slots) setText(slot, minus(fill(slot.dataset.text, numbers)));
      for (const [name, cells] of this.windows) {
        cells.forEach((cell, tap) => {
          setText(cell, minus(write(name, numbers[name][tap])));
          const padding = !numbers.places[tap].inside && (name === "x" || name === "q");
          cell.classList.toggle("drq-pad", padding);
        });
      }
      this.parts.forEach((part, at) => {
        setText(part.children[0], String(numbers.k - state.k + at));
        setText(part.children[1], minus(whole(numbers.parts[at])));
        part.classList.toggle("drq-on", at === state.k);
      });
      for (const grid of this.grids) {
        this.paint(grid, state);
        if (grid.name === "filter") continue; // the sum reads all of it
        const input = grid.name.startsWith("input");
        const places = input ? numbers.places.map((p) => [p.row, p.column]) : [[state.y, state.x]];
        this.light(grid, places);
      }
      for (const element of this.labels) {
        element.setAttribute("aria-label", fill(element.dataset.label, numbers));
      }
      return numbers;
    }

    // ---- choosing ----
    choose(changes, speak = true) {
      const [height, width] = this.data.output;
      const chosen = (this.chosen = { ...this.chosen, ...changes });
      chosen.y = clamp(chosen.y, 0, height - 1);
      chosen.x = clamp(chosen.x, 0, width - 1);
      const numbers = this.show(chosen);
      const now = chosen.y * width + chosen.x;
      this.output.cells.forEach((cell, at) => {
        cell.tabIndex = at === now ? 0 : -1;
        cell.setAttribute("aria-selected", String(at === now));
      });
      for (const select of this.querySelectorAll("[data-choose]")) {
        if (select.dataset.choose === "k") {
          [...select.options].forEach((o, at) => setText(o, String(numbers.k - chosen.k + at)));
        }
        select.selectedIndex = chosen[select.dataset.choose];
      }
      const region = this.querySelector("[data-spoken]");
      if (speak) setText(region, minus(fill(region.dataset.spoken, numbers)));
    }

    walkTo(stage) {
      this.stage = clamp(stage, 0, this.steps.length - 1);
      const number = String(this.stage + 1);
      for (const element of this.staged) {
        element.classList.toggle("drq-now", element.dataset.stage === number);
      }
      const step = this.steps[this.stage];
      const [name, type, place] = step.querySelector(".drq-step-head").children;
      const text = this.querySelector("[data-stage-text]");
      text.replaceChildren(Object.assign(document.createElement("b"), name.cloneNode(true)));
      const head = ` of ${this.steps.length}: ${type.textContent}, ${place.textContent}. `;
      text.append(head, step.querySelector("p").textContent);
      const [back, next] = this.querySelectorAll("[data-go]");
      // not `disabled`: that would drop the keyboard's focus
      back.setAttribute("aria-disabled", String(this.stage === 0));
      next.setAttribute("aria-disabled", String(this.stage === this.steps.length - 1));
    }

    listen(selects, buttons) {
      const placeOf = (event) => {
        const cell = event.target.closest("i");
        const grid = cell && this.grids.find((each) => each.element.contains(cell));
        if (!grid || !["accumulator", "pre_activation", "output"].includes(grid.name)) return null;
        const at = grid.cells.indexOf(cell);
        return { y: Math.floor(at / grid.cols), x: at % grid.cols };
      };
      this.addEventListener("pointerover", (event) => {
        const place = event.pointerType !== "touch" && placeOf(event);
        if (place) this.show({ ...this.chosen, ...place });
      });
      this.addEventListener("pointerout", (event) => {
        if (placeOf(event)) this.show(this.chosen);
      });
      this.addEventListener("click", (event) => {
        const place = placeOf(event);
        if (place) this.choose(place);
        const part = this.parts.indexOf(event.target.closest("li"));
        if (part >= 0) this.choose({ k: part });
        const step = this.steps.indexOf(event.target.closest("li[data-stage]"));
        if (step >= 0) this.walkTo(step);
      });
      for (const select of selects) {
        select.addEventListener("change", () => {
          this.choose({ [select.dataset.choose]: select.selectedIndex });
        });
      }
      for (const button of buttons) {
        button.addEventListener("click", () => this.walkTo(this.stage + Number(button.dataset.go)));
      }
      this.onKey = (event) => this.key(event);
      this.choose({}, false);
    }

    key(event) {
      if (!this.contains(event.target) || event.ctrlKey || event.metaKey || event.altKey) return;
      const { y, x } = this.chosen;
      const moves = {
        ArrowUp: { y: y - 1 },
        ArrowDown: { y: y + 1 },
        ArrowLeft: { x: x - 1 },
        ArrowRight: { x: x + 1 },
        Home: { x: 0 },
        End: { x: Infinity },
      };
      const inGrid = event.target.closest('[data-cells="output"]');
      const step = { ArrowLeft: -1, ArrowRight: 1 }[event.key];
      if (event.key === "Escape") {
        this.choose(this.first);
        this.walkTo(0);
        if (inGrid) this.focusCell();
      } else if (inGrid && moves[event.key]) {
        this.choose(moves[event.key]);
        this.focusCell();
      } else if (event.target.closest("[data-go]") && step) {
        this.walkTo(this.stage + step);
      } else {
        return;
      }
      event.preventDefault();
      event.stopPropagation();
    }

    focusCell() {
      this.output.cells.find((cell) => cell.tabIndex === 0).focus();
    }
  }

  customElements.define("drq-walk", DrqWalk);
})();
