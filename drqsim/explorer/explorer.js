// <drq-explorer>: knobs, and a panel for each setting of them. Only the panel that is shown is
// part of the page; the others wait as text in <noscript> and are parsed when first asked for.
customElements.get("drq-explorer") || (() => {
  "use strict";

  function make(tag, properties) {
    return Object.assign(document.createElement(tag), properties);
  }

  class Knob {
    constructor(fieldset) {
      const legend = fieldset.querySelector("legend");
      const label = legend.textContent;
      this.radios = [...fieldset.querySelectorAll("input")];
      this.names = [...fieldset.querySelectorAll("label")].map((name) => name.textContent);
      // What is set, for paper and beside a slider; a listener hears it from the control itself.
      this.value = legend.appendChild(make("b", { className: "drq-value", ariaHidden: "true" }));
      if ("slide" in fieldset.dataset) this.slide(fieldset, label);
    }

    slide(fieldset, label) {
      const last = this.names.length - 1;
      const value = this.at();
      this.range = make("input", { type: "range", max: last, value, ariaLabel: label });
      const ticks = make("span", { className: "drq-ticks", ariaHidden: "true" });
      ticks.append(...this.names.map(() => make("i")));
      const ends = make("span", { className: "drq-ends", ariaHidden: "true" });
      ends.append(...[0, last].map((at) => make("span", { textContent: this.names[at] })));
      fieldset.replaceChildren(fieldset.firstElementChild, this.range, ticks, ends);
    }

    at() {
      return this.range ? +this.range.value : this.radios.findIndex((radio) => radio.checked);
    }

    say() {
      const name = this.names[this.at()];
      this.value.textContent = ` = ${name}`;
      if (this.range) this.range.ariaValueText = name;
    }
  }

  class Explorer extends HTMLElement {
    connectedCallback() {
      if (this.knobs || this.begin()) return;
      // The parser calls this before it has read the children.
      const wait = new MutationObserver(() => this.begin() && wait.disconnect());
      wait.observe(this, { childList: true });
    }

    // False while the last of the children is missing.
    begin() {
      const children = (what) => [...this.querySelectorAll(`:scope > .drq-${what}`)];
      [this.status] = children("said");
      if (!this.status) return false;
      this.knobs = children("knob").map((fieldset) => new Knob(fieldset));
      this.panels = [...this.querySelectorAll(":scope > .drq-panel, :scope > .drq-packed")];
      this.shown = this.panels.find((panel) => panel.matches(".drq-panel"));
      this.addEventListener("input", () => this.turn());
      this.turn();
      return true;
    }

    turn() {
      this.knobs.forEach((knob) => knob.say());
      const at = this.knobs.reduce((sum, knob) => sum * knob.names.length + knob.at(), 0);
      let panel = this.panels[at];
      if (panel === this.shown) return;
      if (panel.matches(".drq-packed")) {
        panel = make("template", { innerHTML: panel.innerHTML }).content.firstElementChild;
        this.panels[at] = document.adoptNode(panel);
      }
      this.shown.replaceWith(panel);
      this.shown = panel;
      this.status.textContent = panel.dataset.said;
      this.dispatchEvent(new Event("drq-turned", { bubbles: true }));
    }
  }

  customElements.define("drq-explorer", Explorer);
})();
