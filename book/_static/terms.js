// A link to the glossary says what its word means, while the pointer or the keyboard is on it. The
// page carries the sentence as the link's title; without this script the browser shows that.
(() => {
  "use strict";

  const note = document.createElement("div");
  note.id = "drq-term";
  note.setAttribute("role", "tooltip");
  note.hidden = true;
  let shown = null; // the link that it stands beside

  function show(link) {
    shown = link;
    note.textContent = link.dataset.definition;
    note.hidden = false;
    const at = link.getBoundingClientRect();
    const { width, height } = note.getBoundingClientRect();
    const left = Math.min(at.left, document.documentElement.clientWidth - width - 8);
    const below = at.bottom + 6 + height < window.innerHeight;
    note.style.left = `${Math.max(8, left)}px`;
    note.style.top = `${below ? at.bottom + 6 : at.top - 6 - height}px`;
  }

  const hide = () => {
    shown = null;
    note.hidden = true;
  };

  function start() {
    document.body.append(note);
    for (const link of document.querySelectorAll("a.reference[title][href*='#term-']")) {
      link.dataset.definition = link.title;
      link.removeAttribute("title"); // or the browser would show it too
      link.setAttribute("aria-describedby", note.id);
      for (const event of ["pointerenter", "focus"]) link.addEventListener(event, () => show(link));
      for (const event of ["pointerleave", "blur"]) link.addEventListener(event, hide);
    }
    window.addEventListener("keydown", (event) => event.key === "Escape" && hide());
    window.addEventListener("scroll", () => shown && show(shown), { passive: true });
  }

  if (document.readyState === "loading") document.addEventListener("DOMContentLoaded", start);
  else start();
})();
