"use strict";
// Sorting and searching; everything is on the page without this script.
const list = document.getElementById("list");
const body = list.tBodies[0];
const rows = [...body.rows];
const folds = new Map([...document.querySelectorAll("details.op")].map((d) => [d.id, d]));
const foldOf = (row) => folds.get(row.querySelector("a").hash.slice(1));
const number = (text) => {
  const value = parseFloat(text.replaceAll(",", ""));
  return text === "none" ? Infinity : value;
};

for (const [column, cell] of [...list.tHead.rows[0].cells].entries()) {
  const button = document.createElement("button");
  button.type = "button";
  button.textContent = cell.textContent;
  cell.replaceChildren(button);
  button.addEventListener("click", () => {
    const down = cell.getAttribute("aria-sort") === "ascending";
    for (const other of cell.parentElement.cells) other.removeAttribute("aria-sort");
    cell.setAttribute("aria-sort", down ? "descending" : "ascending");
    const text = (row) => row.cells[column].textContent;
    const numeric = cell.classList.contains("drq-right");
    const compare = (a, b) => {
      if (!numeric) return text(a).localeCompare(text(b), "en", { numeric: true });
      const [x, y] = [number(text(a)), number(text(b))];
      if (isNaN(x) || isNaN(y)) return 0;
      return x === y ? 0 : x - y;
    };
    const empty = rows.filter((row) => numeric && isNaN(number(text(row))));
    const sorted = rows.filter((row) => !empty.includes(row)).sort(compare);
    if (down) sorted.reverse();
    body.append(...sorted, ...empty);
  });
}

const search = document.getElementById("search");
const find = () => {
  const words = search.value.toLowerCase().split(/\s+/).filter(Boolean);
  let found = 0;
  for (const row of rows) {
    const text = row.textContent.toLowerCase();
    const shown = words.every((word) => text.includes(word));
    row.hidden = !shown;
    const fold = foldOf(row);
    if (fold) fold.hidden = !shown;
    found += shown;
  }
  const result = `${found} of ${rows.length} operators`;
  document.getElementById("found").textContent = words.length ? result : "";
};
search.addEventListener("input", find);
search.closest("p").hidden = false;

const unfold = () => {
  const fold = folds.get(decodeURIComponent(location.hash.slice(1)));
  if (!fold) return;
  fold.open = true;
  fold.scrollIntoView();
};
addEventListener("hashchange", unfold);
unfold();

let closed = [];
addEventListener("beforeprint", () => {
  closed = [...document.querySelectorAll("details:not([open])")];
  for (const fold of closed) fold.open = true;
});
addEventListener("afterprint", () => {
  for (const fold of closed) fold.open = false;
});
