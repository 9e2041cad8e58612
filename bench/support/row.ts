/** One row of the table of DESIGN's ratios: a question, how it is answered, and what was promised. */
import type { Comparison } from "./interleave.js";
import type { BenchServer } from "./server.js";

/** A promise about one number. */
export interface Goal {
  readonly what: string;
  readonly value: number | undefined;
  /** The promise holds from here up, or for `atMost` from here down. */
  readonly atLeast?: number;
  readonly atMost?: number;
  readonly aim?: number;
}

/** What a row found. */
export interface RowResult {
  readonly comparison?: Comparison;
  readonly goals: readonly Goal[];
  /** Other numbers that explain it. */
  readonly details?: Readonly<Record<string, number | string>>;
}

interface RowParts {
  readonly name: string;
  /** `npm run bench -- <group or name>` selects. */
  readonly group: string;
  readonly question: string;
  /** Not part of a run without arguments: takes minutes. */
  readonly onlyWhenAsked?: boolean;
}

/** A row: on a fresh database server, or within this process alone. */
export type Row = RowParts &
  (
    | { readonly needsServer?: true; readonly run: (server: BenchServer) => Promise<RowResult> }
    | { readonly needsServer: false; readonly run: () => Promise<RowResult> }
  );

/** Whether a goal is met; a value that is not there meets nothing. */
export function isMet({ value = Number.NaN, atLeast, atMost }: Goal): boolean {
  return atLeast === undefined ? value <= (atMost ?? Number.NaN) : value >= atLeast;
}
