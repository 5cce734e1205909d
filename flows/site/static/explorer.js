// Filters, sorts and searches the tables of the site. From a web server it reads the parts of a Parquet file that it
// needs, by range requests; from a folder, where a page may read no file, a script that holds the file.
"use strict";
{
const PAGE_ROWS = 50, WAIT_MS = 250, SCALE = 18, MOST_CELLS = 50_000_000; // what a browser has memory for
const root = document.getElementById("explorer");
const texts = JSON.parse(root.dataset.texts), tables = JSON.parse(root.dataset.tables);
const data = new URL("../data/", location.href);
const language = document.documentElement.lang;
const collator = new Intl.Collator(language);
const count = new Intl.NumberFormat(language);
const fill = (text, values) => text.replace(/\{(\w+)\}/g, (_, name) => values[name]);

function make(tag, attributes = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
  element.append(...children);
  return element;
}

// Files ------------------------------------------------------------------------------------------------------------

function fileByRange(table) {
  const url = new URL(`${table.name}.parquet`, data);
  let whole;
  return {
    byteLength: table.bytes,
    async slice(start, end = table.bytes) {
      if (whole) return whole.slice(start, end);
      const answer = await fetch(url, { headers: { Range: `bytes=${start}-${end - 1}` } });
      if (!answer.ok) throw new Error(`${url.pathname}: ${answer.status}`);
      const bytes = await answer.arrayBuffer();
      if (answer.status === 206) return bytes;
      whole = bytes; // a server that knows no ranges has sent the file
      return whole.slice(start, end);
    },
  };
}

async function fileInScript(table) {
  if (!window.engangTables?.[table.name]) {
    const script = make("script", { src: new URL(`${table.name}.js`, data) });
    await new Promise((resolve, reject) => {
      script.onload = resolve;
      script.onerror = () => reject(new Error(`${table.name}.js`));
      document.head.append(script);
    });
  }
  return Uint8Array.from(atob(window.engangTables[table.name]), (sign) => sign.charCodeAt(0)).buffer;
}

// A table whose columns are read when they are asked for, a group of rows at a time; cells are texts or null.
class Reader {
  static async open(table) {
    const file = location.protocol === "file:" ? await fileInScript(table) : fileByRange(table);
    return new Reader(table, file, await parquetReader.parquetMetadataAsync(file));
  }

  constructor(table, file, metadata) {
    Object.assign(this, { table, file, metadata });
    let start = 0;
    this.groups = metadata.row_groups.map((group) => {
      const rows = Number(group.num_rows), found = { start, rows, cells: new Map() };
      start += rows;
      return found;
    });
  }

  async read(group, names) {
    const missing = this.table.columns.filter(({ name }) => names.includes(name) && !group.cells.has(name));
    if (!missing.length) return;
    const rows = await new Promise((resolve, reject) => parquetReader.parquetRead({
      file: this.file,
      metadata: this.metadata,
      columns: missing.map((column) => column.source),
      rowStart: group.start,
      rowEnd: group.start + group.rows,
      rowFormat: "object",
      compressors: { ZSTD: (bytes) => parquetReader.decompress(bytes) },
      onComplete: resolve,
    }).catch(reject));
    for (const { name, source, kind } of missing) group.cells.set(name, rows.map((row) => textOf(row[source], kind)));
  }
}

function textOf(value, kind) {
  if (value === null || value === undefined) return null;
  if (value instanceof Date) return kind === "moment" ? value.toISOString().slice(0, 19).replace("T", " ") : value.toISOString().slice(0, 10);
  return Array.isArray(value) ? value.join(", ") : String(value);
}

// Conditions and order ---------------------------------------------------------------------------------------------

// A number that can be compared exactly: a float is one already, any other is counted in its smallest parts.
function keyOf(text, kind) {
  const plain = text.replace(",", ".").replace("\u2212", "-").trim();
  if (kind === "float") return plain === "" || Number.isNaN(Number(plain)) ? null : Number(plain);
  const parts = /^([+-]?)(\d+)(?:\.(\d+))?$/.exec(plain);
  if (!parts || (parts[3] ?? "").length > SCALE) return null;
  const size = BigInt(parts[2] + (parts[3] ?? "").padEnd(SCALE, "0"));
  return parts[1] === "-" ? -size : size;
}

const isNumber = (column) => column.kind === "exact" || column.kind === "float";

// What is typed into the field of a column: its sign, if any, and the rest.
function asked(typed) {
  const [, sign, rest] = /^\s*(>=|<=|=|>|<)?\s*([\s\S]*?)\s*$/.exec(typed);
  return { sign, rest };
}

function condition(column, typed) {
  const { sign, rest } = asked(typed);
  if (!sign) {
    const wanted = rest.toLowerCase();
    return (text) => text !== null && text.toLowerCase().includes(wanted);
  }
  if (sign === "=" && rest === "") return (text) => text === null || text === "";
  const key = isNumber(column) ? (text) => keyOf(text, column.kind) : (text) => text;
  const limit = key(rest);
  const holds = { "=": (a) => a === limit, ">": (a) => a > limit, "<": (a) => a < limit, ">=": (a) => a >= limit, "<=": (a) => a <= limit }[sign];
  return (text) => text !== null && limit !== null && holds(key(text));
}

// The place of each different text in the order of its column; of numbers by size, of texts as the language has it.
function ranks(found, column) {
  const different = [...new Set(found)].filter((text) => text !== null);
  if (isNumber(column)) {
    const keys = new Map(different.map((text) => [text, keyOf(text, column.kind)]));
    different.sort((a, b) => (keys.get(a) < keys.get(b) ? -1 : keys.get(a) > keys.get(b) ? 1 : 0));
  } else different.sort(collator.compare);
  return new Map(different.map((text, place) => [text, place]));
}

// The numbers of the rows that are asked for, in their order; null if something newer is asked for meanwhile.
async function find(reader, view, progress) {
  const { columns } = reader.table;
  const tests = columns.filter(({ name }) => view.filters[name]?.trim()).map((column) => [column.name, condition(column, view.filters[column.name])]);
  const words = view.search.trim().toLowerCase();
  const searched = words ? columns.map(({ name }) => name) : [];
  const needed = [...new Set([...tests.map(([name]) => name), ...searched, ...(view.sort ? [view.sort.column] : [])])];
  if (needed.length * reader.table.rows > MOST_CELLS) throw new RangeError(texts.too_many);
  const found = [], keys = [];
  for (const [part, group] of reader.groups.entries()) {
    if (needed.length) {
      if (!progress(part + 1, reader.groups.length)) return null;
      await reader.read(group, needed);
    }
    const cells = Object.fromEntries(needed.map((name) => [name, group.cells.get(name)]));
    for (let row = 0; row < group.rows; row += 1) {
      if (!tests.every(([name, test]) => test(cells[name][row]))) continue;
      if (words && !searched.some((name) => cells[name][row]?.toLowerCase().includes(words))) continue;
      found.push(group.start + row);
      if (view.sort) keys.push(cells[view.sort.column][row]);
    }
  }
  return view.sort ? ordered(found, keys, columns.find(({ name }) => name === view.sort.column), view.sort.down) : found;
}

function ordered(found, keys, column, down) {
  const places = ranks(keys, column), last = places.size;
  const place = keys.map((text) => (text === null ? last : down ? last - 1 - places.get(text) : places.get(text)));
  return found.map((_, at) => at).sort((a, b) => place[a] - place[b] || a - b).map((at) => found[at]);
}

// The cells of some rows, by row: only the groups that these are in are read.
async function rowsOf(reader, numbers, names) {
  const rows = [];
  for (const number of numbers) {
    const group = reader.groups.find(({ start, rows: length }) => number < start + length);
    await reader.read(group, names);
    rows.push(names.map((name) => group.cells.get(name)[number - group.start]));
  }
  return rows;
}

// The same in SQL --------------------------------------------------------------------------------------------------

const quoted = (text) => `'${text.replaceAll("'", "''")}'`;
const called = (name) => `"${name}"`;

function clause(column, typed) {
  const { sign, rest } = asked(typed), name = called(column.name);
  if (!sign) return `contains(lower(${name}::VARCHAR), ${quoted(rest.toLowerCase())})`;
  if (sign === "=" && rest === "") return `coalesce(${name}::VARCHAR, '') = ''`;
  const limit = isNumber(column) && keyOf(rest, column.kind) !== null ? rest.replace(",", ".").replace("\u2212", "-") : quoted(rest);
  return `${name} ${sign} ${limit}`;
}

function sqlOf(table, view) {
  const words = view.search.trim().toLowerCase();
  const clauses = table.columns.filter(({ name }) => view.filters[name]?.trim()).map((column) => clause(column, view.filters[column.name]));
  if (words) clauses.push(`contains(lower(concat_ws(' ', ${table.columns.map(({ name }) => called(name)).join(", ")})), ${quoted(words)})`);
  const where = clauses.length ? `\nWHERE ${clauses.join("\n  AND ")}` : "";
  const order = view.sort ? `\nORDER BY ${called(view.sort.column)}${view.sort.down ? " DESC" : ""} NULLS LAST` : "";
  const columns = table.columns.filter(({ name }) => view.shown.has(name)).map(({ name }) => called(name)).join(", ");
  return `SELECT ${columns}\nFROM ${table.name}${where}${order};`;
}

// The page ---------------------------------------------------------------------------------------------------------

const choice = make("select", { id: "explorer-table" }, ...tables.map(({ name }) => make("option", { value: name }, name)));
const search = make("input", { id: "explorer-search", type: "text", autocomplete: "off" });
const means = make("p", { id: "explorer-means" });
const status = make("p", { role: "status", id: "explorer-status" });
const boxes = make("div", { class: "boxes" });
const caption = make("caption", { id: "explorer-caption" });
const head = make("thead"), body = make("tbody");
const previous = make("button", { type: "button", class: "button" }, texts.previous);
const next = make("button", { type: "button", class: "button" }, texts.next);
const sql = make("code");
root.replaceChildren(
  make("p", { class: "filter" }, make("label", { for: choice.id }, texts.table), choice),
  means,
  make("p", { class: "filter" }, make("label", { for: search.id }, texts.search), search),
  make("details", {}, make("summary", {}, texts.columns), boxes),
  make("p", { class: "quiet", id: "explorer-help" }, texts.help),
  status,
  make("div", { class: "table", role: "group", tabindex: "0", "aria-labelledby": caption.id }, make("table", {}, caption, head, body)),
  make("p", { class: "parts", role: "group", "aria-label": texts.pages }, previous, " ", next),
  make("h3", {}, texts.sql),
  make("pre", { tabindex: "0", role: "group", "aria-label": texts.sql }, sql),
);

let view, reader, rows = [], run = 0;

async function select(name) {
  const table = tables.find((each) => each.name === name), mine = (run += 1);
  choice.value = name;
  view = { table, search: "", filters: {}, sort: null, first: 0, shown: new Set(table.columns.filter(({ shown }) => shown).map((column) => column.name)) };
  rows = [];
  search.value = "";
  means.textContent = table.means;
  caption.textContent = name;
  boxes.replaceChildren(...table.columns.map(columnBox));
  drawHead();
  body.replaceChildren();
  reader = null;
  if (location.protocol === "file:" && !table.inline) {
    status.textContent = fill(texts.too_large, { size: count.format(Math.round(table.bytes / 1e5) / 10) });
    drawSql();
    return;
  }
  status.textContent = fill(texts.reading, { part: 1, parts: 1 });
  try {
    const opened = await Reader.open(table);
    if (mine === run) { reader = opened; await update(); }
  } catch (error) { if (mine === run) fail(error); }
}

function fail(error) {
  status.textContent = error.message === texts.too_many ? error.message : fill(texts.failed, { why: error.message });
}

function columnBox({ name }) {
  const box = make("input", { type: "checkbox" });
  box.checked = view.shown.has(name);
  box.addEventListener("change", () => {
    if (box.checked) view.shown.add(name); else view.shown.delete(name);
    if (!box.checked) delete view.filters[name];
    drawHead();
    update();
  });
  return make("label", {}, box, " ", name);
}

const shownColumns = () => view.table.columns.filter(({ name }) => view.shown.has(name));

function drawHead() {
  const names = make("tr"), fields = make("tr", { class: "fields" });
  for (const column of shownColumns()) {
    const { name } = column, css = isNumber(column) ? { class: "figure" } : {};
    const button = make("button", { type: "button", class: "sort" }, name, make("span", { "aria-hidden": "true" }));
    const cell = make("th", { scope: "col", ...css, "data-column": name }, button);
    button.addEventListener("click", () => {
      const sorted = view.sort?.column === name ? view.sort : null;
      view.sort = !sorted ? { column: name, down: false } : sorted.down ? null : { column: name, down: true };
      markSort();
      update();
    });
    const field = make("input", { type: "text", autocomplete: "off", "aria-label": fill(texts.filter, { column: name }), "aria-describedby": "explorer-help" });
    field.value = view.filters[name] ?? "";
    field.addEventListener("input", () => { view.filters[name] = field.value; soon(); });
    names.append(cell);
    fields.append(make("td", {}, field));
  }
  head.replaceChildren(names, fields);
  markSort();
}

function markSort() {
  for (const cell of head.querySelectorAll("th")) {
    const sort = view.sort?.column === cell.dataset.column ? view.sort : null;
    if (sort) cell.setAttribute("aria-sort", sort.down ? "descending" : "ascending"); else cell.removeAttribute("aria-sort");
    cell.querySelector("span").textContent = sort ? (sort.down ? " \u25bc" : " \u25b2") : " \u2195";
  }
}

let timer;
function soon() {
  clearTimeout(timer);
  timer = setTimeout(update, WAIT_MS);
}

async function update() {
  drawSql();
  if (!reader) return;
  const mine = (run += 1), asking = reader;
  try {
    const found = await find(asking, view, (part, parts) => {
      if (mine === run && parts > 1) status.textContent = fill(texts.reading, { part: count.format(part), parts: count.format(parts) });
      return mine === run;
    });
    if (found && mine === run) { rows = found; view.first = 0; await drawRows(mine); }
  } catch (error) { if (mine === run) fail(error); }
}

async function drawRows(mine) {
  const columns = shownColumns(), part = rows.slice(view.first, view.first + PAGE_ROWS);
  const cells = await rowsOf(reader, part, columns.map(({ name }) => name));
  if (mine !== run) return;
  body.replaceChildren(...cells.map((row) => make("tr", {}, ...row.map((text, at) => make("td", isNumber(columns[at]) ? { class: "figure" } : {}, text ?? "")))));
  const last = view.first + part.length;
  const lines = [fill(texts.found, { found: count.format(rows.length), all: count.format(view.table.rows) })];
  if (last) lines.push(fill(texts.shown, { first: count.format(view.first + 1), last: count.format(last) }));
  if (view.sort) lines.push(fill(texts.sorted, { column: view.sort.column, direction: view.sort.down ? texts.descending : texts.ascending }));
  status.textContent = lines.join("; ");
  // A button that is switched off loses the focus: it stays, and does nothing.
  previous.setAttribute("aria-disabled", String(view.first === 0));
  next.setAttribute("aria-disabled", String(last >= rows.length));
}

function drawSql() { sql.textContent = sqlOf(view.table, view); }

function turn(step) {
  const first = view.first + step * PAGE_ROWS;
  if (!reader || first < 0 || first >= rows.length) return;
  view.first = first;
  drawRows((run += 1)).catch(fail);
}

choice.addEventListener("change", () => select(choice.value));
search.addEventListener("input", () => { view.search = search.value; soon(); });
previous.addEventListener("click", () => turn(-1));
next.addEventListener("click", () => turn(1));
const linked = location.hash.replace("#table-", "");
select(tables.some(({ name }) => name === linked) ? linked : tables[0].name);
}
