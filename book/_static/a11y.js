// Mends what the theme leaves for people who listen to a page or use no mouse.
(() => {
  "use strict";

  // An accessible name must hold the words that are seen: a title or label that says something
  // else goes, where the element has text of its own.
  function nameByVisibleText(element) {
    if (element.textContent.trim()) element.removeAttribute("aria-label");
  }

  // A box that scrolls sideways must be reachable by keyboard, and say what it is.
  function reachScrollBoxes(part) {
    const boxes = ".drq, .pst-scrollable-table-container, div.cell_output .output, div.highlight pre";
    for (const box of part.querySelectorAll(boxes)) {
      if (box.scrollWidth <= box.clientWidth || box.hasAttribute("tabindex")) continue;
      box.tabIndex = 0;
      if (box.tagName === "PRE") continue;
      if (!box.hasAttribute("role")) box.setAttribute("role", "group");
      if (!box.hasAttribute("aria-label")) {
        const caption = box.querySelector("caption, figcaption");
        box.setAttribute("aria-label", caption ? caption.textContent.trim() : "Output, scrolls sideways");
      }
    }
  }

  function mend() {
    document.querySelectorAll(".search-button-field, details summary").forEach(nameByVisibleText);
    // The logo stands outside every landmark.
    for (const logo of document.querySelectorAll(".sidebar-primary-item > a.navbar-brand")) {
      logo.parentElement.setAttribute("role", "navigation");
      logo.parentElement.setAttribute("aria-label", "Home");
    }
    // The icons of the colour switch get titles later on, which contradict the button's name.
    for (const button of document.querySelectorAll(".theme-switch-button")) {
      const quieten = () => {
        for (const title of button.querySelectorAll("svg > title")) {
          title.parentElement.setAttribute("aria-hidden", "true");
          title.parentElement.removeAttribute("role");
          title.remove();
        }
      };
      new MutationObserver(quieten).observe(button, { childList: true, subtree: true });
      quieten();
    }
    // docutils marks a bibliography with roles that no longer exist, or that miss their parent.
    document.querySelectorAll("[role^='doc-biblio'], .citation-list, .citation").forEach((e) => {
      e.removeAttribute("role");
    });
    reachScrollBoxes(document);
    window.addEventListener("resize", () => reachScrollBoxes(document));
    // a knob brought a new figure
    document.addEventListener("drq-turned", (event) => reachScrollBoxes(event.target));
  }

  if (document.readyState === "loading") document.addEventListener("DOMContentLoaded", mend);
  else mend();
})();
