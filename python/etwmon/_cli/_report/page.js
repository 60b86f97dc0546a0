"use strict";
// Sorting: a click on a heading, the largest first; what is not known stays last.
for (const button of document.querySelectorAll("thead button")) {
  button.addEventListener("click", () => {
    const head = button.closest("th");
    const table = head.closest("table");
    const column = [...head.parentNode.children].indexOf(head);
    const isText = head.classList.contains("text");
    const before = head.getAttribute("aria-sort");
    const order = before ? (before === "descending" ? "ascending" : "descending")
      : isText ? "ascending" : "descending";
    for (const other of head.parentNode.children) other.removeAttribute("aria-sort");
    head.setAttribute("aria-sort", order);
    const sign = order === "ascending" ? 1 : -1;
    const body = table.tBodies[0];
    const rows = [...body.rows].map((row) => [row.cells[column].dataset.v, row]);
    rows.sort(([a], [b]) => {
      if (a === undefined || b === undefined) return (a === undefined) - (b === undefined);
      return sign * (isText ? a.localeCompare(b) : a - b);
    });
    body.append(...rows.map(([, row]) => row));
  });
}
for (const input of document.querySelectorAll("input.filter")) {
  const rows = document.getElementById(input.dataset.table).tBodies[0].rows;
  input.addEventListener("input", () => {
    const wanted = input.value.trim().toLowerCase();
    for (const row of rows) {
      const [name, pid] = row.cells;
      row.hidden = wanted !== pid.textContent && !name.textContent.toLowerCase().includes(wanted);
    }
  });
}
// What a chart says at the pointer.
const data = JSON.parse(document.getElementById("data").textContent);
const tip = document.getElementById("tip");
const element = (name, content, color) => {
  const made = document.createElement(name);
  if (content) made.textContent = content;
  if (color) made.className = color;
  return made;
};
const show = (plot, event) => {
  const box = plot.getBoundingClientRect();
  const place = (event.clientX - box.left) / box.width;
  const cursor = plot.querySelector(".cursor");
  const slice = data.edges.findIndex((edge, i) => i > 0 && place <= edge) - 1;
  if (place < 0 || slice < 0) return hide(plot);
  cursor.hidden = false;
  cursor.style.left = `${100 * place}%`;
  const rows = data.charts[plot.dataset.chart];
  if (!rows) return;
  tip.replaceChildren(element("strong", data.times[slice]));
  for (const [label, color, values] of [...rows].reverse()) {
    const line = element("div");
    line.append(element("i", "", color), element("span", label), element("b", values[slice]));
    tip.append(line);
  }
  tip.hidden = false;
  const room = document.documentElement.clientWidth - tip.offsetWidth - 8;
  tip.style.left = `${Math.max(8, Math.min(event.clientX + 14, room))}px`;
  const below = document.documentElement.clientHeight - tip.offsetHeight - 8;
  tip.style.top = `${Math.max(8, Math.min(event.clientY + 14, below))}px`;
};
const hide = (plot) => {
  plot.querySelector(".cursor").hidden = true;
  tip.hidden = true;
};
for (const plot of document.querySelectorAll(".plot")) {
  plot.addEventListener("pointermove", (event) => show(plot, event));
  plot.addEventListener("pointerleave", () => hide(plot));
}
