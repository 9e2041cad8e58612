/** Where a command writes: results to standard output, everything else to standard error; colours only where somebody looks. */
import { terminalSafe } from "../kernel/terminal.js";

/** Colours a text, or leaves it. The text must be safe already. */
export type Paint = (text: string) => string;

/** Ways to make a text stand out. */
export interface Paints {
  readonly bold: Paint;
  readonly dim: Paint;
  readonly green: Paint;
  readonly yellow: Paint;
  readonly red: Paint;
}

/** Leaves every text as it is. */
export const plain: Paints = { bold: same, dim: same, green: same, yellow: same, red: same };

/** What a command may write to. */
export interface Terminal extends Paints {
  /** Standard output is a terminal: a person looks at it. */
  readonly isInteractive: boolean;
  /** One line of the result. Resolves when the stream takes more, so that a fast source cannot fill the memory. */
  line(text: string): Promise<void>;
  /** Plain text without an end of line, cut to the width of one line that is written again; only while {@link Terminal.isInteractive}. */
  redraw(text: string): void;
  /** One line beside the result. */
  note(text: string): void;
}

interface Output {
  readonly isTTY?: boolean;
  readonly columns?: number;
  write(text: string): boolean;
  once(event: "drain", listener: () => void): unknown;
}

const columnsDefault = 80;
const colours = { bold: [1, 22], dim: [2, 22], green: [32, 39], yellow: [33, 39], red: [31, 39] } as const;

/** Makes a terminal of two streams; NO_COLOR (https://no-color.org) and a pipe at either mean no colours. */
export function createTerminal(
  output: Output,
  errors: Output,
  environment: Readonly<Record<string, string | undefined>>,
): Terminal {
  const isInteractive = output.isTTY === true;
  const noColour = environment["NO_COLOR"] !== undefined && environment["NO_COLOR"] !== "";
  const coloured = isInteractive && errors.isTTY === true && !noColour && environment["TERM"] !== "dumb";
  const paint = (name: keyof typeof colours): Paint => {
    const [on, off] = colours[name];
    return coloured ? (text) => `\u001b[${on}m${text}\u001b[${off}m` : (text) => text;
  };
  return {
    isInteractive,
    bold: paint("bold"),
    dim: paint("dim"),
    green: paint("green"),
    yellow: paint("yellow"),
    red: paint("red"),
    line: async (text) => {
      if (!output.write(`${text}\n`)) await new Promise<void>((resolve) => output.once("drain", resolve));
    },
    redraw: (text) => void output.write(`\r\u001b[2K${text.slice(0, (output.columns ?? columnsDefault) - 1)}`),
    note: (text) => void errors.write(`${text}\n`),
  };
}

/** Text from outside, harmless on a terminal; long ones are cut. */
export function safe(value: unknown, charactersMax = 500): string {
  const text = terminalSafe(String(value));
  return text.length > charactersMax ? `${text.slice(0, charactersMax - 1)}…` : text;
}

function same(text: string): string {
  return text;
}
