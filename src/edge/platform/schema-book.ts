/** The schemas that were registered, folded from the platform log: those of the application, version by version. */
import { type EventRow, isJsonObject } from "../../event/index.js";
import { type SchemaVersion, VersionBook } from "../../schema/index.js";
import { corrupt, specOf } from "./row-values.js";

/** The type of the fact that notes a schema of the application: `{type, schemaVersion, hash, schema}`. */
export const schemaFactType = "schema.registered";

/** See the file's first line. */
export class SchemaBook {
  readonly #application = new VersionBook();

  /** Folds a verified `schema.registered`. @throws EventplaneError `event_corrupt` */
  applyRegistered(row: EventRow): void {
    const { type, schemaVersion, schema } = specOf(row);
    if (typeof type !== "string" || typeof schemaVersion !== "number" || !isJsonObject(schema)) throw corrupt(row);
    this.#application.add({ type, schemaVersion, schema });
  }

  /** A version of a type of the application. */
  find(type: string, schemaVersion: number): SchemaVersion | undefined {
    return this.#application.find(type, schemaVersion);
  }

  /** All versions of a type of the application, the latest last. */
  versionsOf(type: string): readonly SchemaVersion[] {
    return this.#application.of(type);
  }
}
