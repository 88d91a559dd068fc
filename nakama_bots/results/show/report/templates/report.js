// Extras only: everything stands on the page without them. A mouse over a chart shows the row of its table.
"use strict";
for (const figure of document.querySelectorAll("figure.chart")) {
  const svg = figure.querySelector("svg");
  const rows = [...figure.querySelectorAll("tbody tr")];
  const names = [...figure.querySelectorAll("thead th")].map((cell) => cell.textContent);
  const plot = svg && svg.querySelector(".plot");
  const places = (svg && svg.dataset.places || "").split(" ").map(Number);
  if (!plot || !rows.length || places.length !== rows.length) continue;
  const tip = Object.assign(document.createElement("div"), { className: "tip", hidden: true });
  const cursor = document.createElementNS("http://www.w3.org/2000/svg", "path");
  cursor.setAttribute("class", "cursor");
  figure.append(tip);
  plot.append(cursor);
  svg.addEventListener("mousemove", (event) => {
    const point = new DOMPoint(event.clientX, event.clientY).matrixTransform(plot.getScreenCTM().inverse());
    let near = 0;
    places.forEach((place, index) => {
      if (Math.abs(place - point.x) < Math.abs(places[near] - point.x)) near = index;
    });
    const cells = [...rows[near].cells].map((cell) => cell.textContent);
    const lines = cells.slice(1).map((text, index) => text && `${names[index + 1]}  ${text}`).filter(Boolean);
    tip.textContent = [cells[0], ...lines].join("\n");
    tip.hidden = false;
    const frame = figure.getBoundingClientRect();
    const left = event.clientX - frame.left;
    tip.style.left = `${left > frame.width / 2 ? left - tip.offsetWidth - 14 : left + 14}px`;
    tip.style.top = `${event.clientY - frame.top + 12}px`;
    cursor.setAttribute("d", `M${places[near]} 0V${plot.querySelector(".background").getAttribute("height")}`);
  });
  svg.addEventListener("mouseleave", () => {
    tip.hidden = true;
    cursor.removeAttribute("d");
  });
}
