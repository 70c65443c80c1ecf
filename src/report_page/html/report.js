"use strict";
for (const table of document.querySelectorAll("table.data")) {
  const body = table.tBodies[0];
  const rows = Array.from(body.rows);
  const value = (row, at) => {
    const cell = row.cells[at];
    return cell.dataset.order ?? cell.textContent.trim();
  };
  const compare = (one, other) => {
    if (one === "" || other === "") return (one === "") - (other === "");
    const difference = Number(one) - Number(other);
    if (!Number.isNaN(difference)) return difference;
    return one.localeCompare(other, undefined, { numeric: true });
  };
  Array.from(table.tHead.rows[0].cells).forEach((head, at) => {
    const button = document.createElement("button");
    button.type = "button";
    button.setAttribute("aria-label", "Sort by " + head.textContent);
    // The title stays a text of its own: browsers repeat no button on the next sheet.
    head.append(button);
    button.addEventListener("click", () => {
      const falls = head.classList.contains("n") || head.getAttribute("aria-sort") === "ascending";
      const falling = falls && head.getAttribute("aria-sort") !== "descending";
      for (const other of head.parentNode.cells) other.removeAttribute("aria-sort");
      head.setAttribute("aria-sort", falling ? "descending" : "ascending");
      rows.sort((a, b) => {
        const [one, other] = [value(a, at), value(b, at)];
        const order = compare(one, other);
        return falling && one !== "" && other !== "" ? -order : order;
      });
      body.append(...rows);
    });
  });
  if (rows.length < 6 || table.closest(".low")) continue;
  const filter = document.createElement("div");
  const input = document.createElement("input");
  const count = document.createElement("span");
  filter.className = "filter";
  input.type = "search";
  input.placeholder = "Filter";
  input.setAttribute("aria-label", "Filter: " + table.caption.textContent);
  count.className = "soft";
  count.setAttribute("role", "status");
  input.addEventListener("input", () => {
    const words = input.value.toLowerCase().split(/\s+/).filter(Boolean);
    let shown = 0;
    for (const row of rows) {
      const text = row.textContent.toLowerCase();
      row.hidden = !words.every((word) => text.includes(word));
      shown += !row.hidden;
    }
    count.textContent = words.length ? shown + " of " + rows.length : "";
  });
  filter.append(input, count);
  table.before(filter);
}
