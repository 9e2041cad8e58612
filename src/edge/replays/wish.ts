/** What an administrator wants of a replay: the body of a request as the spec of an intent. */
import { type AppDefinition, type ControllerDefinition } from "../../event/index.js";
import {
  compileSchema,
  EventplaneError,
  type JsonObject,
  type JsonValue,
  parseUs,
  type TenantId,
} from "../../kernel/index.js";
import { type ReplaySpec, replayDefinition, replayLimits } from "../../replay/index.js";

/** The members of such a body. */
export const replayWishNames = ["target", "filter", "ratePerSecond", "dryRun", "allowEffects"] as const;

const filterNames: readonly string[] = [
  "aggregateType",
  "aggregateIds",
  "types",
  "correlationId",
  "after",
  "before",
  "recordedFrom",
  "recordedBefore",
];
const checkSpec = compileSchema(replayDefinition.specSchema);

/**
 * The spec of a replay of what is in the log now.
 *
 * @param context.position the end of the tenant's log
 * @throws EventplaneError `request_invalid` with `details.pointer`, `replay_target_unknown`
 */
export function replaySpecIn(
  body: JsonObject,
  context: { readonly app: AppDefinition; readonly tenantId: TenantId; readonly position: number },
): ReplaySpec {
  const { app, tenantId, position } = context;
  const { before, ...filter } = filterIn(body.filter ?? {});
  const controller = controllerIn(body.target, app);
  if (filter.aggregateType !== undefined && filter.aggregateType !== controller.watches) {
    const message = `Controller ${controller.name} watches ${controller.watches}; events of other aggregates mean nothing to it.`;
    throw invalid("/filter/aggregateType", message);
  }
  const spec = {
    tenantId,
    target: { kind: "controller", name: controller.name },
    filter: { ...filter, aggregateType: controller.watches },
    until: before === undefined ? position : Math.min(position, Math.max(0, positionIn(before) - 1)),
    ratePerSecond: body.ratePerSecond ?? replayLimits.ratePerSecondDefault,
    dryRun: body.dryRun ?? false,
    allowEffects: body.allowEffects ?? false,
    wanted: "running",
  };
  const [misfit] = checkSpec(spec);
  if (misfit !== undefined)
    throw invalid(misfit.pointer, `The replay cannot be made: ${misfit.pointer} ${misfit.message}.`);
  for (const name of ["recordedFrom", "recordedBefore"] as const) {
    const time = filter[name];
    if (typeof time === "string" && parseUs(time) === undefined)
      throw invalid(`/filter/${name}`, `${name} must be a time before 2255 such as 2026-01-31T09:30:00Z.`);
  }
  return spec as unknown as ReplaySpec; // it fits the schema
}

/** One named consumer: there is no replay to everybody. */
function controllerIn(target: JsonValue | undefined, app: AppDefinition): ControllerDefinition {
  const { controller, ...others } = objectIn(target, "/target");
  if (typeof controller !== "string" || Object.keys(others).length > 0)
    throw invalid("/target", 'A replay names its one target: {"controller": "NAME"}.');
  const found = app.controllers.get(controller);
  if (found !== undefined) return found;
  const known = [...app.controllers.keys()].join(", ") || "none";
  throw new EventplaneError("replay_target_unknown", `This app has no such controller. It has: ${known}.`, {
    details: { pointer: "/target/controller" },
  });
}

function filterIn(filter: JsonValue): JsonObject {
  const given = objectIn(filter, "/filter");
  const unknown = Object.keys(given).find((name) => !filterNames.includes(name));
  if (unknown === undefined) return given;
  throw invalid("/filter", `filter takes ${filterNames.join(", ")}.`);
}

function positionIn(value: JsonValue): number {
  if (typeof value === "number" && Number.isSafeInteger(value) && value >= 1) return value;
  throw invalid("/filter/before", "before is a position from 1.");
}

function objectIn(value: JsonValue | undefined, pointer: string): JsonObject {
  if (typeof value === "object" && value !== null && !Array.isArray(value)) return value as JsonObject; // the others are excluded
  throw invalid(pointer, `${pointer.slice(1)} is an object.`);
}

function invalid(pointer: string, message: string): EventplaneError {
  return new EventplaneError("request_invalid", message, { details: { pointer } });
}
