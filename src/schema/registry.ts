/**
 * The compiled schemas of an application's intents.
 */
import type { AppDefinition } from "../event/index.js";
import {
  compileSchema,
  EventplaneError,
  type JsonObject,
  type SchemaCheck,
  type SchemaProblem,
} from "../kernel/index.js";

/** A registered schema. */
export interface RegisteredSchema {
  readonly type: string;
  readonly schemaVersion: number;
  readonly schema: JsonObject;
}

/** Checks specs against the schema of their type; compiles each schema once, when it is first needed. */
export class SchemaRegistry {
  readonly #schemas: ReadonlyMap<string, RegisteredSchema>;
  readonly #checks = new Map<string, SchemaCheck>();

  constructor(app: Pick<AppDefinition, "aggregates">) {
    const intents = [...app.aggregates.values()].flatMap((aggregate) => [...aggregate.intents.values()]);
    this.#schemas = new Map(
      intents.map(({ type, schemaVersion, schema }) => [key(type, schemaVersion), { type, schemaVersion, schema }]),
    );
  }

  /** All schemas, in the order of their declaration. */
  list(): readonly RegisteredSchema[] {
    return [...this.#schemas.values()];
  }

  /** One schema, or undefined. */
  find(type: string, schemaVersion: number): RegisteredSchema | undefined {
    return this.#schemas.get(key(type, schemaVersion));
  }

  /**
   * What is wrong with a spec; an empty list means that it fits. Pointers are into the spec.
   *
   * @throws EventplaneError `unknown_type` when no such schema is registered
   */
  validate(type: string, schemaVersion: number, spec: unknown): readonly SchemaProblem[] {
    return this.#check(type, schemaVersion)(spec);
  }

  /** Compiles all schemas now, so that no publisher waits for it. */
  compileAll(): void {
    for (const { type, schemaVersion } of this.#schemas.values()) this.#check(type, schemaVersion);
  }

  #check(type: string, schemaVersion: number): SchemaCheck {
    const name = key(type, schemaVersion);
    const known = this.#checks.get(name);
    if (known !== undefined) return known;
    const registered = this.#schemas.get(name);
    if (registered === undefined) {
      throw new EventplaneError("unknown_type", `No schema version ${schemaVersion} of this type is registered.`, {
        details: { pointer: "/schemaVersion" },
      });
    }
    const check = compileSchema(registered.schema);
    this.#checks.set(name, check);
    return check;
  }
}

function key(type: string, schemaVersion: number): string {
  return `${type}/${schemaVersion}`;
}
