/** The intents of an app as the documents show them: their specs as components, and an example that fits. */
import type { AppDefinition, IntentDefinition } from "../../event/index.js";
import type { JsonObject, JsonValue } from "../../kernel/index.js";
import { componentName, embedSchema } from "./embed-schema.js";
import { sampleOf } from "./sample.js";

/** All intents of the app, in the order of their declaration. */
export function intentsOf(app: AppDefinition): readonly IntentDefinition[] {
  return [...app.aggregates.values()].flatMap(({ intents }) => [...intents.values()]);
}

/** The schemas of their specs, by the names of components. */
export function specComponents(intents: readonly IntentDefinition[]): JsonObject {
  const entries = intents.map(({ type, schemaVersion, schema }): [string, JsonObject] => {
    const name = componentName(type, schemaVersion);
    return [name, embedSchema(schema, name)];
  });
  return Object.fromEntries(entries);
}

/** The first intent for which a spec is found that fits; undefined: there is none. */
export function exampleIntentOf(
  intents: readonly IntentDefinition[],
): { readonly type: string; readonly aggregateId: string; readonly spec: JsonValue } | undefined {
  for (const { type, schema } of intents) {
    const spec = sampleOf(schema);
    if (spec !== undefined) return { type, aggregateId: "acme", spec };
  }
  return undefined;
}
