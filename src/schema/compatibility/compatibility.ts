/** Whether a new version of a schema may follow the versions before it. */
import type { CompatibilityMode } from "../../event/index.js";
import type { JsonObject } from "../../kernel/index.js";
import { referenceLoop } from "../reference-loops.js";
import { visitSchemas } from "../walk-schema.js";
import type { Budget } from "./alternatives.js";
import { gapsBetween } from "./gaps.js";
import { markLosses } from "./mark-losses.js";
import type { SchemaGap } from "./rule.js";

/** An earlier version. */
export interface EarlierVersion {
  readonly schemaVersion: number;
  readonly schema: JsonObject;
  /** What was written by it is lifted by code before anybody reads it, so it need not be taken as it is. */
  readonly isLifted?: boolean;
}

/** A reason why a version may not follow another. */
export interface Incompatibility extends SchemaGap {
  /** The earlier version. */
  readonly version: number;
  /** `backward`: the new schema may not take it, and the pointer is into the new one; `forward`: the other way round; `mark`: one is lost. */
  readonly direction: "backward" | "forward" | "mark";
}

/** Steps of all comparisons of one check: with every version before, both ways. */
const stepsTogetherMax = 40_000;

/** Why the schema may not follow these versions; empty when it may. @param earlier the latest version last */
export function incompatibilities(
  schema: JsonObject,
  earlier: readonly EarlierVersion[],
  mode: CompatibilityMode,
): readonly Incompatibility[] {
  if (mode === "none") return [];
  const looked = mode.endsWith("_transitive") ? earlier : earlier.slice(-1);
  const budget = { steps: stepsTogetherMax };
  return looked.flatMap((version) => [
    ...(mode.startsWith("forward") || version.isLifted === true
      ? []
      : found("backward", version, between(version.schema, schema, budget))),
    ...(mode.startsWith("backward") ? [] : found("forward", version, between(schema, version.schema, budget))),
    ...found("mark", version, markLosses(version.schema, schema)),
  ]);
}

/** As it is shown: `version 2, backward: /properties/plan/enum does not take "gold" any more`. */
export function incompatibilityText({ version, direction, pointer, reason }: Incompatibility): string {
  return `version ${version}, ${direction}: ${pointer === "" ? "the schema" : pointer} ${reason}`;
}

function found(
  direction: Incompatibility["direction"],
  { schemaVersion }: EarlierVersion,
  gaps: readonly SchemaGap[],
): readonly Incompatibility[] {
  return gaps.map((gap) => ({ ...gap, version: schemaVersion, direction }));
}

/** What has names of its own, or comes back to itself, cannot be followed. */
function between(from: JsonObject, to: JsonObject, budget: Budget): readonly SchemaGap[] {
  const unclear = [unclearAt(from), unclearAt(to)].find((pointer) => pointer !== undefined);
  if (unclear === undefined) return gapsBetween(from, to, budget);
  return [{ pointer: unclear, reason: "refers in a way that cannot be followed" }];
}

const otherNames: readonly string[] = ["$anchor", "$dynamicAnchor", "$dynamicRef", "$recursiveRef"];

function unclearAt(schema: JsonObject): string | undefined {
  let unclear = referenceLoop(schema);
  visitSchemas(schema, (part, pointer) => {
    if (otherNames.some((name) => name in part) || ("$id" in part && pointer !== "")) unclear ??= pointer;
  });
  return unclear;
}
