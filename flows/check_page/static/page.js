// Drag and drop, the size of the chosen file, and one submission at a time. The page works without any of it.
"use strict";

const summary = document.querySelector("[data-focus]");
if (summary) summary.focus();

const drop = document.querySelector(".drop");
if (drop) {
  const input = drop.querySelector("input");
  const state = drop.querySelector(".drop-state");
  const form = input.form;
  const megabytes = (bytes) => String(Math.ceil(bytes / 1048576));
  const most = Number(drop.dataset.most);

  const show = () => {
    const file = input.files[0];
    const isLarge = Boolean(file) && file.size > most;
    const sizes = { "{found}": isLarge ? megabytes(file.size) : "", "{size}": megabytes(most) };
    const large = drop.dataset.tooLarge.replace(/\{\w+\}/g, (place) => sizes[place]);
    const chosen = file ? drop.dataset.chosen.replace("{name}", () => file.name) : "";
    input.setCustomValidity(isLarge ? large : "");
    state.textContent = isLarge ? large : chosen;
  };

  drop.querySelector(".drop-hint").hidden = false;
  input.addEventListener("change", show);
  for (const kind of ["dragenter", "dragover"]) {
    drop.addEventListener(kind, (event) => { event.preventDefault(); drop.classList.add("over"); });
  }
  drop.addEventListener("dragleave", () => drop.classList.remove("over"));
  drop.addEventListener("drop", (event) => {
    event.preventDefault();
    drop.classList.remove("over");
    if (event.dataTransfer.files.length) {
      input.files = event.dataTransfer.files;
      show();
    }
  });

  let isSent = false;
  form.addEventListener("submit", (event) => {
    if (isSent) event.preventDefault();
    isSent = true;
    form.querySelector(".busy").textContent = form.dataset.busy;
  });
  window.addEventListener("pageshow", () => {
    isSent = false;
    form.querySelector(".busy").textContent = "";
    show();
  });
}
