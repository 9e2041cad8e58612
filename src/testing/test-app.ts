/** Apps for tests, in the normalized form: one aggregate `organization` and the controllers that a test gives. */
import type {
  AggregateDefinition,
  AppDefinition,
  CausedBy,
  ControllerDefinition,
  Decision,
  IntentDefinition,
  IntentEffect,
  ReconcileContext,
  WorkerDefinition,
} from "../event/index.js";

/** A controller of a test. */
export type TestReconcile = (context: ReconcileContext) => Decision | readonly Decision[] | undefined;

/** The stamp of what tests publish. */
export const testCausedBy: CausedBy = {
  principal: { type: "apiKey", id: "test" },
  via: "embedded",
  requestId: "00000000-0000-4000-8000-000000000001",
  rulingId: "00000000-0000-4000-8000-000000000002",
  policySetHash: "0".repeat(64),
  policies: ["test"],
  edge: "test",
  keyId: "00000000-0000-8000-8000-000000000003",
  at: "2026-01-01T00:00:00.000000Z",
};

function intent(name: string, effect: IntentEffect): readonly [string, IntentDefinition] {
  const type = `organization.${name}`;
  const defaultExpectedVersion = effect === "creates" ? "creates" : "streamExists";
  return [type, { type, effect, fold: "merge", schemaVersion: 1, schema: {}, defaultExpectedVersion }];
}

const organization: AggregateDefinition = {
  name: "organization",
  specSchema: {},
  statusSchemas: {},
  intents: new Map([intent("create", "creates"), intent("change-plan", "updates"), intent("delete", "deletes")]),
};

/** An app whose controllers, by name, all watch `organization`. */
export function createTestApp(
  controllers: Readonly<Record<string, TestReconcile>>,
  workers: readonly WorkerDefinition[] = [],
): AppDefinition {
  const definitions = Object.entries(controllers).map(([name, reconcile]): readonly [string, ControllerDefinition] => [
    name,
    { name, watches: "organization", timeoutMs: 10_000, reconcile },
  ]);
  return {
    version: "v1",
    aggregates: new Map([["organization", organization]]),
    controllers: new Map(definitions),
    workers: new Map(workers.map((worker) => [worker.name, worker])),
  };
}

/** `completed` with this status. */
export function testDone(status?: Decision["status"]): Decision {
  return status === undefined ? { outcome: "completed" } : { outcome: "completed", status };
}
