/** Tables as CSV (RFC 4180) that no spreadsheet takes for formulas. */

/** What a cell may hold; undefined and null are empty cells, objects become their JSON text. */
type Row = Readonly<Record<string, unknown>>;

const needsQuotes = /[",\r\n]/;
/** What makes a spreadsheet read a cell as a formula; also behind white space, and in their full-width forms (OWASP, "CSV Injection"). */
const beginsFormula = /^[\s\u0000]*[=+\-@\uff1d\uff0b\uff0d\uff20]|^[\t\r\n]/u;

/** One line of names and one a row, each ended by CR LF. A text that a spreadsheet could take for a formula begins with `'`. */
export function csvText(columns: readonly string[], rows: Iterable<Row>): string {
  const lines = [columns.map(cell).join(",")];
  for (const row of rows) lines.push(columns.map((column) => cell(row[column])).join(","));
  return lines.map((line) => `${line}\r\n`).join("");
}

function cell(value: unknown): string {
  if (value === undefined || value === null) return "";
  if (typeof value === "number") return String(value);
  const text = typeof value === "string" ? value : JSON.stringify(value);
  const safe = beginsFormula.test(text) ? `'${text}` : text;
  return needsQuotes.test(safe) ? `"${safe.replaceAll('"', '""')}"` : safe;
}
