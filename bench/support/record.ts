/** Results on record: bench/results.json is the source, the table of docs/reference/benchmarks.md is made from it. */
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import type { Environment } from "./environment.js";
import { figure } from "./figure.js";
import { type Goal, isMet, type RowResult } from "./row.js";

/** A row that was run. */
export interface Recorded {
  readonly name: string;
  readonly question: string;
  readonly environment: Environment;
  readonly result: RowResult;
}

const root = new URL("../../", import.meta.url);
const resultsPath = fileURLToPath(new URL("bench/results.json", root));
const pagePath = fileURLToPath(new URL("docs/reference/benchmarks.md", root));
const begin = "<!-- begin: made by npm run bench -- --record -->";
const end = "<!-- end -->";

/** Replaces these rows in the record, keeps the others, and makes the table anew, in the order of `names`. */
export function record(rows: readonly Recorded[], order: readonly string[]): void {
  const known = readResults();
  const names = new Set(rows.map(({ name }) => name));
  const all = [...known.filter(({ name }) => !names.has(name)), ...rows];
  all.sort((a, b) => order.indexOf(a.name) - order.indexOf(b.name));
  writeFileSync(resultsPath, `${JSON.stringify(all, null, 2)}\n`);
  const page = readFileSync(pagePath, "utf8");
  const [head, rest = ""] = page.split(begin);
  const [, tail = ""] = rest.split(end);
  writeFileSync(pagePath, `${head}${begin}\n${table(all)}\n${end}${tail}`);
}

function readResults(): readonly Recorded[] {
  // The file is only ever written by `record`.
  return existsSync(resultsPath) ? (JSON.parse(readFileSync(resultsPath, "utf8")) as Recorded[]) : [];
}

function table(rows: readonly Recorded[]): string {
  const lines = ["| question | promised | aim | reached | measured | commit, load |", "|---|---|---|---|---|---|"];
  for (const { question, environment, result } of rows) {
    const measured = (result.comparison?.contenders ?? []).map(
      ({ name, perSecond }) => `${name} ${figure(perSecond)}/s`,
    );
    for (const [index, goal] of result.goals.entries()) {
      const what = index === 0 ? question : "";
      const where = index === 0 ? `${environment.commit}, ${environment.load}` : "";
      lines.push(
        `| ${what} | ${promise(goal)} | ${goal.aim ?? ""} | ${isMet(goal) ? "" : "**missed** "}${figure(goal.value ?? Number.NaN)} | ${index === 0 ? measured.join(", ") : ""} | ${where} |`,
      );
    }
    if (result.goals.length === 0)
      lines.push(`| ${question} | no goal | | | | ${environment.commit}, ${environment.load} |`);
    for (const [what, value] of Object.entries(result.details ?? {})) {
      lines.push(`| | | | | ${what}: ${typeof value === "number" ? figure(value) : value} | |`);
    }
  }
  const newest = rows
    .map(({ environment }) => environment)
    .sort((a, b) => a.at.localeCompare(b.at))
    .at(-1);
  if (newest !== undefined) lines.push("", machine(newest));
  return lines.join("\n");
}

function machine({ at, cpu, cores, memoryGiB, node, postgres, settings }: Environment): string {
  return `Last row measured ${at.slice(0, 10)} on ${cores} cores (${cpu}), ${memoryGiB} GiB; Node ${node}, ${postgres}; ${settings}. Load: average of the minute before the row; beyond the number of cores the machine was busy with other work.`;
}

function promise({ what, atLeast, atMost }: Goal): string {
  return `${atLeast === undefined ? `≤ ${atMost}` : `≥ ${atLeast}`} ${what}`;
}
