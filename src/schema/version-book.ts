/** Which schema each version of each type has, as the log says it: what was registered first is what the version means. */
import { compatibilityDefault, type IntentDefinition } from "../event/index.js";
import { EventplaneError, type JsonObject } from "../kernel/index.js";
import { type EarlierVersion, incompatibilities, incompatibilityText } from "./compatibility/compatibility.js";
import { markLosses } from "./compatibility/mark-losses.js";
import { sameSchema } from "./compatibility/same.js";

/** A version of a type, and its schema. */
export interface SchemaVersion {
  readonly type: string;
  readonly schemaVersion: number;
  readonly schema: JsonObject;
}

/** What a configuration says of a type. */
export type DeclaredVersion = Pick<
  IntentDefinition,
  "type" | "schemaVersion" | "schema" | "compatibility" | "upcasters"
>;

/** All versions that were registered. */
export class VersionBook {
  readonly #types = new Map<string, Map<number, SchemaVersion>>();

  /** Notes a version. Of what was registered under its number before, nothing changes. */
  add(version: SchemaVersion): void {
    const versions = this.#types.get(version.type) ?? new Map<number, SchemaVersion>();
    this.#types.set(version.type, versions);
    if (!versions.has(version.schemaVersion)) versions.set(version.schemaVersion, version);
  }

  /** One version, or undefined. */
  find(type: string, schemaVersion: number): SchemaVersion | undefined {
    return this.#types.get(type)?.get(schemaVersion);
  }

  /** The versions of a type, the latest last. */
  of(type: string): readonly SchemaVersion[] {
    return [...(this.#types.get(type)?.values() ?? [])].sort((one, other) => one.schemaVersion - other.schemaVersion);
  }

  /**
   * Holds what a configuration declares against what is registered.
   *
   * An older configuration than the latest may come back, with the schemas that it had.
   *
   * @throws EventplaneError `schema_changed` when a schema has another content than was registered under its number;
   * `schema_incompatible` with every reason; `config_invalid` when there is no upcaster for a version that was registered
   */
  check(declared: readonly DeclaredVersion[]): void {
    const changed = declared.filter((each) => this.#isChanged(each));
    if (changed.length > 0) throw changedError(changed, (type) => this.of(type).at(-1)?.schemaVersion ?? 0);
    for (const each of declared) this.#checkSteps(each);
    const reasons = declared.flatMap((each) =>
      this.reasonsAgainst(each).map((reason) => `${each.type} ${each.schemaVersion}: ${reason}`),
    );
    if (reasons.length === 0) return;
    throw new EventplaneError(
      "schema_incompatible",
      `New schemas do not fit those that they follow: ${reasons.slice(0, 5).join("; ")}. ` +
        "Take back what narrows them or make it a new type; docs/how-to/evolve-a-schema.md has the ways.",
      { details: { reasons } },
    );
  }

  /** Why the version may not follow those before it; empty when it may, and for one that is registered. */
  reasonsAgainst(declared: DeclaredVersion): readonly string[] {
    const { type, schemaVersion, schema, compatibility = compatibilityDefault, upcasters } = declared;
    if (this.find(type, schemaVersion) !== undefined) return [];
    // Whoever reads an old event gets what the upcasters make of it, so the schema need not take it as it was.
    const earlier = this.#before(declared).map(
      (each): EarlierVersion => ({ ...each, isLifted: upcasters !== undefined }),
    );
    return incompatibilities(schema, earlier, compatibility).map(incompatibilityText);
  }

  #before({ type, schemaVersion }: DeclaredVersion): readonly SchemaVersion[] {
    return this.of(type).filter((each) => each.schemaVersion < schemaVersion);
  }

  /** Events of every registered version may be in the log. */
  #checkSteps(declared: DeclaredVersion): void {
    const { type, upcasters } = declared;
    const [first] = this.#before(declared);
    if (upcasters === undefined || first === undefined || upcasters.has(first.schemaVersion)) return;
    throw new EventplaneError(
      "config_invalid",
      `${type} has no upcaster from version ${first.schemaVersion}, of which there may be events in the log. Where a step changes nothing, write (spec) => spec.`,
    );
  }

  #isChanged({ type, schemaVersion, schema }: DeclaredVersion): boolean {
    const known = this.find(type, schemaVersion);
    if (known !== undefined) return !meansTheSame(known.schema, schema);
    // A number that was passed over must not be filled in later: what is written by it would be read as older than it is.
    return (this.of(type).at(-1)?.schemaVersion ?? 0) > schemaVersion;
  }
}

/** Titles and examples may change; marks say what becomes of the data. */
function meansTheSame(one: JsonObject, other: JsonObject): boolean {
  return (
    sameSchema({ schema: one, root: one }, { schema: other, root: other }) &&
    markLosses(one, other).length === 0 &&
    markLosses(other, one).length === 0
  );
}

function changedError(changed: readonly DeclaredVersion[], latest: (type: string) => number): EventplaneError {
  const named = changed.map(({ type, schemaVersion }) => `${type} (schemaVersion ${schemaVersion})`);
  const next = Math.max(...changed.map(({ type }) => latest(type))) + 1;
  return new EventplaneError(
    "schema_changed",
    `The schema of ${named.slice(0, 5).join(", ")} is not the one that was registered under its number. ` +
      `Write schemaVersion: ${next} beside it, or beside \`spec\` for all intents of an aggregate; docs/how-to/evolve-a-schema.md says more.`,
    { details: { types: changed.map(({ type }) => type) } },
  );
}
