/** Log entries as lines for people: the plane writes JSON, a terminal shows this. */
import type { Paints } from "./terminal.js";

/** Fields that say where an entry comes from, or that its line shows in another way. */
const hidden: ReadonlySet<string> = new Set([
  "level",
  "time",
  "message",
  "name",
  "role",
  "tenantId",
  "at",
  "reason",
  "error",
]);

/** A destination of the logger that shows each entry on one line; its texts are terminal-safe already. */
export function humanLog(terminal: Paints, write: (line: string) => void): { write(line: string): void } {
  return {
    write: (json) => {
      const entry = JSON.parse(json) as Readonly<Record<string, unknown>>; // the logger writes objects
      write(`${humanLine(entry, terminal)}\n`);
    },
  };
}

/** `12:00:01 warn  A controller failed and is tried again: The controller threw … (controller=quota attempt=1)` */
function humanLine(entry: Readonly<Record<string, unknown>>, terminal: Paints): string {
  const { level, time, message } = entry;
  const clock = String(time).slice(11, 19);
  const said = reasonOf(entry);
  const rest = Object.entries(entry)
    .filter(([name, value]) => !hidden.has(name) && ["string", "number", "boolean"].includes(typeof value))
    .map(([name, value]) => `${name}=${String(value)}`);
  const details = rest.length === 0 ? "" : terminal.dim(` (${rest.join(" ")})`);
  return `${terminal.dim(clock)} ${levelOf(String(level), terminal)} ${String(message)}${said}${details}`;
}

function levelOf(level: string, terminal: Paints): string {
  const padded = level.padEnd(5);
  if (level === "error") return terminal.red(padded);
  return level === "warn" ? terminal.yellow(padded) : padded;
}

/** Why, and at which line of the team's own code. */
function reasonOf({ reason, at, error }: Readonly<Record<string, unknown>>): string {
  const message = typeof reason === "string" ? reason : messageOf(error);
  const place = typeof at === "string" && !message.includes(at) ? ` at ${at}` : "";
  return message === "" ? place : `: ${message}${place}`;
}

function messageOf(error: unknown): string {
  if (typeof error !== "object" || error === null || !("message" in error)) return "";
  return String(error.message);
}
