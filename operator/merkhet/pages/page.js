"use strict";
(() => {
  const table = document.querySelector("table.columns");
  if (!table) return;
  document.documentElement.classList.add("live");
  const body = table.tBodies[0];
  const heads = [...table.tHead.rows[0].cells];
  const value = (row, index) => row.cells[index].dataset.key ?? row.cells[index].textContent.trim();
  const order = (first, second) => {
    if (first === "" || second === "") return (first === "") - (second === "");
    const apart = Number(first) - Number(second);
    return Number.isNaN(apart) ? first.localeCompare(second) : apart;
  };
  heads.forEach((head, index) => {
    if (!("sort" in head.dataset)) return;
    const button = document.createElement("button");
    button.type = "button";
    button.append(...head.childNodes);
    head.append(button);
    button.addEventListener("click", () => {
      const down = head.getAttribute("aria-sort") === "ascending";
      heads.forEach((other) => other.removeAttribute("aria-sort"));
      head.setAttribute("aria-sort", down ? "descending" : "ascending");
      const rows = [...body.rows].map((row) => [value(row, index), row]);
      rows.sort(([first], [second]) => {
        if (first === "" || second === "") return order(first, second);
        return down ? order(second, first) : order(first, second);
      });
      body.append(...rows.map(([, row]) => row));
    });
  });
  const input = document.querySelector("input[type=search]");
  const shown = document.querySelector("[data-shown]");
  const all = [...body.rows].map((row) => [row, document.getElementById(row.dataset.card), row.dataset.words]);
  input.addEventListener("input", () => {
    const words = input.value.toLowerCase().split(/\s+/).filter(Boolean);
    let count = 0;
    for (const [row, card, text] of all) {
      const fits = words.every((word) => text.includes(word));
      row.hidden = card.hidden = !fits;
      count += fits;
    }
    shown.textContent = `${count} of ${all.length}`;
  });
})();
