/** A row as text for people. */
import { figure } from "./figure.js";
import type { Recorded } from "./record.js";
import { type Goal, isMet } from "./row.js";

/** Prints to standard output. */
export function printRow({ name, question, environment, result }: Recorded): void {
  const lines = [`${name}: ${question}   (load ${environment.load}, commit ${environment.commit})`];
  for (const one of result.comparison?.contenders ?? []) {
    lines.push(
      `  ${one.name.padEnd(14)} ${figure(one.perSecond).padStart(9)} /s   (${figure(one.from)} to ${figure(one.to)})`,
    );
  }
  for (const goal of result.goals) lines.push(`  ${isMet(goal) ? "met   " : "MISSED"} ${goalText(goal)}`);
  for (const [what, value] of Object.entries(result.details ?? {})) {
    lines.push(`  ${what}: ${typeof value === "number" ? figure(value) : value}`);
  }
  process.stdout.write(`${lines.join("\n")}\n\n`);
}

function goalText({ what, value, atLeast, atMost, aim }: Goal): string {
  const promise = atLeast === undefined ? `at most ${atMost}` : `at least ${atLeast}`;
  return `${figure(value ?? Number.NaN)} ${what}   (${promise}${aim === undefined ? "" : `, aim ${aim}`})`;
}
