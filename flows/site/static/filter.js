// Adds a field above long tables that hides the rows without what is typed. Without scripts the tables have all rows.
"use strict";
const LONG = 12;
for (const [number, region] of document.querySelectorAll("main .table").entries()) {
  const rows = [...region.querySelectorAll("tbody tr")];
  if (rows.length < LONG) continue;
  const box = document.createElement("p"), label = document.createElement("label");
  const field = document.createElement("input"), count = document.createElement("span");
  box.className = "filter";
  field.id = `filter-${number}`;
  field.type = "text";
  field.setAttribute("autocomplete", "off");
  label.htmlFor = field.id;
  label.textContent = `${document.body.dataset.filter}: ${document.getElementById(region.getAttribute("aria-labelledby")).textContent}`;
  count.setAttribute("role", "status");
  field.addEventListener("input", () => {
    const wanted = field.value.trim().toLowerCase();
    let shown = 0;
    for (const row of rows) {
      row.hidden = !row.textContent.toLowerCase().includes(wanted);
      shown += row.hidden ? 0 : 1;
    }
    count.textContent = wanted ? ` ${document.body.dataset.filtered.replace("{n}", shown)}` : "";
  });
  box.append(label, field, count);
  region.before(box);
}
