/** Results in the form that was asked for: a table for people, JSON and YAML for programs. */
import { safe, type Terminal } from "./terminal.js";
import { escapeUnsafe, toYaml } from "./yaml.js";

/** What `--output` takes. */
export const outputFormats = ["table", "json", "yaml"] as const;
/** One of {@link outputFormats}. */
export type OutputFormat = (typeof outputFormats)[number];

/** One column of a table. */
export interface Column<Row> {
  readonly title: string;
  readonly value: (row: Row) => unknown;
}

/** Prints lists, single things and streams. */
export class Printer {
  readonly #terminal: Terminal;
  readonly format: OutputFormat;

  constructor(terminal: Terminal, format: OutputFormat) {
    this.#terminal = terminal;
    this.format = format;
  }

  /** A whole list: an aligned table, a JSON array or a YAML sequence. */
  async list<Row>(rows: readonly Row[], columns: readonly Column<Row>[]): Promise<void> {
    if (this.format !== "table") return this.value(rows);
    for (const line of tableLines(rows, columns, this.#terminal)) await this.#terminal.line(line);
  }

  /** One value as JSON or YAML. In a table its members, one a line. */
  async value(value: unknown): Promise<void> {
    if (this.format === "json") return this.#terminal.line(escapeUnsafe(JSON.stringify(value, null, 2)));
    await this.#terminal.line(toYaml(value));
  }

  /** One item of a stream that may never end: a line of a table, of NDJSON, or a YAML document. */
  async item(value: unknown, line: () => string): Promise<void> {
    if (this.format === "json") return this.#terminal.line(escapeUnsafe(JSON.stringify(value)));
    if (this.format === "yaml") return this.#terminal.line(`---\n${toYaml(value)}`);
    await this.#terminal.line(line());
  }
}

function* tableLines<Row>(
  rows: readonly Row[],
  columns: readonly Column<Row>[],
  terminal: Terminal,
): Generator<string> {
  const cells = rows.map((row) => columns.map(({ value }) => safe(value(row) ?? "-", 120)));
  const widths = columns.map(({ title }, at) => Math.max(title.length, ...cells.map((row) => row[at]?.length ?? 0)));
  const aligned = (row: readonly string[]): string =>
    row
      .map((cell, at) => cell.padEnd(widths[at] ?? 0))
      .join("  ")
      .trimEnd();
  yield terminal.dim(aligned(columns.map(({ title }) => title)));
  for (const row of cells) yield aligned(row);
}
